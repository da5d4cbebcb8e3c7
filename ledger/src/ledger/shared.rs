//! What the handles of a ledger and its writer thread share.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};

use crate::id::{LedgerId, ShardId};
use crate::ledger::queue::Queue;
use crate::ledger::subscription::Commits;
use crate::shard::{Head, ShardDescriptor};
use crate::store::Store;

/// A shard and its last durable head.
#[derive(Clone, Debug)]
pub(super) struct OpenShard {
    pub(super) descriptor: ShardDescriptor,
    pub(super) head: Head,
}

pub(super) struct Shared {
    pub(super) id: LedgerId,
    pub(super) queue: Queue,
    /// Durable heads only.
    pub(super) shards: RwLock<BTreeMap<ShardId, OpenShard>>,
    /// `None` once closed.
    pub(super) store: RwLock<Option<Store>>,
    pub(super) poisoned: Mutex<Option<String>>,
    pub(super) commits: Arc<Commits>,
}
