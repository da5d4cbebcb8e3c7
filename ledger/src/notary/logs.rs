//! The trees and maps of all shards, shared by the notary and those who ask
//! for proofs.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};

use crate::id::ShardId;
use crate::notary::log::ShardLog;
use crate::tree::Tree;

/// The logs of an open ledger.
pub(crate) struct Logs {
    /// Held for writing from the moment when the roots of a checkpoint are
    /// taken until it is published, so that a proof never mixes two.
    pub(super) seal: RwLock<()>,
    shards: RwLock<BTreeMap<ShardId, Arc<Mutex<ShardLog>>>>,
    /// The ledger's own log, of manifests. `None` until it has been opened.
    pub(super) ledger: Mutex<Option<Tree>>,
}

impl Logs {
    pub(crate) fn new() -> Self {
        Self {
            seal: RwLock::new(()),
            shards: RwLock::new(BTreeMap::new()),
            ledger: Mutex::new(None),
        }
    }

    pub(super) fn of(&self, shard: ShardId) -> Option<Arc<Mutex<ShardLog>>> {
        self.shards.read().get(&shard).map(Arc::clone)
    }

    pub(super) fn add(&self, shard: ShardId, log: ShardLog) -> Arc<Mutex<ShardLog>> {
        let log = Arc::new(Mutex::new(log));
        self.shards.write().insert(shard, Arc::clone(&log));
        log
    }

    pub(super) fn all(&self) -> Vec<(ShardId, Arc<Mutex<ShardLog>>)> {
        let shards = self.shards.read();
        shards
            .iter()
            .map(|(shard, log)| (*shard, Arc::clone(log)))
            .collect()
    }
}
