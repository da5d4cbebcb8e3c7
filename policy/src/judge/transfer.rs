//! Whether data may go where it goes.

use super::trace::Trace;
use super::{Judging, names};
use crate::facts::EventKind;
use crate::law::{self, Mechanism};
use crate::place::{Group, Place};
use crate::rules::Tables;
use crate::verdict::{ClauseRef, FindingCode};

impl<'a, T: Trace> Judging<'a, T> {
    /// From where to where the event takes the data, where it crosses a
    /// border. What a disclosure does not say of the data's place is the
    /// person's.
    fn crossing(&self) -> Option<(Place, Place)> {
        let facts = self.facts;
        let (from, to) = match facts.kind {
            EventKind::Transfer => (facts.from.or(facts.jurisdiction)?, facts.to?),
            EventKind::Disclosure => (
                facts.location.or(facts.jurisdiction)?,
                facts.recipient.and_then(|recipient| recipient.country)?,
            ),
            _ => return None,
        };
        (from.country() != to.country()).then_some((from, to))
    }

    /// `safeguard_missing` and `safeguard_invalid`.
    pub(super) fn leaves(&mut self, tables: &'a Tables) {
        let facts = self.facts;
        let Some((from, to)) = self.crossing() else {
            return;
        };
        let time = facts.time_ns;
        let in_area = |place| Group::Eea.contains(place, time) || Group::Uk.contains(place, time);
        let required = tables.safeguard_required.as_ref();
        let leaves = match required {
            Some(region) => self.is_in(required) && region.contains(from, time),
            // No mechanism is promised; one that is named has to be one.
            None => {
                facts.safeguard.is_some()
                    && in_area(from)
                    && facts.jurisdiction.is_some_and(in_area)
            }
        };
        let named = facts.safeguard.and_then(|safeguard| {
            tables
                .safeguards
                .iter()
                .find(|rule| rule.applies.to(facts) && rule.covers.contains(safeguard))
        });
        if facts.anonymised || !leaves || in_area(to) {
            if let Some(rule) = named.filter(|rule| rule.counts) {
                self.declare(rule.clause);
            }
            return;
        }
        let applying = tables
            .safeguards
            .iter()
            .filter(|rule| rule.applies.to(facts));
        let adequacy = law::adequate(from, to, time);
        let mechanism = facts.safeguard.map(law::mechanism);
        let adequate = adequacy
            .as_ref()
            .is_some_and(|adequacy| !adequacy.partial || mechanism == Some(Mechanism::Adequacy));
        if adequate {
            self.trace.step(|| {
                format!(
                    "An adequacy decision for {} was in force{}.",
                    to.name(),
                    adequacy
                        .map(|adequacy| format!(" ({})", adequacy.source))
                        .unwrap_or_default()
                )
            });
            if let Some(rule) = named {
                self.declare(rule.clause);
            }
            return;
        }
        let counts = match (named, mechanism) {
            (Some(rule), _) => rule.counts,
            // The decision that is named is not in force.
            (None, Some(Mechanism::Adequacy | Mechanism::None) | None) => false,
            // What a policy calls a safeguard is one where the policy says so.
            (None, Some(Mechanism::Safeguard | Mechanism::Derogation)) => facts
                .safeguard
                .is_some_and(|safeguard| !safeguard.is_local()),
        };
        if counts {
            if let Some(rule) = named {
                self.declare(rule.clause);
            }
            self.trace.step(|| {
                format!(
                    "Data leaves for {} on {}.",
                    to.name(),
                    facts.safeguard.map(names::term).unwrap_or_default()
                )
            });
            return;
        }
        let code = if facts.safeguard.is_some() {
            FindingCode::SafeguardInvalid
        } else {
            FindingCode::SafeguardMissing
        };
        let clauses: Vec<ClauseRef> = named
            .map(|rule| rule.clause)
            .into_iter()
            .chain(applying.filter(|rule| rule.counts).map(|rule| rule.clause))
            .chain(
                tables
                    .destinations
                    .iter()
                    .filter(|rule| rule.recipients.is_empty() && rule.applies.to(facts))
                    .map(|rule| rule.clause),
            )
            .collect();
        let arguments = [to.code().to_owned()]
            .into_iter()
            .chain(facts.safeguard.map(|term| term.curie().to_owned()))
            .collect();
        self.find(code, clauses, arguments, Vec::new());
    }

    /// `undeclared_destination`: a closed list does not name the country.
    pub(super) fn destination(&mut self, tables: &'a Tables) {
        let facts = self.facts;
        let Some((_, to)) = self.crossing() else {
            return;
        };
        let category = facts.recipient.map(|recipient| recipient.category);
        let applying = tables
            .destinations
            .iter()
            .filter(|rule| rule.applies.to(facts));
        let mut missed: Vec<ClauseRef> = Vec::new();
        let mut declared = false;
        for rule in applying {
            let of_recipient = match category {
                None => true,
                Some(Some(category)) => {
                    rule.recipients.is_empty() || rule.recipients.contains(category)
                }
                Some(None) => rule.recipients.is_empty(),
            };
            if of_recipient && (!rule.closed || rule.names(to)) {
                self.declare(rule.clause);
                declared = true;
            } else if of_recipient && rule.closed {
                missed.push(rule.clause);
            }
        }
        if !declared && !missed.is_empty() {
            self.find(
                FindingCode::UndeclaredDestination,
                missed,
                vec![to.code().to_owned()],
                Vec::new(),
            );
        }
    }
}
