//! The leaves of a shard's tree, made from the log when asked.

use custody_proof::chain;

use crate::block::Block;
use crate::error::{DecodeError, LedgerError};
use crate::fault::{Fault, Place};
use crate::id::{Digest, ShardId};
use crate::ledger::Shared;
use crate::tree::{Leaves, TreeError};

/// The leaves of one shard: h(i) of every entry.
pub(super) struct LogLeaves<'a> {
    shared: &'a Shared,
    shard: ShardId,
}

/// An entry as it stands in the chain.
pub(super) struct Linked {
    /// The chain before it.
    pub(super) previous: Digest,
    /// The chain after it: its leaf.
    pub(super) link: Digest,
    /// Its stored bytes.
    pub(super) bytes: Vec<u8>,
}

impl<'a> LogLeaves<'a> {
    pub(super) fn new(shared: &'a Shared, shard: ShardId) -> Self {
        Self { shared, shard }
    }

    /// One entry, which must be durable.
    pub(super) fn entry(&self, sequence: u64) -> Result<Linked, LedgerError> {
        let mut found = None;
        self.walk(sequence, |_, linked| {
            found = Some(Linked {
                bytes: linked.bytes.to_vec(),
                previous: linked.previous,
                link: linked.link,
            });
            false
        })?;
        found.ok_or(LedgerError::Closed)
    }

    /// Goes over entries from a sequence on for as long as `each` wants more.
    fn walk(
        &self,
        first: u64,
        mut each: impl FnMut(u64, Walked<'_>) -> bool,
    ) -> Result<(), LedgerError> {
        let mut height = self.shared.find_block(self.shard, first)?;
        let mut chain_head = self.chain_before(height)?;
        loop {
            let block = self.shared.read_block(self.shard, height)?;
            for stored in block.stored_entries() {
                let (sequence, bytes) = stored.map_err(|error| damaged(&block, &error))?;
                let previous = chain_head;
                chain_head = chain::link(previous, bytes);
                let link = chain_head;
                let walked = Walked {
                    previous,
                    link,
                    bytes,
                };
                if sequence >= first && !each(sequence, walked) {
                    return Ok(());
                }
            }
            height += 1;
        }
    }

    /// The chain before the first entry of a block.
    fn chain_before(&self, height: u64) -> Result<Digest, LedgerError> {
        match height.checked_sub(1) {
            Some(before) => {
                let block = self.shared.read_block(self.shard, before)?;
                Ok(block.header.chain_head)
            }
            None => self.shared.genesis(self.shard),
        }
    }
}

struct Walked<'a> {
    previous: Digest,
    link: Digest,
    bytes: &'a [u8],
}

impl Leaves for LogLeaves<'_> {
    fn leaves(&self, first: u64, count: usize) -> Result<Vec<Digest>, TreeError> {
        let mut leaves = Vec::with_capacity(count);
        if count > 0 {
            self.walk(first, |_, linked| {
                leaves.push(linked.link);
                leaves.len() < count
            })?;
        }
        Ok(leaves)
    }
}

fn damaged(block: &Block, error: &DecodeError) -> LedgerError {
    LedgerError::Damaged {
        fault: Fault {
            place: Place::Block {
                shard: block.header.shard,
                height: block.header.height,
            },
            what: error.to_string(),
        },
    }
}
