//! What the house shard says: read as a whole on start, then followed.

use custody_ledger::{Act, Digest, EntryRef, HouseRecord, Ledger, LedgerError, ShardDescriptor};

use super::parties::Parties;
use crate::overdue;
use crate::state::{Position, StateError, SubjectStates};

/// Bytes of blocks read at a time.
const READ_BYTES: usize = 4 << 20;

/// What the house shard has said so far.
#[derive(Default)]
pub(super) struct HouseLog {
    pub(super) parties: Parties,
    /// Given and revoked, in order, each with when it was recorded.
    pub(super) waivers: Vec<(i64, HouseRecord)>,
    /// The ruleset that was adopted last.
    pub(super) ruleset: Option<Digest>,
    /// How many entries that is.
    pub(super) size: u64,
}

impl HouseLog {
    pub(super) fn load(ledger: &Ledger) -> Result<Self, LedgerError> {
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
                    if let Act::House(record) = entry.act {
                        log.take(record, block.header.recorded_time_ns);
                    }
                }
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
/// judged again, and what was found overdue. `each` sees every new record, with
/// its sequence and when it was recorded.
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
                if let HouseRecord::Rejudged {
                    shard,
                    sequence: of,
                    ..
                } = record
                {
                    let at = EntryRef {
                        shard: *shard,
                        sequence: *of,
                    };
                    batch.rejudged(at, block.header.height, sequence);
                }
                overdue::mark_found(&mut batch, record);
                each(sequence, block.header.recorded_time_ns, record);
            }
        }
        batch.position(house, &Position::of(&last.head_after()));
        batch.commit()?;
        height = last.header.height + 1;
    }
}
