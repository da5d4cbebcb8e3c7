//! Whose data a recipient had: as a stream, and where time runs out.

use std::time::Duration;

use custody_proto::v1;
use custody_proto::v1::oversight_service_client::OversightServiceClient;
use custody_query::Deadline;
use tonic::{Code, Request};
use tonic_types::StatusExt as _;

use crate::server::run;
use crate::watch::verify;
use crate::world::{Draft, World, party};

const PERSONS: usize = 700;

/// So many rows are read before the clock is looked at.
const ROWS_A_LOOK: usize = 256;

fn account(number: usize) -> String {
    format!("account:{number}")
}

/// Everybody once, and every tenth person twice.
fn with_many() -> World {
    let mut world = World::new();
    for part in 0..7 {
        let persons = part * 100..(part + 1) * 100;
        let mut drafts: Vec<Draft> = persons
            .clone()
            .map(|n| Draft::disclosure(&account(n), "e-1", 1, party("dhl", "DE")))
            .collect();
        let again = persons
            .step_by(10)
            .map(|n| Draft::disclosure(&account(n), "e-2", 2, party("dhl", "DE")));
        drafts.extend(again);
        world.commit(0, &drafts);
    }
    world.catch_up();
    world
}

fn request() -> v1::FindAffectedSubjectsRequest {
    v1::FindAffectedSubjectsRequest {
        recipient: "dhl".to_owned(),
        ..Default::default()
    }
}

#[test]
fn what_is_late_goes_on_behind_what_was_looked_at() {
    let world = with_many();
    let all = world.ask(request()).unwrap();
    assert_eq!(all.len(), PERSONS);
    let mut rows = 0;
    let looked_at = all.iter().position(|person| {
        rows += usize::try_from(person.count).unwrap();
        rows >= ROWS_A_LOOK
    });
    let late = world
        .api()
        .ask(request(), Deadline::after(Duration::ZERO))
        .unwrap_err();
    assert_eq!(late.code(), Code::DeadlineExceeded);
    let info = late.get_details_error_info().unwrap();
    let mut rest = request();
    rest.resume_token = info.metadata["resume_token"].clone();
    let rest = world.ask(rest).unwrap();
    let references = |of: &[v1::FindAffectedSubjectsResponse]| -> Vec<String> {
        of.iter().map(|it| it.reference.clone()).collect()
    };
    assert_eq!(references(&rest), references(&all[looked_at.unwrap()..]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_says_what_the_answer_in_one_piece_says() {
    let running = run(with_many(), false).await;
    let vault = running.world.vault.clone();
    for learnt in [false, true] {
        if learnt {
            let links = |a: usize, b: usize| {
                let find = |n| vault.lookup(&account(n)).unwrap().unwrap().persons[0].reference();
                vault.link(&find(a), &find(b)).unwrap()
            };
            assert!(links(1, 2) && links(2, 30) && links(77, 690));
            while !vault.knows_links() {
                vault.learn_links();
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
        for with_identifiers in [false, true] {
            let mut question = request();
            question.with_identifiers = with_identifiers;
            let all = running.world.ask(question.clone()).unwrap();
            assert_eq!(all.len(), if learnt { PERSONS - 3 } else { PERSONS });
            let mut oversight = OversightServiceClient::new(running.channel.clone());
            let mut question = Request::new(question);
            question.set_timeout(Duration::from_secs(3600));
            let stream = oversight.find_affected_subjects(question).await;
            let mut stream = stream.unwrap().into_inner();
            let mut streamed = Vec::new();
            while let Some(person) = stream.message().await.unwrap() {
                streamed.push(person);
            }
            assert!(streamed == all);
        }
    }
    verify(running.stop().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_goes_away_ends_the_stream() {
    let running = run(with_many(), false).await;
    let mut oversight = OversightServiceClient::new(running.channel.clone());
    for _ in 0..100 {
        let stream = oversight.find_affected_subjects(request()).await;
        let mut stream = stream.unwrap().into_inner();
        assert!(stream.message().await.unwrap().is_some());
    }
    drop(oversight);
    verify(running.stop().await);
}
