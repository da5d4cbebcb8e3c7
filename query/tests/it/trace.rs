//! Traces written out by hand, and the limits of one question.

use custody_proto::v1;
use tonic::Code;
use tonic_types::StatusExt;

use crate::world::{Draft, World, party};

const SUBJECT: &str = "account:1001";

fn chain(length: i64) -> World {
    let mut world = World::new();
    let drafts: Vec<Draft> = (0..length)
        .map(|n| {
            let mut draft = Draft::disclosure(SUBJECT, &format!("e-{n}"), n, party("dhl", "DE"));
            draft.parents = (n > 0)
                .then(|| format!("e-{}", n - 1))
                .into_iter()
                .collect();
            draft
        })
        .collect();
    for part in drafts.chunks(50) {
        world.commit(0, part);
    }
    world.catch_up();
    world
}

fn trace(
    world: &World,
    start: Option<u64>,
    max_depth: i32,
    max_nodes: i32,
) -> v1::TraceLineageResponse {
    let request = v1::TraceLineageRequest {
        subject: SUBJECT.to_owned(),
        start: start.map(|sequence| v1::EntryPosition {
            shard: world.shards[0].id().to_string(),
            sequence,
            offset: None,
        }),
        max_depth,
        max_nodes,
        ..Default::default()
    };
    world.ask(request).unwrap()
}

#[test]
fn what_is_left_out_is_said() {
    let world = chain(200);
    let whole = trace(&world, None, 0, 0);
    assert_eq!((whole.nodes.len(), whole.edges.len()), (200, 199));
    assert!(!whole.truncated);
    let near = trace(&world, Some(100), 2, 0);
    assert_eq!((near.nodes.len(), near.truncated), (5, true));
    let end = trace(&world, Some(0), 300, 0);
    assert_eq!((end.nodes.len(), end.truncated), (200, false));
    let few = trace(&world, Some(0), 300, 10);
    assert_eq!((few.nodes.len(), few.truncated), (10, true));
    let few = trace(&world, None, 0, 10);
    assert_eq!((few.nodes.len(), few.truncated), (10, true));
    // What lies beyond is not an open end: it is in the ledger.
    assert!(few.edges.iter().all(|edge| !edge.open_end));
}

#[test]
fn a_start_that_is_not_there_is_said() {
    let world = chain(3);
    for sequence in [3, u64::MAX] {
        let request = v1::TraceLineageRequest {
            subject: SUBJECT.to_owned(),
            start: Some(v1::EntryPosition {
                shard: world.shards[0].id().to_string(),
                sequence,
                offset: None,
            }),
            ..Default::default()
        };
        let status = world.ask(request).unwrap_err();
        assert_eq!(status.code(), Code::NotFound);
    }
}

#[test]
fn lineage_is_followed_over_persons_that_were_linked_later() {
    let mut world = World::new();
    let source = Draft::collection("account:1001", "c-1", 1);
    let mut onward = Draft::disclosure("account:1002", "d-1", 2, party("dhl", "DE"));
    onward.parents = vec!["c-1".to_owned()];
    world.commit(0, &[source]);
    world.commit(1, &[onward]);
    world.catch_up();
    let alone = trace(&world, None, 0, 0);
    assert_eq!((alone.nodes.len(), alone.edges.len()), (1, 0));
    world
        .vault
        .admit(&["account:1001", "account:1002"])
        .unwrap();
    let together = trace(&world, None, 0, 0);
    assert_eq!(together.nodes.len(), 2);
    let edge = &together.edges[0];
    assert_eq!(
        (&edge.parent_tag, &edge.child_tag, edge.open_end),
        (
            &together.nodes[0].event_tag,
            &together.nodes[1].event_tag,
            false
        )
    );
}

#[test]
fn a_question_that_needs_too_many_rows_is_refused_and_says_so() {
    let mut world = chain(200);
    let state = world.api().state().clone().with_max_rows(100);
    world.api = Some(custody_query::LineageApi::new(state));
    let mut request = v1::ListRecipientsRequest {
        subject: SUBJECT.to_owned(),
        ..Default::default()
    };
    // What is kept needs no rows to be read.
    assert_eq!(world.ask(request.clone()).unwrap().recipients[0].count, 200);
    request.filter = Some(v1::EntryFilter {
        kinds: vec!["disclosure".to_owned()],
        ..Default::default()
    });
    let status = world.ask(request).unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted);
    let info = status.get_details_error_info().unwrap();
    assert_eq!(
        (info.reason.as_str(), info.metadata["rows"].as_str()),
        ("TOO_MANY_ROWS", "100")
    );
}

#[test]
fn pages_of_kept_rows_rest_on_the_head_of_the_first() {
    let mut world = World::new();
    let drafts: Vec<Draft> = (0..20)
        .map(|n| Draft::disclosure(SUBJECT, &format!("e-{n}"), n, party(&format!("p{n}"), "DE")))
        .collect();
    world.commit(0, &drafts);
    world.catch_up();
    // Pages of kept rows must not read the entries.
    let state = world.api().state().clone().with_max_rows(1);
    world.api = Some(custody_query::LineageApi::new(state));
    let mut request = v1::ListRecipientsRequest {
        subject: SUBJECT.to_owned(),
        page_size: 15,
        ..Default::default()
    };
    let first = world.ask(request.clone()).unwrap();
    world.commit(0, &[Draft::retraction(SUBJECT, "r", 30, "e-19")]);
    world.catch_up();
    request.page_token = first.next_page_token;
    let second = world.ask(request.clone()).unwrap();
    assert_eq!((second.recipients.len(), second.head), (5, first.head));
    request.page_token.clear();
    request.page_size = 100;
    assert_eq!(world.ask(request).unwrap().recipients.len(), 19);
}

#[test]
fn a_stream_of_persons_goes_on_behind_its_token() {
    let mut world = World::new();
    for part in 0..4 {
        let drafts: Vec<Draft> = (0..50)
            .map(|n| {
                let id = format!("account:{}", part * 50 + n);
                Draft::disclosure(&id, "e", 1, party("dhl", "DE"))
            })
            .collect();
        world.commit(0, &drafts);
    }
    world.catch_up();
    let mut request = v1::FindAffectedSubjectsRequest {
        recipient: "dhl".to_owned(),
        ..Default::default()
    };
    let all = world.ask(request.clone()).unwrap();
    assert_eq!(all.len(), 200);
    assert!(all.iter().all(|person| person.identifiers.is_empty()));
    let at = all
        .iter()
        .position(|it| !it.resume_token.is_empty())
        .unwrap();
    request.resume_token = all[at].resume_token.clone();
    let rest: Vec<_> = world.ask(request.clone()).unwrap();
    let references = |of: &[v1::FindAffectedSubjectsResponse]| -> Vec<String> {
        of.iter().map(|it| it.reference.clone()).collect()
    };
    assert_eq!(references(&rest), references(&all[at + 1..]));
    request.recipient = "ups".to_owned();
    assert_eq!(
        world.ask(request).unwrap_err().code(),
        Code::InvalidArgument
    );
}
