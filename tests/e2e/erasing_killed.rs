//! Persons who are erased: killed at random moments meanwhile, and still each
//! is either there or gone, never half.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use custody_proto::v1;
use tonic::Code;

use crate::custody::{PATIENCE, Service, data_dir, verify};
use crate::exactly_once::totals;
use crate::kafka::{Raw, produce, shared};

const PERSONS: usize = 240;
const TOPIC: &str = "erasing-killed";

/// Persons in one order.
const AT_ONCE: usize = 12;

/// How often the process is killed; `CUSTODY_ERASE_KILLS=20` for the full run.
fn kills() -> usize {
    std::env::var("CUSTODY_ERASE_KILLS")
        .ok()
        .and_then(|value| value.parse().ok())
        .unwrap_or(6)
}

fn account(person: usize) -> String {
    format!("account:{}", 500_000 + person)
}

/// An invented event of a person, with a shared address.
fn event(person: usize, number: usize) -> Raw {
    let account = account(person);
    let (day, second) = (1 + number % 28, person % 60);
    Raw::json(
        &account,
        &format!(
            r#"{{"specversion":"1.0","id":"e-{person}-{number}","source":"//shop.example","type":"custody.disclosure.v1","time":"2025-03-{day:02}T09:00:{second:02}Z","data":{{"subject":{{"ids":["{account}","email:p{person}@example.com"],"jurisdiction":"DE"}},"service":"alibaba.com","controller":"alibaba-com-singapore","purposes":["account"],"categories":[{{"term":"contact","fields":["email"]}}],"legal_basis":"eu-gdpr:A6-1-b","location":"DE","note":"xyzzy{person}","disclosure":{{"recipient":{{"id":"dhl","name":"DHL","country":"DE"}}}}}}}}"#
        ),
    )
}

/// How many entries a person has; `None` where nobody is known by this name.
fn entries(service: &Service, subject: &str) -> Option<u64> {
    let request = v1::GetSubjectRequest {
        subject: subject.to_owned(),
        ..v1::GetSubjectRequest::default()
    };
    match service.lineage(async |mut client| client.get_subject(request).await) {
        Ok(answer) => Some(answer.entries),
        Err(status) if status.code() == Code::NotFound => None,
        Err(status) => panic!("{status}"),
    }
}

fn order(subjects: &[String]) -> v1::EraseSubjectRequest {
    v1::EraseSubjectRequest {
        subject: subjects[0].clone(),
        more_subjects: subjects[1..].to_vec(),
        preview: true,
        ..v1::EraseSubjectRequest::default()
    }
}

/// Looks, confirms and erases. Fails where the process dies meanwhile.
fn erase(service: &Service, subjects: &[String]) -> Result<v1::Erasure, tonic::Status> {
    let mut request = order(subjects);
    let look = request.clone();
    let preview = service.rights(async |mut client| client.erase_subject(look).await)?;
    let preview = preview.erasure_preview.expect("a preview");
    assert!(preview.persons >= 1);
    request.preview = false;
    request.confirm = preview.confirm;
    let answer = service.rights(async |mut client| client.erase_subject(request).await)?;
    Ok(answer.erasure.expect("how it stands"))
}

fn erasures(service: &Service) -> Vec<v1::Erasure> {
    let request = v1::ListErasuresRequest {
        page_size: 1_000,
        ..v1::ListErasuresRequest::default()
    };
    service
        .rights(async |mut client| client.list_erasures(request).await)
        .expect("erasures")
        .erasures
}

#[test]
fn killed_while_erasing_everybody_is_there_or_gone() {
    let broker = shared();
    broker.create_topic(TOPIC, 3, &[]).expect("a topic");
    let dir = data_dir();
    let data = dir.path().join("data");
    let first: Vec<Raw> = (0..PERSONS)
        .flat_map(|person| (0..5).map(move |number| event(person, number)))
        .collect();
    let mut produced = produce(&broker.brokers(), TOPIC, first);
    let mut service = Service::start(&data, &broker.brokers(), TOPIC);
    service.wait_for_offsets(TOPIC, i64::try_from(produced).expect("fits"));

    let mut random = u64::from(std::process::id()) | 1;
    eprintln!("random from {random}");
    let mut asked: Vec<Vec<String>> = Vec::new();
    for round in 0..kills() {
        let subjects: Vec<String> = (round * AT_ONCE..(round + 1) * AT_ONCE)
            .map(account)
            .collect();
        asked.push(subjects.clone());
        // Others go on meanwhile, and so do the erased ones.
        let more: Vec<Raw> = (0..PERSONS)
            .filter(|person| person % 7 == round % 7)
            .map(|person| event(person, 10 + round))
            .collect();
        produced += produce(&broker.brokers(), TOPIC, more);
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let wait = Duration::from_millis(random % 150);
        let pid = service.pid();
        let killer = std::thread::spawn(move || {
            std::thread::sleep(wait);
            let pid = i32::try_from(pid)
                .ok()
                .and_then(rustix::process::Pid::from_raw);
            let _ =
                rustix::process::kill_process(pid.expect("a pid"), rustix::process::Signal::KILL);
        });
        let outcome = erase(&service, &subjects);
        eprintln!(
            "round {round}: killed after {wait:?}: {:?}",
            outcome.is_ok()
        );
        killer.join().expect("killed");
        service.kill();
        service = Service::start(&data, &broker.brokers(), TOPIC);
    }
    service.wait_for_offsets(TOPIC, i64::try_from(produced).expect("fits"));

    // What was begun is finished without anybody asking again.
    let end = Instant::now() + PATIENCE;
    let done = loop {
        let all = erasures(&service);
        if all.iter().all(|erasure| erasure.state == "done") {
            break all;
        }
        assert!(Instant::now() < end, "{all:?}\n{}", service.log_text());
        std::thread::sleep(Duration::from_millis(50));
    };
    let mut by_persons: BTreeMap<u64, u32> = BTreeMap::new();
    for erasure in &done {
        assert!(erasure.generation > 1, "{erasure:?}");
        *by_persons.entry(erasure.persons).or_default() += 1;
    }
    eprintln!("{} erasures, by persons {by_persons:?}", done.len());
    assert!(done.len() <= asked.len());

    // Either all of an order or none of it; who was never asked for is whole.
    for subjects in &asked {
        let left: Vec<bool> = subjects
            .iter()
            .map(|subject| entries(&service, subject).is_some_and(|count| count >= 5))
            .collect();
        assert!(
            left.iter().all(|whole| *whole) || left.iter().all(|whole| !*whole),
            "{left:?}"
        );
    }
    for person in kills() * AT_ONCE..PERSONS {
        let more = (0..kills()).filter(|round| person % 7 == round % 7).count();
        assert_eq!(
            entries(&service, &account(person)),
            Some(5 + more as u64),
            "person {person}"
        );
    }
    service.stop();
    let totals = totals(&data);
    assert_eq!(totals["entries"], produced as u64, "{totals:?}");
    assert_eq!(
        totals["rejected"] + totals["duplicates"] + totals["gaps"],
        0
    );
    verify(&data);
}
