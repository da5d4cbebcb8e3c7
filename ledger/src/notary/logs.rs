//! What those who ask for proofs have of the trees and maps.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::RwLock;

use crate::id::ShardId;
use crate::map::MapReader;
use crate::tree::{StoredLeaves, Tiles};

/// The trees and maps of an open ledger, for readers. The notary alone lets
/// them grow.
#[derive(Debug, Default)]
pub(crate) struct Logs {
    /// Held for writing from the moment when the roots of a checkpoint are
    /// taken until it is published, so that a proof never mixes two.
    pub(super) seal: RwLock<()>,
    shards: RwLock<BTreeMap<ShardId, ShardReader>>,
    ledger: RwLock<Option<LedgerReader>>,
}

/// Of one shard.
#[derive(Clone, Debug)]
pub(super) struct ShardReader {
    pub(super) tiles: Arc<Tiles>,
    pub(super) map: MapReader,
}

/// Of the ledger's own log.
#[derive(Clone, Debug)]
pub(super) struct LedgerReader {
    pub(super) tiles: Arc<Tiles>,
    pub(super) leaves: Arc<StoredLeaves>,
}

impl Logs {
    pub(super) fn add(&self, shard: ShardId, reader: ShardReader) {
        self.shards.write().insert(shard, reader);
    }

    pub(super) fn set_ledger(&self, reader: LedgerReader) {
        *self.ledger.write() = Some(reader);
    }

    pub(super) fn of(&self, shard: ShardId) -> Option<ShardReader> {
        self.shards.read().get(&shard).cloned()
    }

    pub(super) fn ledger(&self) -> Option<LedgerReader> {
        self.ledger.read().clone()
    }
}
