//! What time alone makes a finding.

use std::path::Path;
use std::sync::Arc;

use custody_ingest::overdue::{Deadline, Deadlines};
use custody_ingest::pipeline::PipelineOptions;
use custody_ledger::{Act, Entry, HouseRecord};

use crate::house::{DAY_NS, ERASURE, House, START_NS, said, totals};

/// Plain numbers of days.
struct Days;

impl Deadlines for Days {
    fn response(&self, jurisdiction: &str, received_ns: i64, extended: bool) -> Option<Deadline> {
        assert_eq!(jurisdiction, "DE");
        let days = if extended { 90 } else { 30 };
        Some(Deadline {
            due_ns: received_ns + days * DAY_NS,
            source: "response",
        })
    }

    fn breach(&self, _: &str, known_ns: i64) -> Option<Deadline> {
        Some(Deadline {
            due_ns: known_ns + 3 * DAY_NS,
            source: "breach",
        })
    }
}

fn open(data: &Path, retention_days: Option<u32>) -> House {
    let options = PipelineOptions {
        deadlines: Arc::new(Days),
        retention_days_after_account_closed: retention_days,
        ..PipelineOptions::default()
    };
    House::with(data, START_NS, options)
}

/// Days after 2024-01-01T00:00:00Z.
fn day(days: i64) -> i64 {
    1_704_067_200_000_000_000 + days * DAY_NS
}

/// Codes and times of what the house found overdue.
fn found(house: &House) -> Vec<(String, i64)> {
    house
        .said_by_the_house()
        .into_iter()
        .map(|entry: Entry| match entry.act {
            Act::House(HouseRecord::OverdueFound { code, due_ns, .. }) => {
                assert_eq!(entry.event_time_ns, due_ns);
                (code, due_ns)
            }
            other => panic!("{other:?}"),
        })
        .collect()
}

fn request(id: &str, person: &str) -> String {
    let block = format!(r#","rights_request":{{"right":"eu-gdpr:A15","request_id":"{id}"}}"#);
    said(
        &format!("req-{id}"),
        "rights_request",
        "2024-01-01T00:00:00Z",
        &[person],
        &block,
    )
}

fn response(id: &str, person: &str, outcome: &str, time: &str) -> String {
    let block = format!(r#","rights_response":{{"request_id":"{id}","outcome":"{outcome}"}}"#);
    said(
        &format!("res-{id}-{outcome}"),
        "rights_response",
        time,
        &[person],
        &block,
    )
}

#[test]
fn a_request_without_an_answer_is_overdue_once() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path();
    let house = open(data, None);
    house.send(
        0,
        &[
            request("never", "account:1"),
            request("in-time", "account:1"),
            response("in-time", "account:1", "fulfilled", "2024-01-20T00:00:00Z"),
            request("too-late", "account:2"),
            response("too-late", "account:2", "refused", "2024-02-05T00:00:00Z"),
            request("extended", "account:3"),
            response("extended", "account:3", "extended", "2024-01-20T00:00:00Z"),
            // Taken back: nobody asked.
            request("mistake", "account:6"),
            said(
                "back",
                "retraction",
                "2024-01-03T00:00:00Z",
                &["account:6"],
                r#","retraction":{"of":{"source":"//model.example","id":"req-mistake"}}"#,
            ),
            // The same id of another person is another request.
            request("x", "account:4"),
            response("x", "account:5", "fulfilled", "2024-01-02T00:00:00Z"),
        ],
    );
    house.reviewed();
    assert_eq!(house.pipeline.check_overdue(day(30) - 1).unwrap(), 0);
    assert_eq!(house.pipeline.check_overdue(day(30)).unwrap(), 3);
    assert_eq!(house.pipeline.check_overdue(day(31)).unwrap(), 0);
    let month = ("response_overdue".to_owned(), day(30));
    assert_eq!(found(&house), vec![month.clone(); 3]);
    assert!(house.said_by_the_house().iter().all(|entry| {
        entry.subject.is_some() && entry.jurisdiction == "DE" && entry.service == "shop.example"
    }));
    house.close();

    for lost in [false, true] {
        if lost {
            std::fs::remove_dir_all(data.join("state")).unwrap();
        }
        let house = open(data, None);
        assert_eq!(house.pipeline.check_overdue(day(90) - 1).unwrap(), 0);
        assert_eq!(found(&house).len(), 3);
        house.close();
    }
    let house = open(data, None);
    assert_eq!(house.pipeline.check_overdue(day(90)).unwrap(), 1);
    assert_eq!(found(&house)[3], ("response_overdue".to_owned(), day(90)));
    house.close();
    assert_eq!(totals(data).0, 11);
}

#[test]
fn a_request_that_was_taken_back_and_made_again_is_owed() {
    let dir = tempfile::tempdir().unwrap();
    let house = open(dir.path(), None);
    let block = r#","rights_request":{"right":"eu-gdpr:A15","request_id":"r"}"#;
    let say = |id: &str, time: &str| said(id, "rights_request", time, &["account:1"], block);
    let back = r#","retraction":{"of":{"source":"//model.example","id":"first"}}"#;
    house.send(
        0,
        &[
            say("first", "2024-01-01T00:00:00Z"),
            said(
                "back",
                "retraction",
                "2024-01-03T00:00:00Z",
                &["account:1"],
                back,
            ),
            say("second", "2024-01-11T00:00:00Z"),
        ],
    );
    house.reviewed();
    assert_eq!(house.pipeline.check_overdue(day(40) - 1).unwrap(), 0);
    assert_eq!(house.pipeline.check_overdue(day(40)).unwrap(), 1);
    assert_eq!(house.pipeline.check_overdue(day(99)).unwrap(), 0);
    assert_eq!(found(&house), [("response_overdue".to_owned(), day(40))]);
    house.close();
}

#[test]
fn an_account_that_is_closed_again_is_dated_from_then() {
    let dir = tempfile::tempdir().unwrap();
    let house = open(dir.path(), Some(60));
    let ids = ["account:1"];
    let again = r#","purposes":["custody:account"],"collection":{"origin":"subject"}"#;
    house.send(
        0,
        &[
            said("c-1", "account_closed", "2024-01-01T00:00:00Z", &ids, ""),
            said("o", "collection", "2024-01-11T00:00:00Z", &ids, again),
            said("c-2", "account_closed", "2024-01-21T00:00:00Z", &ids, ""),
        ],
    );
    house.reviewed();
    assert_eq!(house.pipeline.check_overdue(day(80) - 1).unwrap(), 0);
    assert_eq!(house.pipeline.check_overdue(day(80)).unwrap(), 1);
    assert_eq!(house.pipeline.check_overdue(day(99)).unwrap(), 0);
    assert_eq!(found(&house), [("retention_exceeded".to_owned(), day(80))]);
    house.close();
}

#[test]
fn an_answer_under_another_reference_of_the_person_counts() {
    let dir = tempfile::tempdir().unwrap();
    let house = open(dir.path(), None);
    house.send(
        0,
        &[
            request("r", "account:1"),
            said(
                "l",
                "notice",
                "2024-01-02T00:00:00Z",
                &["account:2"],
                r#","notice":{}"#,
            ),
            said(
                "m",
                "notice",
                "2024-01-02T00:00:00Z",
                &["account:2", "account:1"],
                r#","notice":{}"#,
            ),
            response("r", "account:2", "fulfilled", "2024-01-20T00:00:00Z"),
        ],
    );
    house.reviewed();
    assert_eq!(house.pipeline.check_overdue(day(31)).unwrap(), 0);
    house.close();
    assert_eq!(totals(dir.path()).0, 4);
}

#[test]
fn a_breach_is_to_be_notified() {
    let dir = tempfile::tempdir().unwrap();
    let house = open(dir.path(), None);
    let breach = |id: &str, event: &str, time: &str, notified: &str| {
        let block = format!(r#","breach":{{"breach_id":"{id}","notified":[{notified}]}}"#);
        said(event, "breach", time, &[], &block)
    };
    house.send(
        0,
        &[
            breach("b-1", "e-1", "2024-01-01T00:00:00Z", ""),
            breach("b-2", "e-2", "2024-01-01T00:00:00Z", ""),
            breach("b-2", "e-3", "2024-01-03T00:00:00Z", r#""authority""#),
            breach(
                "b-3",
                "e-4",
                "2024-01-01T00:00:00Z",
                r#""authority","subjects""#,
            ),
            breach("b-4", "e-5", "2024-01-01T00:00:00Z", r#""subjects""#),
        ],
    );
    house.reviewed();
    assert_eq!(house.pipeline.check_overdue(day(3) - 1).unwrap(), 0);
    assert_eq!(house.pipeline.check_overdue(day(3)).unwrap(), 2);
    assert_eq!(
        found(&house),
        vec![("notice_overdue".to_owned(), day(3)); 2]
    );
    assert!(
        house
            .said_by_the_house()
            .iter()
            .all(|entry| entry.subject.is_none())
    );
    house.close();
    assert_eq!(totals(dir.path()).0, 5);
}

#[test]
fn data_is_gone_a_while_after_an_account_is_closed() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path();
    let house = open(data, Some(60));
    let closed = |n: &str| {
        let person = format!("account:{n}");
        let time = "2024-01-01T00:00:00Z";
        said(&format!("c-{n}"), "account_closed", time, &[&person], "")
    };
    let erased = |n: &str, time: &str, more: &str| {
        let person = format!("account:{n}");
        said(&format!("e-{n}"), "erasure", time, &[&person], more)
    };
    house.send(
        0,
        &[
            closed("kept"),
            closed("erased"),
            erased("erased", "2024-02-01T00:00:00Z", ERASURE),
            closed("partly"),
            erased(
                "partly",
                "2024-02-01T00:00:00Z",
                r#","erasure":{"scope":["custody:contact"]}"#,
            ),
            closed("opened"),
            said(
                "c-again",
                "collection",
                "2024-02-01T00:00:00Z",
                &["account:opened"],
                r#","purposes":["custody:account"],"collection":{"origin":"subject"}"#,
            ),
            closed("before"),
            erased("before", "2023-12-01T00:00:00Z", ERASURE),
        ],
    );
    house.reviewed();
    assert_eq!(house.pipeline.check_overdue(day(60) - 1).unwrap(), 0);
    assert_eq!(house.pipeline.check_overdue(day(60)).unwrap(), 3);
    assert_eq!(
        found(&house),
        vec![("retention_exceeded".to_owned(), day(60)); 3]
    );
    house.close();
    // Where the operator says nothing, nothing is found.
    std::fs::remove_dir_all(data.join("state")).unwrap();
    let house = open(data, None);
    assert_eq!(house.pipeline.check_overdue(day(1000)).unwrap(), 0);
    house.close();
    assert_eq!(totals(data).0, 9);
}
