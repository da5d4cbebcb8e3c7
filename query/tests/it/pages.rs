//! Pages: bound to the request and to the head of the first page.

use custody_proto::v1;
use tonic::Code;
use tonic_types::StatusExt;

use crate::world::{Draft, World, party};

const SUBJECT: &str = "account:1001";

fn world(events: i64) -> World {
    let mut world = World::new();
    for at in 0..events {
        let shard = usize::try_from(at % 2).unwrap();
        world.commit(
            shard,
            &[Draft::disclosure(
                SUBJECT,
                &format!("e-{at}"),
                at,
                party(&format!("p{at}"), "DE"),
            )],
        );
    }
    world.catch_up();
    world
}

fn request(page_size: i32, page_token: &str) -> v1::ListEventsRequest {
    v1::ListEventsRequest {
        subject: SUBJECT.to_owned(),
        page_size,
        page_token: page_token.to_owned(),
        ..Default::default()
    }
}

#[test]
fn later_pages_show_nothing_newer_and_name_the_same_head() {
    let mut world = world(6);
    let first = world.ask(request(4, "")).unwrap();
    // Newer entries, one of which takes back an old one.
    world.commit(0, &[Draft::collection(SUBJECT, "late", 100)]);
    world.commit(1, &[Draft::retraction(SUBJECT, "r", 101, "e-5")]);
    world.catch_up();

    let second = world.ask(request(4, &first.next_page_token)).unwrap();
    assert_eq!(second.entries.len(), 2);
    assert!(second.entries.iter().all(|entry| !entry.retracted));
    assert_eq!(second.next_page_token, "");
    assert_eq!(second.head, first.head);

    let now = world.ask(request(100, "")).unwrap();
    assert_eq!(now.entries.len(), 8);
    assert!(now.entries[5].retracted);
    assert_ne!(now.head, first.head);
}

#[test]
fn tokens_survive_a_rebuild_and_a_new_process() {
    let mut world = world(6);
    let first = world.ask(request(4, "")).unwrap();
    world.drop_model();
    std::fs::remove_dir_all(world.read_model_directory()).unwrap();
    world.open();
    world.catch_up();
    let second = world.ask(request(4, &first.next_page_token)).unwrap();
    assert_eq!(second.entries.len(), 2);
}

#[test]
fn a_token_of_another_question_is_refused() {
    let world = world(6);
    let token = world.ask(request(2, "")).unwrap().next_page_token;
    let same = request(3, &token);
    assert!(
        world.ask(same.clone()).is_ok(),
        "another page size is allowed"
    );

    let mut changed = Vec::new();
    let mut with = |change: fn(&mut v1::ListEventsRequest)| {
        let mut request = same.clone();
        change(&mut request);
        changed.push(request);
    };
    with(|request| request.descending = true);
    with(|request| request.view = v1::EntryView::Full as i32);
    with(|request| request.as_of = Some(v1::AsOf::default()));
    with(|request| {
        let kinds = vec!["disclosure".to_owned()];
        request.filter = Some(v1::EntryFilter {
            kinds,
            ..Default::default()
        });
    });
    with(|request| request.subject = "account:1002".to_owned());
    with(|request| request.page_token.push('A'));
    with(|request| request.page_token = "not a token".to_owned());
    for request in changed {
        let status = world.ask(request).unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument);
        assert_eq!(
            status.get_details_error_info().unwrap().reason,
            "PAGE_TOKEN_INVALID"
        );
    }
    let other_method = v1::ListRecipientsRequest {
        subject: SUBJECT.to_owned(),
        page_token: token,
        ..Default::default()
    };
    assert_eq!(
        world.ask(other_method).unwrap_err().code(),
        Code::InvalidArgument
    );
}

#[test]
fn a_page_has_100_rows_where_nothing_is_said_and_1000_at_most() {
    let mut world = World::new();
    let drafts: Vec<Draft> = (0..1001)
        .map(|at| Draft::collection(SUBJECT, &format!("e-{at}"), at))
        .collect();
    for part in drafts.chunks(250) {
        world.commit(0, part);
    }
    world.catch_up();
    assert_eq!(world.ask(request(0, "")).unwrap().entries.len(), 100);
    let largest = world.ask(request(5000, "")).unwrap();
    assert_eq!(largest.entries.len(), 1000);
    assert_eq!(
        world
            .ask(request(5000, &largest.next_page_token))
            .unwrap()
            .entries
            .len(),
        1
    );
}

/// Where clauses are asked for, entries are put together as messages; else most
/// are written as they are stored.
#[test]
fn entries_are_the_same_however_they_are_written() {
    let mut world = world(3);
    world.commit(
        0,
        &[
            Draft::collection(SUBJECT, "c", 10),
            Draft::disclosure(SUBJECT, "to-nobody-known", 11, party("p0", "")),
            Draft::retraction(SUBJECT, "r", 12, "e-2"),
        ],
    );
    world.catch_up();
    for view in [v1::EntryView::Basic, v1::EntryView::Full] {
        let ask = |with_clauses| {
            let mut request = request(100, "");
            request.set_view(view);
            request.with_clauses = with_clauses;
            let mut entries = world.ask(request).unwrap().entries;
            for entry in &mut entries {
                entry.cited.clear();
            }
            entries
        };
        let entries = ask(false);
        assert_eq!(entries.len(), 6);
        assert_eq!(entries, ask(true));
    }
}
