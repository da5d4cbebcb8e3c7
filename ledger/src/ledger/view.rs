//! Where the blocks of an open ledger lie at a moment: in segments, in
//! databases that are being sealed, in the one that is written to.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::block::Block;
use crate::error::LedgerError;
use crate::fault::{Fault, Place};
use crate::id::ShardId;
use crate::ledger::shared::OpenShard;
use crate::segment::{Catalogue, DatabaseInfo};
use crate::store::{Store, StoreError};

/// An open database and what the manifest says of it.
#[derive(Clone, Debug)]
pub(crate) struct Database {
    pub(crate) info: DatabaseInfo,
    pub(crate) store: Arc<Store>,
    /// Every shard and its head at the end of the database. Empty of the one
    /// that is written to.
    pub(crate) end: Arc<BTreeMap<ShardId, OpenShard>>,
}

/// All places of blocks. Replaced as a whole.
#[derive(Clone, Debug)]
pub(crate) struct View {
    pub(crate) catalogue: Arc<Catalogue>,
    /// In order; the last one is written to.
    pub(crate) databases: Vec<Database>,
}

impl View {
    /// The database that a block which is not sealed lies in.
    pub(crate) fn database(&self, shard: ShardId, height: u64) -> Option<&Database> {
        let mut databases = self.databases.iter().rev();
        databases.find(|database| database.info.first(shard) <= height)
    }

    /// A block that has been committed.
    pub(crate) fn block(&self, shard: ShardId, height: u64) -> Result<Block, LedgerError> {
        if let Some(block) = self.catalogue.block(shard, height)? {
            return Ok(block);
        }
        let database = self
            .database(shard, height)
            .ok_or_else(|| damaged(shard, height, "it is missing"))?;
        let bytes = database.store.block(shard, height).map_err(read_error)?;
        let bytes = bytes.ok_or_else(|| damaged(shard, height, "it is missing"))?;
        let block = Block::from_stored(bytes)
            .map_err(|error| damaged(shard, height, &error.to_string()))?;
        if (block.header.shard, block.header.height) != (shard, height) {
            return Err(damaged(shard, height, "another block is in its place"));
        }
        Ok(block)
    }

    /// The height of the block that holds a committed entry, among `blocks`
    /// blocks.
    pub(crate) fn find(
        &self,
        shard: ShardId,
        sequence: u64,
        blocks: u64,
    ) -> Result<u64, LedgerError> {
        if let Some(height) = self.catalogue.find(shard, sequence)? {
            return Ok(height);
        }
        // The last block that starts at or before it: blocks without entries
        // start where the next one does.
        let (mut low, mut high) = (self.catalogue.blocks(shard), blocks);
        while high.saturating_sub(low) > 1 {
            let middle = low + (high - low) / 2;
            if self.first_sequence(shard, middle)? <= sequence {
                low = middle;
            } else {
                high = middle;
            }
        }
        Ok(low)
    }

    fn first_sequence(&self, shard: ShardId, height: u64) -> Result<u64, LedgerError> {
        let database = self
            .database(shard, height)
            .ok_or_else(|| damaged(shard, height, "it is missing"))?;
        let header = database.store.header(shard, height).map_err(read_error)?;
        let header = header.ok_or_else(|| damaged(shard, height, "it is missing"))?;
        Ok(header.first_sequence)
    }
}

pub(crate) fn damaged(shard: ShardId, height: u64, what: &str) -> LedgerError {
    LedgerError::Damaged {
        fault: Fault {
            place: Place::Block { shard, height },
            what: what.to_owned(),
        },
    }
}

fn read_error(error: StoreError) -> LedgerError {
    LedgerError::Read {
        reason: error.to_string(),
    }
}
