//! The engine: fjall, one key space a kind of row, writes made durable by one
//! barrier.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use fjall::config::CompressionPolicy;
use fjall::{
    Database, Error, Keyspace, KeyspaceCreateOptions, OwnedWriteBatch, PersistMode, Readable,
    Snapshot,
};
use parking_lot::Mutex;

use super::StoreError;

/// Memory for one key space before it goes to a table, in bytes.
const MEMTABLE_BYTES: u64 = 16 << 20;
const JOURNAL_BYTES: u64 = 256 << 20;

/// Rows that are deleted in one batch.
const ROWS_AT_ONCE: u32 = 10_000;

/// Name and value of a row of an older format.
pub(super) type OldRow = (Vec<u8>, Vec<u8>);

/// A key space of the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Area {
    /// What the vault is, which root key it wants, and the page that the root
    /// key opens.
    Meta,
    /// Pages of the key tree.
    Nodes,
    /// Rows, by bucket.
    Rows,
}

impl Area {
    pub(super) const ALL: [Self; 3] = [Self::Meta, Self::Nodes, Self::Rows];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Meta => "meta",
            Self::Nodes => "nodes",
            Self::Rows => "rows",
        }
    }
}

pub(crate) struct Engine {
    database: Database,
    areas: Vec<Keyspace>,
    /// Batches committed so far.
    written: AtomicU64,
    /// Batches that are known to be durable. Held while syncing, so that
    /// callers who come meanwhile find their work done.
    durable: Mutex<u64>,
}

impl Engine {
    pub(crate) fn open(dir: &Path, cache_bytes: u64) -> Result<Self, StoreError> {
        let database = Database::builder(dir)
            .cache_size(cache_bytes)
            .worker_threads(2)
            .max_journaling_size(JOURNAL_BYTES)
            .manual_journal_persist(true)
            .open()
            .map_err(|error| failed("be opened", error))?;
        let mut areas = Vec::with_capacity(Area::ALL.len());
        for area in Area::ALL {
            let keyspace = database
                .keyspace(area.name(), keyspace_options)
                .map_err(|error| failed("open a key space", error))?;
            areas.push(keyspace);
        }
        Ok(Self {
            database,
            areas,
            written: AtomicU64::new(0),
            durable: Mutex::new(0),
        })
    }

    fn area(&self, area: Area) -> &Keyspace {
        &self.areas[area as usize]
    }

    /// All rows as they are now; whole batches only.
    pub(crate) fn view(&self) -> EngineView<'_> {
        EngineView {
            engine: self,
            snapshot: self.database.snapshot(),
        }
    }

    pub(crate) fn batch(&self) -> EngineBatch<'_> {
        EngineBatch {
            engine: self,
            batch: self.database.batch(),
        }
    }

    /// Puts rows that are in the order of their names into a space that has
    /// none, past the journal.
    pub(super) fn fill<R: AsRef<[u8]>, V: AsRef<[u8]>>(
        &self,
        area: Area,
        rows: impl Iterator<Item = Result<(R, V), StoreError>>,
    ) -> Result<(), StoreError> {
        let written = |error| failed("be copied", error);
        let mut ingestion = self.area(area).start_ingestion().map_err(written)?;
        for row in rows {
            let (name, value) = row?;
            ingestion
                .write(name.as_ref(), value.as_ref())
                .map_err(written)?;
        }
        ingestion.finish().map_err(written)
    }

    /// Deletes the rows whose names begin with `prefix` and are chosen.
    pub(super) fn delete_where(
        &self,
        area: Area,
        prefix: &[u8],
        chosen: impl Fn(&[u8]) -> bool,
    ) -> Result<(), StoreError> {
        let mut batch = self.batch();
        let mut count = 0_u32;
        for row in self.view().scan(area, prefix) {
            let (name, _) = row?;
            if !chosen(name.as_ref()) {
                continue;
            }
            batch.delete(area, name.as_ref());
            count += 1;
            if count.is_multiple_of(ROWS_AT_ONCE) {
                std::mem::replace(&mut batch, self.batch()).commit()?;
            }
        }
        batch.commit()
    }

    /// A row of a key space of an older format.
    pub(crate) fn old_get(&self, space: &str, row: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        match self.old(space)? {
            Some(space) => Ok(space
                .get(row)
                .map_err(|error| failed("be read", error))?
                .map(|value| value.to_vec())),
            None => Ok(None),
        }
    }

    /// Rows of a key space of an older format: names and values.
    pub(super) fn old_scan(
        &self,
        space: &str,
        prefix: &[u8],
    ) -> Result<impl Iterator<Item = Result<OldRow, StoreError>> + use<>, StoreError> {
        let found = self.old(space)?.map(|space| space.prefix(prefix));
        Ok(found.into_iter().flatten().map(|guard| {
            guard
                .into_inner()
                .map(|(name, value)| (name.to_vec(), value.to_vec()))
                .map_err(|error| failed("be read", error))
        }))
    }

    fn old(&self, space: &str) -> Result<Option<Keyspace>, StoreError> {
        if !self.database.keyspace_exists(space) {
            return Ok(None);
        }
        self.database
            .keyspace(space, keyspace_options)
            .map(Some)
            .map_err(|error| failed("open a key space", error))
    }

    /// Deletes the key spaces of an older format. Whether there were any.
    pub(crate) fn drop_old(&self, spaces: &[&str]) -> Result<bool, StoreError> {
        let mut dropped = false;
        for space in spaces {
            if let Some(space) = self.old(space)? {
                self.database
                    .delete_keyspace(space)
                    .map_err(|error| failed("delete a key space", error))?;
                dropped = true;
            }
        }
        Ok(dropped)
    }

    /// Puts a row into a key space of an older format.
    #[cfg(test)]
    pub(crate) fn put_old(&self, space: &str, row: &[u8], value: &[u8]) {
        let space = self.database.keyspace(space, keyspace_options).unwrap();
        space.insert(row, value).unwrap();
    }

    /// Makes everything durable, whether or not it went through a batch.
    pub(super) fn persist(&self) -> Result<(), StoreError> {
        self.database
            .persist(PersistMode::SyncAll)
            .map_err(|error| failed("be made durable", error))
    }

    /// Returns when everything committed before the call is on disk. Costs an
    /// atomic read and a free lock when there is nothing to do.
    pub(crate) fn flush(&self) -> Result<(), StoreError> {
        let written = self.written.load(Ordering::Acquire);
        let mut durable = self.durable.lock();
        if *durable >= written {
            return Ok(());
        }
        // What was committed while waiting for the lock goes along.
        let written = self.written.load(Ordering::Acquire);
        self.database
            .persist(PersistMode::SyncAll)
            .map_err(|error| failed("be made durable", error))?;
        *durable = written;
        Ok(())
    }
}

pub(crate) struct EngineView<'a> {
    engine: &'a Engine,
    snapshot: Snapshot,
}

impl EngineView<'_> {
    pub(crate) fn get(
        &self,
        area: Area,
        row: &[u8],
    ) -> Result<Option<impl AsRef<[u8]> + use<>>, StoreError> {
        self.snapshot
            .get(self.engine.area(area), row)
            .map_err(|error| failed("be read", error))
    }

    /// Rows whose names begin with `prefix`, in the order of their names.
    pub(crate) fn scan(
        &self,
        area: Area,
        prefix: &[u8],
    ) -> impl Iterator<
        Item = Result<(impl AsRef<[u8]> + use<>, impl AsRef<[u8]> + use<>), StoreError>,
    > + use<> {
        self.snapshot
            .prefix(self.engine.area(area), prefix)
            .map(|guard| guard.into_inner().map_err(|error| failed("be read", error)))
    }

    /// Every row of a space, in the order of their names.
    pub(super) fn rows(
        &self,
        area: Area,
    ) -> impl Iterator<
        Item = Result<(impl AsRef<[u8]> + use<>, impl AsRef<[u8]> + use<>), StoreError>,
    > + use<> {
        self.snapshot
            .iter(self.engine.area(area))
            .map(|guard| guard.into_inner().map_err(|error| failed("be read", error)))
    }

    pub(crate) fn is_empty(&self) -> Result<bool, StoreError> {
        for keyspace in &self.engine.areas {
            let empty = self
                .snapshot
                .is_empty(keyspace)
                .map_err(|error| failed("be read", error))?;
            if !empty {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Rows that are written all or not at all.
pub(crate) struct EngineBatch<'a> {
    engine: &'a Engine,
    batch: OwnedWriteBatch,
}

impl EngineBatch<'_> {
    pub(crate) fn put(&mut self, area: Area, row: &[u8], value: &[u8]) {
        self.batch.insert(self.engine.area(area), row, value);
    }

    pub(crate) fn delete(&mut self, area: Area, row: &[u8]) {
        self.batch.remove(self.engine.area(area), row);
    }

    /// Readable at once; durable with the next flush.
    pub(crate) fn commit(self) -> Result<(), StoreError> {
        if self.batch.is_empty() {
            return Ok(());
        }
        self.batch
            .commit()
            .map_err(|error| failed("be written", error))?;
        self.engine.written.fetch_add(1, Ordering::Release);
        Ok(())
    }
}

fn keyspace_options() -> KeyspaceCreateOptions {
    KeyspaceCreateOptions::default()
        .manual_journal_persist(true)
        .max_memtable_size(MEMTABLE_BYTES)
        // Ciphertext does not compress.
        .data_block_compression_policy(CompressionPolicy::disabled())
}

fn failed(doing: &'static str, error: Error) -> StoreError {
    match error {
        Error::Locked => StoreError::Locked,
        Error::Poisoned => StoreError::Poisoned,
        other => StoreError::Engine {
            doing,
            source: Box::new(other),
        },
    }
}
