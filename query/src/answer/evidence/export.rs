//! `ExportEvidence`: everything that a third party needs to check an answer
//! about a person.

use std::sync::Arc;
use std::time::{Duration, Instant};

use custody_ledger::id::{ShardId, SubjectReference};
use custody_proof::evidence::Evidence;
use custody_proto::v1;

use super::signed::MapRootsOf;
use super::unproved;
use crate::answer::at_least::Wanted;
use crate::answer::error::{Behind, Faults, Mark, QueryError};
use crate::answer::subject::{self, Subject};
use crate::answer::{Ask, QueryState};
use crate::read_model::{Place, Visible};

/// How often what was found is made to fit what is signed: both go on
/// meanwhile.
const ATTEMPTS: usize = 5;

/// How long the read model may be behind what is signed.
const PATIENCE: Duration = Duration::from_secs(5);

impl Ask for v1::ExportEvidenceRequest {
    type Answer = Evidence;
    const METHOD: &'static str = "custody.v1.EvidenceService/ExportEvidence";
    const SIGNED: bool = true;

    fn wanted(&self, _state: &QueryState) -> Result<Wanted, QueryError> {
        let mut faults = Faults::default();
        subject::check(&self.subject, &mut faults);
        let wanted = Wanted::read(self.at_least.as_ref(), &mut faults);
        faults.or(wanted)
    }

    /// The entries are found in the read model, a row at a time; that none is
    /// missing is what the signed maps say.
    fn answer(
        self,
        state: &QueryState,
        _visible: Arc<Visible>,
    ) -> Result<Self::Answer, QueryError> {
        let subject = Subject::find(state, &self.subject)?;
        let references: Vec<SubjectReference> = subject.references().collect();
        let mut last = QueryError::Interrupted;
        for _ in 0..ATTEMPTS {
            wait_for_signed(state)?;
            let entries = find(state, &references)?;
            let evidence = state
                .ledger
                .evidence(&references, &entries)
                .map_err(unproved)?;
            match is_complete(&evidence) {
                Ok(()) => return Ok(evidence),
                Err(error) => last = error,
            }
        }
        Err(last)
    }
}

/// Waits until the read model has everything that is signed.
fn wait_for_signed(state: &QueryState) -> Result<(), QueryError> {
    let signed = state.ledger.published().ok_or(QueryError::NoCheckpoint)?;
    let behind = |visible: &Visible| -> Vec<Behind> {
        let shards = signed.manifest.shards.iter();
        shards
            .filter(|line| visible.size(&line.shard) < line.size)
            .map(|line| Behind {
                shard: line.shard,
                wanted: Mark::Size(line.size),
                reached: Mark::Size(visible.size(&line.shard)),
                known: true,
            })
            .collect()
    };
    let until = Instant::now() + PATIENCE;
    let (visible, enough) = state
        .read_model
        .wait_until(until, |visible| behind(visible).is_empty());
    if enough {
        Ok(())
    } else {
        Err(QueryError::Behind(behind(&visible)))
    }
}

/// Where the entries of these references are.
fn find(
    state: &QueryState,
    references: &[SubjectReference],
) -> Result<Vec<(ShardId, u64)>, QueryError> {
    let (first, last) = (Place::first_at(i64::MIN), Place::last_at(i64::MAX));
    let mut found = Vec::new();
    for reference in references {
        for row in state.read_model.events(reference, &first, &last) {
            let place = row?.place;
            found.push((place.shard, place.sequence));
        }
    }
    // The digest over a person's entries goes by shard and sequence.
    found.sort_unstable();
    Ok(found)
}

/// Whether there are as many entries as the signed maps count.
fn is_complete(evidence: &Evidence) -> Result<(), QueryError> {
    let roots = MapRootsOf::read(&evidence.checkpoints)?;
    for subject in &evidence.subjects {
        for shard in &subject.shards {
            let record = roots.record(shard.shard, &subject.reference, &shard.map)?;
            let counted = record.map_or(0, |record| record.count);
            let found = shard.entries.len() as u64;
            if found != counted {
                return Err(QueryError::EvidenceIncomplete {
                    shard: shard.shard,
                    found,
                    counted,
                });
            }
        }
    }
    Ok(())
}
