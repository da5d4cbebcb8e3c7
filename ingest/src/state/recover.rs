//! Brings the states up to the ledger: deletes what does not belong to it, and
//! reads again what is missing.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::path::Path;
use std::sync::Arc;

use custody_ledger::{Block, Digest, Entry, EntryRef, Kind, Ledger, ShardId};
use custody_policy::SubjectState;
use custody_vault::{EntryContext, Person};
use tracing::{info, warn};

use super::effect::{Effect, Origin, Review, apply, changes, is_judged};
use super::settle::Settled;
use super::store::Store;
use super::{Batch, Reference, StateError, SubjectStates};
use crate::overdue;
use crate::reread;

/// Blocks read at a time, in bytes.
const READ_BYTES: usize = 4 << 20;

/// Opens the store, empty where it is not of this ledger or ahead of it.
pub(super) fn open(dir: &Path, ledger: &Ledger) -> Result<Store, StateError> {
    let store = Store::open(dir, ledger.id())?;
    for (shard, position) in store.positions()? {
        let fits = match position.blocks.checked_sub(1) {
            None => true,
            Some(last) => ledger
                .read_block(shard, last)?
                .is_some_and(|block| block.head_after().block_digest == position.block),
        };
        if !fits {
            warn!(%shard, blocks = position.blocks,
                "the subject states know blocks that the ledger does not have; they are made again");
            drop(store);
            return Store::anew(dir, ledger.id());
        }
    }
    Ok(store)
}

/// What was read again since the store was last written.
struct Replay<'a> {
    states: &'a SubjectStates,
    ledger: &'a Ledger,
    /// The states that the batch changes.
    changed: HashMap<Reference, Arc<SubjectState>>,
    /// What the batch takes in of each shard, up to its last block.
    blocks: HashMap<ShardId, Settled>,
    bytes: usize,
    unreadable: u64,
    ruleset: Digest,
    is_gone: &'a dyn Fn(&Reference) -> bool,
}

/// A shard that is behind.
struct Behind {
    shard: ShardId,
    height: u64,
    end: u64,
    /// Whether nothing of it was in the store, or the store was begun from
    /// nothing and that was cut short.
    from_scratch: bool,
    read: VecDeque<Block>,
}

impl Behind {
    /// When the next block was recorded; `None` at the end.
    fn next_ns(&mut self, ledger: &Ledger, bytes: usize) -> Result<Option<i64>, StateError> {
        if self.read.is_empty() && self.height < self.end {
            self.read = ledger.read_blocks(self.shard, self.height, bytes)?.into();
            self.height += self.read.len() as u64;
        }
        Ok(self.read.front().map(|block| block.header.recorded_time_ns))
    }
}

impl SubjectStates {
    /// Takes in what the ledger holds beyond the store, in the order in which
    /// it was recorded over all shards, because what is known of a person
    /// depends on it. `more` adds rows of its own for each batch.
    ///
    /// Reviews are begun again with the blocks that bring them: they change
    /// nothing where they were done. Where the states are made from nothing,
    /// those of blocks that were judged by other rules than `ruleset` are left
    /// out, because they were done long ago, and doing them by today's rules
    /// would judge the past by these.
    ///
    /// `is_gone` says of whom the vault may have no key, because they were erased.
    ///
    /// # Errors
    /// [`StateError::KeyLost`] where it has none of somebody else's.
    pub(crate) fn catch_up(
        &self,
        ledger: &Ledger,
        ruleset: Digest,
        is_gone: &dyn Fn(&Reference) -> bool,
        mut more: impl FnMut(&mut Batch<'_>, &[Settled]) -> Result<(), StateError>,
    ) -> Result<(), StateError> {
        let from_nothing = self.store.is_from_nothing()?;
        let mut behind = Vec::new();
        for (descriptor, head) in ledger.shards() {
            let known = self.store.position(head.shard)?;
            let height = known.map_or(0, |position| position.blocks);
            if descriptor.is_house() || height >= head.blocks {
                continue;
            }
            info!(shard = %head.shard, from = height, to = head.blocks, "taking blocks into the subject states");
            behind.push(Behind {
                shard: head.shard,
                height,
                end: head.blocks,
                from_scratch: from_nothing || known.is_none(),
                read: VecDeque::new(),
            });
        }
        let mut replay = Replay {
            states: self,
            ledger,
            changed: HashMap::new(),
            blocks: HashMap::new(),
            bytes: 0,
            unreadable: 0,
            ruleset,
            is_gone,
        };
        let bytes = (READ_BYTES / behind.len().max(1)).max(64 << 10);
        loop {
            let mut first: Option<(i64, usize)> = None;
            for (index, shard) in behind.iter_mut().enumerate() {
                if let Some(time_ns) = shard.next_ns(ledger, bytes)?
                    && first.is_none_or(|(earliest, _)| time_ns < earliest)
                {
                    first = Some((time_ns, index));
                }
            }
            let Some((_, index)) = first else { break };
            let from_scratch = behind[index].from_scratch;
            if let Some(block) = behind[index].read.pop_front() {
                replay.take(&block, from_scratch)?;
            }
            if replay.bytes >= READ_BYTES {
                replay.write(&mut more)?;
            }
        }
        replay.write(&mut more)?;
        self.store.caught_up()?;
        if replay.unreadable > 0 {
            warn!(
                entries = replay.unreadable,
                "entries that cannot be opened are left out of the subject states"
            );
        }
        Ok(())
    }
}

impl Replay<'_> {
    fn take(&mut self, block: &Block, from_scratch: bool) -> Result<(), StateError> {
        self.bytes += block.as_bytes().len();
        let ruleset = block.header.ruleset;
        // Nobody knows whether a review was done, and these rules did not do it.
        let leave_reviews = from_scratch && ruleset != self.ruleset;
        let mut effects = Vec::new();
        for entry in block.entries() {
            let Ok((sequence, entry)) = entry else {
                // A damaged entry is for `verify` to name.
                self.unreadable += 1;
                continue;
            };
            if let Some(mut effect) = self.entry(block, sequence, &entry)? {
                effect.review = effect.review.filter(|_| !leave_reviews);
                effects.push((block.header.height, effect));
            }
        }
        let head = block.head_after();
        let settled = self.blocks.entry(head.shard).or_insert_with(|| Settled {
            head,
            effects: Vec::new(),
        });
        settled.head = head;
        settled.effects.extend(effects);
        Ok(())
    }

    fn write(
        &mut self,
        more: &mut impl FnMut(&mut Batch<'_>, &[Settled]) -> Result<(), StateError>,
    ) -> Result<(), StateError> {
        let mut batch = self.states.store.batch();
        let blocks: Vec<Settled> = self.blocks.drain().map(|(_, settled)| settled).collect();
        for settled in &blocks {
            settled.put(&mut batch);
        }
        for (subject, state) in self.changed.drain() {
            self.states.put(&mut batch, &subject, &state)?;
        }
        more(&mut batch, &blocks)?;
        self.bytes = 0;
        batch.commit()
    }

    /// What an entry did when it came in, done again.
    fn entry(
        &mut self,
        block: &Block,
        sequence: u64,
        entry: &Entry,
    ) -> Result<Option<Effect>, StateError> {
        let Some(kind) = entry.kind().filter(|kind| !kind.is_house()) else {
            return Ok(None);
        };
        let at = EntryRef {
            shard: block.header.shard,
            sequence,
        };
        let mut effect = Effect {
            at,
            time_ns: entry.event_time_ns,
            subject: entry.subject.map(|subject| subject.0),
            judged: is_judged(kind),
            changes: false,
            review: None,
            duties: Vec::new(),
            marked_day: None,
        };
        let person = match effect.subject {
            Some(reference) => self.states.vault.person(&reference)?,
            None => Some(self.states.vault.house()),
        };
        let Some(person) = person else {
            // Of an erased person nothing but the public part is left.
            if effect
                .subject
                .is_none_or(|subject| (self.is_gone)(&subject))
            {
                return Ok(None);
            }
            return Err(StateError::KeyLost {
                shard: at.shard,
                sequence,
            });
        };
        self.open(entry, kind, &person, &mut effect)?;
        Ok(Some(effect))
    }

    fn open(
        &mut self,
        entry: &Entry,
        kind: Kind,
        person: &Person,
        effect: &mut Effect,
    ) -> Result<(), StateError> {
        let context = EntryContext {
            ledger: self.ledger.id().0,
            shard: effect.at.shard.0,
            sequence: effect.at.sequence,
        };
        let Some(event) = reread::normalised(person, &context, &entry.sealed) else {
            self.unreadable += 1;
            return Ok(());
        };
        let origin = Origin::new(&event, entry, effect.at, person);
        let others = match effect.subject {
            Some(reference) if overdue::asks_for_others(kind) => {
                self.states.vault.linked(&reference)?
            }
            _ => Vec::new(),
        };
        effect.duties = overdue::changes(
            &self.states.vault,
            &event,
            entry,
            effect.at,
            person,
            &others,
        )?;
        let (Some(reference), Ok(facts)) = (effect.subject, event.facts()) else {
            return Ok(());
        };
        if !changes(&facts) {
            return Ok(());
        }
        let state = match self.changed.entry(reference) {
            std::collections::hash_map::Entry::Occupied(state) => state.into_mut(),
            std::collections::hash_map::Entry::Vacant(empty) => {
                empty.insert(Arc::new(self.states.stored(&reference)?))
            }
        };
        let applied = apply(state, &facts, &origin);
        effect.changes = applied.changed;
        if applied.bears && (origin.is_retraction() || entry.judgement.late) {
            effect.review = Some(Review {
                cause: effect.at,
                subject: reference,
                from_ns: if origin.is_retraction() {
                    i64::MIN
                } else {
                    effect.time_ns
                },
                wait: BTreeMap::new(),
            });
        }
        Ok(())
    }
}
