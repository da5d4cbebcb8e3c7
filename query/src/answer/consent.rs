//! `GetConsentState`: what a person consented to and stopped.
//!
//! What was said is sealed whole, so the person's consents, objections and
//! restrictions are opened one by one. They are read as the judge reads them:
//! in order of event time, a broader scope speaks for narrower ones, a consent
//! lifts what was stopped before it, a consent that has expired does not undo
//! one that has not.

use std::collections::BTreeSet;
use std::sync::Arc;

use custody_ledger::entry::{EntryRef, Kind};
use custody_policy::{Field, Term, Vocabulary};
use custody_proto::event::{Event, consent, event::Act, objection};
use custody_proto::v1;

use super::at_least::Wanted;
use super::entry;
use super::error::{Faults, QueryError};
use super::filter::Filter;
use super::finding::position;
use super::moment::{AsOf, timestamp};
use super::scope::{Course, Scope};
use super::sealed::Opener;
use super::{Ask, QueryState, subject};
use crate::read_model::Visible;

/// The kinds that say something about it.
const KINDS: [Kind; 5] = [
    Kind::ConsentGiven,
    Kind::ConsentWithdrawn,
    Kind::Objection,
    Kind::Restriction,
    Kind::RestrictionLifted,
];

impl Ask for v1::GetConsentStateRequest {
    type Answer = v1::GetConsentStateResponse;
    const METHOD: &'static str = "custody.v1.LineageService/GetConsentState";

    fn wanted(&self, _state: &QueryState) -> Result<Wanted, QueryError> {
        let mut faults = Faults::default();
        subject::check(&self.subject, &mut faults);
        AsOf::read(self.as_of.as_ref(), &mut faults);
        let wanted = Wanted::read(self.at_least.as_ref(), &mut faults);
        faults.or(wanted)
    }

    /// What was taken back says nothing. Whether a consent has expired is asked
    /// for the moment looked at, which is now where none is named.
    fn answer(self, state: &QueryState, visible: Arc<Visible>) -> Result<Self::Answer, QueryError> {
        let mut faults = Faults::default();
        let kinds = v1::EntryFilter {
            kinds: KINDS.map(|kind| kind.name().to_owned()).to_vec(),
            ..v1::EntryFilter::default()
        };
        let mut filter = Filter::read(Some(&kinds), &mut faults);
        let as_of = AsOf::read(self.as_of.as_ref(), &mut faults);
        let as_of = faults.or(as_of)?;
        let is_asked = self
            .as_of
            .as_ref()
            .is_some_and(|it| it.event_time.is_some());
        let moment_ns = if is_asked {
            as_of.event_time_ns
        } else {
            state.now_ns()
        };
        let scope = Scope::open(state, &self.subject, &visible, as_of)?;

        let mut opener = Opener::default();
        let mut said = Said::default();
        scope.walk(&mut filter, Course::default(), |seen| {
            if seen.retracted {
                return Ok(true);
            }
            let data = opener.open(&scope, &seen)?.and_then(|sealed| sealed.data);
            if let (Some(kind), Some(data)) = (seen.row.entry.kind(), data) {
                let at = EntryRef {
                    shard: seen.row.place.shard,
                    sequence: seen.row.place.sequence,
                };
                said.take(kind, seen.row.entry.event_time_ns, at, &data);
            }
            Ok(true)
        })?;
        let mut answer = said.answer(moment_ns);
        answer.head = Some(entry::ledger_head(&visible));
        Ok(answer)
    }
}

/// A term of a scope: what it means in each of the three fields that a scope
/// may name.
#[derive(Clone, PartialEq, Eq)]
struct ScopeTerm {
    /// As an answer shows it.
    curie: String,
    fields: [Option<Term>; 3],
}

impl ScopeTerm {
    fn of(text: &str) -> Self {
        let vocabulary = Vocabulary::builtin();
        let fields = [Field::Purpose, Field::Category, Field::Recipient]
            .map(|field| vocabulary.resolve(field, text).ok());
        let curie = match fields.iter().flatten().next() {
            Some(term) => term.curie().to_owned(),
            // Said under a vocabulary that had more terms than this one.
            None => text.to_owned(),
        };
        Self { curie, fields }
    }

    /// Whether it is the other one or broader.
    fn covers(&self, other: &Self) -> bool {
        let broader = |pair: (&Option<Term>, &Option<Term>)| match pair {
            (Some(this), Some(other)) => Vocabulary::builtin().covers(*this, *other),
            _ => false,
        };
        self.curie == other.curie || self.fields.iter().zip(&other.fields).any(broader)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum StatementKind {
    Given,
    Withdrawn,
    Stopped(&'static str),
}

/// A consent, its withdrawal, an objection or an opt-out.
struct Statement {
    kind: StatementKind,
    time_ns: i64,
    at: EntryRef,
    scope: Vec<ScopeTerm>,
    /// Party ids; empty for everybody.
    recipients: BTreeSet<String>,
    expires_ns: Option<i64>,
    method: &'static str,
    expressed_by: &'static str,
    service: String,
}

impl Statement {
    fn is_about(&self, term: &ScopeTerm, recipients: &BTreeSet<String>) -> bool {
        let for_them = self.recipients.is_empty()
            || (!recipients.is_empty() && recipients.is_subset(&self.recipients));
        for_them && self.scope.iter().any(|scope| scope.covers(term))
    }
}

/// What a person said, in order of event time.
#[derive(Default)]
struct Said {
    statements: Vec<Statement>,
    restricted: Option<(i64, EntryRef)>,
    lifted_ns: Option<i64>,
}

impl Said {
    fn take(&mut self, kind: Kind, time_ns: i64, at: EntryRef, data: &Event) {
        let terms = |scope: &[String]| scope.iter().map(|text| ScopeTerm::of(text)).collect();
        match (kind, &data.act) {
            (Kind::ConsentGiven | Kind::ConsentWithdrawn, Some(Act::Consent(act))) => {
                self.statements.push(Statement {
                    kind: if kind == Kind::ConsentGiven {
                        StatementKind::Given
                    } else {
                        StatementKind::Withdrawn
                    },
                    time_ns,
                    at,
                    scope: terms(&act.scope),
                    recipients: act.recipients.iter().cloned().collect(),
                    expires_ns: act.expires_at.and_then(|time| time.unix_nanos()),
                    method: match act.method() {
                        consent::Method::Unspecified => "",
                        said => said.as_str_name(),
                    },
                    expressed_by: match act.given_by() {
                        consent::GivenBy::Unspecified => consent::GivenBy::Subject.as_str_name(),
                        said => said.as_str_name(),
                    },
                    service: data.service.clone(),
                });
            }
            (Kind::Objection, Some(Act::Objection(act))) => self.statements.push(Statement {
                kind: StatementKind::Stopped(match act.kind() {
                    objection::Kind::OptOut => objection::Kind::OptOut.as_str_name(),
                    _ => objection::Kind::Objection.as_str_name(),
                }),
                time_ns,
                at,
                scope: terms(&act.scope),
                recipients: BTreeSet::new(),
                expires_ns: None,
                method: "",
                expressed_by: match act.by() {
                    objection::By::Unspecified => objection::By::Subject.as_str_name(),
                    said => said.as_str_name(),
                },
                service: data.service.clone(),
            }),
            (Kind::Restriction, _) => self.restricted = Some((time_ns, at)),
            (Kind::RestrictionLifted, _) => self.lifted_ns = Some(time_ns),
            _ => {}
        }
    }

    fn answer(self, moment_ns: i64) -> v1::GetConsentStateResponse {
        let mut scopes: Vec<(&ScopeTerm, &BTreeSet<String>)> = Vec::new();
        for statement in &self.statements {
            for term in &statement.scope {
                let scope = (term, &statement.recipients);
                if !scopes.contains(&scope) {
                    scopes.push(scope);
                }
            }
        }
        scopes.sort_by_key(|(term, recipients)| (term.curie.clone(), (*recipients).clone()));
        let states: Vec<v1::ScopeState> = scopes
            .into_iter()
            .filter_map(|(term, recipients)| self.state(term, recipients, moment_ns))
            .collect();
        // Of two at the same time the lifting holds.
        let restricted = self
            .restricted
            .filter(|(since, _)| self.lifted_ns.is_none_or(|lifted| lifted < *since));
        let given = states.iter().filter(|state| state.state == "given");
        let stopped = states.iter().filter(|state| state.state == "stopped");
        v1::GetConsentStateResponse {
            consents: given
                .map(|state| v1::ConsentInForce {
                    scope: state.scope.clone(),
                    recipients: state.recipients.clone(),
                    since: state.since,
                    expires_at: state.until,
                })
                .collect(),
            objections: stopped.map(|state| state.scope.clone()).collect(),
            restricted: restricted.is_some(),
            restricted_since: restricted.and_then(|(time_ns, _)| timestamp(time_ns)),
            restricted_by: restricted.map(|(_, at)| position(&at)),
            scopes: states,
            head: None,
        }
    }

    /// How one scope stands: a stop before anything else, as for the judge.
    fn state(
        &self,
        term: &ScopeTerm,
        recipients: &BTreeSet<String>,
        moment_ns: i64,
    ) -> Option<v1::ScopeState> {
        let expired = |consent: &Statement| consent.expires_ns.is_some_and(|at| at <= moment_ns);
        let (mut consent, mut stop): (Option<&Statement>, Option<&Statement>) = (None, None);
        for statement in &self.statements {
            if !statement.is_about(term, recipients) {
                continue;
            }
            match statement.kind {
                StatementKind::Given => {
                    stop = None;
                    let stands = consent.is_some_and(|before| {
                        before.kind == StatementKind::Given && !expired(before)
                    });
                    if !(expired(statement) && stands) {
                        consent = Some(statement);
                    }
                }
                StatementKind::Withdrawn => consent = Some(statement),
                StatementKind::Stopped(_) => stop = Some(statement),
            }
        }
        let deciding = stop.or(consent)?;
        let (state, since_ns, until_ns, stopped_as) = match deciding.kind {
            StatementKind::Stopped(how) => ("stopped", deciding.time_ns, None, how),
            StatementKind::Withdrawn => ("withdrawn", deciding.time_ns, None, ""),
            StatementKind::Given if expired(deciding) => {
                let since = deciding.expires_ns.unwrap_or(deciding.time_ns);
                ("expired", since, None, "")
            }
            StatementKind::Given => ("given", deciding.time_ns, deciding.expires_ns, ""),
        };
        Some(v1::ScopeState {
            scope: term.curie.clone(),
            state: state.to_owned(),
            recipients: recipients.iter().cloned().collect(),
            since: timestamp(since_ns),
            until: until_ns.and_then(timestamp),
            entry: Some(position(&deciding.at)),
            method: deciding.method.to_owned(),
            expressed_by: deciding.expressed_by.to_owned(),
            stopped_as: stopped_as.to_owned(),
            service: deciding.service.clone(),
        })
    }
}
