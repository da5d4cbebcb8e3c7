//! `ProveCompleteness`: how many entries of a person each shard has, and that
//! the others have none.

use std::sync::Arc;

use custody_ledger::id::SubjectReference;
use custody_proof::evidence::{CompletenessProof, ShardCount, SubjectCounts};
use custody_proto::v1;

use super::signed::MapRootsOf;
use super::{document, unproved};
use crate::answer::at_least::Wanted;
use crate::answer::error::{Faults, QueryError};
use crate::answer::subject::{self, Subject};
use crate::answer::{Ask, QueryState};
use crate::read_model::Visible;

impl Ask for v1::ProveCompletenessRequest {
    type Answer = v1::ProveCompletenessResponse;
    const METHOD: &'static str = "custody.v1.EvidenceService/ProveCompleteness";
    /// The ledger's signed maps prove it, not the read model.
    const NEEDS_EVERYTHING: bool = false;
    const SIGNED: bool = true;

    fn wanted(&self, _state: &QueryState) -> Result<Wanted, QueryError> {
        let mut faults = Faults::default();
        subject::check(&self.subject, &mut faults);
        let wanted = Wanted::read(self.at_least.as_ref(), &mut faults);
        faults.or(wanted)
    }

    fn answer(
        self,
        state: &QueryState,
        _visible: Arc<Visible>,
    ) -> Result<Self::Answer, QueryError> {
        let subject = Subject::find(state, &self.subject)?;
        let references: Vec<SubjectReference> = subject.references().collect();
        let evidence = state.ledger.evidence(&references, &[]).map_err(unproved)?;
        let proof = CompletenessProof::from(evidence);
        let roots = MapRootsOf::read(&proof.checkpoints)?;
        let mut parts = Vec::new();
        let mut proofs = Vec::new();
        for subject in &proof.subjects {
            for shard in &subject.shards {
                parts.push(part(&roots, subject, shard)?);
                proofs.push(shard.map.clone());
            }
        }
        Ok(v1::ProveCompletenessResponse {
            document: document(&proof)?,
            checkpoint: proof.ledger_checkpoint.into_bytes(),
            manifest: proof.manifest.into_bytes(),
            proofs,
            parts,
        })
    }
}

fn part(
    roots: &MapRootsOf,
    subject: &SubjectCounts,
    count: &ShardCount,
) -> Result<v1::CompletenessPart, QueryError> {
    let record = roots.record(count.shard, &subject.reference, &count.map)?;
    Ok(v1::CompletenessPart {
        shard: count.shard.to_string(),
        reference: subject.reference.to_string(),
        count: record.as_ref().map_or(0, |record| record.count),
        digest: record
            .map(|record| record.digest.as_bytes().to_vec())
            .unwrap_or_default(),
    })
}
