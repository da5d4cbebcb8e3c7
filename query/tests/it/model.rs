//! Random histories and random questions: the crate against the oracle.

use custody_ledger::{Act, Finding, Judgement, Kind, Outcome, PartyPart};
use custody_proto::v1::trace_lineage_request::Direction;
use custody_proto::{Timestamp, v1};
use custody_query::{ReadModel, ReadModelOptions};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use crate::entry_model::Show;
use crate::everybody_model::{
    check_affected, check_all_recipients, check_all_transfers, check_record, check_statistics,
};
use crate::findings_model::{
    FindingQuestion, check_everybody, check_everybody_summary, check_person, check_person_summary,
    finding_question,
};
use crate::oracle::Question;
use crate::person_model::{Whose, check_events, check_recipients, check_subject, check_transfers};
use crate::trace_model::{Tracing, check_trace};
use crate::world::{Draft, Fact, SECOND, START, World};

/// Two identifiers of each person; the persons of 3 and 4 may get linked.
pub(crate) const PEOPLE: [&str; 5] = [
    "account:1000",
    "account:1001",
    "account:1002",
    "account:1003",
    "account:1004",
];

const PURPOSES: [&str; 3] = [
    "custody:marketing",
    "custody:purchase_delivery",
    "dpv:DirectMarketing",
];
const CATEGORIES: [&str; 3] = ["pd:EmailAddress", "custody:contact", "pd:Age"];
pub(crate) const COUNTRIES: [&str; 5] = ["", "DE", "US", "US-CA", "SG"];
const CONTROLLERS: [&str; 2] = ["shop", "cloud"];
pub(crate) const CODES: [&str; 4] = ["consent_missing", "no_policy", "sale", "undeclared_purpose"];
pub(crate) const PARTIES: [&str; 3] = ["dhl", "adnet", "bank"];

#[derive(Clone, Debug)]
enum Step {
    Commit(usize, Vec<Draft>),
    Register(&'static str, &'static str),
    Consult(usize, i64),
    Link,
    Rejudge(prop::sample::Index, Outcome, Vec<Finding>),
    Overdue(prop::sample::Index, bool, i64),
    CatchUp,
    Crash,
}

fn recipient() -> impl Strategy<Value = PartyPart> {
    (any::<prop::sample::Index>(), select(&COUNTRIES[..]), 0..8u8).prop_map(
        |(which, country, person)| {
            let person = person == 0;
            PartyPart {
                id: if person {
                    String::new()
                } else {
                    PARTIES[which.index(PARTIES.len())].to_owned()
                },
                category: if person {
                    "custody:buyers".to_owned()
                } else {
                    String::new()
                },
                country: country.to_owned(),
                person,
            }
        },
    )
}

fn act() -> impl Strategy<Value = (Kind, Act)> {
    let safeguard = select(&["", "dpv:StandardContractualClause"][..]);
    prop_oneof![
        Just((
            Kind::Collection,
            Act::Collection {
                origin: 1,
                from: None
            }
        )),
        Just((
            Kind::Use,
            Act::Use {
                operation: "dpv:Store".to_owned(),
                system: "crm".to_owned()
            }
        )),
        (recipient(), any::<bool>(), safeguard.clone()).prop_map(|(recipient, sale, safeguard)| (
            Kind::Disclosure,
            Act::Disclosure {
                recipient,
                means: 1,
                sale,
                safeguard: safeguard.to_owned()
            }
        )),
        (
            prop::option::of(recipient()),
            select(&COUNTRIES[1..]),
            select(&COUNTRIES[1..]),
            safeguard
        )
            .prop_map(|(recipient, from, to, safeguard)| (
                Kind::Transfer,
                Act::Transfer {
                    recipient,
                    from_country: from.to_owned(),
                    to_country: to.to_owned(),
                    safeguard: safeguard.to_owned()
                }
            )),
    ]
}

/// What a judgement found: mostly nothing.
fn found() -> impl Strategy<Value = Vec<Finding>> {
    let one = (
        select(&CODES[..]),
        subsequence(&["ALB-2025.001", "ALB-2025.002", "ALC-2023.009"][..], 0..=2),
        prop::bool::weighted(0.2),
    )
        .prop_map(|(code, clauses, suppressed)| Finding {
            code: code.to_owned(),
            clauses: clauses.iter().map(|id| (*id).to_owned()).collect(),
            arguments: vec!["custody:marketing".to_owned()],
            suppressed,
            decided_by: Vec::new(),
            waiver: if suppressed { "w-1" } else { "" }.to_owned(),
        });
    prop_oneof![
        1 => Just(Vec::new()),
        1 => prop::collection::vec(one, 1..4),
    ]
}

/// Event ids are 0 to 30 a person, so that retractions often hit something,
/// sometimes before it is there.
fn draft() -> impl Strategy<Value = Draft> {
    (
        (0..PEOPLE.len(), 0..30u32, 0..12i64, act()),
        (
            subsequence(&PURPOSES[..], 0..=2),
            subsequence(&CATEGORIES[..], 0..=2),
            select(&CONTROLLERS[..]),
            select(&COUNTRIES[..]),
        ),
        (
            select(&["", "ALB-2025"][..]),
            select(&["", "eu-gdpr:A6-1-b"][..]),
            select(&Outcome::ALL[..]),
            prop::option::weighted(0.15, 0..30u32),
            prop::collection::vec(0..30u32, 0..=2),
        ),
        (
            found(),
            select(&["", "ALB-2025", "ALC-2023"][..]),
            select(&COUNTRIES[..]),
        ),
    )
        .prop_map(|(who, what, how, judged)| {
            let (person, event, at, (kind, act)) = who;
            let retracts = how.3.map(|of| format!("e-{of}"));
            Draft {
                ids: vec![PEOPLE[person].to_owned()],
                event_id: format!("e-{event}"),
                at,
                kind: if retracts.is_some() {
                    Kind::Retraction
                } else {
                    kind
                },
                act,
                purposes: what.0,
                categories: what.1,
                controller: what.2,
                basis: how.1,
                location: what.3,
                policy: how.0,
                outcome: how.2,
                findings: judged.0,
                clauses: vec!["ALB-2025.081"],
                judged_policy: judged.1,
                jurisdiction: judged.2,
                late: false,
                data: None,
                said: None,
                retracts,
                parents: how.4.iter().map(|of| format!("e-{of}")).collect(),
            }
        })
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (0..2usize, prop::collection::vec(draft(), 1..8)).prop_map(|(shard, drafts)| Step::Commit(shard, drafts)),
        1 => (select(&PARTIES[..]), select(&COUNTRIES[..])).prop_map(|(id, country)| Step::Register(id, country)),
        1 => (0..PEOPLE.len(), 0..12i64).prop_map(|(person, at)| Step::Consult(person, at)),
        1 => Just(Step::Link),
        2 => (any::<prop::sample::Index>(), select(&Outcome::ALL[..]), found())
            .prop_map(|(of, outcome, findings)| Step::Rejudge(of, outcome, findings)),
        1 => (any::<prop::sample::Index>(), any::<bool>(), 0..12i64)
            .prop_map(|(of, whose, due)| Step::Overdue(of, whose, due)),
        1 => Just(Step::CatchUp),
        1 => Just(Step::Crash),
    ];
    prop::collection::vec(step, 1..14)
}

pub(crate) fn moment(seconds: i64) -> Timestamp {
    Timestamp::from_unix_nanos(START + seconds * SECOND)
}

pub(crate) fn question() -> impl Strategy<Value = Question> {
    let texts = |of: &'static [&'static str]| {
        subsequence(of, 0..=1).prop_map(|texts| {
            texts
                .iter()
                .map(|text| (*text).to_owned())
                .collect::<Vec<_>>()
        })
    };
    // Mostly one member, so that some of it matches.
    let filter = prop_oneof![
        3 => Just(v1::EntryFilter::default()),
        1 => (0..6i64, 6..13i64).prop_map(|(from, to)| v1::EntryFilter {
            from: Some(moment(from)),
            to: Some(moment(to)),
            ..Default::default()
        }),
        1 => texts(&["disclosure", "transfer", "retraction", "consultation"])
            .prop_map(|kinds| v1::EntryFilter { kinds, ..Default::default() }),
        1 => texts(&["dpv:Marketing", "custody:marketing", "purchase_delivery"])
            .prop_map(|purposes| v1::EntryFilter { purposes, ..Default::default() }),
        1 => texts(&["pd:Contact", "pd:EmailAddress"])
            .prop_map(|categories| v1::EntryFilter { categories, ..Default::default() }),
        1 => (texts(&PARTIES), texts(&["US", "US-CA", "DE"]))
            .prop_map(|(recipients, countries)| v1::EntryFilter { recipients, countries, ..Default::default() }),
        1 => (texts(&CONTROLLERS), texts(&["ALB-2025"]), texts(&["gap", "violation", "not_judged"]))
            .prop_map(|(controllers, policies, judgements)| v1::EntryFilter {
                controllers, policies, judgements, ..Default::default()
            }),
    ];
    let as_of =
        (prop::option::of(0..12i64), prop::option::of(0..16i64)).prop_map(|(event, recorded)| {
            v1::AsOf {
                event_time: event.map(moment),
                recorded_time: recorded.map(moment),
            }
        });
    (filter, prop::option::of(as_of), any::<bool>()).prop_map(|(filter, as_of, descending)| {
        Question {
            filter,
            as_of,
            descending,
        }
    })
}

fn check(world: &World, subject: &str, question: &Question, page_size: i32) {
    let Some(whose) = Whose::looked_up(world, subject) else {
        let unknown = world.ask(v1::GetSubjectRequest {
            subject: subject.to_owned(),
            ..Default::default()
        });
        assert_eq!(unknown.unwrap_err().code(), tonic::Code::NotFound);
        return;
    };
    let show = Show {
        full: page_size % 2 == 0,
        with_clauses: page_size % 3 == 0,
        ..Show::default()
    };
    check_subject(world, &whose, question);
    check_events(world, &whose, question, page_size, show);
    check_recipients(world, &whose, question, page_size);
    check_transfers(world, &whose, question, page_size);
    let starts = [None, Some(0), Some(usize::MAX)];
    for (start, max_depth) in starts.into_iter().zip([0, page_size - 1, 0]) {
        for direction in [Direction::Both, Direction::Upstream, Direction::Downstream] {
            let wish = Tracing {
                start,
                direction,
                max_depth,
                max_nodes: 0,
            };
            check_trace(world, &whose, question, &wish);
        }
    }
}

fn ask_for_findings(world: &World, about: &[FindingQuestion], questions: &[(Question, i32)]) {
    for (about, (question, page_size)) in about.iter().zip(questions) {
        let with_clauses = page_size % 2 == 0;
        for subject in PEOPLE {
            if let Some(whose) = Whose::looked_up(world, subject) {
                check_person(world, &whose, question, about, with_clauses, *page_size);
                check_person_summary(world, &whose, question, about);
            }
        }
        check_everybody(world, question, about, with_clauses, *page_size);
        check_everybody_summary(world, question, about);
    }
    for (question, page_size) in questions {
        check_all_recipients(world, question, *page_size);
        check_all_transfers(world, question, *page_size);
        check_record(world, question);
        check_statistics(world, question);
        let recipients = PARTIES.map(|id| (id, "")).into_iter();
        for (recipient, system) in recipients.chain([("", "crm")]) {
            let request = v1::FindAffectedSubjectsRequest {
                recipient: recipient.to_owned(),
                system: system.to_owned(),
                with_identifiers: true,
                ..Default::default()
            };
            check_affected(world, world, question, &request);
        }
    }
}

/// An entry that a service sent.
fn pick(world: &World, which: &prop::sample::Index) -> Option<Fact> {
    let sent: Vec<&Fact> = world
        .facts
        .iter()
        .filter(|fact| fact.entry.offset.is_some())
        .collect();
    (!sent.is_empty()).then(|| (*which.get(&sent)).clone())
}

/// For filling it step by step and for filling it anew: now and then each round
/// is sorted and comes in as tables, with little memory or with enough.
fn options() -> impl Strategy<Value = (ReadModelOptions, ReadModelOptions)> {
    let one = || {
        (any::<bool>(), 0..5_000usize).prop_map(|(bulk, sort_bytes)| ReadModelOptions {
            bulk_events: if bulk { 1 } else { 30_000 },
            sort_bytes,
            ..ReadModelOptions::default()
        })
    };
    (one(), one())
}

fn play(steps: &[Step], options: ReadModelOptions) -> World {
    let mut world = World::new();
    world.drop_model();
    world.options = options;
    world.open();
    for step in steps {
        match step {
            Step::Commit(shard, drafts) => world.commit(*shard, drafts),
            Step::Register(id, country) => world.register(id, &format!("{id} Ltd"), country),
            Step::Consult(person, at) => world.consult(PEOPLE[*person], *at),
            Step::Link => {
                world.vault.admit(&[PEOPLE[3], PEOPLE[4]]).unwrap();
            }
            Step::Rejudge(of, outcome, findings) => {
                if let Some(of) = pick(&world, of) {
                    let judgement = Judgement {
                        outcome_code: *outcome as u8,
                        policy: "ALB-2025".to_owned(),
                        findings: findings.clone(),
                        ..Judgement::default()
                    };
                    world.rejudge(&of, judgement);
                }
            }
            Step::Overdue(of, whose, due) => {
                if let Some(of) = pick(&world, of) {
                    let subject = of.entry.subject.filter(|_| *whose);
                    world.overdue(&of, subject, *due);
                }
            }
            Step::CatchUp => world.catch_up(),
            Step::Crash => {
                world.drop_model();
                world.open();
            }
        }
    }
    world.catch_up();
    world
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn answers_are_those_of_the_oracle(
        steps in steps(),
        options in options(),
        questions in prop::collection::vec((question(), 1..5i32), 4),
        about_findings in prop::collection::vec(finding_question(), 4),
    ) {
        let mut world = play(&steps, options.0);
        for subject in PEOPLE {
            for (question, page_size) in &questions {
                check(&world, subject, question, *page_size);
            }
        }
        ask_for_findings(&world, &about_findings, &questions);
        // A rebuilt read model gives the same answers.
        world.drop_model();
        let directory = world.read_model_directory();
        let rebuilt = ReadModel::rebuild(&directory, &world.ledger, &options.1, &mut |_| {}).unwrap();
        world.answer_from(rebuilt);
        for subject in PEOPLE {
            check(&world, subject, &questions[0].0, 3);
        }
        ask_for_findings(&world, &about_findings, &questions);
    }
}
