//! Where blocks are stored until they are sealed: one sled database for all
//! shards. The only place that names sled.

mod copy;
mod guard;
mod part;
mod raw;

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::ops::Bound;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use crate::block::{BlockHeader, HEADER_BYTES, MAX_BLOCK_BYTES};
use crate::durable;
use crate::id::ShardId;
use crate::store::part::{
    HEIGHT_END, KEY_BYTES, SHARD_BYTES, key, key_of_last, part_bytes, split_key,
};

pub(crate) use copy::{COPY_PREFIX, Copy};
pub(crate) use guard::{StoreError, guarded, message};
#[cfg(test)]
pub(crate) use part::cut;
pub(crate) use raw::{RawFile, Reread};

/// How the names of databases' directories begin.
const DIR_PREFIX: &str = "db.";

/// The name of a database's directory in the ledger's.
pub(crate) fn dir_name(generation: u64) -> String {
    format!("{DIR_PREFIX}{generation}")
}

/// The generation of the database in a directory of this name.
pub(crate) fn generation_of(name: &str) -> Option<u64> {
    let generation = name.strip_prefix(DIR_PREFIX)?.parse().ok()?;
    (dir_name(generation) == name).then_some(generation)
}

/// The generations of the databases that lie in a ledger's directory.
pub(crate) fn generations(dir: &Path) -> io::Result<Vec<u64>> {
    let mut generations = Vec::new();
    for entry in fs::read_dir(dir)? {
        generations.extend(entry?.file_name().to_str().and_then(generation_of));
    }
    generations.sort_unstable();
    Ok(generations)
}

/// The smallest segment that is allowed, in bytes.
pub(crate) const MIN_SEGMENT_BYTES: usize = 64 << 10;
/// The largest segment that sled allows, in bytes.
pub(crate) const MAX_SEGMENT_BYTES: usize = 16 << 20;

const BLOCKS_TREE: &str = "blocks";
const SHARDS_TREE: &str = "shards";

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

/// For so long sled's lock on a database that was just closed may still be held:
/// a process that is being started holds the files of the one that starts it until
/// it runs. That no other process has the ledger is known by a lock of our own.
const PATIENCE: Duration = Duration::from_secs(2);

impl Engine {
    fn open(dir: &Path, segment_bytes: usize, cache_bytes: u64) -> Result<Self, StoreError> {
        guarded(|| {
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
            Ok(Self { db, blocks, shards })
        })
    }
}

impl Store {
    /// Opens the database in `dir`, or creates it.
    pub(crate) fn open(
        dir: &Path,
        segment_bytes: usize,
        cache_bytes: u64,
    ) -> Result<Self, StoreError> {
        let until = Instant::now() + PATIENCE;
        let engine = loop {
            match Engine::open(dir, segment_bytes, cache_bytes) {
                Err(error) if error.is_locked() && Instant::now() < until => {
                    thread::sleep(Duration::from_millis(10));
                }
                opened => break opened?,
            }
        };
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
                for (part, value) in (0..).zip(part::cut(bytes, self.part_bytes)) {
                    batch.insert(key(shard, height, part).as_slice(), value.as_ref());
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

    /// The heights of a shard's first and last block.
    pub(crate) fn heights(&self, shard: ShardId) -> Result<Option<(u64, u64)>, StoreError> {
        let engine = self.engine()?;
        guarded(|| {
            let mut keys = engine.blocks.scan_prefix(shard.as_bytes()).keys();
            let Some(first) = keys.next().transpose()? else {
                return Ok(None);
            };
            let last = keys.next_back().transpose()?;
            let last = last.as_ref().unwrap_or(&first);
            Ok(Some((split_key(&first)?.1, split_key(last)?.1)))
        })
    }

    /// The length of the database's file.
    pub(crate) fn file_bytes(&self) -> u64 {
        self.data_file.metadata().map_or(0, |file| file.len())
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

    /// The header of one block.
    pub(crate) fn header(
        &self,
        shard: ShardId,
        height: u64,
    ) -> Result<Option<BlockHeader>, StoreError> {
        const { assert!(part_bytes(MIN_SEGMENT_BYTES) > HEADER_BYTES) };
        let engine = self.engine()?;
        guarded(|| {
            let Some(first) = engine.blocks.get(key(shard, height, 0))? else {
                return Ok(None);
            };
            BlockHeader::decode(&first)
                .map(Some)
                .map_err(|error| StoreError::Engine(error.to_string()))
        })
    }

    /// The stored bytes of one block.
    pub(crate) fn block(&self, shard: ShardId, height: u64) -> Result<Option<Vec<u8>>, StoreError> {
        let engine = self.engine()?;
        guarded(|| {
            let prefix = key(shard, height, 0);
            let mut block: Option<Vec<u8>> = None;
            for pair in engine.blocks.scan_prefix(&prefix[..HEIGHT_END]) {
                let (key, value) = pair?;
                match &mut block {
                    // Nearly every block has one part.
                    None => block = Some(value.to_vec()),
                    Some(block) => {
                        let (.., part) = split_key(&key)?;
                        block.extend_from_slice(part::strip(&value, shard, height, part)?);
                    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_that_is_let_go_in_a_moment_is_waited_for() {
        let directory = tempfile::tempdir().unwrap();
        let dir = directory.path().to_owned();
        let held = Store::open(&dir, MIN_SEGMENT_BYTES, 1 << 20).unwrap();
        let again = Engine::open(&dir, MIN_SEGMENT_BYTES, 1 << 20);
        assert!(again.unwrap_err().is_locked());
        let waiting = thread::spawn(move || Store::open(&dir, MIN_SEGMENT_BYTES, 1 << 20));
        thread::sleep(Duration::from_millis(50));
        drop(held);
        assert!(waiting.join().unwrap().is_ok());
    }
}
