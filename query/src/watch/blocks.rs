//! Blocks as watchers read them, decoded once for all of them.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use custody_ledger::Ledger;
use custody_ledger::id::{ShardId, SubjectReference};
use parking_lot::Mutex;

use crate::answer::QueryError;
use crate::read_model::{EventRow, Place, ReadModelError};

/// So many blocks are kept at hand. One takes some 256 KiB in memory.
const KEPT: usize = 64;

/// A block's entries as rows, without what was sealed.
pub(crate) struct NewBlock {
    /// The sequence after its last entry.
    pub(super) size_after: u64,
    pub(super) rows: Vec<EventRow>,
    /// Which rows are whose.
    subjects: HashMap<SubjectReference, Vec<u32>>,
}

impl NewBlock {
    fn read(ledger: &Ledger, shard: ShardId, height: u64) -> Result<Self, QueryError> {
        let block = ledger.read_block(shard, height)?;
        let block = block.ok_or(ReadModelError::MissingBlock { shard, height })?;
        let mut rows: Vec<EventRow> = Vec::with_capacity(block.header.entries as usize);
        let mut subjects: HashMap<SubjectReference, Vec<u32>> = HashMap::new();
        for entry in block.entries() {
            let (sequence, mut entry) = entry?;
            if let (Some(subject), Ok(index)) = (entry.subject, u32::try_from(rows.len())) {
                subjects.entry(subject).or_default().push(index);
            }
            let has_sealed = !std::mem::take(&mut entry.sealed).is_empty();
            rows.push(EventRow {
                place: Place {
                    event_time_ns: entry.event_time_ns,
                    shard,
                    sequence,
                },
                recorded_time_ns: block.header.recorded_time_ns,
                height,
                has_sealed,
                entry,
            });
        }
        Ok(Self {
            size_after: block.head_after().size,
            rows,
            subjects,
        })
    }

    /// Rows of any of these persons, in the order of the ledger.
    pub(super) fn rows_of(
        &self,
        references: impl Iterator<Item = SubjectReference>,
    ) -> Vec<&EventRow> {
        let indices = references.filter_map(|reference| self.subjects.get(&reference));
        let mut indices: Vec<u32> = indices.flatten().copied().collect();
        indices.sort_unstable();
        let rows = indices.into_iter();
        rows.filter_map(|index| self.rows.get(index as usize))
            .collect()
    }
}

/// The blocks that were read last.
#[derive(Default)]
pub(crate) struct Blocks(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    blocks: HashMap<(ShardId, u64), Slot>,
    order: VecDeque<(ShardId, u64)>,
}

/// Locked while the block is read, so that it is read once.
type Slot = Arc<Mutex<Option<Arc<NewBlock>>>>;

impl Blocks {
    /// A block, from memory where it was read lately.
    pub(super) fn get(
        &self,
        ledger: &Ledger,
        shard: ShardId,
        height: u64,
    ) -> Result<Arc<NewBlock>, QueryError> {
        let slot = self.0.lock().slot((shard, height));
        let mut slot = slot.lock();
        if let Some(block) = &*slot {
            return Ok(Arc::clone(block));
        }
        let block = Arc::new(NewBlock::read(ledger, shard, height)?);
        *slot = Some(Arc::clone(&block));
        Ok(block)
    }
}

impl Kept {
    fn slot(&mut self, key: (ShardId, u64)) -> Slot {
        if let Some(slot) = self.blocks.get(&key) {
            return Arc::clone(slot);
        }
        if self.order.len() == KEPT
            && let Some(oldest) = self.order.pop_front()
        {
            self.blocks.remove(&oldest);
        }
        self.order.push_back(key);
        Arc::clone(self.blocks.entry(key).or_default())
    }
}
