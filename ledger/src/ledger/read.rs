//! Reading what has been committed.

use std::sync::Arc;

use crate::block::Block;
use crate::error::LedgerError;
use crate::id::ShardId;
use crate::ledger::Ledger;
use crate::ledger::reread::Rereader;

impl Ledger {
    /// A durable block; `None` from the shard's head on, and of a shard that
    /// is not open.
    ///
    /// # Errors
    /// [`LedgerError::Damaged`] where the block is missing or not as it was
    /// written, [`LedgerError::Read`] where the storage fails,
    /// [`LedgerError::Closed`].
    pub fn read_block(&self, shard: ShardId, height: u64) -> Result<Option<Block>, LedgerError> {
        // The head before the view: what is below a head is in every later
        // view.
        let blocks = self.head(shard).map_or(0, |head| head.blocks);
        let view = self.shared().view()?;
        if height >= blocks {
            return Ok(None);
        }
        view.block(shard, height).map(Some)
    }

    /// The durable blocks from a height on, in order, up to the one that
    /// reaches `max_bytes`. Empty from the shard's head on.
    ///
    /// # Errors
    /// As [`Ledger::read_block`].
    pub fn read_blocks(
        &self,
        shard: ShardId,
        from_height: u64,
        max_bytes: usize,
    ) -> Result<Vec<Block>, LedgerError> {
        let end = self.head(shard).map_or(0, |head| head.blocks);
        let view = self.shared().view()?;
        let mut blocks = Vec::new();
        let mut bytes = 0;
        for height in from_height..end {
            let block = view.block(shard, height)?;
            bytes += block.as_bytes().len();
            blocks.push(block);
            if bytes >= max_bytes {
                break;
            }
        }
        Ok(blocks)
    }

    /// The height of the block that holds an entry; `None` where there is no
    /// durable entry of this sequence.
    ///
    /// # Errors
    /// As [`Ledger::read_block`].
    pub fn find_block(&self, shard: ShardId, sequence: u64) -> Result<Option<u64>, LedgerError> {
        let Some(head) = self.head(shard).filter(|head| sequence < head.size) else {
            return Ok(None);
        };
        let view = self.shared().view()?;
        view.find(shard, sequence, head.blocks).map(Some)
    }

    /// What reads durable blocks again as they lie on the disk. It does not
    /// keep the ledger open.
    pub fn rereader(&self) -> Rereader {
        Rereader::new(Arc::clone(&self.handle.shared))
    }

    /// A durable block as it lies on the disk. For many blocks, a
    /// [`Ledger::rereader`] is much cheaper.
    ///
    /// # Errors
    /// As [`Rereader::block`].
    pub fn reread(&self, shard: ShardId, height: u64) -> Result<Block, LedgerError> {
        self.rereader().block(shard, height)
    }
}
