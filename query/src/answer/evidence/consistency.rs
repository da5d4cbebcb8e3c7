//! `ProveConsistency`: that a later tree only added to an earlier one.

use std::sync::Arc;

use custody_ledger::id::ShardId;
use custody_proto::v1;

use super::{document, hashes, read_shard, unproved};
use crate::answer::at_least::Wanted;
use crate::answer::error::{Faults, QueryError};
use crate::answer::{Ask, QueryState};
use crate::read_model::Visible;

impl Ask for v1::ProveConsistencyRequest {
    type Answer = v1::ProveConsistencyResponse;
    const METHOD: &'static str = "custody.v1.EvidenceService/ProveConsistency";
    /// The ledger alone proves it.
    const NEEDS_EVERYTHING: bool = false;
    const SIGNED: bool = true;

    fn wanted(&self, _state: &QueryState) -> Result<Wanted, QueryError> {
        let mut faults = Faults::default();
        log(&self.shard, &mut faults);
        let wanted = Wanted::read(self.at_least.as_ref(), &mut faults);
        faults.or(wanted)
    }

    fn answer(
        self,
        state: &QueryState,
        _visible: Arc<Visible>,
    ) -> Result<Self::Answer, QueryError> {
        let mut faults = Faults::default();
        let log = log(&self.shard, &mut faults);
        let log = faults.or(log)?;
        let to = (self.to_size > 0).then_some(self.to_size);
        let proof = state
            .ledger
            .prove_consistency(log, self.from_size, to)
            .map_err(unproved)?;
        Ok(v1::ProveConsistencyResponse {
            document: document(&proof)?,
            path: hashes(&proof.path),
            checkpoint: proof.checkpoint.unwrap_or_default().into_bytes(),
            to_size: proof.to,
        })
    }
}

/// Which log: that of a shard, or where none is named the ledger's own.
fn log(shard: &str, faults: &mut Faults) -> Option<ShardId> {
    if shard.is_empty() {
        None
    } else {
        read_shard("shard", shard, faults)
    }
}
