//! Whether the person consents.

use super::Judging;
use super::trace::Trace;
use crate::place::Group;
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
        // Conduct is no consent under the GDPR (Art. 4(11)).
        let facts = self.facts;
        let express = facts.jurisdiction.is_some_and(|place| {
            Group::Eea.contains(place, facts.time_ns) || Group::Uk.contains(place, facts.time_ns)
        });
        let explicit = explicit || express;
        match self
            .state
            .consent(self.asked(), self.facts, focus, explicit, &meaning)
        {
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
            rule.implied
                && rule.covers.contains(basis)
                && rule.applies.to(facts)
                && !vocabulary.is_expressed_consent(basis)
        });
        if let Some(rule) = implied {
            self.declare(rule.clause);
        }
        let explicit = vocabulary.is_expressed_consent(basis);
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
                .chain(tables.purposes.deciding_clauses(*purpose, facts))
                .chain(self.withdrawal_clauses(tables, code))
                .collect();
            let arguments = vec![purpose.curie().to_owned()];
            self.find(code, clauses, arguments, entry.into_iter().collect());
        }
    }

    /// Where a consent was withdrawn: the clauses that give the right to.
    pub(super) fn withdrawal_clauses(
        &self,
        tables: &'a Tables,
        code: FindingCode,
    ) -> impl Iterator<Item = ClauseRef> + use<'a, T> {
        let facts = self.facts;
        tables
            .rights
            .iter()
            .filter(move |rule| {
                code == FindingCode::ConsentWithdrawn
                    && rule.applies.to(facts)
                    && rule
                        .rights
                        .iter()
                        .any(|right| Vocabulary::builtin().is_withdrawal(*right))
            })
            .map(|rule| rule.clause)
    }
}
