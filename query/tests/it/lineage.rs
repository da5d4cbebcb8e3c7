//! What the contract says of retractions, times, countries and purposes,
//! written out by hand.

use custody_ledger::{Act, Kind, PartyPart};
use custody_proto::{Timestamp, v1};
use tonic::Code;
use tonic_types::StatusExt;

use crate::world::{Draft, SECOND, START, World, party};

const SUBJECT: &str = "account:1001";

fn moment(seconds: i64) -> Timestamp {
    Timestamp::from_unix_nanos(START + seconds * SECOND)
}

fn recipients(
    world: &World,
    as_of: Option<v1::AsOf>,
    filter: v1::EntryFilter,
) -> Vec<v1::RecipientRow> {
    let request = v1::ListRecipientsRequest {
        subject: SUBJECT.to_owned(),
        as_of,
        filter: Some(filter),
        ..Default::default()
    };
    world.ask(request).unwrap().recipients
}

fn ids(rows: &[v1::RecipientRow]) -> Vec<&str> {
    rows.iter()
        .map(|row| row.recipient.as_ref().unwrap().id.as_str())
        .collect()
}

fn events(world: &World, as_of: Option<v1::AsOf>) -> Vec<v1::Entry> {
    let request = v1::ListEventsRequest {
        subject: SUBJECT.to_owned(),
        as_of,
        ..Default::default()
    };
    world.ask(request).unwrap().entries
}

fn transfers(world: &World) -> Vec<(String, String, u64)> {
    let request = v1::ListTransfersRequest {
        subject: SUBJECT.to_owned(),
        ..Default::default()
    };
    let rows = world.ask(request).unwrap().transfers;
    rows.into_iter()
        .map(|row| (row.from_country, row.to_country, row.count))
        .collect()
}

#[test]
fn a_retraction_hides_its_event_but_not_what_was_known_before() {
    let mut world = World::new();
    // Recorded at START + 1 s, taken back at START + 2 s by an event that says
    // that it happened long after.
    world.commit(
        0,
        &[Draft::disclosure(SUBJECT, "e-1", 5, party("dhl", "DE"))],
    );
    world.commit(1, &[Draft::retraction(SUBJECT, "r-1", 500, "e-1")]);
    world.catch_up();

    let as_of = |event: Option<i64>, recorded: Option<i64>| {
        Some(v1::AsOf {
            event_time: event.map(moment),
            recorded_time: recorded.map(moment),
        })
    };
    // As now, and as of event time, even before the retraction's own time.
    assert!(recipients(&world, None, Default::default()).is_empty());
    assert!(recipients(&world, as_of(Some(6), None), Default::default()).is_empty());
    assert!(recipients(&world, as_of(None, Some(2)), Default::default()).is_empty());
    // What was known before stays.
    assert_eq!(
        ids(&recipients(
            &world,
            as_of(None, Some(1)),
            Default::default()
        )),
        ["dhl"]
    );

    let marks = |as_of| {
        events(&world, as_of)
            .iter()
            .map(|entry| entry.retracted)
            .collect::<Vec<_>>()
    };
    assert_eq!(marks(None), [true, false]);
    assert_eq!(marks(as_of(Some(6), None)), [true]);
    assert_eq!(marks(as_of(None, Some(1))), [false]);
    assert!(marks(as_of(None, Some(0))).is_empty());

    let request = v1::GetSubjectRequest {
        subject: SUBJECT.to_owned(),
        ..Default::default()
    };
    let summary = world.ask(request).unwrap();
    assert_eq!(
        (summary.entries, summary.retracted, summary.recipients),
        (1, 1, 0)
    );
}

#[test]
fn a_retraction_of_another_person_hides_nothing() {
    let mut world = World::new();
    world.commit(
        0,
        &[Draft::disclosure(SUBJECT, "e-1", 5, party("dhl", "DE"))],
    );
    world.commit(0, &[Draft::retraction("account:1002", "r-1", 6, "e-1")]);
    world.catch_up();
    assert_eq!(ids(&recipients(&world, None, Default::default())), ["dhl"]);
}

#[test]
fn as_of_is_inclusive_and_ranges_leave_their_end_out() {
    let mut world = World::new();
    let at = |second: i64| Draft::collection(SUBJECT, &format!("e-{second}"), second);
    world.commit(0, &[at(1), at(2), at(3)]);
    world.catch_up();
    let seconds = |filter: v1::EntryFilter, as_of| {
        let request = v1::ListEventsRequest {
            subject: SUBJECT.to_owned(),
            filter: Some(filter),
            as_of,
            ..Default::default()
        };
        let entries = world.ask(request).unwrap().entries;
        entries
            .iter()
            .map(|entry| entry.event_time.unwrap().seconds - START / SECOND)
            .collect::<Vec<_>>()
    };
    let range = v1::EntryFilter {
        from: Some(moment(1)),
        to: Some(moment(3)),
        ..Default::default()
    };
    assert_eq!(seconds(range, None), [1, 2]);
    let as_of = v1::AsOf {
        event_time: Some(moment(2)),
        recorded_time: None,
    };
    assert_eq!(seconds(Default::default(), Some(as_of)), [1, 2]);
    let empty = v1::EntryFilter {
        from: Some(moment(2)),
        to: Some(moment(2)),
        ..Default::default()
    };
    assert!(seconds(empty, None).is_empty());
}

#[test]
fn each_purpose_is_a_row_and_none_is_one_too() {
    let mut world = World::new();
    let mut two = Draft::disclosure(SUBJECT, "e-1", 1, party("dhl", "DE"));
    two.purposes = vec!["custody:marketing", "custody:purchase_delivery"];
    let mut none = Draft::disclosure(SUBJECT, "e-2", 2, party("dhl", "DE"));
    none.purposes = Vec::new();
    world.commit(0, &[two, none]);
    world.catch_up();
    let rows = recipients(&world, None, Default::default());
    let purposes: Vec<&str> = rows.iter().map(|row| row.purpose.as_str()).collect();
    assert_eq!(
        purposes,
        ["", "custody:marketing", "custody:purchase_delivery"]
    );

    let marketing = v1::EntryFilter {
        purposes: vec!["dpv:Marketing".to_owned()],
        ..Default::default()
    };
    let rows = recipients(&world, None, marketing);
    let purposes: Vec<&str> = rows.iter().map(|row| row.purpose.as_str()).collect();
    assert_eq!(purposes, ["custody:marketing"]);
}

#[test]
fn a_disclosure_abroad_is_a_transfer_and_one_within_a_country_is_not() {
    let mut world = World::new();
    let from = |event: &str, location: &'static str, country: &str| {
        let mut draft = Draft::disclosure(SUBJECT, event, 1, party("dhl", country));
        draft.location = location;
        draft
    };
    world.commit(
        0,
        &[
            from("1", "DE", "US"),
            from("2", "US-CA", "US"),
            from("3", "US", "US-CA"),
            from("4", "DE", "DE"),
            from("5", "", "US"),
            from("6", "DE", ""),
            from("7", "DE", "US-CA"),
        ],
    );
    let within = Act::Transfer {
        recipient: None,
        from_country: "US".to_owned(),
        to_country: "US-CA".to_owned(),
        safeguard: String::new(),
    };
    // A transfer is shown as it was said.
    world.commit(0, &[Draft::new(SUBJECT, "8", 2, Kind::Transfer, within)]);
    world.catch_up();
    let row = |from: &str, to: &str| (from.to_owned(), to.to_owned(), 1);
    assert_eq!(
        transfers(&world),
        [row("DE", "US"), row("DE", "US-CA"), row("US", "US-CA")]
    );
}

#[test]
fn a_registered_country_counts_where_the_event_names_none() {
    let mut world = World::new();
    world.commit(
        0,
        &[Draft::disclosure(SUBJECT, "e-1", 1, party("adnet", ""))],
    );
    world.register("adnet", "Ad Network", "US");
    world.register("adnet", "Another Name", "SG");
    world.catch_up();
    let rows = recipients(&world, None, Default::default());
    assert_eq!(rows[0].country, "US");
    assert_eq!(rows[0].recipient.as_ref().unwrap().name, "Ad Network");
    assert_eq!(transfers(&world), [("DE".to_owned(), "US".to_owned(), 1)]);
}

#[test]
fn persons_who_received_have_no_name_here() {
    let mut world = World::new();
    let friend = PartyPart {
        id: String::new(),
        category: "custody:buyers".to_owned(),
        country: "FR".to_owned(),
        person: true,
    };
    world.commit(0, &[Draft::disclosure(SUBJECT, "e-1", 1, friend)]);
    world.catch_up();
    let rows = recipients(&world, None, Default::default());
    let shown = rows[0].recipient.clone().unwrap();
    assert_eq!(
        (shown.id.as_str(), shown.category.as_str(), shown.person),
        ("", "custody:buyers", true)
    );
}

#[test]
fn linked_persons_are_one_answer_and_shared_identifiers_are_none() {
    let mut world = World::new();
    let mut with_mail = |id: &str, event: &str| {
        let mut draft = Draft::collection(id, event, 1);
        draft.ids.push("email:a@example.com".to_owned());
        world.commit(0, &[draft]);
    };
    with_mail("account:1001", "e-1");
    with_mail("account:1002", "e-2");
    world.catch_up();
    let ask = |world: &World, subject: &str| {
        world.ask(v1::GetSubjectRequest {
            subject: subject.to_owned(),
            ..Default::default()
        })
    };
    let refused = ask(&world, "email:a@example.com").unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    let info = refused.get_details_error_info().unwrap();
    assert_eq!(
        (info.reason.as_str(), info.metadata["count"].as_str()),
        ("SUBJECT_AMBIGUOUS", "2")
    );
    assert!(!refused.message().contains("example.com"));

    world
        .vault
        .admit(&["account:1001", "account:1002"])
        .unwrap();
    for subject in ["account:1001", "account:1002", "email:a@example.com"] {
        let summary = ask(&world, subject).unwrap();
        assert_eq!((summary.entries, summary.references.len()), (2, 2));
    }
}

#[test]
fn the_full_view_opens_what_was_sealed() {
    let mut world = World::new();
    world.commit(
        0,
        &[
            Draft::collection(SUBJECT, "e-1", 1),
            Draft::collection(SUBJECT, "e-2", 2),
        ],
    );
    world.consult(SUBJECT, 3);
    world.catch_up();
    let request = v1::ListEventsRequest {
        subject: SUBJECT.to_owned(),
        view: v1::EntryView::Full as i32,
        ..Default::default()
    };
    let entries = world.ask(request).unwrap().entries;
    let opened: Vec<_> = entries
        .iter()
        .map(|entry| entry.sealed.clone().unwrap())
        .collect();
    assert_eq!(opened[1].id, "e-2");
    assert_eq!(opened[1].source, "//shop.example");
    assert_eq!(opened[1].data.clone().unwrap().note, "said by phone");
    assert_eq!(opened.len(), 3);
    assert!(
        events(&world, None)
            .iter()
            .all(|entry| entry.sealed.is_none())
    );
}

#[test]
fn what_is_wrong_with_a_request_is_said_field_by_field_and_never_repeated() {
    let world = World::new();
    world.catch_up();
    let request = v1::ListEventsRequest {
        subject: "li-at-example".to_owned(),
        filter: Some(v1::EntryFilter {
            from: Some(moment(2)),
            to: Some(moment(1)),
            kinds: vec!["use".to_owned(), "theft".to_owned()],
            purposes: vec!["dpv:Nonsense".to_owned()],
            categories: vec!["pd:Nonsense".to_owned()],
            recipients: vec!["li@example.com".to_owned()],
            countries: vec!["EU".to_owned()],
            controllers: vec![String::new()],
            policies: vec!["a b".to_owned()],
            judgements: vec!["fine".to_owned()],
        }),
        page_size: -1,
        view: 9,
        at_least: Some(v1::AtLeast {
            shards: vec![v1::ShardHead::default()],
        }),
        ..Default::default()
    };
    let status = world.ask(request).unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    let violations = status.get_details_bad_request().unwrap().field_violations;
    let fields: Vec<&str> = violations
        .iter()
        .map(|violation| violation.field.as_str())
        .collect();
    assert_eq!(
        fields,
        [
            "subject",
            "filter.to",
            "filter.kinds[1]",
            "filter.purposes[0]",
            "filter.categories[0]",
            "filter.recipients[0]",
            "filter.countries[0]",
            "filter.controllers[0]",
            "filter.policies[0]",
            "filter.judgements[0]",
            "view",
            "at_least.shards[0].shard",
            "page_size",
        ]
    );
    let said = format!("{status:?}");
    assert!(
        !said.contains("li-at-example") && !said.contains("li@example.com"),
        "{said}"
    );
}
