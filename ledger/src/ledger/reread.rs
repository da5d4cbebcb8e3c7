//! Reading blocks again as they lie on the disk, past the storage engine.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use crate::block::Block;
use crate::error::LedgerError;
use crate::id::ShardId;
use crate::ledger::shared::Shared;
use crate::ledger::view::{View, damaged};
use crate::segment::{Segment, read_error};
use crate::shard::Head;
use crate::store::{RawFile, Reread, dir_name};

/// How many segment files are kept open, over all shards.
const OPEN_SEGMENTS: usize = 64;

/// Reads durable blocks from the disk by descriptors of its own: what a
/// storage engine holds in memory, and what lies on the disk, can differ.
///
/// Cheap where blocks are read soon after their commit and in its order; any
/// other order works. It keeps the files open, and not the ledger.
pub struct Rereader {
    shared: Arc<Shared>,
    /// By the generation of the database.
    files: BTreeMap<u64, RawFile>,
    /// The segment that was read last, of each shard.
    segments: BTreeMap<ShardId, (u64, Segment)>,
}

impl Rereader {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            files: BTreeMap::new(),
            segments: BTreeMap::new(),
        }
    }

    /// A durable block, as it lies on the disk.
    ///
    /// # Errors
    /// [`LedgerError::Damaged`] where no copy of it on the disk is whole, or
    /// the height is not below the shard's durable head;
    /// [`LedgerError::Read`] where the disk cannot be read;
    /// [`LedgerError::Closed`].
    pub fn block(&mut self, shard: ShardId, height: u64) -> Result<Block, LedgerError> {
        let durable = |head: Head| height < head.blocks;
        if !self.shared.head(shard).is_some_and(durable) {
            return Err(damaged(shard, height, "it is not committed"));
        }
        // A database may be sealed and removed between looking and opening.
        for _ in 0..3 {
            let view = self.shared.view()?;
            self.files.retain(|generation, _| {
                let mut databases = view.databases.iter();
                databases.any(|database| database.info.generation == *generation)
            });
            match self.read(&view, shard, height) {
                Err(LedgerError::Read { .. }) => {}
                answer => return answer,
            }
        }
        let view = self.shared.view()?;
        self.read(&view, shard, height)
    }

    fn read(&mut self, view: &View, shard: ShardId, height: u64) -> Result<Block, LedgerError> {
        if let Some(info) = view.catalogue.locate(shard, height) {
            let known = self
                .segments
                .get(&shard)
                .is_some_and(|(first, _)| *first == info.first_height);
            if !known {
                let segment = view
                    .catalogue
                    .attach(shard, info)
                    .map_err(|error| read_error(shard, height, info, error))?;
                if self.segments.len() >= OPEN_SEGMENTS {
                    self.segments.clear();
                }
                self.segments.insert(shard, (info.first_height, segment));
            }
            let segment = self.segments.get(&shard).map(|(_, segment)| segment);
            let block = segment
                .map_or(Ok(None), |segment| segment.block(height))
                .map_err(|error| read_error(shard, height, info, error))?;
            return block.ok_or_else(|| damaged(shard, height, "it is missing"));
        }
        let database = view
            .database(shard, height)
            .ok_or_else(|| damaged(shard, height, "it is missing"))?;
        let generation = database.info.generation;
        let failed = |error: io::Error| LedgerError::Read {
            reason: error.to_string(),
        };
        let file = match self.files.entry(generation) {
            std::collections::btree_map::Entry::Occupied(file) => file.into_mut(),
            std::collections::btree_map::Entry::Vacant(place) => {
                let dir = self.shared.dir.join(dir_name(generation));
                let file = RawFile::open(&dir, self.shared.id, self.shared.segment_bytes)
                    .map_err(failed)?;
                place.insert(file)
            }
        };
        match file.block(shard, height).map_err(failed)? {
            Reread::Whole(block) => Ok(*block),
            Reread::Damaged => Err(damaged(
                shard,
                height,
                "every copy of it on the disk is damaged",
            )),
            Reread::Absent => Err(damaged(shard, height, "it is not on the disk")),
        }
    }
}

impl std::fmt::Debug for Rereader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rereader")
            .field("files", &self.files.len())
            .field("segments", &self.segments.len())
            .finish_non_exhaustive()
    }
}
