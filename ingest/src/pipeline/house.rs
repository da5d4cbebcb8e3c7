//! What the house shard says: read as a whole on start, then followed.

use std::path::Path;

use custody_ledger::{Act, Digest, EntryRef, HouseRecord, Ledger, LedgerError, ShardDescriptor};

use super::PipelineError;
use super::parties::Parties;
use crate::erase::{EraseError, Records};
use crate::overdue;
use crate::state::{Batch, Position, StateError, SubjectStates};

/// Bytes of blocks read at a time.
const READ_BYTES: usize = 4 << 20;

/// What the house shard has said so far.
#[derive(Default)]
pub(crate) struct HouseLog {
    pub(super) parties: Parties,
    /// Given and revoked, in order, each with when it was recorded.
    pub(super) waivers: Vec<(i64, HouseRecord)>,
    /// The ruleset that was adopted last.
    pub(super) ruleset: Option<Digest>,
    /// Erasures and holds.
    pub(crate) records: Records,
    /// How many entries that is.
    pub(super) size: u64,
}

impl HouseLog {
    /// Reads the house shard, and whom the register of erasures names beside it.
    pub(crate) fn load(ledger: &Ledger, register: Option<&Path>) -> Result<Self, PipelineError> {
        let mut log = Self::read(ledger)?;
        log.records.add_gone(register).map_err(EraseError::from)?;
        Ok(log)
    }

    fn read(ledger: &Ledger) -> Result<Self, LedgerError> {
        let mut log = Self::default();
        let house = ShardDescriptor::house().id();
        let mut height = 0;
        loop {
            let blocks = ledger.read_blocks(house, height, READ_BYTES)?;
            if blocks.is_empty() {
                return Ok(log);
            }
            for block in &blocks {
                height = block.header.height + 1;
                for entry in block.entries() {
                    let (sequence, entry) = entry.map_err(LedgerError::Malformed)?;
                    log.size = sequence + 1;
                    let recorded_ns = block.header.recorded_time_ns;
                    log.records.take(sequence, recorded_ns, &entry);
                    if let Act::House(record) = entry.act {
                        log.take(record, recorded_ns);
                    }
                }
                log.records.read(height);
            }
        }
    }

    fn take(&mut self, record: HouseRecord, recorded_ns: i64) {
        match record {
            HouseRecord::RulesetAdopted { digest, .. } => self.ruleset = Some(digest),
            HouseRecord::WaiverGiven { .. } | HouseRecord::WaiverRevoked { .. } => {
                self.waivers.push((recorded_ns, record));
            }
            record => self.parties.take(record),
        }
    }
}

/// Takes what is new in the house shard into the states' store: what was
/// judged again, what was found overdue, who was linked, and who started as
/// erased. `each` sees every new record, with its sequence and when it was
/// recorded.
///
/// What is said of somebody whose key is gone is left out, as it was dropped when
/// they were erased.
pub(super) fn follow(
    states: &SubjectStates,
    ledger: &Ledger,
    mut each: impl FnMut(u64, i64, &HouseRecord),
) -> Result<(), StateError> {
    let house = ShardDescriptor::house().id();
    let store = states.store();
    let mut height = store.position(house)?.map_or(0, |known| known.blocks);
    loop {
        let blocks = ledger.read_blocks(house, height, READ_BYTES)?;
        let Some(last) = blocks.last() else {
            return Ok(());
        };
        let mut batch = store.batch();
        for block in &blocks {
            for entry in block.entries() {
                let (sequence, entry) = entry?;
                let Act::House(record) = &entry.act else {
                    continue;
                };
                let is_gone = match &entry.subject {
                    Some(subject) => !states.knows(&subject.0)?,
                    None => false,
                };
                if !is_gone {
                    take(states, &mut batch, block.header.height, sequence, record)?;
                }
                each(sequence, block.header.recorded_time_ns, record);
            }
        }
        batch.position(house, &Position::of(&last.head_after()));
        batch.commit()?;
        height = last.header.height + 1;
    }
}

fn take(
    states: &SubjectStates,
    batch: &mut Batch<'_>,
    height: u64,
    sequence: u64,
    record: &HouseRecord,
) -> Result<(), StateError> {
    match record {
        HouseRecord::Rejudged {
            shard,
            sequence: of,
            ..
        } => {
            let at = EntryRef {
                shard: *shard,
                sequence: *of,
            };
            batch.rejudged(at, height, sequence);
        }
        HouseRecord::IdentityLinked { a, b, .. } | HouseRecord::IdentityJoined { a, b, .. } => {
            if states.knows(&a.0)? && states.knows(&b.0)? {
                batch.link(&a.0, &b.0);
            }
        }
        HouseRecord::IdentityUnlinked { a, b } | HouseRecord::IdentityParted { a, b, .. } => {
            batch.unlink(&a.0, &b.0);
        }
        HouseRecord::SuppressionApplied { subject, day } => batch.marked(&subject.0, *day),
        record => overdue::mark_found(batch, record),
    }
    Ok(())
}
