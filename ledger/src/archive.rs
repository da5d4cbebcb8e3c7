//! Reading the sealed part of a ledger, whoever else has it open.

use std::path::Path;

use crate::block::Block;
use crate::error::{LedgerError, OpenError};
use crate::id::{LedgerId, ShardId};
use crate::segment::{Catalogue, Manifest};
use crate::shard::{Head, ShardDescriptor};

/// The sealed part of a ledger, for reading only: its manifest and segments,
/// and nothing else. Nothing is locked and nothing is written, so that it can
/// lie on a medium that cannot be written, or be a copy of these files alone.
///
/// What is sealed later is not seen; what is not sealed is not in here. A
/// backup is sealed as a whole.
#[derive(Debug)]
pub struct Archive {
    ledger: LedgerId,
    catalogue: Catalogue,
}

impl Archive {
    /// Opens the sealed part of the ledger in `dir`. Of every segment the
    /// header, the index and the end are checked; blocks are when they are
    /// read.
    ///
    /// # Errors
    /// [`OpenError::Incomplete`] where there is no manifest,
    /// [`OpenError::File`] where it is damaged, [`OpenError::Damaged`] where a
    /// segment is missing or damaged, [`OpenError::Io`].
    pub fn open(dir: &Path) -> Result<Self, OpenError> {
        let manifest = Manifest::read(dir)?.ok_or_else(|| OpenError::Incomplete {
            path: dir.to_owned(),
            missing: "the manifest of the segments",
        })?;
        let catalogue = Catalogue::new(dir, manifest.ledger, manifest.shards);
        catalogue.check()?;
        Ok(Self {
            ledger: manifest.ledger,
            catalogue,
        })
    }

    /// The ledger's name.
    pub fn id(&self) -> LedgerId {
        self.ledger
    }

    /// Every shard and its head at the end of what is sealed, ordered by id.
    pub fn shards(&self) -> Vec<(ShardDescriptor, Head)> {
        let shards = self.catalogue.shards().values();
        shards
            .map(|sealed| (sealed.descriptor.clone(), sealed.head))
            .collect()
    }

    /// A shard's head at the end of what is sealed; `None` where nothing is
    /// known of the shard.
    pub fn head(&self, shard: ShardId) -> Option<Head> {
        self.catalogue.head(shard)
    }

    /// A sealed block; `None` from the head on.
    ///
    /// # Errors
    /// [`LedgerError::Damaged`] where it is not as it was written,
    /// [`LedgerError::Read`] where the file cannot be read.
    pub fn read_block(&self, shard: ShardId, height: u64) -> Result<Option<Block>, LedgerError> {
        self.catalogue.block(shard, height)
    }

    /// The sealed blocks from a height on, in order, up to the one that
    /// reaches `max_bytes`. Empty from the head on.
    ///
    /// # Errors
    /// As [`Archive::read_block`].
    pub fn read_blocks(
        &self,
        shard: ShardId,
        from_height: u64,
        max_bytes: usize,
    ) -> Result<Vec<Block>, LedgerError> {
        let mut blocks = Vec::new();
        let (mut bytes, mut height) = (0, from_height);
        while let Some(block) = self.catalogue.block(shard, height)? {
            bytes += block.as_bytes().len();
            height += 1;
            blocks.push(block);
            if bytes >= max_bytes {
                break;
            }
        }
        Ok(blocks)
    }

    /// The height of the block that holds a sealed entry.
    ///
    /// # Errors
    /// As [`Archive::read_block`].
    pub fn find_block(&self, shard: ShardId, sequence: u64) -> Result<Option<u64>, LedgerError> {
        self.catalogue.find(shard, sequence)
    }
}
