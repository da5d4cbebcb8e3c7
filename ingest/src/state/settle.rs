//! What became durable goes into the store.

use std::collections::hash_map;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use custody_ledger::{EntryRef, Head};
use custody_policy::SubjectState;
use custody_vault::SealError;

use super::effect::{Effect, Review};
use super::store::{JudgedRow, Position};
use super::{Batch, Reference, StateError, SubjectStates};

/// The effects of blocks of a shard that are durable.
pub(crate) struct Settled {
    /// The shard's head after them.
    pub(crate) head: Head,
    /// Each with the height of its block, in the order of the entries.
    pub(crate) effects: Vec<(u64, Effect)>,
}

impl Settled {
    /// Of the block that `head` is after.
    pub(crate) fn block(head: Head, effects: Vec<Effect>) -> Self {
        let height = head.blocks.saturating_sub(1);
        Self {
            head,
            effects: effects.into_iter().map(|effect| (height, effect)).collect(),
        }
    }

    /// Writes what was judged, what is to be reviewed, and how far this is.
    pub(super) fn put(&self, batch: &mut Batch<'_>) {
        for (height, effect) in &self.effects {
            let Some(subject) = &effect.subject else {
                continue;
            };
            if effect.judged {
                let row = JudgedRow {
                    time_ns: effect.time_ns,
                    at: effect.at,
                    height: *height,
                };
                batch.judged(subject, &row);
            }
            if let Some(review) = &effect.review {
                batch.review(&review.row());
            }
            if let Some(day) = effect.marked_day {
                batch.marked(subject, day);
            }
        }
        batch.position(self.head.shard, &Position::of(&self.head));
    }
}

/// What a batch does to one person.
#[derive(Default)]
struct Of {
    count: usize,
    ops: HashSet<EntryRef>,
    judged: HashSet<EntryRef>,
}

impl SubjectStates {
    /// Writes what durable blocks brought, all in one batch. `more` adds rows
    /// of its own to it. What is to be reviewed is told.
    pub(crate) fn settle(
        &self,
        blocks: Vec<Settled>,
        more: impl FnOnce(&mut Batch<'_>, &[Settled]) -> Result<(), StateError>,
    ) -> Result<Vec<Review>, StateError> {
        // States are taken and written in the same order.
        let _settling = self.settling.lock();
        let mut batch = self.store.batch();
        let mut persons: HashMap<Reference, Of> = HashMap::new();
        for block in &blocks {
            for (_, effect) in &block.effects {
                let Some(subject) = effect.subject else {
                    continue;
                };
                if !effect.is_the_states() {
                    continue;
                }
                let of = persons.entry(subject).or_default();
                of.count += 1;
                if effect.judged {
                    of.judged.insert(effect.at);
                }
                if effect.changes {
                    of.ops.insert(effect.at);
                }
            }
            block.put(&mut batch);
        }
        for (subject, of) in &persons {
            if of.ops.is_empty() {
                continue;
            }
            if let Some(state) = self.durable(subject, &of.ops) {
                self.put(&mut batch, subject, &state)?;
            }
        }
        more(&mut batch, &blocks)?;
        batch.commit()?;
        for (subject, of) in &persons {
            self.settled(subject, of);
        }
        let effects = blocks.into_iter().flat_map(|block| block.effects);
        Ok(effects.filter_map(|(_, effect)| effect.review).collect())
    }

    /// Seals a state for the store. A person whose key is gone has none.
    pub(super) fn put(
        &self,
        batch: &mut Batch<'_>,
        subject: &Reference,
        state: &SubjectState,
    ) -> Result<(), StateError> {
        let Some(person) = self.vault.person(subject)? else {
            return Ok(());
        };
        match person.seal_state(self.ledger, &state.encode()) {
            Ok(sealed) => batch.state(subject, sealed),
            // No source of events may stop all others by one person's.
            Err(problem @ SealError::TooLarge { .. }) => {
                self.lose(subject, &problem)?;
            }
            Err(problem) => return Err(problem.into()),
        }
        Ok(())
    }

    /// The state as the store is to have it: with these events, and without
    /// those that are not durable.
    fn durable(&self, subject: &Reference, ops: &HashSet<EntryRef>) -> Option<Arc<SubjectState>> {
        let mut part = self.part(subject).lock();
        let slot = match part.entry(*subject) {
            hash_map::Entry::Occupied(slot) => slot.into_mut(),
            hash_map::Entry::Vacant(_) => return None,
        };
        let (done, open): (Vec<_>, Vec<_>) = std::mem::take(&mut slot.ops)
            .into_iter()
            .partition(|op| ops.contains(&op.at()));
        if open.is_empty() {
            slot.base = Arc::clone(&slot.known.state);
        } else {
            let base = Arc::make_mut(&mut slot.base);
            for op in &done {
                op.apply(base);
            }
        }
        slot.ops = open;
        Some(Arc::clone(&slot.base))
    }

    fn settled(&self, subject: &Reference, of: &Of) {
        let mut part = self.part(subject).lock();
        if let Some(slot) = part.get_mut(subject) {
            slot.judged.retain(|(_, at)| !of.judged.contains(at));
            slot.waiting = slot.waiting.saturating_sub(of.count);
        }
        self.rest(&mut part, subject);
    }
}
