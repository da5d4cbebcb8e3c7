//! Random requests of every method that answers about one person or everybody.

use custody_proto::v1;
use custody_proto::v1::trace_lineage_request::Direction;
use custody_query::Ask;
use tonic::Code;
use tonic_types::StatusExt;

use super::chance::Chance;
use super::history::History;
use super::people::{Called, People};
use super::said::{
    CATEGORIES, CLAUSES, CODES, CONTROLLERS, COUNTRIES, POLICIES, PURPOSES, SYSTEMS, party_id,
};
use crate::consent_model::check_consent;
use crate::entry_model::Show;
use crate::everybody_model::{
    check_affected, check_all_recipients, check_all_transfers, check_record, check_statistics,
};
use crate::findings_model::{
    check_everybody, check_everybody_summary, check_person, check_person_summary,
};
use crate::model::moment;
use crate::oracle::Question;
use crate::person_model::{Whose, check_events, check_recipients, check_subject, check_transfers};
use crate::trace_model::{Tracing, check_trace};

/// Each method and how often it is asked, of a hundred.
const METHODS: [(&str, usize); 15] = [
    ("GetSubject", 9),
    ("ListEvents", 16),
    ("ListRecipients", 14),
    ("ListTransfers", 11),
    ("TraceLineage", 10),
    ("ListFindings", 9),
    ("GetFindingSummary", 7),
    ("GetConsentState", 8),
    ("OversightService/FindAffectedSubjects", 5),
    ("OversightService/GetProcessingRecord", 2),
    ("OversightService/ListRecipients", 3),
    ("OversightService/ListTransfers", 2),
    ("OversightService/ListFindings", 2),
    ("OversightService/GetFindingSummary", 1),
    ("OversightService/GetStatistics", 1),
];

/// Says which request it was, where one fails.
struct Asking<'a> {
    method: &'a str,
    number: u64,
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("request {} ({})", self.number, self.method);
        }
    }
}

/// Asks the request of this number, and compares all of its pages.
pub(super) fn ask(history: &History, seed: u64, number: u64) {
    let mut chance = Chance::of(seed, number + 1);
    let mut share = chance.below(METHODS.iter().map(|(_, share)| share).sum());
    let method = METHODS.iter().find(|(_, of)| {
        let is_it = share < *of;
        share = share.wrapping_sub(*of);
        is_it
    });
    let (method, _) = method.unwrap();
    let _asking = Asking { method, number };
    let mut request = Request { history, chance };
    if method.starts_with("OversightService/") {
        request.about_everybody(method);
    } else {
        request.about_a_person(method);
    }
}

struct Request<'a> {
    history: &'a History,
    chance: Chance,
}

fn texts(said: Vec<&str>) -> Vec<String> {
    said.into_iter()
        .filter(|text| !text.is_empty())
        .map(str::to_owned)
        .collect()
}

impl Request<'_> {
    fn about_a_person(&mut self, method: &str) {
        let world = &self.history.world;
        let number = self.chance.skewed(self.history.people.all.len());
        let identifier = match self.chance.below(20) {
            0 => "account:7".to_owned(),
            1 => People::tablet(number),
            2..5 => People::email(number),
            _ => self.history.people.all[number].account.clone(),
        };
        let whose = match self.history.people.called(&identifier) {
            Called::One(whose) => whose,
            Called::Nobody => {
                return self.refused(&identifier, Code::NotFound, "SUBJECT_NOT_FOUND");
            }
            Called::Several => {
                let code = Code::FailedPrecondition;
                return self.refused(&identifier, code, "SUBJECT_AMBIGUOUS");
            }
        };
        let events = self.history.people.all[number].events;
        let question = self.question(30);
        let size = self.page_size(events);
        match method {
            "GetSubject" => check_subject(world, &whose, &question),
            "ListEvents" => {
                let show = Show {
                    until: 0,
                    with_clauses: self.chance.percent(30),
                    full: self.chance.percent(40) && events < 1_000,
                };
                check_events(world, &whose, &question, size, show);
            }
            "ListRecipients" => check_recipients(world, &whose, &question, size),
            "ListTransfers" => check_transfers(world, &whose, &question, size),
            "TraceLineage" => self.trace(&whose, &question, events),
            "ListFindings" => {
                let (about, clauses) = (self.findings(), self.chance.percent(30));
                check_person(world, &whose, &question, &about, clauses, size);
            }
            "GetFindingSummary" => {
                check_person_summary(world, &whose, &question, &self.findings());
            }
            _ => check_consent(world, &whose, &question),
        }
    }

    fn about_everybody(&mut self, method: &str) {
        let world = &self.history.world;
        let question = self.question(25);
        // What is no question about the present is read from all entries, page
        // by page.
        let size = if question.as_of.is_some() || question.filter != v1::EntryFilter::default() {
            1000
        } else {
            [40, 300, 0, 1000][self.chance.below(4)]
        };
        match method {
            "OversightService/FindAffectedSubjects" => {
                let mut request = v1::FindAffectedSubjectsRequest {
                    with_identifiers: self.chance.percent(50),
                    ..Default::default()
                };
                if self.chance.percent(70) {
                    request.recipient = party_id(self.chance.skewed(25)).to_owned();
                } else {
                    request.system = self.chance.one(&SYSTEMS[1..]).to_owned();
                }
                check_affected(world, &self.history.people, &question, &request);
            }
            "OversightService/GetProcessingRecord" => check_record(world, &question),
            "OversightService/ListRecipients" => check_all_recipients(world, &question, size),
            "OversightService/ListTransfers" => check_all_transfers(world, &question, size),
            "OversightService/ListFindings" => {
                let mut question = question;
                let about = self.findings();
                if self.history.world.facts.len() > 10_000 {
                    // Of a long history some thousands, not all.
                    let from = self.chance.seconds(self.history.now());
                    let span = 5_000 * self.history.now() / self.history.events as i64;
                    question.filter.from = Some(moment(from));
                    question.filter.to = Some(moment(from + span.max(1)));
                }
                let clauses = self.chance.percent(30);
                check_everybody(world, &question, &about, clauses, 1000);
            }
            "OversightService/GetFindingSummary" => {
                check_everybody_summary(world, &question, &self.findings());
            }
            _ => check_statistics(world, &question),
        }
    }

    /// Whoever is not known, or not one, is no answer of any method.
    fn refused(&self, identifier: &str, code: Code, reason: &str) {
        let subject = || identifier.to_owned();
        let events = v1::ListEventsRequest {
            subject: subject(),
            ..Default::default()
        };
        let recipients = v1::ListRecipientsRequest {
            subject: subject(),
            ..Default::default()
        };
        let transfers = v1::ListTransfersRequest {
            subject: subject(),
            ..Default::default()
        };
        let trace = v1::TraceLineageRequest {
            subject: subject(),
            ..Default::default()
        };
        let findings = v1::ListFindingsRequest {
            subject: subject(),
            ..Default::default()
        };
        let summary = v1::GetFindingSummaryRequest {
            subject: subject(),
            ..Default::default()
        };
        let consent = v1::GetConsentStateRequest {
            subject: subject(),
            ..Default::default()
        };
        let person = v1::GetSubjectRequest {
            subject: subject(),
            ..Default::default()
        };
        let answers = [
            self.status(events),
            self.status(recipients),
            self.status(transfers),
            self.status(trace),
            self.status(findings),
            self.status(summary),
            self.status(consent),
            self.status(person),
        ];
        for answer in answers {
            assert_eq!(answer, Some((code, reason.to_owned())));
        }
    }

    fn status<Q: Ask>(&self, question: Q) -> Option<(Code, String)> {
        let status = self.history.world.ask(question).err()?;
        let info = status.get_details_error_info()?;
        Some((status.code(), info.reason))
    }

    fn trace(&mut self, whose: &Whose, question: &Question, events: usize) {
        let directions = [
            Direction::Unspecified,
            Direction::Both,
            Direction::Upstream,
            Direction::Downstream,
        ];
        let wish = Tracing {
            start: self.chance.percent(60).then(|| self.chance.below(1 << 20)),
            direction: directions[self.chance.below(4)],
            max_depth: [0, 1, 2, 5, 20_000][self.chance.below(5)],
            max_nodes: match [0, 0, 3, 50, 20_000][self.chance.below(5)] {
                // What takes longer than a caller may wait is no answer.
                20_000 if events > 3_000 => 1_500,
                most => most,
            },
        };
        check_trace(&self.history.world, whose, question, &wish);
    }

    fn page_size(&mut self, events: usize) -> i32 {
        let sizes: &[i32] = if events > 200 {
            &[50, 0, 1000, 5000]
        } else {
            &[1, 2, 3, 7, 0, 1000]
        };
        sizes[self.chance.below(sizes.len())]
    }

    fn moment(&mut self) -> custody_proto::Timestamp {
        moment(self.chance.seconds(self.history.now() + 3))
    }

    /// A question with an `as_of` in so many of a hundred.
    fn question(&mut self, as_of: usize) -> Question {
        let as_of = self.chance.percent(as_of).then(|| {
            let which = self.chance.below(3);
            v1::AsOf {
                event_time: (which != 1).then(|| self.moment()),
                recorded_time: (which != 0).then(|| self.moment()),
            }
        });
        Question {
            filter: self.filter(),
            as_of,
            descending: self.chance.percent(40),
        }
    }

    /// Mostly one member or two, so that some of it matches.
    fn filter(&mut self) -> v1::EntryFilter {
        let mut filter = v1::EntryFilter::default();
        if self.chance.percent(35) {
            return filter;
        }
        for _ in 0..1 + self.chance.below(2) {
            match self.chance.below(10) {
                0 => {
                    let (from, to) = (self.moment(), self.moment());
                    let is_so = from.unix_nanos() <= to.unix_nanos();
                    let (from, to) = if is_so { (from, to) } else { (to, from) };
                    filter.from = self.chance.percent(70).then_some(from);
                    filter.to = self.chance.percent(70).then_some(to);
                }
                1 => {
                    let kinds = [
                        "collection",
                        "use",
                        "disclosure",
                        "transfer",
                        "retraction",
                        "consent_given",
                        "rejudged",
                        "overdue_found",
                        "consultation",
                    ];
                    filter.kinds = texts(self.chance.some(&kinds, 3));
                }
                2 | 3 => {
                    let broad = [
                        "dpv:Purpose",
                        "dpv:Marketing",
                        "custody:marketing",
                        "orders",
                    ];
                    filter.purposes = texts(self.chance.some(&broad, 2));
                    filter
                        .purposes
                        .extend(texts(self.chance.some(&PURPOSES, 1)));
                }
                4 => {
                    filter.categories = texts(self.chance.some(&["pd:Contact", "contact"], 1));
                    filter
                        .categories
                        .extend(texts(self.chance.some(&CATEGORIES, 1)));
                }
                5 => {
                    let count = self.chance.below(3);
                    let ids = (0..count).map(|_| party_id(self.chance.skewed(25)).to_owned());
                    filter.recipients = ids.collect();
                }
                6 => filter.countries = texts(self.chance.some(&COUNTRIES, 2)),
                7 => filter.controllers = texts(self.chance.some(&CONTROLLERS, 2)),
                8 => filter.policies = texts(self.chance.some(&POLICIES, 2)),
                _ => {
                    let outcomes = ["not_judged", "conforms", "suppressed", "gap", "violation"];
                    filter.judgements = texts(self.chance.some(&outcomes, 2));
                }
            }
        }
        filter
    }

    fn findings(&mut self) -> v1::FindingFilter {
        let mut filter = v1::FindingFilter {
            include_suppressed: self.chance.percent(50),
            include_superseded: self.chance.percent(50),
            ..Default::default()
        };
        for _ in 0..self.chance.below(3) {
            match self.chance.below(7) {
                0 => filter.codes = texts(self.chance.some(&CODES, 3)),
                1 => filter.classes = texts(self.chance.some(&["gap", "violation"], 1)),
                2 => filter.policies = texts(self.chance.some(&POLICIES, 2)),
                3 => filter.clauses = texts(self.chance.some(&CLAUSES, 2)),
                4 => filter.services = texts(self.chance.some(&["shop.example", "other"], 1)),
                5 => filter.jurisdictions = texts(self.chance.some(&COUNTRIES, 2)),
                _ => {
                    let (from, to) = (self.moment(), self.moment());
                    let is_so = from.unix_nanos() <= to.unix_nanos();
                    let (from, to) = if is_so { (from, to) } else { (to, from) };
                    filter.recorded_from = Some(from);
                    filter.recorded_to = self.chance.percent(70).then_some(to);
                }
            }
        }
        filter
    }
}
