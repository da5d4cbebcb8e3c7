//! Opening the trees and maps, and reading again what they lack.
//!
//! They are derived: what is missing or damaged of them is made from the log.
//! What was signed is not: a tree that is not the one that was signed stops the
//! notary before it signs anything.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use custody_proof::checkpoint::{LedgerCheckpoint, ShardCheckpoint};
use custody_proof::manifest::Manifest;

use crate::id::{Digest, ShardId};
use crate::map::{Covered, ShardMap};
use crate::notary::leaves::LogLeaves;
use crate::notary::log::{LedgerLog, ShardLog};
use crate::notary::logs::{LedgerReader, ShardReader};
use crate::notary::published::{Published, PublishedShard};
use crate::notary::sign::SignedHead;
use crate::notary::{Notary, NotaryError, publish};
use crate::shard::{Head, ShardDescriptor};
use crate::tree::{Leaves as _, StoredLeaves, Tree, TreeError};

/// The directories of trees and maps in the ledger's.
pub(crate) const TILES_DIR: &str = "tiles";
pub(crate) const MAPS_DIR: &str = "maps";
/// The ledger's own log among the trees.
const LEDGER_LOG: &str = "ledger";

/// Where the log of manifests lies in a ledger's directory.
pub(crate) fn ledger_tiles(dir: &Path) -> PathBuf {
    dir.join(TILES_DIR).join(LEDGER_LOG)
}

/// Whether a ledger has signed something, by what it has beside the signed
/// anchor: a published checkpoint, or more manifests than the one that a crash
/// before the first checkpoint may leave.
pub(crate) fn has_signed(dir: &Path) -> bool {
    const LEAF_BYTES: u64 = 32;
    let leaves = std::fs::metadata(StoredLeaves::path(&ledger_tiles(dir)));
    let leaves = leaves.map_or(0, |file| file.len() / LEAF_BYTES);
    // The header is as long as a leaf.
    dir.join(publish::DIR).join("checkpoint").exists() || leaves > 2
}

impl Notary {
    /// Takes up where the signed anchor ends.
    pub(super) fn recover(&mut self) -> Result<(), NotaryError> {
        // A crash between its two files left them different, and the newer one
        // is about to be shown.
        if !self.anchor.is_settled() {
            let state = self.anchor.state().clone();
            self.write_anchor(state)?;
        }
        self.open_ledger_log()?;
        for (descriptor, durable) in self.shared.heads() {
            self.open_log(&descriptor, &durable)?;
        }
        Ok(())
    }

    /// What the signed anchor holds, as it was published; `None` where nothing
    /// was signed, or not by every key that signs now.
    pub(super) fn signed_last(&self) -> Result<Option<Published>, NotaryError> {
        let state = self.anchor.state();
        let Some(checkpoint) = state.ledger_checkpoint().map_err(unreadable)? else {
            return Ok(None);
        };
        if !self.is_signed_by_all(&state.note) {
            return Ok(None);
        }
        let manifest =
            Manifest::parse(&state.manifest).map_err(|error| unreadable(error.to_string()))?;
        let mut shards = BTreeMap::new();
        for (shard, note) in &state.shards {
            if let Some(checkpoint) = self.signed_checkpoint(*shard)? {
                let note = note.clone();
                shards.insert(*shard, PublishedShard { checkpoint, note });
            }
        }
        Ok(Some(Published {
            sequence: manifest.sequence,
            origin: checkpoint.checkpoint.origin,
            note: state.note.clone(),
            manifest,
            manifest_text: state.manifest.clone(),
            shards,
        }))
    }

    /// Whether the ledger's checkpoint has a signature by each key, under the
    /// name that it has now.
    fn is_signed_by_all(&self, note: &str) -> bool {
        self.options.signers.iter().all(|signer| {
            let key = signer.for_name(&self.origin);
            let keys = key.map(|key| vec![key.verifying_key().clone()]);
            keys.is_ok_and(|keys| LedgerCheckpoint::open(note, &keys).is_ok())
        })
    }

    /// The log of manifests. What was appended to it and never signed goes.
    fn open_ledger_log(&mut self) -> Result<(), NotaryError> {
        let state = self.anchor.state();
        let signed = state.ledger_checkpoint().map_err(unreadable)?;
        self.signed_ledger = signed.map(|signed| SignedHead {
            epoch: state.epoch,
            blocks: signed.checkpoint.size,
            size: signed.checkpoint.size,
            root: signed.checkpoint.root,
        });
        let signed = self.signed_ledger;
        let size = signed.map_or(0, |signed| signed.size);
        let dir = self.tiles_dir(None);
        let owner = self.shared.id.0;
        let lost = |what: String| NotaryError::Ledger {
            reason: format!(
                "the log of manifests in {} is not the one of {size} leaves that was signed \
                 ({what}): restore it from a backup",
                dir.display()
            ),
        };
        let leaves =
            StoredLeaves::open(&dir, owner, size).map_err(|error| lost(error.to_string()))?;
        let tree = match Tree::open(&dir, owner, size, &leaves) {
            Ok(tree) => tree,
            Err(error) if error.needs_rebuild() => {
                tracing::warn!(%error, "the tiles of the log of manifests are made again");
                self.rebuild_ledger_tree(&leaves, size)?
            }
            Err(error) => return Err(NotaryError::ledger_tree(&error)),
        };
        if signed.is_some_and(|signed| signed.root != tree.root()) {
            return Err(lost("its root differs".to_owned()));
        }
        let leaves = Arc::new(leaves);
        self.shared.logs.set_ledger(LedgerReader {
            tiles: tree.tiles(),
            leaves: Arc::clone(&leaves),
        });
        self.ledger_log = Some(LedgerLog { tree, leaves });
        Ok(())
    }

    fn rebuild_ledger_tree(&self, leaves: &StoredLeaves, size: u64) -> Result<Tree, NotaryError> {
        const STEP: u64 = 4096;
        let error = |error: TreeError| NotaryError::ledger_tree(&error);
        let mut tree = Tree::create(&self.tiles_dir(None), self.shared.id.0).map_err(error)?;
        for first in (0..size).step_by(STEP as usize) {
            let count = STEP.min(size - first) as usize;
            for leaf in leaves.leaves(first, count).map_err(error)? {
                tree.push(&leaf);
            }
        }
        tree.flush().map_err(error)?;
        Ok(tree)
    }

    pub(super) fn tiles_dir(&self, shard: Option<ShardId>) -> PathBuf {
        match shard {
            Some(shard) => self.dir.join(TILES_DIR).join(shard.to_string()),
            None => ledger_tiles(&self.dir),
        }
    }

    pub(super) fn map_dir(&self, shard: ShardId) -> PathBuf {
        self.dir.join(MAPS_DIR).join(shard.to_string())
    }

    /// Opens a shard's tree and map, as far as they are stored; the blocks that
    /// they lack are read again as if they were new.
    pub(super) fn open_log(
        &mut self,
        descriptor: &ShardDescriptor,
        durable: &Head,
    ) -> Result<(), NotaryError> {
        let shard = durable.shard;
        let signed = self.signed_checkpoint(shard)?;
        let map = self.open_map(descriptor, durable)?;
        let mapped_size = map.sealed().0.size;
        let tree = self.open_tree(shard, mapped_size)?;
        let counted_blocks = signed.as_ref().map_or(0, |signed| signed.blocks);
        // From the block that is lacking first: in the tree, in the map, or in
        // the counts.
        let lacking = tree.size().min(mapped_size);
        let height = if lacking < durable.size {
            self.shared.find_block(shard, lacking)?
        } else {
            durable.blocks
        };
        let height = height.min(counted_blocks).min(durable.blocks);
        let head = match height.checked_sub(1) {
            None => descriptor.origin(self.shared.id),
            Some(before) => self.shared.read_block(shard, before)?.head_after(),
        };
        self.shared.logs.add(
            shard,
            ShardReader {
                tiles: tree.tiles(),
                map: map.reader(),
            },
        );
        let log = ShardLog {
            descriptor: descriptor.clone(),
            signed: signed.as_ref().map(SignedHead::of),
            head,
            tree,
            map,
            counts: signed.map(|signed| signed.counts).unwrap_or_default(),
            counted_blocks,
            mapped_size,
            unsaved: 0,
        };
        self.logs.insert(shard, log);
        Ok(())
    }

    /// The tree at the size that the map has, or from nothing.
    fn open_tree(&self, shard: ShardId, size: u64) -> Result<Tree, NotaryError> {
        let dir = self.tiles_dir(Some(shard));
        let leaves = LogLeaves::new(&self.shared, shard);
        let opened = Tree::open(&dir, shard.0, size, &leaves);
        let tree = match opened {
            Err(error) if error.needs_rebuild() => {
                tracing::warn!(%shard, %error, "the tiles are made again from the log");
                Tree::create(&dir, shard.0)
            }
            opened => opened,
        };
        tree.map_err(|error| NotaryError::tree(shard, &error))
    }

    /// The map, as far as it is one of this log.
    fn open_map(
        &self,
        descriptor: &ShardDescriptor,
        durable: &Head,
    ) -> Result<ShardMap, NotaryError> {
        let shard = durable.shard;
        let dir = self.map_dir(shard);
        let genesis = descriptor.genesis(self.shared.id);
        match ShardMap::open(&dir, shard, genesis) {
            Ok(map) => {
                let covered = map.sealed().0;
                if self.is_of_log(shard, durable, genesis, covered)? {
                    return Ok(map);
                }
                tracing::warn!(
                    %shard, covers = covered.size, size = durable.size,
                    "the map of persons is not of this log, and is made again"
                );
            }
            Err(error) if error.needs_rebuild() => {
                tracing::warn!(%shard, %error, "the map of persons is made again from the log");
            }
            Err(error) => return Err(NotaryError::map(shard, &error)),
        }
        ShardMap::create(&dir, shard, genesis).map_err(|error| NotaryError::map(shard, &error))
    }

    /// Whether the log has what a map covers.
    fn is_of_log(
        &self,
        shard: ShardId,
        durable: &Head,
        genesis: Digest,
        covered: Covered,
    ) -> Result<bool, NotaryError> {
        if covered.size > durable.size {
            return Ok(false);
        }
        let chain_head = match covered.size.checked_sub(1) {
            None => genesis,
            Some(last) => LogLeaves::new(&self.shared, shard).entry(last)?.link,
        };
        Ok(chain_head == covered.chain_head)
    }

    /// What was signed of a shard last.
    fn signed_checkpoint(&self, shard: ShardId) -> Result<Option<ShardCheckpoint>, NotaryError> {
        let signed = self.anchor.state().shard_checkpoint(shard);
        signed.map_err(|what| NotaryError::inconsistent(shard, what))
    }
}

fn unreadable(error: String) -> NotaryError {
    NotaryError::Ledger {
        reason: format!("the signed anchor cannot be read: {error}"),
    }
}
