//! The stored blocks of a ledger that nobody has open: its segments, and
//! copies of its databases. Nothing of the ledger is changed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::error::{DecodeError, OpenError};
use crate::id::{LedgerId, ShardId};
use crate::ledger::store_error;
use crate::segment::{Catalogue, DatabaseInfo, Manifest, SegmentInfo};
use crate::shard::ShardDescriptor;
use crate::store::{Copy, Store, StoreError};

/// Where all blocks of a ledger can be read from, in pieces.
#[derive(Debug)]
pub(crate) struct Sources {
    catalogue: Catalogue,
    databases: Vec<Source>,
}

#[derive(Debug)]
struct Source {
    info: DatabaseInfo,
    // Before the copy, so that it is closed first.
    store: Store,
    _copy: Copy,
}

/// Some blocks of one shard, in order. The pieces of a shard follow each
/// other; each can be checked by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    /// A segment. Its header has the heads before and after it, and
    /// [`crate::segment::Segment::walk`] its blocks.
    Segment(SegmentInfo),
    /// What a database holds: [`Sources::block`] has them.
    Database {
        /// Which.
        index: usize,
        /// The height of the first block.
        first: u64,
        /// One height after the last block.
        end: u64,
    },
}

impl Sources {
    /// The sealed part alone.
    pub(crate) fn sealed(dir: &Path, ledger: LedgerId, manifest: &Manifest) -> Self {
        Self {
            catalogue: Catalogue::new(dir, ledger, manifest.shards.clone()),
            databases: Vec::new(),
        }
    }

    /// Adds copies of the databases, made in `scratch`.
    pub(crate) fn add_databases(
        &mut self,
        dir: &Path,
        manifest: &Manifest,
        scratch: &Path,
        segment_bytes: usize,
        cache_bytes: u64,
    ) -> Result<(), OpenError> {
        for info in &manifest.databases {
            let copy = Copy::make(dir, info.generation, scratch)
                .map_err(OpenError::io("copy the stored blocks to", scratch))?;
            let store = copy
                .open(segment_bytes, cache_bytes)
                .map_err(|error| store_error(scratch, error))?;
            self.databases.push(Source {
                info: info.clone(),
                store,
                _copy: copy,
            });
        }
        Ok(())
    }

    pub(crate) fn catalogue(&self) -> &Catalogue {
        &self.catalogue
    }

    /// Every shard and its descriptor, or what is wrong with it.
    pub(crate) fn descriptors(
        &self,
    ) -> Result<BTreeMap<ShardId, Result<ShardDescriptor, DecodeError>>, StoreError> {
        let mut descriptors = BTreeMap::new();
        for (shard, sealed) in self.catalogue.shards() {
            descriptors.insert(*shard, Ok(sealed.descriptor.clone()));
        }
        for source in &self.databases {
            for (shard, bytes) in source.store.shards()? {
                let descriptor = ShardDescriptor::decode(&bytes).and_then(|descriptor| {
                    if descriptor.id() != shard {
                        let what = "it is another shard's";
                        return Err(DecodeError::Malformed(what.to_owned()));
                    }
                    Ok(descriptor)
                });
                if descriptor.is_err() || !descriptors.contains_key(&shard) {
                    descriptors.insert(shard, descriptor);
                }
            }
        }
        Ok(descriptors)
    }

    /// The pieces of a shard, in order. Empty ones are left out, unless a
    /// database begins elsewhere than the manifest says.
    pub(crate) fn pieces(&self, shard: ShardId) -> Result<Vec<Piece>, StoreError> {
        let sealed = self.catalogue.shards().get(&shard);
        let segments = sealed.into_iter().flat_map(|sealed| &sealed.segments);
        let mut pieces: Vec<Piece> = segments.copied().map(Piece::Segment).collect();
        for (index, source) in self.databases.iter().enumerate() {
            let first = source.info.first(shard);
            let piece = match source.store.heights(shard)? {
                Some((first, last)) => Piece::Database {
                    index,
                    first,
                    end: last.saturating_add(1),
                },
                // Where it begins is still to be compared.
                None => Piece::Database {
                    index,
                    first,
                    end: first,
                },
            };
            pieces.push(piece);
        }
        Ok(pieces)
    }

    /// The stored bytes of a block in a database.
    pub(crate) fn block(
        &self,
        index: usize,
        shard: ShardId,
        height: u64,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        match self.databases.get(index) {
            Some(source) => source.store.block(shard, height),
            None => Ok(None),
        }
    }

    /// The shards that have blocks and are not among `known`.
    pub(crate) fn orphans(&self, known: &BTreeSet<ShardId>) -> Result<Vec<ShardId>, StoreError> {
        let mut orphans = Vec::new();
        for source in &self.databases {
            orphans.extend(source.store.orphans(known)?);
        }
        Ok(orphans)
    }
}
