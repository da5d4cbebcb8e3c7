//! Proofs against the last checkpoint.

use std::sync::Arc;
use std::time::Duration;

use custody_proof::entry::Outline;
use custody_proof::evidence::{
    ConsistencyFormat, ConsistencyProof, EntryEvidence, ErasureCertificate, ErasureFormat,
    Evidence, EvidenceFormat, InclusionFormat, InclusionProof, ShardEvidence, SubjectEvidence,
};
use custody_proof::map::{Record, ShardMapProof};
use custody_proof::tree::Hash;

use crate::id::{ShardId, SubjectReference};
use crate::ledger::Ledger;
use crate::notary::ProveError;
use crate::notary::leaves::LogLeaves;
use crate::notary::logs::ShardReader;
use crate::notary::published::{Published, PublishedShard};
use crate::shard::ShardDescriptor;
use crate::tree::{Leaves as _, Prover, StoredLeaves, TILE_WIDTH, TreeError};

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
        // The notary writes the same file, and other witnesses the same note.
        let _alone = self.shared().logs.seal.write();
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
        let size = signed.checkpoint.checkpoint.size;
        if sequence >= size {
            return Err(ProveError::NotCovered {
                asked: sequence,
                signed: size,
            });
        }
        let path = self.shard_prover(shard, size, |prover| prover.inclusion(sequence))?;
        let linked = LogLeaves::new(self.shared(), shard).entry(sequence)?;
        Ok(InclusionProof {
            format: InclusionFormat::V1,
            manifest_path: self.manifest_path(&published)?,
            ledger_checkpoint: published.note.clone(),
            manifest: published.manifest_text.clone(),
            checkpoint: signed.note.clone(),
            shard,
            sequence,
            previous: linked.previous,
            entry: linked.bytes,
            path,
        })
    }

    /// That an erasure was requested, begun and done: these entries of the house
    /// shard, all under one checkpoint. What they say is not looked at
    /// here; whoever verifies the certificate does.
    ///
    /// # Errors
    /// [`ProveError`].
    pub fn certify_erasure(
        &self,
        requested: &[u64],
        started: u64,
        done: u64,
    ) -> Result<ErasureCertificate, ProveError> {
        let _one_checkpoint = self.shared().logs.seal.read();
        let published = self.published().ok_or(ProveError::NoCheckpoint)?;
        let shard = ShardDescriptor::house().id();
        let signed = shard_of(&published, shard)?;
        let size = signed.checkpoint.checkpoint.size;
        let evidence = |sequence: u64| {
            if sequence >= size {
                return Err(ProveError::NotCovered {
                    asked: sequence,
                    signed: size,
                });
            }
            let path = self.shard_prover(shard, size, |prover| prover.inclusion(sequence))?;
            let linked = LogLeaves::new(self.shared(), shard).entry(sequence)?;
            Ok(EntryEvidence {
                sequence,
                previous: linked.previous,
                entry: linked.bytes,
                path: Some(path),
            })
        };
        Ok(ErasureCertificate {
            format: ErasureFormat::V1,
            requested: requested
                .iter()
                .map(|sequence| evidence(*sequence))
                .collect::<Result<_, _>>()?,
            started: evidence(started)?,
            done: evidence(done)?,
            manifest_path: self.manifest_path(&published)?,
            ledger_checkpoint: published.note.clone(),
            manifest: published.manifest_text.clone(),
            checkpoint: signed.note.clone(),
            shard,
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
            Some(shard) => self.shard_prover(shard, to, |prover| prover.consistency(from))?,
            None => self.ledger_prover(to, |prover| prover.consistency(from))?,
        };
        Ok(ConsistencyProof {
            format: ConsistencyFormat::V1,
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
            let (_, _, proved) = self
                .reader(*shard)?
                .map
                .prove(references)
                .map_err(derived)?;
            for (reference, proved) in references.iter().zip(proved) {
                // Against the roots that are signed: no proof leaves that does
                // not hold.
                let record = proved
                    .proof
                    .verify(&roots.base, &roots.recent, reference)
                    .map_err(derived)?;
                parts.push(CompletenessPart {
                    shard: *shard,
                    reference: *reference,
                    proof: proved.proof,
                    record,
                });
            }
        }
        Ok(Completeness { published, parts })
    }

    /// Everything that the last checkpoint covers of these references: the
    /// proofs that it is everything, and these entries of theirs, which must be
    /// all of them, ordered by shard and sequence. An entry that the checkpoint
    /// does not cover is left out.
    ///
    /// # Errors
    /// [`ProveError`].
    pub fn evidence(
        &self,
        references: &[SubjectReference],
        entries: &[(ShardId, u64)],
    ) -> Result<Evidence, ProveError> {
        let proved = self.prove_completeness(references)?;
        let published = &proved.published;
        let mut subjects: Vec<SubjectEvidence> = references
            .iter()
            .map(|reference| SubjectEvidence {
                reference: *reference,
                shards: Vec::new(),
            })
            .collect();
        for part in &proved.parts {
            let evidence = ShardEvidence {
                shard: part.shard,
                map: part.proof.encode(),
                entries: Vec::new(),
            };
            let of_subject = subjects
                .iter_mut()
                .find(|subject| subject.reference == part.reference);
            if let Some(subject) = of_subject {
                subject.shards.push(evidence);
            }
        }
        for (shard, sequence) in entries {
            let signed = shard_of(published, *shard)?;
            let size = signed.checkpoint.checkpoint.size;
            if *sequence >= size {
                continue;
            }
            let linked = LogLeaves::new(self.shared(), *shard).entry(*sequence)?;
            let outline = Outline::read(&linked.bytes).map_err(derived)?;
            let path = self.shard_prover(*shard, size, |prover| prover.inclusion(*sequence))?;
            let of_shard = subjects
                .iter_mut()
                .find(|subject| Some(subject.reference) == outline.subject)
                .and_then(|subject| subject.shards.iter_mut().find(|of| of.shard == *shard));
            if let Some(evidence) = of_shard {
                evidence.entries.push(EntryEvidence {
                    sequence: *sequence,
                    previous: linked.previous,
                    entry: linked.bytes,
                    path: Some(path),
                });
            }
        }
        Ok(Evidence {
            format: EvidenceFormat::V1,
            ledger_checkpoint: published.note.clone(),
            manifest: published.manifest_text.clone(),
            manifest_path: self.manifest_path(published)?,
            checkpoints: published
                .shards
                .values()
                .map(|signed| signed.note.clone())
                .collect(),
            subjects,
        })
    }

    /// That the manifest is the last leaf of the ledger's own log.
    fn manifest_path(&self, published: &Published) -> Result<Vec<Hash>, ProveError> {
        let sequence = published.sequence;
        self.ledger_prover(sequence + 1, |prover| prover.inclusion(sequence))
    }

    fn shard_prover<T>(
        &self,
        shard: ShardId,
        size: u64,
        ask: impl FnOnce(&mut Prover<'_, LogLeaves<'_>>) -> Result<T, TreeError>,
    ) -> Result<T, ProveError> {
        let leaves = LogLeaves::new(self.shared(), shard);
        let tiles = self.reader(shard)?.tiles;
        let mut prover = tiles.prover(size, &leaves).map_err(derived)?;
        ask(&mut prover).map_err(derived)
    }

    fn ledger_prover<T>(
        &self,
        size: u64,
        ask: impl FnOnce(&mut Prover<'_, StoredLeaves>) -> Result<T, TreeError>,
    ) -> Result<T, ProveError> {
        let log = self.shared().logs.ledger();
        let log = log.ok_or(ProveError::NoCheckpoint)?;
        let mut prover = log.tiles.prover(size, &*log.leaves).map_err(derived)?;
        ask(&mut prover).map_err(derived)
    }

    fn reader(&self, shard: ShardId) -> Result<ShardReader, ProveError> {
        let reader = self.shared().logs.of(shard);
        reader.ok_or(ProveError::UnknownShard { shard })
    }

    /// A tile in the layout of C2SP tlog-tiles: `width` hashes of 32 bytes, of
    /// a shard's log or of the ledger's own. `None` where the last checkpoint
    /// does not cover it.
    ///
    /// # Errors
    /// [`ProveError`].
    pub fn tile(
        &self,
        log: Option<ShardId>,
        level: u8,
        index: u64,
        width: u16,
    ) -> Result<Option<Vec<u8>>, ProveError> {
        let there = 8u32
            .checked_mul(u32::from(level))
            .and_then(|shift| self.signed_size(log).ok()?.checked_shr(shift));
        if !is_covered(there.unwrap_or(0), index, width) {
            return Ok(None);
        }
        let (level, width) = (u32::from(level), usize::from(width));
        let hashes = match log {
            Some(shard) => {
                let leaves = LogLeaves::new(self.shared(), shard);
                let tiles = self.reader(shard)?.tiles;
                tiles.tile(level, index, width, &leaves)
            }
            None => {
                let log = self.shared().logs.ledger();
                let log = log.ok_or(ProveError::NoCheckpoint)?;
                log.tiles.tile(level, index, width, &*log.leaves)
            }
        };
        let hashes = hashes.map_err(derived)?;
        Ok(Some(hashes.iter().flat_map(|hash| hash.0).collect()))
    }

    /// An entry bundle in the layout of C2SP tlog-tiles: `width` leaves of 32
    /// bytes, each behind its length in two bytes. `None` where the last
    /// checkpoint does not cover it.
    ///
    /// # Errors
    /// [`ProveError`].
    pub fn entry_bundle(
        &self,
        log: Option<ShardId>,
        index: u64,
        width: u16,
    ) -> Result<Option<Vec<u8>>, ProveError> {
        if !is_covered(self.signed_size(log)?, index, width) {
            return Ok(None);
        }
        let (first, count) = (index * TILE_WIDTH as u64, usize::from(width));
        let leaves = match log {
            Some(shard) => LogLeaves::new(self.shared(), shard).leaves(first, count),
            None => {
                let log = self.shared().logs.ledger();
                log.ok_or(ProveError::NoCheckpoint)?
                    .leaves
                    .leaves(first, count)
            }
        };
        let mut bundle = Vec::with_capacity(count * 34);
        for leaf in leaves.map_err(derived)? {
            bundle.extend_from_slice(&32u16.to_be_bytes());
            bundle.extend_from_slice(leaf.as_bytes());
        }
        Ok(Some(bundle))
    }

    /// How many leaves the last checkpoint of a log covers.
    fn signed_size(&self, log: Option<ShardId>) -> Result<u64, ProveError> {
        let published = self.published().ok_or(ProveError::NoCheckpoint)?;
        match log {
            None => Ok(published.sequence + 1),
            Some(shard) => Ok(shard_of(&published, shard)?.checkpoint.checkpoint.size),
        }
    }
}

/// Whether of `there` hashes of a level a tile has this many.
fn is_covered(there: u64, index: u64, width: u16) -> bool {
    let end = index
        .checked_mul(TILE_WIDTH as u64)
        .and_then(|first| first.checked_add(u64::from(width)));
    (1..=TILE_WIDTH as u16).contains(&width) && end.is_some_and(|end| end <= there)
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
