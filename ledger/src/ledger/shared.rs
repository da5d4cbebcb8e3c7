//! What the handles of a ledger and its threads share.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use parking_lot::{Mutex, RwLock};

use crate::block::Block;
use crate::error::LedgerError;
use crate::id::{Digest, LedgerId, ShardId};
use crate::ledger::queue::Queue;
use crate::ledger::sealing::Sealing;
use crate::ledger::subscription::Commits;
use crate::ledger::view::{View, damaged};
use crate::notary::{Board, Logs};
use crate::segment::{Compression, Manifest};
use crate::shard::{Head, ShardDescriptor};

/// A shard and its last durable head.
#[derive(Clone, Debug)]
pub(crate) struct OpenShard {
    pub(crate) descriptor: ShardDescriptor,
    pub(crate) head: Head,
}

pub(crate) struct Shared {
    pub(crate) id: LedgerId,
    pub(crate) dir: PathBuf,
    /// Where the signed anchor lies.
    pub(crate) signed_dir: PathBuf,
    /// The segment size of databases.
    pub(crate) segment_bytes: usize,
    /// How segments are compressed.
    pub(crate) compression: Compression,
    pub(crate) queue: Queue,
    /// Durable heads only.
    pub(crate) shards: RwLock<BTreeMap<ShardId, OpenShard>>,
    /// `None` once closed. Who reads keeps it for one call only.
    pub(crate) view: RwLock<Option<Arc<View>>>,
    /// As it was written last. Held while it is written.
    pub(crate) manifest: Mutex<Manifest>,
    pub(crate) sealing: Sealing,
    pub(crate) poisoned: Mutex<Option<String>>,
    pub(crate) commits: Arc<Commits>,
    /// What is signed, and the trees and maps for those who ask for proofs.
    pub(crate) board: Board,
    pub(crate) logs: Logs,
}

impl Shared {
    pub(crate) fn view(&self) -> Result<Arc<View>, LedgerError> {
        self.view.read().clone().ok_or(LedgerError::Closed)
    }

    /// A shard's durable head.
    pub(crate) fn head(&self, shard: ShardId) -> Option<Head> {
        self.shards.read().get(&shard).map(|open| open.head)
    }

    /// Every shard with its durable head.
    pub(crate) fn heads(&self) -> Vec<(ShardDescriptor, Head)> {
        let shards = self.shards.read();
        shards
            .values()
            .map(|open| (open.descriptor.clone(), open.head))
            .collect()
    }

    /// The chain before a shard's first entry.
    pub(crate) fn genesis(&self, shard: ShardId) -> Result<Digest, LedgerError> {
        let shards = self.shards.read();
        let open = shards.get(&shard);
        open.map(|open| open.descriptor.genesis(self.id))
            .ok_or(LedgerError::UnknownShard { shard })
    }

    /// A durable block.
    pub(crate) fn read_block(&self, shard: ShardId, height: u64) -> Result<Block, LedgerError> {
        // The head before the view: what is below a head is in every later
        // view.
        let blocks = self.head(shard).map_or(0, |head| head.blocks);
        if height >= blocks {
            return Err(damaged(shard, height, "it is not committed"));
        }
        self.view()?.block(shard, height)
    }

    /// The height of the block that holds a durable entry.
    pub(crate) fn find_block(&self, shard: ShardId, sequence: u64) -> Result<u64, LedgerError> {
        let head = self
            .head(shard)
            .ok_or(LedgerError::UnknownShard { shard })?;
        if sequence >= head.size {
            return Err(damaged(shard, head.blocks, "it is not committed"));
        }
        self.view()?.find(shard, sequence, head.blocks)
    }

    pub(crate) fn is_poisoned(&self) -> bool {
        self.poisoned.lock().is_some()
    }

    /// Has every append refused from here on. The first reason holds.
    pub(crate) fn poison(&self, reason: String) {
        self.poisoned.lock().get_or_insert(reason);
    }
}

/// Waits until nobody else has it; others have it for one call only.
pub(crate) fn alone<T>(mut shared: Arc<T>) -> T {
    loop {
        match Arc::try_unwrap(shared) {
            Ok(alone) => return alone,
            Err(again) => shared = again,
        }
        thread::sleep(Duration::from_millis(1));
    }
}
