//! Where blocks are stored: one sled database for all shards. The only place
//! that names sled.

mod guard;

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::ops::Bound;
use std::path::Path;

use crate::block::{HEADER_BYTES, MAX_BLOCK_BYTES, TARGET_BODY_BYTES, TRAILER_BYTES};
use crate::durable;
use crate::id::ShardId;

pub(crate) use guard::{StoreError, guarded, message};

/// The database's directory in the ledger's.
pub(crate) const DIR: &str = "db";

/// How the directories of copies begin.
pub(crate) const COPY_PREFIX: &str = "custody-probe-";

/// The smallest segment that is allowed, in bytes.
pub(crate) const MIN_SEGMENT_BYTES: usize = 64 << 10;
/// The largest segment that sled allows, in bytes.
pub(crate) const MAX_SEGMENT_BYTES: usize = 16 << 20;

const BLOCKS_TREE: &str = "blocks";
const SHARDS_TREE: &str = "shards";

const SHARD_BYTES: usize = 16;
const HEIGHT_END: usize = SHARD_BYTES + 8;
const KEY_BYTES: usize = HEIGHT_END + 2;

/// sled keeps up to this many values in a leaf and writes the leaf as one.
const LEAF_VALUES: usize = 18;

/// An open database.
#[derive(Debug)]
pub(crate) struct Store {
    /// `None` once dropped.
    engine: Option<Engine>,
    /// sled's data file, by a second descriptor: sled's flush does not make a
    /// disk's own cache durable, and its descriptor cannot be had.
    data_file: File,
    part_bytes: usize,
}

#[derive(Debug)]
struct Engine {
    db: sled::Db,
    blocks: sled::Tree,
    shards: sled::Tree,
}

/// Blocks and descriptors that are written together or not at all.
#[derive(Debug, Default)]
pub(crate) struct Group<'a> {
    pub(crate) blocks: Vec<(ShardId, u64, &'a [u8])>,
    pub(crate) shards: Vec<(ShardId, &'a [u8])>,
}

impl Store {
    /// Opens the database in `dir`, or creates it.
    pub(crate) fn open(
        dir: &Path,
        segment_bytes: usize,
        cache_bytes: u64,
    ) -> Result<Self, StoreError> {
        let engine = guarded(|| {
            let db = sled::Config::new()
                .path(dir)
                .segment_size(segment_bytes)
                .cache_capacity(cache_bytes)
                .mode(sled::Mode::HighThroughput)
                // Flushed when a group is committed, and only then.
                .flush_every_ms(None)
                .open()?;
            let blocks = db.open_tree(BLOCKS_TREE)?;
            let shards = db.open_tree(SHARDS_TREE)?;
            Ok(Engine { db, blocks, shards })
        })?;
        let store = Self {
            engine: Some(engine),
            data_file: File::open(dir.join("db"))?,
            part_bytes: part_bytes(segment_bytes),
        };
        store.sync_names(dir)?;
        Ok(store)
    }

    /// sled syncs neither its settings nor the names of its files.
    fn sync_names(&self, dir: &Path) -> io::Result<()> {
        File::open(dir.join("conf"))?.sync_all()?;
        durable::sync_dir(dir)
    }

    fn engine(&self) -> Result<&Engine, StoreError> {
        self.engine
            .as_ref()
            .ok_or_else(|| StoreError::Engine("the database is closed".to_owned()))
    }

    /// Hands a group to sled. It is durable after [`Store::flush`] and
    /// [`Store::sync`].
    pub(crate) fn write(&self, group: &Group<'_>) -> Result<(), StoreError> {
        let engine = self.engine()?;
        guarded(|| {
            for (shard, descriptor) in &group.shards {
                engine.shards.insert(shard.as_bytes(), *descriptor)?;
            }
            let mut batch = sled::Batch::default();
            for &(shard, height, bytes) in &group.blocks {
                for (part, bytes) in (0..).zip(bytes.chunks(self.part_bytes)) {
                    batch.insert(key(shard, height, part).as_slice(), bytes);
                }
            }
            engine.blocks.apply_batch(batch)?;
            Ok(())
        })
    }

    /// Has sled write what it holds in memory to its file.
    pub(crate) fn flush(&self) -> Result<(), StoreError> {
        let engine = self.engine()?;
        guarded(|| {
            engine.db.flush()?;
            Ok(())
        })
    }

    /// Makes what was flushed survive a power loss.
    pub(crate) fn sync(&self) -> io::Result<()> {
        self.data_file.sync_data()
    }

    /// The stored descriptors.
    pub(crate) fn shards(&self) -> Result<Vec<(ShardId, Vec<u8>)>, StoreError> {
        let engine = self.engine()?;
        guarded(|| {
            let mut shards = Vec::new();
            for pair in engine.shards.iter() {
                let (key, value) = pair?;
                let id: [u8; SHARD_BYTES] = key
                    .as_ref()
                    .try_into()
                    .map_err(|_| StoreError::Engine("a shard has a malformed key".to_owned()))?;
                shards.push((ShardId(id), value.to_vec()));
            }
            Ok(shards)
        })
    }

    /// The height of a shard's last block.
    pub(crate) fn last_height(&self, shard: ShardId) -> Result<Option<u64>, StoreError> {
        let engine = self.engine()?;
        guarded(|| {
            let last = engine
                .blocks
                .scan_prefix(shard.as_bytes())
                .keys()
                .next_back();
            last.transpose()?
                .map(|key| Ok(split_key(&key)?.1))
                .transpose()
        })
    }

    /// The shards that have blocks and are not among `known`.
    pub(crate) fn orphans(&self, known: &BTreeSet<ShardId>) -> Result<Vec<ShardId>, StoreError> {
        let engine = self.engine()?;
        guarded(|| {
            let mut orphans = Vec::new();
            let mut next = engine.blocks.iter().keys().next();
            while let Some(key) = next {
                let (shard, ..) = split_key(&key?)?;
                if !known.contains(&shard) {
                    orphans.push(shard);
                }
                // Past every block of this shard.
                let after = (Bound::Excluded(key_of_last(shard)), Bound::Unbounded);
                next = engine
                    .blocks
                    .range::<[u8; KEY_BYTES], _>(after)
                    .keys()
                    .next();
            }
            Ok(orphans)
        })
    }

    /// The stored bytes of one block.
    pub(crate) fn block(&self, shard: ShardId, height: u64) -> Result<Option<Vec<u8>>, StoreError> {
        let engine = self.engine()?;
        guarded(|| {
            let prefix = key(shard, height, 0);
            let mut block: Option<Vec<u8>> = None;
            for pair in engine.blocks.scan_prefix(&prefix[..HEIGHT_END]) {
                let (_, part) = pair?;
                match &mut block {
                    // Nearly every block has one part.
                    None => block = Some(part.to_vec()),
                    Some(block) => block.extend_from_slice(&part),
                }
                if block
                    .as_ref()
                    .is_some_and(|block| block.len() > MAX_BLOCK_BYTES)
                {
                    return Err(StoreError::Engine(
                        "a block is longer than any block can be".to_owned(),
                    ));
                }
            }
            Ok(block)
        })
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        let engine = self.engine.take();
        let dropped = guarded(|| {
            drop(engine);
            Ok(())
        });
        if let Err(error) = dropped {
            tracing::error!(%error, "the database could not be closed");
        }
    }
}

/// How long one value may be. A leaf that does not fit a quarter of a segment
/// becomes a file of its own, which sled never syncs, so blocks are cut into
/// parts of which a whole leaf fits.
const fn part_bytes(segment_bytes: usize) -> usize {
    /// What sled writes beside the values of a leaf, and more.
    const PER_LEAF: usize = 192;
    /// What sled writes beside one value, its key included, and more.
    const PER_VALUE: usize = KEY_BYTES + 14;
    (segment_bytes / 4 - PER_LEAF) / LEAF_VALUES - PER_VALUE
}

// The longest block has no more parts than a key can number.
const _: () = assert!(part_bytes(MIN_SEGMENT_BYTES) * (u16::MAX as usize + 1) >= MAX_BLOCK_BYTES);
// sled keeps up to 256 children in an inner node, each with a key and a number.
const _: () = assert!(256 * (KEY_BYTES + 16) < MIN_SEGMENT_BYTES / 4 - 192);
// An ordinary block is one part in segments of the default size.
const _: () = assert!(part_bytes(8 << 20) > HEADER_BYTES + TARGET_BODY_BYTES + TRAILER_BYTES);

fn key(shard: ShardId, height: u64, part: u16) -> [u8; KEY_BYTES] {
    let mut key = [0; KEY_BYTES];
    key[..SHARD_BYTES].copy_from_slice(shard.as_bytes());
    // Big-endian, so that keys sort by height.
    key[SHARD_BYTES..HEIGHT_END].copy_from_slice(&height.to_be_bytes());
    key[HEIGHT_END..].copy_from_slice(&part.to_be_bytes());
    key
}

/// The greatest key that a block of this shard can have.
fn key_of_last(shard: ShardId) -> [u8; KEY_BYTES] {
    key(shard, u64::MAX, u16::MAX)
}

fn split_key(key: &[u8]) -> Result<(ShardId, u64, u16), StoreError> {
    let malformed = || StoreError::Engine("a block has a malformed key".to_owned());
    let (shard, rest) = key.split_first_chunk().ok_or_else(malformed)?;
    let (height, part) = rest.split_first_chunk().ok_or_else(malformed)?;
    let part: [u8; 2] = part.try_into().map_err(|_| malformed())?;
    Ok((
        ShardId(*shard),
        u64::from_be_bytes(*height),
        u16::from_be_bytes(part),
    ))
}

/// A copy of a database, so that the files themselves stay as they are when it
/// is opened. It is removed when dropped.
#[derive(Debug)]
pub(crate) struct Copy {
    dir: tempfile::TempDir,
}

impl Copy {
    /// Copies the database of the ledger in `dir` into `scratch`.
    pub(crate) fn make(dir: &Path, scratch: &Path) -> io::Result<Self> {
        let copy = tempfile::Builder::new()
            .prefix(COPY_PREFIX)
            .tempdir_in(scratch)?;
        durable::copy_dir(&dir.join(DIR), &copy.path().join(DIR))?;
        Ok(Self { dir: copy })
    }

    /// Opens the copy.
    pub(crate) fn open(&self, segment_bytes: usize, cache_bytes: u64) -> Result<Store, StoreError> {
        Store::open(&self.dir.path().join(DIR), segment_bytes, cache_bytes)
    }
}
