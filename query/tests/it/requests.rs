//! Requests of persons: which answers belong to them, when they are due, how
//! they stand, and their pages. By hand, and against a plain model.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use custody_ledger::{Act, Kind};
use custody_policy::law::response_deadline;
use custody_proto::v1;
use custody_query::{Deadline, LineageApi, QueryState};
use proptest::prelude::*;
use proptest::sample::select;
use tonic::{Code, Status};

use crate::world::{Draft, SECOND, START, World};

const DAY: i64 = 86_400;

/// As numbered in `custody.event.v1.RightsResponse.Outcome`.
const FULFILLED: u8 = 1;
const PARTLY: u8 = 2;
const REFUSED: u8 = 3;
const EXTENDED: u8 = 4;

/// A request, made so many days after the start.
pub(crate) fn asked(id: &str, event_id: &str, day: i64, request: &str, place: &str) -> Draft {
    let act = Act::RightsRequest {
        right: "eu-gdpr:A15".to_owned(),
    };
    let mut draft = Draft::new(id, event_id, day * DAY, Kind::RightsRequest, act);
    draft.jurisdiction = match place {
        "DE" => "DE",
        "US-CA" => "US-CA",
        "BR" => "BR",
        _ => "JP",
    };
    draft.data = Some(format!(
        r#"{{"subject": {{"ids": ["{id}"]}},
            "rights_request": {{"right": "eu-gdpr:A15", "request_id": "{request}"}}}}"#
    ));
    draft
}

fn answered(id: &str, event_id: &str, day: i64, request: &str, outcome: u8) -> Draft {
    let name = ["", "fulfilled", "partly", "refused", "extended"][usize::from(outcome)];
    let act = Act::RightsResponse { outcome };
    let mut draft = Draft::new(id, event_id, day * DAY, Kind::RightsResponse, act);
    draft.data = Some(format!(
        r#"{{"subject": {{"ids": ["{id}"]}},
            "rights_response": {{"request_id": "{request}", "outcome": "{name}"}}}}"#
    ));
    draft
}

/// The answer as it is so many days after the start.
fn ask(
    world: &World,
    day: i64,
    request: v1::ListRequestsRequest,
) -> Result<v1::ListRequestsResponse, Status> {
    let now_ns = START + day * DAY * SECOND;
    let state = QueryState::new(world.ledger.clone(), world.vault.clone(), world.model())
        .with_clock(Arc::new(move || now_ns));
    LineageApi::new(state).ask(request, Deadline::default())
}

fn of(subject: &str) -> v1::ListRequestsRequest {
    v1::ListRequestsRequest {
        subject: subject.to_owned(),
        ..Default::default()
    }
}

fn one(world: &World, day: i64) -> v1::RightsRequestRow {
    let mut rows = ask(world, day, of("account:1001")).unwrap().requests;
    assert_eq!(rows.len(), 1);
    rows.remove(0)
}

fn world(drafts: &[Draft]) -> World {
    let mut world = World::new();
    world.commit(0, drafts);
    world.catch_up();
    world
}

#[test]
fn a_request_is_open_then_overdue_and_answered_too_late() {
    let mut world = world(&[asked("account:1001", "q-1", 0, "r-1", "DE")]);
    let row = one(&world, 3);
    assert_eq!(
        (row.state.as_str(), row.request_id.as_str(), row.late),
        ("open", "r-1", false)
    );
    assert_eq!(row.right, "eu-gdpr:A15");
    // 1 January, a month, and the 1st of February is a Saturday: the 3rd.
    let due = START + (34 * DAY - 3600) * SECOND;
    assert_eq!(row.due_at.unwrap().unix_nanos(), Some(due));
    assert!(row.source.starts_with("Art. 12(3) GDPR"));
    assert_eq!(one(&world, 33).state, "open");
    let late = one(&world, 34);
    assert_eq!((late.state.as_str(), late.late), ("overdue", true));
    assert!(late.finding.is_none() && late.answered_at.is_none());

    let began = world.facts[0].clone();
    world.overdue(&began, began.entry.subject, 34 * DAY - 3600);
    let answer = answered("account:1001", "a-1", 40, "r-1", FULFILLED);
    world.commit(1, &[answer]);
    world.catch_up();
    let row = one(&world, 50);
    assert_eq!((row.state.as_str(), row.late), ("fulfilled", true));
    assert!(row.finding.is_some_and(|at| at.offset.is_none()));
    assert_eq!(row.answers.len(), 1);
    let at = START + 40 * DAY * SECOND;
    assert_eq!(row.answered_at.unwrap().unix_nanos(), Some(at));
}

#[test]
fn to_say_that_it_takes_longer_is_no_answer_and_moves_the_deadline_where_the_law_lets_it() {
    let extended = |place| {
        world(&[
            asked("account:1001", "q-1", 0, "r-1", place),
            answered("account:1001", "a-1", 5, "r-1", EXTENDED),
        ])
    };
    let germany = extended("DE");
    let row = one(&germany, 60);
    assert_eq!((row.state.as_str(), row.extended), ("extended", true));
    assert!(row.answered_at.is_none() && row.answers.len() == 1);
    assert_eq!(one(&germany, 95).state, "overdue");

    let brazil = extended("BR");
    let row = one(&brazil, 10);
    assert_eq!((row.state.as_str(), row.extended), ("extended", false));
    assert_eq!(one(&brazil, 20).state, "overdue");

    let japan = extended("JP");
    let row = one(&japan, 9_999);
    assert_eq!((row.state.as_str(), row.late), ("extended", false));
    assert!(row.due_at.is_none() && row.source.is_empty());
}

#[test]
fn answers_go_to_the_request_that_they_name() {
    let world = world(&[
        asked("account:1001", "q-1", 0, "r-1", "DE"),
        asked("account:1001", "q-2", 1, "r-2", "DE"),
        answered("account:1001", "a-1", 2, "r-2", PARTLY),
        answered("account:1001", "a-2", 3, "r-2", REFUSED),
        answered("account:1001", "a-3", 4, "r-9", FULFILLED),
        // The same request by somebody else, and said twice.
        asked("account:1002", "q-3", 0, "r-1", "DE"),
        asked("account:1002", "q-4", 9, "r-1", "DE"),
        answered("account:1002", "a-4", 4, "r-1", FULFILLED),
    ]);
    let states = |subject: &str| -> Vec<(String, String)> {
        let rows = ask(&world, 10, of(subject)).unwrap().requests;
        rows.into_iter()
            .map(|row| (row.request_id, row.state))
            .collect()
    };
    let pair = |id: &str, state: &str| (id.to_owned(), state.to_owned());
    assert_eq!(
        states("account:1001"),
        [pair("r-1", "open"), pair("r-2", "refused")]
    );
    assert_eq!(states("account:1002"), [pair("r-1", "fulfilled")]);
    assert_eq!(states("").len(), 3);
}

#[test]
fn a_linked_person_answers_for_the_other() {
    let mut world = world(&[asked("account:1001", "q-1", 0, "r-1", "DE")]);
    world.commit(1, &[answered("account:1002", "a-1", 2, "r-1", FULFILLED)]);
    world.catch_up();
    assert_eq!(one(&world, 3).state, "open");
    let link = ["account:1001", "account:1002"];
    world.vault.admit(&link).unwrap();
    assert_eq!(one(&world, 3).state, "fulfilled");
    let everybody = ask(&world, 3, of("")).unwrap().requests;
    assert_eq!(everybody.len(), 1);
    assert_eq!(everybody[0].state, "fulfilled");
}

#[test]
fn what_was_taken_back_was_never_said() {
    let mut world = world(&[
        asked("account:1001", "q-1", 0, "r-1", "DE"),
        answered("account:1001", "a-1", 2, "r-1", FULFILLED),
    ]);
    world.commit(0, &[Draft::retraction("account:1001", "t-1", 9, "a-1")]);
    world.catch_up();
    assert_eq!(one(&world, 3).state, "open");
    world.commit(0, &[Draft::retraction("account:1001", "t-2", 9, "q-1")]);
    world.catch_up();
    assert!(ask(&world, 3, of("")).unwrap().requests.is_empty());
}

#[test]
fn what_falls_due_while_pages_are_turned_stands_as_on_the_first() {
    let world = world(&[
        asked("account:1001", "q-1", 0, "r-1", "DE"),
        asked("account:1001", "q-2", 1, "r-2", "DE"),
    ]);
    let request = |page_token| v1::ListRequestsRequest {
        page_size: 1,
        page_token,
        ..Default::default()
    };
    let first = ask(&world, 3, request(String::new())).unwrap();
    let second = ask(&world, 99, request(first.next_page_token.clone())).unwrap();
    assert_eq!(second.requests[0].state, "open");
    assert_eq!((second.as_of, &second.head), (first.as_of, &first.head));
    assert_eq!(second.next_page_token, "");

    // A token fits its request and no other.
    let mut other = request(first.next_page_token);
    other.states = vec!["open".to_owned()];
    assert_eq!(
        ask(&world, 3, other).unwrap_err().code(),
        Code::InvalidArgument
    );
}

#[test]
fn what_names_nothing_is_refused() {
    let world = world(&[asked("account:1001", "q-1", 0, "r-1", "DE")]);
    for bad in [
        v1::ListRequestsRequest {
            states: vec!["late".to_owned()],
            ..Default::default()
        },
        v1::ListRequestsRequest {
            jurisdictions: vec!["de".to_owned()],
            ..Default::default()
        },
        of("1001"),
    ] {
        let status = ask(&world, 3, bad).unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument);
        assert!(!status.message().contains("1001"));
    }
    let status = ask(&world, 3, of("account:1009")).unwrap_err();
    assert_eq!(status.code(), Code::NotFound);
}

/// What the model knows that somebody said.
#[derive(Clone, Debug)]
struct Statement {
    person: usize,
    day: i64,
    request: usize,
    /// `None`: a request.
    outcome: Option<u8>,
    place: &'static str,
    retracted: bool,
}

fn statement() -> impl Strategy<Value = Statement> {
    let outcome = prop_oneof![
        Just(None),
        select(&[FULFILLED, PARTLY, REFUSED, EXTENDED][..]).prop_map(Some)
    ];
    let place = select(&["DE", "US-CA", "BR", "JP"][..]);
    let retracted = prop_oneof![4 => Just(false), 1 => Just(true)];
    (0..4usize, 0..60i64, 0..3usize, outcome, place, retracted).prop_map(
        |(person, day, request, outcome, place, retracted)| Statement {
            person,
            day,
            request,
            outcome,
            place,
            retracted,
        },
    )
}

/// Persons 0 and 1 are one.
fn set_of(person: usize) -> usize {
    person.max(1)
}

fn account(person: usize) -> String {
    format!("account:{}", 1001 + person)
}

/// (no deadline, due, time, sequence) → (id, state, late, number of answers)
type Expected = BTreeMap<(bool, i64, i64, usize), (String, &'static str, bool, usize)>;

/// Everything that is expected of some sets, worked out the plain way.
fn expected(said: &[Statement], now_ns: i64, states: &[&str], place: &str) -> Expected {
    let mut out = Expected::new();
    let names: BTreeSet<(usize, usize)> = said
        .iter()
        .map(|it| (set_of(it.person), it.request))
        .collect();
    for (set, request) in names {
        let of_it = |it: &&(usize, &Statement)| {
            set_of(it.1.person) == set && it.1.request == request && !it.1.retracted
        };
        let all: Vec<(usize, &Statement)> = said.iter().enumerate().collect();
        let mut made: Vec<_> = all
            .iter()
            .filter(of_it)
            .filter(|(_, it)| it.outcome.is_none())
            .collect();
        made.sort_by_key(|(index, it)| (it.day, *index));
        let Some((index, first)) = made.first() else {
            continue;
        };
        let mut answers: Vec<_> = all
            .iter()
            .filter(of_it)
            .filter_map(|(index, it)| Some((it.day, *index, it.outcome?)))
            .collect();
        answers.sort_unstable();
        let extended = answers.iter().any(|answer| answer.2 == EXTENDED);
        let time_ns = START + first.day * DAY * SECOND;
        let due = response_deadline(first.place, time_ns, extended).map(|due| due.due_ns);
        let real = || answers.iter().filter(|answer| answer.2 != EXTENDED);
        let state = match real().next_back().map(|answer| answer.2) {
            Some(FULFILLED) => "fulfilled",
            Some(PARTLY) => "partly",
            Some(_) => "refused",
            None if due.is_some_and(|due| now_ns >= due) => "overdue",
            None if extended => "extended",
            None => "open",
        };
        let done_ns = real().next().map(|it| START + it.0 * DAY * SECOND);
        let is_late = due.is_some_and(|due| done_ns.unwrap_or(now_ns) >= due);
        let is_there = first.place == place || first.place.split('-').next() == Some(place);
        if (states.is_empty() || states.contains(&state)) && (place.is_empty() || is_there) {
            out.insert(
                (due.is_none(), due.unwrap_or(0), time_ns, *index),
                (format!("r-{request}"), state, is_late, answers.len()),
            );
        }
    }
    out
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn lists_what_a_plain_model_lists(
        said in prop::collection::vec(statement(), 0..16),
        day in 0..120i64,
        states in prop::sample::subsequence(
            &["open", "extended", "overdue", "fulfilled", "partly", "refused"][..], 0..=3),
        place in select(&["", "DE", "US", "JP"][..]),
        page_size in 1..6i32,
        of_set in prop::option::of(1..4usize),
    ) {
        let mut world = World::new();
        for person in 0..4 {
            world.vault.admit(&[&account(person)]).unwrap();
        }
        world.vault.admit(&[&account(0), &account(1)]).unwrap();
        let drafts: Vec<Draft> = said.iter().enumerate().map(|(index, it)| {
            let (id, event) = (account(it.person), format!("e-{index}"));
            let request = format!("r-{}", it.request);
            match it.outcome {
                None => asked(&id, &event, it.day, &request, it.place),
                Some(outcome) => answered(&id, &event, it.day, &request, outcome),
            }
        }).collect();
        let retractions: Vec<Draft> = said.iter().enumerate()
            .filter(|(_, it)| it.retracted)
            .map(|(index, it)| Draft::retraction(
                &account(it.person), &format!("t-{index}"), 1, &format!("e-{index}")))
            .collect();
        if !drafts.is_empty() {
            world.commit(0, &drafts);
        }
        if !retractions.is_empty() {
            world.commit(1, &retractions);
        }
        world.catch_up();

        let now_ns = START + day * DAY * SECOND;

        let mut expected = expected(&said, now_ns, &states, place);
        if let Some(set) = of_set {
            expected.retain(|key, _| set_of(said[key.3].person) == set);
        }
        let mut request = v1::ListRequestsRequest {
            subject: of_set.map(account).unwrap_or_default(),
            states: states.iter().map(|state| (*state).to_owned()).collect(),
            jurisdictions: Some(place.to_owned()).filter(|it| !it.is_empty()).into_iter().collect(),
            page_size,
            ..Default::default()
        };
        let mut rows = Vec::new();
        loop {
            let page = ask(&world, day, request.clone()).unwrap();
            prop_assert!(page.requests.len() <= usize::try_from(page_size).unwrap());
            rows.extend(page.requests);
            if page.next_page_token.is_empty() {
                break;
            }
            request.page_token = page.next_page_token;
        }
        let rows: Vec<_> = rows.into_iter()
            .map(|row| {
                let at = row.entry.unwrap().sequence;
                (at, row.request_id, row.state, row.late, row.answers.len())
            })
            .collect();
        let expected: Vec<_> = expected.into_iter()
            .map(|(key, (id, state, late, answers))| (key.3 as u64, id, state.to_owned(), late, answers))
            .collect();
        prop_assert_eq!(rows, expected);
    }
}
