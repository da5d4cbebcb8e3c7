//! Making a checkpoint of everything that was read again.
//!
//! The order of the steps is what evidence rests on: trees before what signs
//! them, the signed anchor before anybody is shown a signature. Nothing is
//! signed that does not continue what the anchor says was signed before.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use custody_proof::checkpoint::{
    Checkpoint, Kafka, LedgerCheckpoint, MapRoots, ShardCheckpoint, shard_origin,
};
use custody_proof::manifest::{Manifest, ShardLine};
use custody_proof::note::SigningKey;
use custody_proof::tree::{Hash, verify_consistency};

use crate::error::Step;
use crate::id::{Digest, ShardId};
use crate::notary::leaves::LogLeaves;
use crate::notary::published::{Published, PublishedShard};
use crate::notary::signed::SignedState;
use crate::notary::{Notary, NotaryError};
use crate::tree::TreeError;

/// A head that was signed before: the size and the root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SignedHead {
    pub(crate) epoch: u32,
    /// How many blocks; of the ledger's own log, leaves.
    pub(crate) blocks: u64,
    pub(crate) size: u64,
    pub(crate) root: Hash,
}

impl Notary {
    /// Signs what was read again, where that is more than was signed before.
    pub(super) fn sign(&mut self) -> Result<(), NotaryError> {
        let mut before = self.shared.board.published();
        if before.is_none() {
            // Just opened: what was signed last may still be all there is.
            before = self.signed_last()?.map(Arc::new);
            if let Some(last) = &before
                && !self.has_news(Some(last))
            {
                return self.publish(Arc::clone(last));
            }
        }
        if self.shared.board.is_halted() || !self.has_news(before.as_deref()) {
            return Ok(());
        }
        // Whoever proves something sees one checkpoint as a whole.
        let shared = Arc::clone(&self.shared);
        let sealing = shared.logs.seal.write();
        let mut shards = BTreeMap::new();
        let ids: Vec<ShardId> = self.logs.keys().copied().collect();
        for shard in ids {
            let known = before.as_ref().and_then(|before| before.shards.get(&shard));
            let published = match known {
                Some(known) if !self.is_news(shard, known) => known.clone(),
                _ => self.shard_checkpoint(shard)?,
            };
            shards.insert(shard, published);
        }
        let published = self.ledger_checkpoint(shards)?;
        let mut next = self.anchor.state().clone();
        next.note.clone_from(&published.note);
        next.manifest.clone_from(&published.manifest_text);
        next.shards = notes(&published);
        self.write_anchor(next)?;
        for (shard, log) in &mut self.logs {
            let signed = published.shards.get(shard);
            log.signed = signed.map(|signed| SignedHead::of(&signed.checkpoint));
        }
        let published = Arc::new(published);
        self.publish(Arc::clone(&published))?;
        drop(sealing);
        if let Some(on_signed) = &self.options.on_signed {
            on_signed(&published);
        }
        Ok(())
    }

    /// Whether any shard has blocks that were not signed.
    fn has_news(&self, before: Option<&Published>) -> bool {
        let Some(before) = before else {
            return true;
        };
        self.logs.keys().any(|shard| {
            let known = before.shards.get(shard);
            known.is_none_or(|known| self.is_news(*shard, known))
        })
    }

    /// Whether a shard is not as its checkpoint says; its maps may have been
    /// merged since, or made again.
    fn is_news(&self, shard: ShardId, known: &PublishedShard) -> bool {
        let known = &known.checkpoint;
        self.logs.get(&shard).is_some_and(|log| {
            let (covered, roots) = log.map.sealed();
            let map = &known.map;
            log.head.blocks != known.blocks
                || (covered.size, roots.base_size) != (map.size, map.base_size)
                || (roots.base, roots.recent) != (map.base, map.recent)
                || log.head.epoch != known.epoch
                || known.checkpoint.origin != shard_origin(&self.origin, &shard, log.head.epoch)
        })
    }

    pub(super) fn write_anchor(&mut self, next: SignedState) -> Result<(), NotaryError> {
        let anchor = &mut self.anchor;
        let torn = self.steps.tears(Step::SignedAnchor);
        self.steps
            .take(Step::SignedAnchor, || {
                if torn {
                    anchor.tear(next)?;
                    return Err(io::Error::other("torn"));
                }
                anchor.write(next)
            })
            .map_err(NotaryError::step(Step::SignedAnchor))
    }

    /// The checkpoint of a shard as far as it was read again.
    fn shard_checkpoint(&mut self, shard: ShardId) -> Result<PublishedShard, NotaryError> {
        let shared = Arc::clone(&self.shared);
        let Some(log) = self.logs.get_mut(&shard) else {
            return Err(NotaryError::inconsistent(
                shard,
                "it is not followed".to_owned(),
            ));
        };
        let damaged = |what: String| NotaryError::inconsistent(shard, what);
        let tree_error = |error: TreeError| NotaryError::tree(shard, &error);
        self.steps
            .take(Step::Tree, || log.tree.flush().map_err(io::Error::other))
            .map_err(NotaryError::step(Step::Tree))?;
        let (size, root) = (log.tree.size(), log.tree.root());
        if size != log.head.size {
            return Err(damaged(format!(
                "the tree has {size} leaves and the log {} entries",
                log.head.size
            )));
        }
        let abandoned = self.anchor.state().abandoned_of(Some(shard));
        // What was given up is not among them, so a new epoch continues what
        // was signed in the one before, too.
        let signed = log.signed;
        if log.head.epoch > log.descriptor.epoch
            && abandoned.is_none_or(|head| head.epoch.checked_add(1) != Some(log.head.epoch))
        {
            return Err(damaged(format!(
                "its epoch {} began without a head that was given up",
                log.head.epoch
            )));
        }
        if let Some(signed) = signed.filter(|signed| signed.size < size) {
            let leaves = LogLeaves::new(&shared, shard);
            let tiles = log.tree.tiles();
            let mut prover = tiles.prover(size, &leaves).map_err(tree_error)?;
            let proof = prover.consistency(signed.size).map_err(tree_error)?;
            verify_consistency(signed.size, &signed.root, size, &root, &proof).map_err(|_| {
                damaged(format!(
                    "the tree of {size} entries does not continue the one of {} that was signed",
                    signed.size
                ))
            })?;
        } else if signed.is_some_and(|signed| (signed.size, signed.root) != (size, root)) {
            return Err(damaged(format!(
                "the tree of {size} entries is not the one that was signed"
            )));
        }
        let chain_head = log.head.chain_head;
        let roots = log
            .map
            .roots(size, chain_head)
            .map_err(|error| NotaryError::map(shard, &error))?;
        let descriptor = &log.descriptor;
        let kafka = log.head.next_offset.map(|next_offset| Kafka {
            cluster: descriptor.cluster_id.clone(),
            topic: descriptor.topic.clone(),
            topic_id: descriptor.topic_id.clone(),
            partition: descriptor.partition,
            next_offset,
        });
        let checkpoint = ShardCheckpoint {
            checkpoint: Checkpoint {
                origin: shard_origin(&self.origin, &shard, log.head.epoch),
                size,
                root,
                extensions: Vec::new(),
            },
            shard,
            epoch: log.head.epoch,
            chain: chain_head,
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
            abandoned,
        };
        let keys = self.keys(&checkpoint.checkpoint.origin)?;
        let note = checkpoint
            .sign(&keys.each())
            .map_err(NotaryError::unsayable)?;
        Ok(PublishedShard { checkpoint, note })
    }

    /// The manifest of these shards, as the next leaf of the ledger's own log,
    /// and that log's checkpoint.
    fn ledger_checkpoint(
        &mut self,
        shards: BTreeMap<ShardId, PublishedShard>,
    ) -> Result<Published, NotaryError> {
        let Some(log) = &mut self.ledger_log else {
            return Err(NotaryError::Ledger {
                reason: "the log of manifests is not open".to_owned(),
            });
        };
        let sequence = log.tree.size();
        let manifest = Manifest {
            ledger: self.shared.id,
            sequence,
            shards: shards.values().map(line).collect(),
        };
        let manifest_text = manifest.to_text();
        let manifest_leaf = manifest.leaf();
        let leaf = Digest(manifest_leaf.0);
        // Of these leaves there is no other copy, so they are synced.
        self.steps
            .take(Step::Tree, || {
                log.leaves
                    .append(sequence, &[leaf])
                    .map_err(io::Error::other)?;
                log.tree.push(&leaf);
                log.tree.flush().map_err(io::Error::other)
            })
            .map_err(NotaryError::step(Step::Tree))?;
        let (size, root) = (log.tree.size(), log.tree.root());
        if let Some(signed) = self
            .signed_ledger
            .filter(|signed| signed.epoch == self.epoch)
        {
            let tiles = log.tree.tiles();
            let proof = tiles
                .prover(size, &*log.leaves)
                .and_then(|mut prover| prover.consistency(signed.size))
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
        self.signed_ledger = Some(SignedHead {
            epoch: self.epoch,
            blocks: size,
            size,
            root,
        });
        let origin = self.origin.clone();
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

    /// That an earlier epoch of the ledger's own log was given up.
    fn ledger_extensions(&self) -> Vec<String> {
        let given_up = self.anchor.state().abandoned_of(None);
        let lines = given_up.iter().map(|head| {
            let root = BASE64.encode(head.root.as_bytes());
            format!("abandoned {} {} {root}", head.epoch, head.size)
        });
        lines.collect()
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

impl SignedHead {
    pub(super) fn of(checkpoint: &ShardCheckpoint) -> Self {
        Self {
            epoch: checkpoint.epoch,
            blocks: checkpoint.blocks,
            size: checkpoint.checkpoint.size,
            root: checkpoint.checkpoint.root,
        }
    }
}

impl SignedState {
    /// What was signed of a shard last; `None` where nothing was.
    ///
    /// # Errors
    /// Why its checkpoint cannot be read.
    pub(crate) fn shard_checkpoint(
        &self,
        shard: ShardId,
    ) -> Result<Option<ShardCheckpoint>, String> {
        let Some(note) = self.shards.get(&shard) else {
            return Ok(None);
        };
        ShardCheckpoint::parse(&text_of(note)?)
            .map(Some)
            .map_err(|error| error.to_string())
    }

    /// What was signed of the ledger's own log last; `None` where nothing was.
    ///
    /// # Errors
    /// Why its checkpoint cannot be read.
    pub(crate) fn ledger_checkpoint(&self) -> Result<Option<LedgerCheckpoint>, String> {
        if self.note.is_empty() {
            return Ok(None);
        }
        LedgerCheckpoint::parse(&text_of(&self.note)?)
            .map(Some)
            .map_err(|error| error.to_string())
    }
}

/// The text of a note of our own, which the signed anchor's digest covers.
fn text_of(note: &str) -> Result<String, String> {
    custody_proof::note::Note::parse_within(note, custody_proof::note::Limits::CHECKPOINT)
        .map(|note| note.text().to_owned())
        .map_err(|error| error.to_string())
}
