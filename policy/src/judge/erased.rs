//! What happens after an erasure.

use custody_proto::event::collection;

use super::Judging;
use super::trace::Trace;
use crate::rules::Tables;
use crate::state::Erased;
use crate::verdict::{ClauseRef, FindingCode};
use crate::vocabulary::Vocabulary;

impl<'a, T: Trace> Judging<'a, T> {
    /// `after_erasure`: the service had said that it erased its copy, or the
    /// person came back after everything was erased. Data that the person gives
    /// anew is no old copy.
    pub(super) fn after_erasure(&mut self, tables: Option<&'a Tables>) {
        if self.facts.origin == Some(collection::Origin::Subject) {
            return;
        }
        let erased = match tables {
            Some(tables) => self
                .state
                .erasure(self.asked(), self.facts, &Self::meaning(tables)),
            None => self.state.erasure(self.asked(), self.facts, &|_, _| false),
        };
        let decided_by = match erased {
            None => return,
            Some(Erased::Claimed(claim)) => vec![claim],
            Some(Erased::Marked) => Vec::new(),
        };
        let facts = self.facts;
        let clauses: Vec<ClauseRef> = tables
            .iter()
            .flat_map(|tables| &tables.rights)
            .filter(|rule| {
                rule.applies.to(facts)
                    && rule
                        .rights
                        .iter()
                        .any(|right| Vocabulary::builtin().is_erasure(*right))
            })
            .map(|rule| rule.clause)
            .collect();
        self.find(
            FindingCode::AfterErasure,
            clauses,
            vec![facts.service.to_owned()],
            decided_by,
        );
    }
}
