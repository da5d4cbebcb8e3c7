//! Making a checkpoint of everything that was read again.
//!
//! The order of the steps is what evidence rests on: trees before what signs
//! them, the signed anchor before anybody is shown a signature. Nothing is
//! signed that does not continue what the anchor says was signed before.

use std::collections::BTreeMap;
use std::sync::Arc;

use custody_proof::checkpoint::{Checkpoint, Kafka, LedgerCheckpoint, ShardCheckpoint};
use custody_proof::checkpoint::{MapRoots, shard_origin};
use custody_proof::manifest::{Manifest, ShardLine};
use custody_proof::note::SigningKey;
use custody_proof::tree::{Hash, verify_consistency};

use crate::error::Step;
use crate::id::{Digest, ShardId};
use crate::notary::leaves::{LogLeaves, NoLeaves};
use crate::notary::log::ShardLog;
use crate::notary::published::{Published, PublishedShard};
use crate::notary::signed::SignedState;
use crate::notary::{Notary, NotaryError};

/// A head that was signed before: the size and the root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SignedHead {
    pub(super) epoch: u32,
    pub(super) size: u64,
    pub(super) root: Hash,
}

impl Notary {
    /// Signs what was read again, where that is more than was signed before.
    pub(super) fn sign(&mut self) -> Result<(), NotaryError> {
        if !self.has_news() {
            return Ok(());
        }
        // Whoever proves something sees one checkpoint as a whole.
        let seal = Arc::clone(&self.logs);
        let _sealing = seal.seal.write();

        let mut shards = BTreeMap::new();
        for (shard, log) in self.logs.all() {
            let mut log = log.lock();
            self.take(Step::Tree, || log.tree.flush())?;
            let signed = self.signed.get(&shard).copied();
            let checkpoint = self.shard_checkpoint(&mut log, signed)?;
            let note = checkpoint
                .sign(&self.keys(&checkpoint.checkpoint.origin)?.each())
                .map_err(NotaryError::unsayable)?;
            shards.insert(shard, PublishedShard { checkpoint, note });
        }

        let published = self.ledger_checkpoint(shards)?;
        self.take(Step::Tree, || Ok(()))?;
        let mut next = self.anchor.state().clone();
        next.note.clone_from(&published.note);
        next.manifest.clone_from(&published.manifest_text);
        next.shards = notes(&published);
        self.write_anchor(next)?;
        for (shard, published) in &published.shards {
            let checkpoint = &published.checkpoint;
            let head = SignedHead {
                epoch: checkpoint.epoch,
                size: checkpoint.checkpoint.size,
                root: checkpoint.checkpoint.root,
            };
            self.signed.insert(*shard, head);
        }
        self.publish(Arc::new(published))
    }

    /// Whether any shard has more than was signed of it, or is not signed at
    /// all.
    fn has_news(&self) -> bool {
        self.logs.all().any(|(shard, log)| {
            let published = self.last_signed_blocks.get(&shard);
            published != Some(&log.lock().head.blocks)
        })
    }

    fn shard_checkpoint(
        &self,
        log: &mut ShardLog,
        signed: Option<SignedHead>,
    ) -> Result<ShardCheckpoint, NotaryError> {
        let shard = log.head.shard;
        let damaged = |what: String| NotaryError::inconsistent(shard, what);
        let (size, root) = (log.tree.size(), log.tree.root());
        if size != log.head.size {
            return Err(damaged(format!(
                "the tree has {size} leaves and the log {} entries",
                log.head.size
            )));
        }
        if let Some(signed) = signed.filter(|signed| signed.epoch == log.head.epoch) {
            let leaves = LogLeaves::new(&self.shared, shard);
            let proof = log
                .tree
                .consistency(signed.size, size, &leaves)
                .map_err(|error| NotaryError::tree(shard, &error))?;
            verify_consistency(signed.size, &signed.root, size, &root, &proof).map_err(|_| {
                damaged(format!(
                    "the tree of {size} entries does not continue the one of {} that was signed",
                    signed.size
                ))
            })?;
        }
        let roots = log
            .map
            .roots()
            .map_err(|error| NotaryError::map(shard, &error))?;
        let descriptor = &log.descriptor;
        let kafka = log.head.next_offset.map(|next_offset| Kafka {
            cluster: descriptor.cluster_id.clone(),
            topic: descriptor.topic.clone(),
            topic_id: descriptor.topic_id.clone(),
            partition: descriptor.partition,
            next_offset,
        });
        Ok(ShardCheckpoint {
            checkpoint: Checkpoint {
                origin: shard_origin(&self.origin, &shard, log.head.epoch),
                size,
                root,
                extensions: Vec::new(),
            },
            shard,
            epoch: log.head.epoch,
            chain: log.head.chain_head,
            blocks: log.head.blocks,
            last_block: log.head.block_digest,
            map: MapRoots {
                size,
                base_size: roots.base_size,
                base: roots.base,
                recent: roots.recent,
            },
            kafka,
            counts: log.counts,
            abandoned: self.anchor.state().abandoned_of(Some(shard)),
        })
    }

    /// The manifest of these shards, as the next leaf of the ledger's own log,
    /// and that log's checkpoint.
    fn ledger_checkpoint(
        &mut self,
        shards: BTreeMap<ShardId, PublishedShard>,
    ) -> Result<Published, NotaryError> {
        let sequence = self.logs.ledger.lock().size();
        let manifest = Manifest {
            ledger: self.shared.id,
            sequence,
            shards: shards.values().map(line).collect(),
        };
        let manifest_text = manifest.to_text();
        let manifest_leaf = manifest.leaf();
        let mut log = self.logs.ledger.lock();
        log.push(&Digest(manifest_leaf.0));
        self.take(Step::Tree, || log.flush())?;
        let (size, root) = (log.size(), log.root());
        if let Some(signed) = self.signed_ledger.filter(|signed| signed.epoch == self.epoch) {
            let proof = log
                .consistency(signed.size, size, &NoLeaves)
                .map_err(|error| NotaryError::ledger_tree(&error))?;
            verify_consistency(signed.size, &signed.root, size, &root, &proof).map_err(|_| {
                NotaryError::Ledger {
                    reason: format!(
                        "the log of manifests with {size} leaves does not continue the one \
                         of {} that was signed",
                        signed.size
                    ),
                }
            })?;
        }
        drop(log);
        let origin = self.ledger_origin();
        let checkpoint = LedgerCheckpoint {
            checkpoint: Checkpoint {
                origin: origin.clone(),
                size,
                root,
                extensions: self.ledger_extensions(),
            },
            manifest_leaf,
        };
        let note = checkpoint
            .sign(&self.keys(&origin)?.each())
            .map_err(NotaryError::unsayable)?;
        Ok(Published {
            sequence,
            origin,
            note,
            manifest,
            manifest_text,
            shards,
        })
    }

    /// The keys under the name of this origin. They differ in nothing else.
    fn keys(&self, origin: &str) -> Result<Keys, NotaryError> {
        let keys = self.options.signers.iter().map(|key| key.for_name(origin));
        keys.collect::<Result<_, _>>()
            .map(Keys)
            .map_err(|error| NotaryError::Ledger {
                reason: format!("no key can sign for {origin}: {error}"),
            })
    }
}

struct Keys(Vec<SigningKey>);

impl Keys {
    fn each(&self) -> Vec<&SigningKey> {
        self.0.iter().collect()
    }
}

fn line(shard: &PublishedShard) -> ShardLine {
    let checkpoint = &shard.checkpoint;
    ShardLine {
        shard: checkpoint.shard,
        epoch: checkpoint.epoch,
        size: checkpoint.checkpoint.size,
        root: checkpoint.checkpoint.root,
        base: checkpoint.map.base,
        recent: checkpoint.map.recent,
    }
}

fn notes(published: &Published) -> BTreeMap<ShardId, String> {
    let shards = published.shards.iter();
    shards
        .map(|(shard, published)| (*shard, published.note.clone()))
        .collect()
}

impl SignedState {
    /// The head of a shard's log that was signed last.
    pub(super) fn head_of(&self, shard: ShardId) -> Option<Result<SignedHead, String>> {
        let note = self.shards.get(&shard)?;
        Some(checkpoint_of(note).and_then(|text| {
            let parsed = ShardCheckpoint::parse(&text).map_err(|error| error.to_string())?;
            Ok(SignedHead {
                epoch: parsed.epoch,
                size: parsed.checkpoint.size,
                root: parsed.checkpoint.root,
            })
        }))
    }
}

/// The text of a note of our own, which the signed anchor's digest covers.
pub(super) fn checkpoint_of(note: &str) -> Result<String, String> {
    custody_proof::note::Note::parse_within(note, custody_proof::note::Limits::CHECKPOINT)
        .map(|note| note.text().to_owned())
        .map_err(|error| error.to_string())
}
