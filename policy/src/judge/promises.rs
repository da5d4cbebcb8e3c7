//! What the policy promises beside what it declares: minors, bases, storage,
//! sale, retention.

use super::trace::Trace;
use super::{Declared, Judging, names};
use crate::facts::EventKind;
use crate::place::Region;
use crate::rules::Tables;
use crate::term::Term;
use crate::verdict::{ClauseRef, FindingCode};
use crate::vocabulary::Vocabulary;

const NANOS_PER_DAY: i64 = 86_400 * 1_000_000_000;

impl<'a, T: Trace> Judging<'a, T> {
    /// Whether a region that a policy names holds the person.
    pub(super) fn is_in(&self, region: Option<&Region>) -> bool {
        region.is_some_and(|region| {
            region.contains_known(self.facts.jurisdiction, self.facts.time_ns)
        })
    }

    /// `minor`.
    pub(super) fn minor(&mut self, tables: &'a Tables) {
        let facts = self.facts;
        let known = self.state.minor(self.asked());
        let removes = facts
            .operation
            .is_some_and(|operation| Vocabulary::builtin().is_removal(operation));
        if removes || !facts.minor && known.is_none() {
            return;
        }
        let clauses: Vec<ClauseRef> = tables
            .minors
            .iter()
            .filter(|single| single.what && single.applies.to(facts))
            .map(|single| single.clause)
            .collect();
        if !clauses.is_empty() {
            self.find(
                FindingCode::Minor,
                clauses,
                Vec::new(),
                known.into_iter().collect(),
            );
        }
    }

    /// `basis_missing` and `basis_undeclared`.
    pub(super) fn basis(&mut self, tables: &'a Tables, declared: &Declared) {
        let facts = self.facts;
        if facts.anonymised {
            return;
        }
        // A basis that a law or a policy made counts where its clause holds.
        let stands = |basis: &Term| {
            !basis.is_local()
                || tables
                    .bases
                    .iter()
                    .any(|rule| rule.covers.contains(*basis) && rule.applies.to(facts))
        };
        let Some(basis) = facts.legal_basis.filter(stands) else {
            if self.is_in(tables.basis_required.as_ref()) {
                let clauses: Vec<ClauseRef> = tables
                    .bases
                    .iter()
                    .filter(|rule| rule.applies.to(facts))
                    .map(|rule| rule.clause)
                    .collect();
                let place = facts.jurisdiction.map(|place| place.code().to_owned());
                self.find(
                    FindingCode::BasisMissing,
                    clauses,
                    place.into_iter().collect(),
                    Vec::new(),
                );
            }
            return;
        };
        let covering = tables
            .bases
            .iter()
            .filter(|rule| rule.covers.contains(basis) && rule.applies.to(facts));
        for rule in covering {
            self.declare(rule.clause);
            self.trace.step(|| {
                format!(
                    "The basis {} is one of {}.",
                    names::term(basis),
                    names::clauses(self.rules, &[rule.clause])
                )
            });
        }
        if !self.is_in(tables.bases_closed.as_ref()) {
            return;
        }
        for (purpose, by) in &declared.purposes {
            let purposes = by
                .iter()
                .map(|number| &tables.purposes.rules[usize::from(*number)]);
            let allows = |list: &crate::rules::Rule| {
                list.bases.as_ref().is_none_or(|bases| {
                    bases.0.iter().any(|number| {
                        let rule = &tables.bases[usize::from(*number)];
                        rule.covers.contains(basis) && rule.applies.to(facts)
                    })
                })
            };
            if purposes.clone().any(allows) {
                continue;
            }
            let clauses: Vec<ClauseRef> = purposes
                .flat_map(|rule| {
                    let bases = rule.bases.iter().flat_map(|bases| &bases.0);
                    bases
                        .map(|number| tables.bases[usize::from(*number)].clause)
                        .chain([rule.clause])
                })
                .collect();
            let arguments = vec![basis.curie().to_owned(), purpose.curie().to_owned()];
            self.find(FindingCode::BasisUndeclared, clauses, arguments, Vec::new());
        }
    }

    /// `storage_elsewhere`: of the promises, the one binds that names the
    /// person's place most closely.
    pub(super) fn storage(&mut self, tables: &'a Tables) {
        let facts = self.facts;
        let stores = facts.kind == EventKind::Collection
            || facts
                .operation
                .is_some_and(|operation| Vocabulary::builtin().is_storage(operation));
        let Some(location) = facts.location.filter(|_| stores && !facts.anonymised) else {
            return;
        };
        let closest = tables
            .storage
            .iter()
            .filter_map(|rule| rule.applies.specificity(facts))
            .max();
        let Some(closest) = closest else { return };
        let mut binding = tables
            .storage
            .iter()
            .filter(|rule| rule.applies.specificity(facts) == Some(closest));
        if let Some(rule) = binding.clone().find(|rule| rule.names(location)) {
            self.declare(rule.clause);
            self.trace.step(|| {
                format!(
                    "Stored in {}, as {} promises.",
                    location.name(),
                    names::clauses(self.rules, &[rule.clause])
                )
            });
            return;
        }
        let promised = binding
            .clone()
            .flat_map(|rule| &rule.countries)
            .map(|place| place.code().to_owned());
        let arguments = [location.code().to_owned()]
            .into_iter()
            .chain(promised)
            .collect();
        let clauses: Vec<ClauseRef> = binding.by_ref().map(|rule| rule.clause).collect();
        self.find(
            FindingCode::StorageElsewhere,
            clauses,
            arguments,
            Vec::new(),
        );
    }

    /// `sale`.
    pub(super) fn sale(&mut self, tables: &'a Tables) {
        let facts = self.facts;
        if !facts.sale {
            return;
        }
        let clauses: Vec<ClauseRef> = tables
            .no_sale
            .iter()
            .filter(|single| single.applies.to(facts))
            .map(|single| single.clause)
            .collect();
        if !clauses.is_empty() {
            self.find(FindingCode::Sale, clauses, Vec::new(), Vec::new());
        }
    }

    /// `retention_exceeded`: what was collected before the account was closed
    /// is used after the operator's period.
    pub(super) fn retention(&mut self, tables: &'a Tables, declared: &Declared) {
        let facts = self.facts;
        let acts = matches!(
            facts.kind,
            EventKind::Use | EventKind::Disclosure | EventKind::Transfer
        );
        let Some(days) = self.settings.retention_days_after_account_closed else {
            return;
        };
        if !acts || facts.anonymised {
            return;
        }
        let Some((closed, at)) = self.state.closed_as_of(self.asked()) else {
            return;
        };
        let clauses: Vec<ClauseRef> = tables
            .retention
            .iter()
            .filter(|single| single.applies.to(facts))
            .map(|single| single.clause)
            .collect();
        let end = closed.saturating_add(i64::from(days).saturating_mul(NANOS_PER_DAY));
        if clauses.is_empty() || facts.time_ns < end {
            return;
        }
        let kept_on = !declared.purposes.is_empty()
            && declared.purposes.iter().all(|(_, by)| {
                by.iter()
                    .any(|number| tables.purposes.rules[usize::from(*number)].retained)
            });
        let same = |category| facts.categories.contains(&category);
        let newer = self
            .state
            .collected(self.settings.parents, self.asked(), &same)
            .is_some_and(|(collected, _)| collected > closed);
        // To delete, or to keep apart until that can be done, is what follows
        // the end of the period.
        let vocabulary = Vocabulary::builtin();
        let ends = facts.operation.is_some_and(|operation| {
            vocabulary.is_removal(operation)
                || vocabulary.is_storage(operation)
                    && self.state.restriction(self.asked()).is_some()
        });
        if kept_on || newer || ends {
            self.trace.step(|| {
                "The account's period is over, but this goes on: a purpose that outlives the account, data collected since, or the deletion itself.".to_owned()
            });
            return;
        }
        self.find(
            FindingCode::RetentionExceeded,
            clauses,
            vec![format!("{days} days")],
            vec![at],
        );
    }
}
