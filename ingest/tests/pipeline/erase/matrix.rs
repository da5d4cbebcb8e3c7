//! An erasure that is stopped after each of its steps: it is done in the end, and
//! once.

use std::path::Path;

use custody_ingest::duplicates::DuplicateIndex;
use custody_ingest::erase::{
    EraseError, ErasureState, FaultPoints, Registrar, RegistrarParts, Step, register,
};
use custody_ledger::HouseRecord;

use super::world::{
    Reference, comes_to, fails_after, history, is_in, kinds, open, options, order, person, records,
    settled, stores,
};
use crate::house::{House, START_NS, USE, said};

/// Two references of one person, and somebody else.
struct Persons {
    gone: [Reference; 2],
    stays: Reference,
}

fn fill(house: &House) -> Persons {
    house.send(0, &history("a", &["account:1"]));
    house.send(1, &history("b", &["member:1"]));
    house.send(1, &history("c", &["account:2"]));
    house.send(
        0,
        &[said(
            "link",
            "use",
            "2024-05-03T12:00:00Z",
            &["account:1", "member:1"],
            USE,
        )],
    );
    house.reviewed();
    Persons {
        gone: [person(house, "account:1"), person(house, "member:1")],
        stays: person(house, "account:2"),
    }
}

/// What holds when it is done, however it came about.
fn is_done(house: House, data: &Path, persons: &Persons) {
    let status = house.pipeline.registrar().erasures().pop().unwrap();
    assert_eq!(status.state, ErasureState::Done, "{status:?}");
    assert_eq!(status.trouble, None);
    let mut subjects = persons.gone;
    subjects.sort_unstable();
    assert_eq!(status.subjects, subjects);
    assert_eq!(status.recipients, ["dhl"]);
    let done = status.done.unwrap();
    assert_eq!(done.persons, 2);
    assert_eq!(done.started, status.started.unwrap().at);
    assert!(done.said.at > done.started);
    assert_eq!(done.generation, house.vault.root().generation);
    assert_eq!(done.commitment.0, house.vault.root().commitment);
    let said = kinds(&house);
    let of = |wanted| said.iter().filter(|kind| **kind == wanted).count();
    assert_eq!(of("erasure_requested"), 1);
    assert_eq!(of("erasure_done"), 1);

    for reference in &persons.gone {
        assert!(house.vault.person(reference).unwrap().is_none());
    }
    for id in ["account:1", "member:1"] {
        assert!(house.vault.lookup(id).unwrap().is_none());
    }
    assert!(house.vault.person(&persons.stays).unwrap().is_some());
    let lines = register::read(&register::path_beside(&data.join("root.key"))).unwrap();
    assert_eq!(lines.len(), 1);
    assert_eq!(lines[0].id, status.id);
    assert_eq!(lines[0].subjects, subjects);

    // What comes again is known, and brings nobody back.
    let entries = |house: &House| house.entries(&crate::house::shard(0)).len();
    let before = entries(&house);
    house.send(0, &history("a", &["account:1"]));
    assert_eq!(entries(&house), before);
    assert!(house.vault.lookup("account:1").unwrap().is_none());
    // Nothing is overdue of them, and of the other everything still is.
    house.pipeline.check_overdue(START_NS).unwrap();
    let overdue = house.said_by_the_house().into_iter().filter(|entry| {
        matches!(
            &entry.act,
            custody_ledger::Act::House(HouseRecord::OverdueFound { .. })
        )
    });
    let overdue: Vec<_> = overdue.map(|entry| entry.subject.unwrap().0).collect();
    assert_eq!(overdue, [persons.stays]);

    let rows = settled(house, data);
    for reference in &persons.gone {
        assert!(!is_in(&rows, reference));
    }
    assert!(is_in(&rows, &persons.stays));
}

#[test]
fn killed_after_any_step_it_is_done_by_the_next_start() {
    for step in Step::ALL {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path();
        let house = House::with(data, START_NS, options(data, fails_after(step)));
        let persons = fill(&house);
        let failed = house.pipeline.registrar().erase(order(&persons.gone[..1]));
        assert!(matches!(failed, Err(EraseError::Point { step: at, .. }) if at == step));
        // Not half: until the vault has done it, everything is as it was.
        let is_there = house.vault.person(&persons.gone[0]).unwrap().is_some();
        let erased = matches!(step, Step::Erased | Step::Forgotten | Step::Done);
        assert_eq!(is_there, !erased, "{step:?}");
        assert_eq!(kinds(&house).contains(&"erasure_done"), step == Step::Done);
        house.abandon();
        let house = open(data);
        is_done(house, data, &persons);
    }
}

/// Where a child that is to be killed works, and after which step.
const CHILD_DATA: &str = "CUSTODY_TEST_ERASE_DATA";
const CHILD_STEP: &str = "CUSTODY_TEST_ERASE_STEP";

#[test]
fn a_process_that_is_killed_leaves_it_done_or_not_done() {
    for (number, step) in Step::ALL.into_iter().enumerate() {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path();
        let child = std::process::Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "erase::matrix::child_that_is_killed",
                "--ignored",
            ])
            .env(CHILD_DATA, data)
            .env(CHILD_STEP, number.to_string())
            .output()
            .unwrap();
        assert!(
            child.status.code().is_none(),
            "it ended by itself: {child:?}"
        );
        let persons = std::fs::read(data.join("persons")).unwrap();
        let mut persons = persons.chunks(16).map(|one| one.try_into().unwrap());
        let mut next = || persons.next().unwrap();
        let persons = Persons {
            gone: [next(), next()],
            stays: next(),
        };
        let house = open(data);
        assert_eq!(kinds(&house).last(), Some(&"erasure_done"), "{step:?}");
        is_done(house, data, &persons);
    }
}

#[test]
#[ignore = "ends the process; another test runs it"]
fn child_that_is_killed() {
    let data = std::path::PathBuf::from(std::env::var_os(CHILD_DATA).unwrap());
    let number: usize = std::env::var(CHILD_STEP).unwrap().parse().unwrap();
    let faults = FaultPoints::new(move |done| {
        if done == Step::ALL[number] {
            std::process::abort();
        }
        Ok(())
    });
    let house = House::with(&data, START_NS, options(&data, faults));
    let persons = fill(&house);
    let all = [persons.gone[0], persons.gone[1], persons.stays].concat();
    std::fs::write(data.join("persons"), all).unwrap();
    let _ = house.pipeline.registrar().erase(order(&persons.gone));
    panic!("it was to be killed");
}

#[test]
fn what_fails_once_is_tried_again_by_itself() {
    for step in Step::ALL {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path();
        let count = std::sync::atomic::AtomicUsize::new(0);
        let faults = FaultPoints::new(move |done| {
            if done == step && count.fetch_add(1, std::sync::atomic::Ordering::SeqCst) < 2 {
                return Err(std::io::Error::other("a test"));
            }
            Ok(())
        });
        let house = House::with(data, START_NS, options(data, faults));
        let persons = fill(&house);
        let registrar = house.pipeline.registrar();
        assert!(registrar.erase(order(&persons.gone)).is_err());
        comes_to(&house, ErasureState::Done);
        is_done(house, data, &persons);
    }
}

#[test]
fn without_a_pipeline_it_is_the_same() {
    for step in [None, Some(Step::Started), Some(Step::Erased)] {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path();
        let house = open(data);
        let persons = fill(&house);
        house.close();
        let offline = |faults| {
            let (vault, ledger) = stores(data);
            Registrar::open(RegistrarParts {
                duplicates: DuplicateIndex::open(
                    &data.join("duplicates"),
                    vault.clone(),
                    7,
                    START_NS,
                )
                .unwrap(),
                state_dir: data.join("state"),
                clock: std::sync::Arc::new(|| START_NS),
                options: options(data, faults),
                ledger,
                vault,
            })
            .unwrap()
        };
        let registrar = offline(step.map(fails_after).unwrap_or_default());
        let erased = registrar.erase(order(&persons.gone));
        if step.is_some() {
            assert!(erased.is_err());
            drop(registrar);
            // The next start of either finishes it.
            offline(FaultPoints::default()).finish().unwrap();
        } else {
            assert_eq!(erased.unwrap().state, ErasureState::Done);
            registrar.finish().unwrap();
            drop(registrar);
        }
        is_done(open(data), data, &persons);
    }
}

#[test]
fn many_persons_are_one_change_of_the_root_and_the_same_order_twice_is_one() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path();
    let house = open(data);
    let persons = fill(&house);
    let all = [persons.gone[0], persons.stays];
    let before = house.vault.epoch();
    let registrar = house.pipeline.registrar();
    let status = registrar.erase(order(&all)).unwrap();
    assert_eq!(status.done.unwrap().persons, 3);
    assert_eq!(house.vault.epoch(), before + 1);
    // They are gone, and nobody can be erased twice.
    let again = registrar.erase(order(&all));
    assert!(matches!(again, Err(EraseError::UnknownPerson)));
    assert!(registrar.erase(order(&[])).unwrap_err().is_input());
    let named = |reason: &str| {
        let mut order = order(&all);
        order.reason = reason.to_owned();
        order
    };
    let sentence = registrar.erase(named("Li Example asked")).unwrap_err();
    assert!(matches!(sentence, EraseError::NotACode { field: "reason" }));
    let requested = records(&house)
        .into_iter()
        .filter(|(kind, _)| *kind == "erasure_requested");
    assert_eq!(requested.count(), 1);
    settled(house, data);
}

#[test]
fn an_order_of_hundreds_is_as_good_as_one() {
    const PERSONS: usize = 400;
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path();
    let house = open(data);
    let ids: Vec<String> = (0..PERSONS).map(|n| format!("account:p{n}")).collect();
    let said =
        |n: usize, id: &String| said(&format!("e-{n}"), "use", "2024-05-01T12:00:00Z", &[id], USE);
    for (partition, ids) in (0..).zip(ids.chunks(PERSONS / 2)) {
        let said: Vec<String> = ids
            .iter()
            .enumerate()
            .map(|(n, id)| said(n + 1000 * usize::try_from(partition).unwrap(), id))
            .collect();
        house.send(partition, &said);
    }
    house.reviewed();
    let subjects: Vec<Reference> = ids.iter().map(|id| person(&house, id)).collect();
    let before = house.vault.epoch();
    let (kept, gone) = subjects.split_first().unwrap();
    let began = std::time::Instant::now();
    let status = house.pipeline.registrar().erase(order(gone)).unwrap();
    println!("{} persons in {:?}", gone.len(), began.elapsed());
    assert_eq!(status.done.unwrap().persons, gone.len() as u64);
    assert_eq!(house.vault.epoch(), before + 1);
    let rows = settled(house, data);
    assert!(is_in(&rows, kept));
    assert!(gone.iter().all(|reference| !is_in(&rows, reference)));
}
