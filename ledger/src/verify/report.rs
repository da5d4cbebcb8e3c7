//! What verifying a ledger found.

use crate::fault::{Fault, Place};
use crate::id::LedgerId;
use crate::shard::{Head, ShardDescriptor};

/// How far verifying has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// How many blocks have been checked.
    pub blocks: u64,
    /// How many blocks the anchor names; there may be a few more.
    pub total_blocks: u64,
    /// How many bytes of blocks have been checked.
    pub bytes: u64,
}

/// What verifying a ledger found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VerifyReport {
    /// The ledger; `None` where its identity cannot be read.
    pub ledger: Option<LedgerId>,
    /// Every shard whose descriptor can be read, ordered by id.
    pub shards: Vec<ShardReport>,
    /// Everything that is wrong; of the blocks of a shard, the first.
    pub faults: Vec<Fault>,
    /// What an operator should know and is no fault, such as that the ledger
    /// was not closed.
    pub warnings: Vec<String>,
}

impl VerifyReport {
    /// Whether nothing is wrong.
    pub fn ok(&self) -> bool {
        self.faults.is_empty()
    }

    /// How many entries were checked in all shards.
    pub fn entries(&self) -> u64 {
        self.shards.iter().map(|shard| shard.entries).sum()
    }

    /// How many blocks were checked in all shards.
    pub fn blocks(&self) -> u64 {
        self.shards.iter().map(|shard| shard.head.blocks).sum()
    }

    pub(super) fn fault(&mut self, place: Place, what: &str) {
        self.faults.push(Fault {
            place,
            what: what.to_owned(),
        });
    }
}

/// What was counted in a shard, up to its first fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShardReport {
    /// The shard.
    pub descriptor: ShardDescriptor,
    /// The head after the last block without a fault.
    pub head: Head,
    /// How many entries there are.
    pub entries: u64,
    /// How many messages were delivered before.
    pub duplicates: u64,
    /// How many messages went to the dead letters.
    pub rejected: u64,
    /// How many offsets held no message, by [`crate::GapCause::index`].
    pub gaps: [u64; 3],
    /// The first offset accounted for; `None` in the house shard and where
    /// there is no block.
    pub first_offset: Option<i64>,
    /// The last offset accounted for.
    pub last_offset: Option<i64>,
    /// How many times it went on in a greater epoch after it had lost its end.
    pub resumptions: u64,
    /// How many bytes its blocks have.
    pub bytes: u64,
}
