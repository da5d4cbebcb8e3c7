//! Data that was collected under stronger terms.

use smallvec::SmallVec;

use super::trace::Trace;
use super::{Declared, Judging};
use crate::facts::EventKind;
use crate::pack::VersioningRule;
use crate::rules::{Policy, Rules, Tables};
use crate::state::Focus;
use crate::term::Term;
use crate::verdict::{ClauseRef, FindingCode};
use crate::vocabulary::Vocabulary;

/// Something that was done, and the rules that declare it.
type Asked<'r> = (Focus, Term, &'r [u16], &'r Rules);

impl<'a, T: Trace> Judging<'a, T> {
    /// `terms_reduced`: only clauses that this version added to the person's
    /// disadvantage declare it, the data is older than the version, and the
    /// person was not asked.
    pub(super) fn terms_reduced(
        &mut self,
        policy: &'a Policy,
        tables: &'a Tables,
        declared: &Declared,
    ) {
        let facts = self.facts;
        let acts = matches!(
            facts.kind,
            EventKind::Use | EventKind::Disclosure | EventKind::Transfer
        );
        let promised = tables.versioning(VersioningRule::ConsentIfReduced);
        let promises: SmallVec<[ClauseRef; 2]> = promised.collect();
        if !acts || facts.anonymised || promises.is_empty() {
            return;
        }
        let mut weaker: SmallVec<[Asked<'_>; 4]> = SmallVec::new();
        for (purpose, by) in &declared.purposes {
            weaker.push((Focus::Purpose(*purpose), *purpose, by, &tables.purposes));
        }
        if let Some(category) = facts.recipient.and_then(|recipient| recipient.category) {
            let by = &declared.recipient;
            weaker.push((
                Focus::Recipient(Some(category)),
                category,
                by,
                &tables.recipients,
            ));
        }
        weaker.retain(|(_, _, by, rules)| {
            !by.is_empty()
                && by
                    .iter()
                    .all(|number| rules.rules[usize::from(*number)].weakens)
        });
        if weaker.is_empty() {
            return;
        }
        let same = |collected: Term| self.is_same_data(tables, declared, collected);
        let collected = self
            .state
            .collected(self.settings.parents, self.asked(), &same);
        let Some((collected_ns, at)) = collected else {
            return;
        };
        if collected_ns >= policy.effective_ns() {
            return;
        }
        for (focus, term, by, rules) in weaker {
            if self.lack_of_consent(tables, focus, false).is_none() {
                self.trace.step(|| {
                    format!(
                        "{} is new in {}, and the person consents to it.",
                        term.curie(),
                        policy.id()
                    )
                });
                continue;
            }
            let new = by
                .iter()
                .map(|number| rules.rules[usize::from(*number)].clause);
            self.find(
                FindingCode::TermsReduced,
                promises.iter().copied().chain(new),
                vec![term.curie().to_owned()],
                vec![at],
            );
        }
    }

    /// Whether what was collected is what is used, whatever either version
    /// calls it.
    fn is_same_data(&self, tables: &Tables, declared: &Declared, collected: Term) -> bool {
        let vocabulary = Vocabulary::builtin();
        self.facts
            .categories
            .iter()
            .any(|used| vocabulary.covers(*used, collected) || vocabulary.covers(collected, *used))
            || declared.categories.iter().any(|(_, by)| {
                by.iter().any(|number| {
                    let rule = &tables.categories.rules[usize::from(*number)];
                    rule.continues.contains(collected) || rule.covers.contains(collected)
                })
            })
    }
}
