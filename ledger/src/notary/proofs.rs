//! Proofs against the last checkpoint.

use std::sync::Arc;
use std::time::Duration;

use custody_proof::evidence::{ConsistencyProof, Evidence, InclusionProof};
use custody_proof::map::{Record, ShardMapProof};
use custody_proof::tree::Hash;

use crate::error::LedgerError;
use crate::id::{ShardId, SubjectReference};
use crate::ledger::Ledger;
use crate::notary::leaves::LogLeaves;
use crate::notary::published::{Published, PublishedShard};
use crate::notary::{ProveError, log::ShardLog};

/// What every shard holds of some references, proved against one checkpoint.
#[derive(Clone, Debug)]
pub struct Completeness {
    /// The checkpoint.
    pub published: Arc<Published>,
    /// A proof for each reference and each shard of the manifest, ordered by
    /// shard, then as the references were given.
    pub parts: Vec<CompletenessPart>,
}

/// What one shard holds of one reference.
#[derive(Clone, Debug)]
pub struct CompletenessPart {
    /// The shard.
    pub shard: ShardId,
    /// The reference.
    pub reference: SubjectReference,
    /// The proof.
    pub proof: ShardMapProof,
    /// What it proves; `None`: the shard holds nothing of this reference.
    pub record: Option<Record>,
}

impl Ledger {
    /// The last signed checkpoint; `None` before the first, and without a
    /// notary.
    pub fn published(&self) -> Option<Arc<Published>> {
        self.shared().board.published()
    }

    /// Waits for a checkpoint that covers these shards up to these sizes, for
    /// at most `timeout`.
    pub fn wait_published(
        &self,
        at_least: &[(ShardId, u64)],
        timeout: Duration,
    ) -> Option<Arc<Published>> {
        self.shared().board.wait(at_least, timeout)
    }

    /// Shows the ledger's checkpoint with the cosignatures of witnesses, each a
    /// signature line of the note without its newline. Returns whether that
    /// checkpoint is still the last one.
    pub fn add_cosignatures(&self, sequence: u64, lines: &[String]) -> bool {
        let Some(published) = self.published() else {
            return false;
        };
        let mut note = published.note.clone();
        for line in lines {
            if !note.lines().any(|known| known == line) {
                note.push_str(line);
                note.push('\n');
            }
        }
        let board = &self.shared().board;
        let Some(amended) = board.amend(sequence, note) else {
            return false;
        };
        let dir = self.shared().dir.join(super::publish::DIR);
        if let Err(error) = super::publish::put(&dir, "checkpoint", &amended.note) {
            tracing::warn!(%error, "the cosigned checkpoint was not published as a file");
        }
        true
    }

    /// That an entry is in its shard, under the shard's last checkpoint (RFC
    /// 6962, section 2.1.1).
    ///
    /// # Errors
    /// [`ProveError`].
    pub fn prove_inclusion(
        &self,
        shard: ShardId,
        sequence: u64,
    ) -> Result<InclusionProof, ProveError> {
        let _one_checkpoint = self.shared().logs.seal.read();
        let published = self.published().ok_or(ProveError::NoCheckpoint)?;
        let signed = shard_of(&published, shard)?;
        let path = self.inclusion_path(shard, sequence, signed)?;
        let (previous, entry) = self.stored_entry(shard, sequence)?;
        Ok(InclusionProof {
            ledger_checkpoint: published.note.clone(),
            manifest: published.manifest_text.clone(),
            checkpoint: signed.note.clone(),
            shard,
            sequence,
            previous,
            entry,
            path,
        })
    }

    fn inclusion_path(
        &self,
        shard: ShardId,
        sequence: u64,
        signed: &PublishedShard,
    ) -> Result<Vec<Hash>, ProveError> {
        let size = signed.checkpoint.checkpoint.size;
        if sequence >= size {
            return Err(ProveError::NotCovered {
                asked: sequence,
                signed: size,
            });
        }
        self.log(shard, |log| {
            let leaves = LogLeaves::new(self.shared(), shard);
            log.tree.inclusion(sequence, size, &leaves).map_err(derived)
        })
    }

    /// That the tree of `to` leaves continues the one of `from` (RFC 6962,
    /// section 2.1.2): of a shard, or of the ledger's own log of manifests.
    /// `to` is by default the size of the last checkpoint.
    ///
    /// # Errors
    /// [`ProveError`].
    pub fn prove_consistency(
        &self,
        log: Option<ShardId>,
        from: u64,
        to: Option<u64>,
    ) -> Result<ConsistencyProof, ProveError> {
        let _one_checkpoint = self.shared().logs.seal.read();
        let published = self.published().ok_or(ProveError::NoCheckpoint)?;
        let (signed, note) = match log {
            Some(shard) => {
                let signed = shard_of(&published, shard)?;
                (signed.checkpoint.checkpoint.size, &signed.note)
            }
            None => (published.sequence + 1, &published.note),
        };
        let to = to.unwrap_or(signed);
        if to > signed {
            return Err(ProveError::NotCovered { asked: to, signed });
        }
        if from > to {
            return Err(ProveError::Order { from, to });
        }
        let path = match log {
            Some(shard) => self.log(shard, |log| {
                let leaves = LogLeaves::new(self.shared(), shard);
                log.tree.consistency(from, to, &leaves).map_err(derived)
            })?,
            None => self.ledger_log(|tree| tree.consistency_stored(from, to).map_err(derived))?,
        };
        Ok(ConsistencyProof {
            checkpoint: Some(note.clone()).filter(|_| to == signed),
            shard: log,
            from,
            to,
            path,
        })
    }

    /// What every shard of the last checkpoint holds of these references, also
    /// that one holds nothing.
    ///
    /// # Errors
    /// [`ProveError`].
    pub fn prove_completeness(
        &self,
        references: &[SubjectReference],
    ) -> Result<Completeness, ProveError> {
        let _one_checkpoint = self.shared().logs.seal.read();
        let published = self.published().ok_or(ProveError::NoCheckpoint)?;
        let mut parts = Vec::with_capacity(references.len() * published.shards.len());
        for (shard, signed) in &published.shards {
            let roots = &signed.checkpoint.map;
            for reference in references {
                let proof = self.log(*shard, |log| log.map.prove(reference).map_err(derived))?;
                // Whatever the maps on disk say, no proof leaves that does not
                // hold.
                let record = proof
                    .verify(&roots.base, &roots.recent, reference)
                    .map_err(derived)?;
                parts.push(CompletenessPart {
                    shard: *shard,
                    reference: *reference,
                    proof,
                    record,
                });
            }
        }
        Ok(Completeness { published, parts })
    }

    fn log<T>(
        &self,
        shard: ShardId,
        ask: impl FnOnce(&mut ShardLog) -> Result<T, ProveError>,
    ) -> Result<T, ProveError> {
        let log = self.shared().logs.of(shard);
        let log = log.ok_or(ProveError::UnknownShard { shard })?;
        ask(&mut log.lock())
    }

    /// The chain before an entry, and the entry's stored bytes.
    fn stored_entry(
        &self,
        shard: ShardId,
        sequence: u64,
    ) -> Result<(crate::id::Digest, Vec<u8>), LedgerError> {
        LogLeaves::new(self.shared(), shard).entry(sequence)
    }
}

pub(super) fn shard_of(
    published: &Published,
    shard: ShardId,
) -> Result<&PublishedShard, ProveError> {
    let shards = &published.shards;
    shards.get(&shard).ok_or(ProveError::UnknownShard { shard })
}

pub(super) fn derived(error: impl std::fmt::Display) -> ProveError {
    ProveError::Derived {
        reason: error.to_string(),
    }
}
