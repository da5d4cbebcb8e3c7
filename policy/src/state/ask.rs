//! What is in force at a moment.

use super::{AsOf, ErasureClaim, Moment, Statement, StatementKind, SubjectState, Tag, latest};
use crate::facts::{Facts, ScopeTerm};
use crate::term::Term;
use crate::verdict::EntryRef;
use crate::vocabulary::Vocabulary;

/// What a consent or a stop is asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Focus {
    /// One purpose of the event.
    Purpose(Term),
    /// One category of the event.
    Category(Term),
    /// The event's recipient.
    Recipient(Option<Term>),
}

/// Whether a consent is in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ConsentAnswer {
    /// Given by this entry, at this time.
    InForce(EntryRef, i64),
    /// Never given.
    Missing,
    /// Withdrawn by this entry.
    Withdrawn(EntryRef),
    /// The last one has expired.
    Expired(EntryRef),
}

/// A stop that is in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stop {
    /// Whether it is an objection under the law, not an opt-out.
    pub(crate) objection: bool,
    /// Its entry.
    pub(crate) at: EntryRef,
    /// When it was said.
    pub(crate) time_ns: i64,
}

/// Why data counts as erased.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Erased {
    /// The service said so, in this entry.
    Claimed(EntryRef),
    /// The person came with an identifier of somebody who was erased. The house
    /// shard says so of the person; the mark itself names no entry.
    Marked,
}

/// Whether a local code of a scope means a term, as the policy in force uses
/// that code: by the field, the scope's term and the term that is asked about.
pub(crate) type Meaning<'a> = &'a dyn Fn(&ScopeTerm, Focus) -> bool;

impl SubjectState {
    /// Whether the person consents to what the focus names, at the event's
    /// time.
    pub(crate) fn consent(
        &self,
        asked: AsOf,
        facts: &Facts<'_>,
        focus: Focus,
        explicit: bool,
        meaning: Meaning<'_>,
    ) -> ConsentAnswer {
        let mut answer = ConsentAnswer::Missing;
        for statement in self.by_time(asked) {
            if !statement.is_about(facts, focus, meaning) {
                continue;
            }
            match statement.kind {
                StatementKind::Given => {
                    if explicit && !statement.explicit {
                        continue;
                    }
                    let expired = statement
                        .expires_ns
                        .is_some_and(|expires| expires <= facts.time_ns);
                    if !expired {
                        answer = ConsentAnswer::InForce(statement.at, statement.time_ns);
                    } else if !matches!(answer, ConsentAnswer::InForce(..)) {
                        answer = ConsentAnswer::Expired(statement.at);
                    }
                }
                StatementKind::Withdrawn => answer = ConsentAnswer::Withdrawn(statement.at),
                StatementKind::OptedOut | StatementKind::Objected => {}
            }
        }
        answer
    }

    /// The last opt-out or objection against what the focus names, unless a
    /// later consent lifted it.
    pub(crate) fn stop(
        &self,
        asked: AsOf,
        facts: &Facts<'_>,
        focus: Focus,
        objection: bool,
        meaning: Meaning<'_>,
    ) -> Option<Stop> {
        let wanted = if objection {
            StatementKind::Objected
        } else {
            StatementKind::OptedOut
        };
        // Most people stopped nothing, or something else.
        let concerned = self.statements.iter().any(|statement| {
            statement.kind == wanted
                && asked.knows(statement.time_ns, statement.at)
                && statement.is_about(facts, focus, meaning)
        });
        if !concerned {
            return None;
        }
        let mut found: Option<Stop> = None;
        for statement in self.by_time(asked) {
            if !statement.is_about(facts, focus, meaning) {
                continue;
            }
            match statement.kind {
                kind if kind == wanted => {
                    found = Some(Stop {
                        objection,
                        at: statement.at,
                        time_ns: statement.time_ns,
                    });
                }
                StatementKind::Given => found = None,
                _ => {}
            }
        }
        found
    }

    /// Whether there is any opt-out or objection: most people have none.
    pub(crate) fn has_stops(&self) -> bool {
        self.statements.iter().any(|statement| {
            matches!(
                statement.kind,
                StatementKind::OptedOut | StatementKind::Objected
            )
        })
    }

    /// The restriction in force.
    pub(crate) fn restriction(&self, asked: AsOf) -> Option<(EntryRef, i64)> {
        let set = latest(&self.restricted, asked)?;
        let lifted = latest(&self.unrestricted, asked);
        lifted
            .is_none_or(|lifted| lifted.time_ns < set.time_ns)
            .then_some((set.at, set.time_ns))
    }

    /// Whether the data was erased that an event is about: the mark that the
    /// person started with, or the claim of this service that it erased one of
    /// these categories, whichever is later; unless the person gave data or a
    /// consent afterwards.
    pub(crate) fn erasure(
        &self,
        asked: AsOf,
        facts: &Facts<'_>,
        meaning: Meaning<'_>,
    ) -> Option<Erased> {
        let claim = self.claimed(asked, facts, meaning);
        let claimed_ns = claim.map(|claim| claim.moment.time_ns);
        let marked_ns = self.marked_ns.filter(|since| *since <= facts.time_ns);
        // What lifts the later one lifts the earlier one too.
        let since = claimed_ns.max(marked_ns)?;
        let lifted = |time_ns: i64| since <= time_ns && time_ns <= facts.time_ns;
        let fresh = self.fresh.iter().any(|moment| lifted(moment.time_ns));
        let consented = self
            .statements
            .iter()
            .any(|statement| statement.kind == StatementKind::Given && lifted(statement.time_ns));
        if fresh || consented {
            return None;
        }
        Some(match claim {
            Some(claim) if claimed_ns == Some(since) => Erased::Claimed(claim.moment.at),
            _ => Erased::Marked,
        })
    }

    fn claimed(
        &self,
        asked: AsOf,
        facts: &Facts<'_>,
        meaning: Meaning<'_>,
    ) -> Option<&ErasureClaim> {
        let vocabulary = Vocabulary::builtin();
        self.erasures
            .iter()
            .filter(|claim| asked.knows(claim.moment.time_ns, claim.moment.at))
            .filter(|claim| claim.service.is_empty() || claim.service == facts.service)
            .filter(|claim| {
                claim.scope.is_empty()
                    || facts.categories.is_empty()
                    || facts.categories.iter().any(|category| {
                        claim.scope.iter().any(|scope| {
                            let said = ScopeTerm {
                                purpose: None,
                                category: Some(*scope),
                                recipient: None,
                            };
                            vocabulary.covers(*scope, *category)
                                || meaning(&said, Focus::Category(*category))
                        })
                    })
            })
            .max_by_key(|claim| claim.moment.time_ns)
    }

    /// Since when the person is known to be under 18, if it still holds.
    pub(crate) fn minor(&self, asked: AsOf) -> Option<EntryRef> {
        let said = latest(&self.minor, asked)?;
        let corrected = latest(&self.adult, asked);
        corrected
            .is_none_or(|corrected| corrected.time_ns < said.time_ns)
            .then_some(said.at)
    }

    /// When the event's data was collected: by the events that it names, else
    /// the oldest collection of a category that `same` holds for.
    pub(crate) fn collected(
        &self,
        parents: &[Tag],
        asked: AsOf,
        same: &dyn Fn(Term) -> bool,
    ) -> Option<(i64, EntryRef)> {
        let oldest = |moments: &mut dyn Iterator<Item = Moment>| {
            moments
                .filter(|moment| asked.knows(moment.time_ns, moment.at))
                .min_by_key(|moment| moment.time_ns)
                .map(|moment| (moment.time_ns, moment.at))
        };
        let named = oldest(
            &mut self
                .collections
                .iter()
                .filter(|moment| parents.contains(&moment.tag))
                .copied(),
        );
        if named.is_none() && !parents.is_empty() && self.collections_dropped {
            // It may be one that is not remembered any more.
            return None;
        }
        named.or_else(|| {
            oldest(
                &mut self
                    .first
                    .iter()
                    .filter(|first| same(first.category))
                    .map(|first| first.moment),
            )
        })
    }

    /// Statements at or before a time, the earliest first; of equal ones the
    /// one that arrived first.
    fn by_time(&self, asked: AsOf) -> impl Iterator<Item = &Statement> {
        // Events of a person mostly arrive in order, so this is one pass.
        let mut order: smallvec::SmallVec<[&Statement; 16]> = self
            .statements
            .iter()
            .filter(|statement| asked.knows(statement.time_ns, statement.at))
            .collect();
        if !order.is_sorted_by_key(|statement| statement.time_ns) {
            order.sort_by_key(|statement| statement.time_ns);
        }
        order.into_iter()
    }
}

impl Statement {
    /// Whether the statement is about what the focus names.
    fn is_about(&self, facts: &Facts<'_>, focus: Focus, meaning: Meaning<'_>) -> bool {
        let recipient = facts.recipient.filter(|recipient| !recipient.id.is_empty());
        let named =
            recipient.is_some_and(|recipient| self.recipients.iter().any(|id| id == recipient.id));
        if !self.recipients.is_empty() && !named {
            return false;
        }
        if let Focus::Recipient(_) = focus
            && named
        {
            return true;
        }
        if self.scope.iter().any(|scope| means(scope, focus, meaning)) {
            return true;
        }
        // A scope without any purpose is about all purposes of what it names.
        let Focus::Purpose(_) = focus else {
            return false;
        };
        if self.scope.iter().any(|scope| scope.purpose.is_some()) {
            return false;
        }
        if self.scope.iter().any(|scope| scope.category.is_some()) {
            return !facts.categories.is_empty()
                && facts.categories.iter().all(|category| {
                    self.scope
                        .iter()
                        .any(|scope| means(scope, Focus::Category(*category), meaning))
                });
        }
        facts.recipient.is_some_and(|recipient| {
            self.scope
                .iter()
                .any(|scope| means(scope, Focus::Recipient(recipient.category), meaning))
        })
    }
}

fn means(scope: &ScopeTerm, focus: Focus, meaning: Meaning<'_>) -> bool {
    let vocabulary = Vocabulary::builtin();
    let (said, asked) = match focus {
        Focus::Purpose(term) => (scope.purpose, Some(term)),
        Focus::Category(term) => (scope.category, Some(term)),
        Focus::Recipient(term) => (scope.recipient, term),
    };
    let (Some(said), Some(asked)) = (said, asked) else {
        return false;
    };
    vocabulary.covers(said, asked) || meaning(scope, focus)
}
