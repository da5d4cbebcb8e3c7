//! The leaves of a shard's tree, made from the log when asked.

use custody_proof::chain;

use crate::block::Block;
use crate::error::LedgerError;
use crate::fault::{Fault, Place};
use crate::id::{Digest, ShardId};
use crate::ledger::Shared;
use crate::tree::Leaves;

/// The leaves of one shard: h(i) of every entry.
pub(super) struct LogLeaves<'a> {
    shared: &'a Shared,
    shard: ShardId,
}

impl<'a> LogLeaves<'a> {
    pub(super) fn new(shared: &'a Shared, shard: ShardId) -> Self {
        Self { shared, shard }
    }

    /// The chain before the first entry of a block.
    fn chain_before(&self, height: u64) -> Result<Digest, LedgerError> {
        match height.checked_sub(1) {
            Some(before) => {
                let block = self.shared.read_block(self.shard, before)?;
                Ok(block.header.chain_head)
            }
            None => self
                .shared
                .descriptor(self.shard)
                .map(|descriptor| descriptor.genesis(self.shared.id))
                .ok_or(LedgerError::UnknownShard { shard: self.shard }),
        }
    }
}

impl Leaves for LogLeaves<'_> {
    type Error = LedgerError;

    fn leaves(&self, first: u64, count: usize) -> Result<Vec<Digest>, LedgerError> {
        let mut leaves = Vec::with_capacity(count);
        if count == 0 {
            return Ok(leaves);
        }
        let mut height = self.shared.find_block(self.shard, first)?;
        let mut chain_head = self.chain_before(height)?;
        while leaves.len() < count {
            let block = self.shared.read_block(self.shard, height)?;
            for stored in block.stored_entries() {
                let (sequence, bytes) = stored.map_err(|error| damaged(&block, &error))?;
                chain_head = chain::link(chain_head, bytes);
                if sequence >= first && leaves.len() < count {
                    leaves.push(chain_head);
                }
            }
            height += 1;
        }
        Ok(leaves)
    }
}

fn damaged(block: &Block, error: &crate::error::DecodeError) -> LedgerError {
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
