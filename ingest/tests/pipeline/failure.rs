//! What fails in a thread that works for all shards stops them all.

use std::sync::Arc;
use std::time::{Duration, Instant};

use custody_ingest::overdue::{Deadline, Deadlines};
use custody_ingest::pipeline::PipelineOptions;

use crate::house::{ERASURE, House, START_NS, USE, said};

/// Deadlines that cannot be told.
struct Broken;

impl Deadlines for Broken {
    fn response(&self, _: &str, _: i64, _: bool) -> Option<Deadline> {
        panic!("no deadline");
    }

    fn breach(&self, _: &str, _: i64) -> Option<Deadline> {
        panic!("no deadline");
    }
}

fn fails(house: &House) -> String {
    let end = Instant::now() + Duration::from_secs(10);
    loop {
        if let Some(failure) = house.pipeline.failure() {
            return failure;
        }
        assert!(
            Instant::now() < end,
            "it goes on as if nothing had happened"
        );
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_panic_of_the_keeper_stops_the_pipeline() {
    let dir = tempfile::tempdir().unwrap();
    let options = PipelineOptions {
        deadlines: Arc::new(Broken),
        ..PipelineOptions::default()
    };
    let house = House::with(dir.path(), START_NS, options);
    let request = r#","rights_request":{"right":"eu-gdpr:A15","request_id":"r"}"#;
    house.send(
        0,
        &[said(
            "q",
            "rights_request",
            "2024-01-01T00:00:00Z",
            &["account:1"],
            request,
        )],
    );
    assert_eq!(
        fails(&house),
        "stopped after a failure: the state-keeper thread panicked"
    );
    assert!(house.pipeline.stop(Duration::from_secs(5)).is_err());
}

#[test]
fn a_panic_of_the_reviewer_stops_the_pipeline() {
    let dir = tempfile::tempdir().unwrap();
    let tick = || {
        assert_ne!(std::thread::current().name(), Some("review"), "no time");
    };
    let house = House::ticking(dir.path(), START_NS, PipelineOptions::default(), tick);
    let say = |id, kind, time, more| said(id, kind, time, &["account:1"], more);
    house.send(0, &[say("u", "use", "2024-05-01T12:00:00Z", USE)]);
    house.send(0, &[say("e", "erasure", "2024-05-01T08:00:00Z", ERASURE)]);
    assert_eq!(
        fails(&house),
        "stopped after a failure: the review thread panicked"
    );
    assert!(house.pipeline.stop(Duration::from_secs(5)).is_err());
}
