//! `ProveCompleteness`: how many entries of a person each shard has, and that
//! the others have none.

use std::sync::Arc;

use custody_ledger::{CompletenessPart, id::SubjectReference};
use custody_proto::v1;

use super::unproved;
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

    fn wanted(&self, _state: &QueryState) -> Result<Wanted, QueryError> {
        let mut faults = Faults::default();
        subject::check(&self.subject, &mut faults);
        faults.or(Wanted::default())
    }

    fn answer(
        self,
        state: &QueryState,
        _visible: Arc<Visible>,
    ) -> Result<Self::Answer, QueryError> {
        let subject = Subject::find(state, &self.subject)?;
        let references: Vec<SubjectReference> = subject.references().collect();
        let proved = state
            .ledger
            .prove_completeness(&references)
            .map_err(unproved)?;
        Ok(v1::ProveCompletenessResponse {
            checkpoint: proved.published.note.clone().into_bytes(),
            manifest: proved.published.manifest_text.clone().into_bytes(),
            proofs: proved.parts.iter().map(|part| part.proof.encode()).collect(),
            parts: proved.parts.iter().map(part).collect(),
        })
    }
}

fn part(part: &CompletenessPart) -> v1::CompletenessPart {
    let record = part.record.as_ref();
    v1::CompletenessPart {
        shard: part.shard.to_string(),
        reference: part.reference.to_string(),
        count: record.map_or(0, |record| record.count),
        digest: record
            .map(|record| record.digest.as_bytes().to_vec())
            .unwrap_or_default(),
    }
}
