//! Answers that come with a proof that nothing is missing from them.
//!
//! The proof is made first. What is answered then rests on the very checkpoint
//! that it is about: entries that came later are in neither.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use custody_proof::manifest::{Manifest, ShardLine};
use custody_proto::v1;

use super::error::{Behind, Mark, QueryError};
use super::{Ask, QueryState};
use crate::read_model::{Visible, VisibleShard, origin};

/// How long the read model may be behind what is signed.
const PATIENCE: Duration = Duration::from_secs(5);

/// Works an answer out, with the proof where it asks for one. Blocks on the
/// disk.
pub(crate) fn work_out<Q: Ask>(
    question: Q,
    state: &QueryState,
    visible: Arc<Visible>,
) -> Result<Q::Answer, QueryError> {
    let Some(subject) = question.proof_of() else {
        return question.answer(state, visible);
    };
    let request = v1::ProveCompletenessRequest {
        subject: subject.to_owned(),
        at_least: None,
    };
    let proof = request.answer(state, visible)?;
    let head = head_of(state, &proof)?;
    let mut answer = question.answer(state, Arc::new(head))?;
    Q::add_proof(&mut answer, proof);
    Ok(answer)
}

/// What was visible at the checkpoint of a proof.
fn head_of(
    state: &QueryState,
    proof: &v1::ProveCompletenessResponse,
) -> Result<Visible, QueryError> {
    let unproved = |reason: String| QueryError::Proof(reason);
    let manifest = std::str::from_utf8(&proof.manifest).map_err(|it| unproved(it.to_string()))?;
    let manifest = Manifest::parse(manifest).map_err(|error| unproved(error.to_string()))?;
    let behind = |visible: &Visible| -> Vec<Behind> {
        let lines = manifest.shards.iter();
        lines
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
    let enough = |visible: &Visible| behind(visible).is_empty();
    let (visible, is_enough) = state.read_model.wait_until(until, enough);
    if !is_enough {
        return Err(QueryError::Behind(behind(&visible)));
    }
    let mut shards = BTreeMap::new();
    for line in &manifest.shards {
        if let Some(shard) = visible.shards.get(&line.shard) {
            shards.insert(line.shard, at(state, shard, line)?);
        }
    }
    let head = Visible::bare(shards, visible.following.clone());
    Ok(state.read_model.with_kept(head))
}

/// A shard as it was when this line was signed.
fn at(
    state: &QueryState,
    shard: &VisibleShard,
    line: &ShardLine,
) -> Result<VisibleShard, QueryError> {
    let head = if shard.head.size == line.size {
        shard.head
    } else {
        match line.size.checked_sub(1) {
            None => origin(&shard.descriptor, state.ledger.id()),
            Some(last) => {
                let missing = || QueryError::EntryMissing {
                    shard: line.shard,
                    sequence: last,
                };
                let height = state.ledger.find_block(line.shard, last)?;
                let height = height.ok_or_else(missing)?;
                let block = state.ledger.read_block(line.shard, height)?;
                let head = block.ok_or_else(missing)?.head_after();
                if head.size != line.size {
                    let reason = format!("shard {}: signed within a block", line.shard);
                    return Err(QueryError::Proof(reason));
                }
                head
            }
        }
    };
    Ok(VisibleShard {
        descriptor: shard.descriptor.clone(),
        head,
    })
}

/// The head of an answer names the checkpoint of its proof.
pub(crate) fn name_checkpoint(
    head: &mut Option<v1::LedgerHead>,
    proof: &v1::ProveCompletenessResponse,
) {
    if let Some(head) = head {
        head.checkpoint.clone_from(&proof.checkpoint);
    }
}
