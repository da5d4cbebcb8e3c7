//! Opening the trees and maps, and reading again what they lack.
//!
//! They are derived: what is missing or damaged of them is made from the log.
//! What was signed is not: a tree that is not the one that was signed stops the
//! notary before it signs anything.

use std::path::PathBuf;

use custody_proof::checkpoint::{Counts, LedgerCheckpoint, ShardCheckpoint};
use custody_proof::manifest::Manifest;

use crate::id::ShardId;
use crate::map::ShardMap;
use crate::notary::leaves::{LogLeaves, NoLeaves};
use crate::notary::log::ShardLog;
use crate::notary::published::{Published, PublishedShard};
use crate::notary::sign::{SignedHead, checkpoint_of};
use crate::notary::{Notary, NotaryError};
use crate::shard::{Head, ShardDescriptor};
use crate::tree::Tree;

/// The directories of trees and maps in the ledger's.
pub(crate) const TILES_DIR: &str = "tiles";
pub(crate) const MAPS_DIR: &str = "maps";
/// The ledger's own log among the trees.
const LEDGER_LOG: &str = "ledger";

impl Notary {
    /// Takes up where the signed anchor ends.
    pub(super) fn recover(&mut self) -> Result<(), NotaryError> {
        let state = self.anchor.state().clone();
        self.epoch = state.epoch;
        for shard in state.shards.keys() {
            if let Some(head) = state.head_of(*shard) {
                let head = head.map_err(|what| NotaryError::inconsistent(*shard, what))?;
                self.signed.insert(*shard, head);
            }
        }
        self.open_ledger_log()?;
        if let Some(published) = self.republished()? {
            self.publish(published.into())?;
        }
        for (descriptor, _) in self.shared.heads() {
            self.open_log(&descriptor)?;
        }
        Ok(())
    }

    /// What was signed last, shown again as it was.
    fn republished(&self) -> Result<Option<Published>, NotaryError> {
        let state = self.anchor.state();
        if state.note.is_empty() {
            return Ok(None);
        }
        let unreadable = |what: &str, error: String| NotaryError::Ledger {
            reason: format!("the signed anchor's {what}: {error}"),
        };
        let text = checkpoint_of(&state.note).map_err(|error| unreadable("note", error))?;
        let checkpoint =
            LedgerCheckpoint::parse(&text).map_err(|error| unreadable("note", error.to_string()))?;
        let manifest = Manifest::parse(&state.manifest)
            .map_err(|error| unreadable("manifest", error.to_string()))?;
        let mut published = Published {
            sequence: manifest.sequence,
            origin: checkpoint.checkpoint.origin,
            note: state.note.clone(),
            manifest,
            manifest_text: state.manifest.clone(),
            shards: std::collections::BTreeMap::new(),
        };
        for (shard, note) in &state.shards {
            let text =
                checkpoint_of(note).map_err(|error| NotaryError::inconsistent(*shard, error))?;
            let checkpoint = ShardCheckpoint::parse(&text)
                .map_err(|error| NotaryError::inconsistent(*shard, error.to_string()))?;
            let note = note.clone();
            published
                .shards
                .insert(*shard, PublishedShard { checkpoint, note });
        }
        Ok(Some(published))
    }

    /// The log of manifests. What was appended to it and never signed goes.
    fn open_ledger_log(&mut self) -> Result<(), NotaryError> {
        let state = self.anchor.state();
        self.signed_ledger = if state.note.is_empty() {
            None
        } else {
            let text = checkpoint_of(&state.note).map_err(|error| NotaryError::Ledger {
                reason: format!("the signed anchor's note: {error}"),
            })?;
            let signed = LedgerCheckpoint::parse(&text).map_err(NotaryError::unsayable)?;
            Some(SignedHead {
                epoch: state.epoch,
                size: signed.checkpoint.size,
                root: signed.checkpoint.root,
            })
        };
        let size = self.signed_ledger.map_or(0, |signed| signed.size);
        let dir = self.tiles_dir(None);
        let tree = Tree::open_with_leaves(&dir, size)
            .map_err(|error| NotaryError::ledger_tree(&error))?;
        if let Some(signed) = self.signed_ledger
            && tree.root() != signed.root
        {
            return Err(NotaryError::Ledger {
                reason: format!(
                    "the log of manifests in {} is not the one of {size} leaves that was \
                     signed: restore it from a backup",
                    dir.display()
                ),
            });
        }
        *self.logs.ledger.lock() = Some(tree);
        Ok(())
    }

    pub(super) fn tiles_dir(&self, shard: Option<ShardId>) -> PathBuf {
        let name = shard.map_or_else(|| LEDGER_LOG.to_owned(), |shard| shard.to_string());
        self.dir.join(TILES_DIR).join(name)
    }

    pub(super) fn map_dir(&self, shard: ShardId) -> PathBuf {
        self.dir.join(MAPS_DIR).join(shard.to_string())
    }

    /// Opens a shard's tree and map, as far as they are stored; the blocks that
    /// they lack are read again as if they were new.
    pub(super) fn open_log(&mut self, descriptor: &ShardDescriptor) -> Result<(), NotaryError> {
        let shard = descriptor.id();
        if self.logs.of(shard).is_some() {
            return Ok(());
        }
        let durable = self
            .shared
            .head(shard)
            .unwrap_or_else(|| descriptor.origin(self.shared.id));
        let (map, mapped_size) = self.open_map(shard, &durable)?;
        let (counts, counted_blocks) = self.signed_counts(shard)?;
        // From the block that the map lacks first, and no later than the one
        // that is not counted.
        let height = if mapped_size < durable.size {
            self.shared.find_block(shard, mapped_size)?
        } else {
            durable.blocks
        };
        let height = height.min(counted_blocks).min(durable.blocks);
        let head = self.head_at(descriptor, height)?;
        let leaves = LogLeaves::new(&self.shared, shard);
        let tree_size = mapped_size.max(head.size);
        let tree = Tree::open(&self.tiles_dir(Some(shard)), tree_size, &leaves)
            .map_err(|error| NotaryError::tree(shard, &error))?;
        if let Some(signed) = self.signed.get(&shard)
            && signed.size <= tree.size()
            && tree
                .root_at(signed.size, &leaves)
                .map_err(|error| NotaryError::tree(shard, &error))?
                != signed.root
        {
            return Err(NotaryError::inconsistent(
                shard,
                format!("the tree of {} entries is not the one that was signed", signed.size),
            ));
        }
        self.logs.add(
            shard,
            ShardLog {
                descriptor: descriptor.clone(),
                head,
                tree,
                map,
                counts,
                counted_blocks,
                mapped_size,
                unsaved: 0,
            },
        );
        Ok(())
    }

    /// The map, and up to which size it covers the log.
    fn open_map(&self, shard: ShardId, durable: &Head) -> Result<(ShardMap, u64), NotaryError> {
        let dir = self.map_dir(shard);
        match ShardMap::open(&dir, shard) {
            Ok(map) if map.size() <= durable.size => {
                let size = map.size();
                return Ok((map, size));
            }
            Ok(map) => tracing::warn!(
                %shard, covers = map.size(), size = durable.size,
                "the map of persons knows entries that the ledger lacks, and is made again"
            ),
            Err(error) => {
                tracing::warn!(%shard, %error, "the map of persons is made again from the log");
            }
        }
        ShardMap::create(&dir, shard)
            .map(|map| (map, 0))
            .map_err(|error| NotaryError::map(shard, &error))
    }

    /// What the last signed checkpoint counted, and up to which block.
    fn signed_counts(&self, shard: ShardId) -> Result<(Counts, u64), NotaryError> {
        let Some(note) = self.anchor.state().shards.get(&shard) else {
            return Ok((Counts::default(), 0));
        };
        let parsed = checkpoint_of(note)
            .and_then(|text| ShardCheckpoint::parse(&text).map_err(|error| error.to_string()))
            .map_err(|what| NotaryError::inconsistent(shard, what))?;
        Ok((parsed.counts, parsed.blocks))
    }

    /// The head before the block at this height.
    fn head_at(&self, descriptor: &ShardDescriptor, height: u64) -> Result<Head, NotaryError> {
        Ok(match height.checked_sub(1) {
            None => descriptor.origin(self.shared.id),
            Some(before) => self
                .shared
                .read_block(descriptor.id(), before)?
                .head_after(),
        })
    }

    /// Saves the maps, so that opening need not read everything again.
    pub(super) fn save(&mut self, closing: bool) -> Result<(), NotaryError> {
        for (shard, log) in self.logs.all() {
            let mut log = log.lock();
            let due = log.unsaved >= self.options.save_every_entries;
            if due || (closing && log.unsaved > 0) {
                log.map
                    .save_recent()
                    .map_err(|error| NotaryError::map(shard, &error))?;
                log.unsaved = 0;
            }
        }
        Ok(())
    }
}
