//! What the person put a stop to: opt-outs, objections, restriction.

use super::trace::Trace;
use super::{Declared, Judging};
use crate::facts::EventKind;
use crate::place::Place;
use crate::rules::Tables;
use crate::state::{ConsentAnswer, Focus};
use crate::term::Term;
use crate::verdict::{ClauseRef, FindingCode};
use crate::vocabulary::Vocabulary;

impl<'a, T: Trace> Judging<'a, T> {
    /// `opted_out` and `objected`.
    pub(super) fn stopped(&mut self, tables: &'a Tables) {
        if !self.state.has_stops() {
            return;
        }
        let facts = self.facts;
        for purpose in &facts.purposes {
            self.stopped_for(tables, Focus::Purpose(*purpose), Some(*purpose));
        }
        for category in &facts.categories {
            self.stopped_for(tables, Focus::Category(*category), Some(*category));
        }
        if let Some(recipient) = facts.recipient {
            self.stopped_for(
                tables,
                Focus::Recipient(recipient.category),
                recipient.category,
            );
        }
    }

    fn stopped_for(&mut self, tables: &'a Tables, focus: Focus, term: Option<Term>) {
        let facts = self.facts;
        let meaning = Self::meaning(tables);
        for objection in [false, true] {
            let Some(stop) = self
                .state
                .stop(self.asked(), facts, focus, objection, &meaning)
            else {
                continue;
            };
            if objection && !self.objection_counts() {
                self.trace.step(|| {
                    "The person objected, but an objection does not stop what rests on a contract, the law or legal claims (GDPR Art. 21(1)).".to_owned()
                });
                continue;
            }
            let code = if objection {
                FindingCode::Objected
            } else {
                FindingCode::OptedOut
            };
            let mut clauses: Vec<ClauseRef> = tables
                .rights
                .iter()
                .filter(|rule| rule.applies.to(facts))
                .filter(|rule| {
                    let offered = rule.stops.iter().any(|scope| {
                        let said = match focus {
                            Focus::Purpose(_) => scope.purpose,
                            Focus::Category(_) => scope.category,
                            Focus::Recipient(_) => scope.recipient,
                        };
                        said.zip(term).is_some_and(|(said, term)| {
                            Vocabulary::builtin().covers(said, term) || meaning(scope, focus)
                        })
                    });
                    offered
                        || objection
                            && rule
                                .rights
                                .iter()
                                .any(|right| Vocabulary::builtin().is_objection(*right))
                })
                .map(|rule| rule.clause)
                .collect();
            clauses.extend(declaring(tables, focus, facts));
            let arguments = term
                .map(|term| term.curie().to_owned())
                .into_iter()
                .collect();
            self.find(code, clauses, arguments, vec![stop.at]);
        }
    }

    /// An objection stops what rests on an interest or on nothing that is
    /// said, and direct marketing always (GDPR Art. 21(1) to (3)).
    fn objection_counts(&self) -> bool {
        let vocabulary = Vocabulary::builtin();
        let facts = self.facts;
        if facts.purposes.iter().any(|p| vocabulary.is_marketing(*p)) {
            return true;
        }
        let claims = !facts.purposes.is_empty()
            && facts.purposes.iter().all(|p| vocabulary.is_legal_claim(*p));
        let firm = facts
            .legal_basis
            .is_some_and(|basis| vocabulary.withstands_objection(basis));
        !claims && !firm
    }

    /// `restricted`: all but storage, legal claims and what the person
    /// consents to since (GDPR Art. 18(2)).
    pub(super) fn restricted(&mut self, tables: &'a Tables, _declared: &Declared) {
        let facts = self.facts;
        let Some((at, since)) = self.state.restriction(self.asked()) else {
            return;
        };
        let vocabulary = Vocabulary::builtin();
        let stored = facts.kind == EventKind::Use
            && facts.operation.is_some_and(|op| vocabulary.is_storage(op));
        let claims = facts
            .legal_basis
            .is_some_and(|basis| vocabulary.is_claim_basis(basis))
            || !facts.purposes.is_empty()
                && facts.purposes.iter().all(|p| vocabulary.is_legal_claim(*p));
        let meaning = Self::meaning(tables);
        let consented = !facts.purposes.is_empty()
            && facts.purposes.iter().all(|purpose| {
                let focus = Focus::Purpose(*purpose);
                matches!(
                    self.state.consent(self.asked(), facts, focus, false, &meaning),
                    ConsentAnswer::InForce(_, given) if given >= since
                )
            });
        if stored || claims || consented {
            self.trace.step(|| {
                "Processing is restricted; storage, legal claims and what the person consents to since stay allowed.".to_owned()
            });
            return;
        }
        let clauses: Vec<ClauseRef> = tables
            .rights
            .iter()
            .filter(|rule| rule.applies.to(facts))
            .filter(|rule| {
                rule.rights
                    .iter()
                    .any(|right| vocabulary.is_restriction(*right))
            })
            .map(|rule| rule.clause)
            .collect();
        let arguments = facts
            .jurisdiction
            .map(|place: Place| place.code().to_owned())
            .into_iter()
            .collect();
        self.find(FindingCode::Restricted, clauses, arguments, vec![at]);
    }
}

/// The clauses that would declare what the focus names.
fn declaring(tables: &Tables, focus: Focus, facts: &crate::facts::Facts<'_>) -> Vec<ClauseRef> {
    let (rules, term) = match focus {
        Focus::Purpose(term) => (&tables.purposes, Some(term)),
        Focus::Category(term) => (&tables.categories, Some(term)),
        Focus::Recipient(term) => (&tables.recipients, term),
    };
    term.map(|term| rules.deciding_clauses(term, facts).collect())
        .unwrap_or_default()
}
