//! What the ledger can show of itself: `EvidenceService`.

mod completeness;
mod consistency;
mod export;
mod inclusion;
mod signed;

use custody_ledger::ProveError;
use custody_ledger::id::ShardId;
use custody_proof::tree::Hash;
use serde::Serialize;

use super::error::{Faults, QueryError};

/// Why the ledger proves nothing, as an answer says it.
pub(super) fn unproved(error: ProveError) -> QueryError {
    match error {
        ProveError::NoCheckpoint => QueryError::NoCheckpoint,
        ProveError::UnknownShard { shard } => QueryError::ShardUnknown(shard),
        ProveError::NotCovered { asked, signed } => QueryError::NotCovered { asked, signed },
        ProveError::Order { from, to } => QueryError::NotEarlier { from, to },
        ProveError::Derived { reason } => QueryError::Proof(reason),
        ProveError::Ledger(error) => QueryError::Ledger(error),
    }
}

/// The shard that a field names.
fn read_shard(field: &str, text: &str, faults: &mut Faults) -> Option<ShardId> {
    let shard = text.parse();
    if shard.is_err() {
        faults.push(field, "must be a shard's id: 32 hexadecimal digits");
    }
    shard.ok()
}

fn hashes(path: &[Hash]) -> Vec<Vec<u8>> {
    path.iter().map(|hash| hash.as_bytes().to_vec()).collect()
}

/// A document that `custody check` reads.
fn document(proof: &impl Serialize) -> Result<Vec<u8>, QueryError> {
    serde_json::to_vec(proof).map_err(|error| QueryError::Proof(error.to_string()))
}
