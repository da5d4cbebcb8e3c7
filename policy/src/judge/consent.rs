//! Whether the person consents.

use super::Judging;
use super::trace::Trace;
use crate::rules::Tables;
use crate::state::{ConsentAnswer, Focus};
use crate::verdict::{ClauseRef, EntryRef, FindingCode};
use crate::vocabulary::Vocabulary;

impl<'a, T: Trace> Judging<'a, T> {
    /// What is wrong with the consent to what the focus names.
    pub(super) fn lack_of_consent(
        &self,
        tables: &'a Tables,
        focus: Focus,
        explicit: bool,
    ) -> Option<(FindingCode, Option<EntryRef>)> {
        let meaning = Self::meaning(tables);
        match self.state.consent(self.facts, focus, explicit, &meaning) {
            ConsentAnswer::InForce(..) => None,
            ConsentAnswer::Missing => Some((FindingCode::ConsentMissing, None)),
            ConsentAnswer::Withdrawn(at) => Some((FindingCode::ConsentWithdrawn, Some(at))),
            ConsentAnswer::Expired(at) => Some((FindingCode::ConsentExpired, Some(at))),
        }
    }

    /// An act that rests on consent needs one for each of its purposes,
    /// whatever the clauses say.
    pub(super) fn consent_as_basis(&mut self, tables: &'a Tables) {
        let facts = self.facts;
        let vocabulary = Vocabulary::builtin();
        let Some(basis) = facts.legal_basis else {
            return;
        };
        if facts.anonymised || !vocabulary.is_consent(basis) {
            return;
        }
        // A policy may take the use of the service for consent.
        let implied = tables.bases.iter().find(|rule| {
            rule.implied && rule.applies.to(facts) && vocabulary.is_implied_consent(basis)
        });
        if let Some(rule) = implied {
            self.declare(rule.clause);
        }
        let explicit = vocabulary.is_explicit_consent(basis);
        for purpose in &facts.purposes {
            let focus = Focus::Purpose(*purpose);
            let Some((code, entry)) = self.lack_of_consent(tables, focus, explicit) else {
                self.trace
                    .step(|| format!("The person consents to {}.", purpose.curie()));
                continue;
            };
            // The use stands in for a consent that was never asked for, not
            // for one that was taken back.
            if implied.is_some() && code == FindingCode::ConsentMissing {
                continue;
            }
            let clauses: Vec<ClauseRef> = tables
                .bases
                .iter()
                .filter(|rule| rule.covers.contains(basis) && rule.applies.to(facts))
                .map(|rule| rule.clause)
                .chain(
                    tables
                        .purposes
                        .deciding(*purpose, facts)
                        .map(|(_, rule)| rule.clause),
                )
                .collect();
            let arguments = vec![purpose.curie().to_owned()];
            self.find(code, clauses, arguments, entry.into_iter().collect());
        }
    }
}
