//! `ProveInclusion`: that an entry is in the ledger.

use std::sync::Arc;

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

    fn wanted(&self, _state: &QueryState) -> Result<Wanted, QueryError> {
        let mut faults = Faults::default();
        match &self.entry {
            Some(entry) => drop(read_shard("entry.shard", &entry.shard, &mut faults)),
            None => faults.push("entry", "must name a shard and a sequence"),
        }
        faults.or(Wanted::default())
    }

    fn answer(
        self,
        state: &QueryState,
        _visible: Arc<Visible>,
    ) -> Result<Self::Answer, QueryError> {
        let mut faults = Faults::default();
        let entry = self.entry.unwrap_or_default();
        let shard = read_shard("entry.shard", &entry.shard, &mut faults);
        let shard = faults.or(shard)?.unwrap_or_default();
        let proof = state
            .ledger
            .prove_inclusion(shard, entry.sequence)
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
