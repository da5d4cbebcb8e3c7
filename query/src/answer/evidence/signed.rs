//! What map proofs say under the checkpoints that they come with. The ledger
//! has made both; nothing here is a check of a signature.

use std::collections::BTreeMap;

use custody_ledger::id::{ShardId, SubjectReference};
use custody_proof::checkpoint::{MapRoots, ShardCheckpoint};
use custody_proof::map::{Record, ShardMapProof};
use custody_proof::note::{Limits, Note};

use crate::answer::error::QueryError;

/// The map roots of every shard of a checkpoint.
pub(super) struct MapRootsOf(BTreeMap<ShardId, MapRoots>);

impl MapRootsOf {
    /// From the signed checkpoints of shards.
    pub(super) fn read(notes: &[String]) -> Result<Self, QueryError> {
        let failed = |error: &dyn std::error::Error| QueryError::Proof(error.to_string());
        let roots = notes.iter().map(|note| {
            let note = Note::parse_within(note, Limits::CHECKPOINT).map_err(|e| failed(&e))?;
            let checkpoint = ShardCheckpoint::parse(note.text()).map_err(|e| failed(&e))?;
            Ok((checkpoint.shard, checkpoint.map))
        });
        roots.collect::<Result<_, _>>().map(Self)
    }

    /// What a shard has of a reference, as this proof says; `None`: nothing.
    pub(super) fn record(
        &self,
        shard: ShardId,
        reference: &SubjectReference,
        proof: &[u8],
    ) -> Result<Option<Record>, QueryError> {
        let failed = |reason: String| QueryError::Proof(format!("shard {shard}: {reason}"));
        let roots = self.0.get(&shard);
        let roots = roots.ok_or_else(|| failed("its checkpoint is missing".to_owned()))?;
        ShardMapProof::decode(proof)
            .map_err(|error| failed(error.to_string()))?
            .verify(&roots.base, &roots.recent, reference)
            .map_err(|error| failed(error.to_string()))
    }
}
