//! What the handles of a ledger and its threads share.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use parking_lot::{Mutex, RwLock};

use crate::error::LedgerError;
use crate::id::{LedgerId, ShardId};
use crate::ledger::queue::Queue;
use crate::ledger::sealing::Sealing;
use crate::ledger::subscription::Commits;
use crate::ledger::view::View;
use crate::segment::Manifest;
use crate::shard::{Head, ShardDescriptor};

/// A shard and its last durable head.
#[derive(Clone, Debug)]
pub(super) struct OpenShard {
    pub(super) descriptor: ShardDescriptor,
    pub(super) head: Head,
}

pub(super) struct Shared {
    pub(super) id: LedgerId,
    pub(super) dir: PathBuf,
    /// The segment size of databases.
    pub(super) segment_bytes: usize,
    pub(super) queue: Queue,
    /// Durable heads only.
    pub(super) shards: RwLock<BTreeMap<ShardId, OpenShard>>,
    /// `None` once closed. Who reads keeps it for one call only.
    pub(super) view: RwLock<Option<Arc<View>>>,
    /// As it was written last. Held while it is written.
    pub(super) manifest: Mutex<Manifest>,
    pub(super) sealing: Sealing,
    pub(super) poisoned: Mutex<Option<String>>,
    pub(super) commits: Arc<Commits>,
}

impl Shared {
    pub(super) fn view(&self) -> Result<Arc<View>, LedgerError> {
        self.view.read().clone().ok_or(LedgerError::Closed)
    }

    /// A shard's durable head.
    pub(super) fn head(&self, shard: ShardId) -> Option<Head> {
        self.shards.read().get(&shard).map(|open| open.head)
    }

    /// Has every append refused from here on. The first reason holds.
    pub(super) fn poison(&self, reason: String) {
        self.poisoned.lock().get_or_insert(reason);
    }
}

/// Waits until nobody else has it; others have it for one call only.
pub(super) fn alone<T>(mut shared: Arc<T>) -> T {
    loop {
        match Arc::try_unwrap(shared) {
            Ok(alone) => return alone,
            Err(again) => shared = again,
        }
        thread::sleep(Duration::from_millis(1));
    }
}
