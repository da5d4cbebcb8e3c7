//! `ProveInclusion`: that an entry is in the ledger.

use std::sync::Arc;

use custody_ledger::id::ShardId;
use custody_proto::v1;

use super::{document, hashes, read_shard, unproved};
use crate::answer::at_least::Wanted;
use crate::answer::error::{Faults, QueryError};
use crate::answer::{Ask, QueryState};
use crate::read_model::Visible;

impl Ask for v1::ProveInclusionRequest {
    type Answer = v1::ProveInclusionResponse;
    const METHOD: &'static str = "custody.v1.EvidenceService/ProveInclusion";
    /// The ledger alone proves it.
    const NEEDS_EVERYTHING: bool = false;
    const SIGNED: bool = true;

    fn wanted(&self, _state: &QueryState) -> Result<Wanted, QueryError> {
        read(self)?;
        let mut faults = Faults::default();
        let wanted = Wanted::read(self.at_least.as_ref(), &mut faults);
        faults.or(wanted)
    }

    fn answer(
        self,
        state: &QueryState,
        _visible: Arc<Visible>,
    ) -> Result<Self::Answer, QueryError> {
        let (shard, sequence) = read(&self)?;
        let proof = state
            .ledger
            .prove_inclusion(shard, sequence)
            .map_err(unproved)?;
        Ok(v1::ProveInclusionResponse {
            document: document(&proof)?,
            path: hashes(&proof.path),
            index: proof.sequence,
            previous: proof.previous.as_bytes().to_vec(),
            checkpoint: proof.checkpoint.into_bytes(),
            entry: proof.entry,
        })
    }
}

fn read(request: &v1::ProveInclusionRequest) -> Result<(ShardId, u64), QueryError> {
    let mut faults = Faults::default();
    let Some(entry) = &request.entry else {
        faults.push("entry", "must name a shard and a sequence");
        return faults.or((ShardId([0; 16]), 0));
    };
    let shard = read_shard("entry.shard", &entry.shard, &mut faults);
    faults.or((shard.unwrap_or(ShardId([0; 16])), entry.sequence))
}
