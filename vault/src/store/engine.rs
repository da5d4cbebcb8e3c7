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

/// A kind of row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Space {
    /// What the vault is, and which root key it wants: read before there is a
    /// key, so not sealed.
    Meta,
    /// Identifier → the person whose it is.
    Directory,
    /// Person → data key.
    Persons,
    /// Person → its identifiers.
    Identifiers,
    /// Shared identifier → persons.
    Pointers,
    /// Person → linked persons.
    Links,
    /// House key, keys of windows, settings that must not change.
    Secrets,
    /// Identifier → the day on which its person was erased.
    Marks,
}

impl Space {
    pub(super) const ALL: [Self; 8] = [
        Self::Meta,
        Self::Directory,
        Self::Persons,
        Self::Identifiers,
        Self::Pointers,
        Self::Links,
        Self::Secrets,
        Self::Marks,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Meta => "meta",
            Self::Directory => "directory",
            Self::Persons => "persons",
            Self::Identifiers => "identifiers",
            Self::Pointers => "pointers",
            Self::Links => "links",
            Self::Secrets => "secrets",
            Self::Marks => "marks",
        }
    }
}

pub(crate) struct Engine {
    database: Database,
    spaces: Vec<Keyspace>,
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
        let mut spaces = Vec::with_capacity(Space::ALL.len());
        for space in Space::ALL {
            let options = || {
                KeyspaceCreateOptions::default()
                    .manual_journal_persist(true)
                    .max_memtable_size(MEMTABLE_BYTES)
                    // Ciphertext does not compress.
                    .data_block_compression_policy(CompressionPolicy::disabled())
            };
            let keyspace = database
                .keyspace(space.name(), options)
                .map_err(|error| failed("open a key space", error))?;
            spaces.push(keyspace);
        }
        Ok(Self {
            database,
            spaces,
            written: AtomicU64::new(0),
            durable: Mutex::new(0),
        })
    }

    fn space(&self, space: Space) -> &Keyspace {
        &self.spaces[space as usize]
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
        space: Space,
        rows: impl Iterator<Item = Result<(R, V), StoreError>>,
    ) -> Result<(), StoreError> {
        let written = |error| failed("be copied", error);
        let mut ingestion = self.space(space).start_ingestion().map_err(written)?;
        for row in rows {
            let (name, value) = row?;
            ingestion
                .write(name.as_ref(), value.as_ref())
                .map_err(written)?;
        }
        ingestion.finish().map_err(written)
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
        space: Space,
        row: &[u8],
    ) -> Result<Option<impl AsRef<[u8]> + use<>>, StoreError> {
        self.snapshot
            .get(self.engine.space(space), row)
            .map_err(|error| failed("be read", error))
    }

    pub(crate) fn contains(&self, space: Space, row: &[u8]) -> Result<bool, StoreError> {
        self.snapshot
            .contains_key(self.engine.space(space), row)
            .map_err(|error| failed("be read", error))
    }

    /// Rows whose names begin with `prefix`, in the order of their names.
    pub(crate) fn scan(
        &self,
        space: Space,
        prefix: &[u8],
    ) -> impl Iterator<
        Item = Result<(impl AsRef<[u8]> + use<>, impl AsRef<[u8]> + use<>), StoreError>,
    > + use<> {
        self.snapshot
            .prefix(self.engine.space(space), prefix)
            .map(|guard| guard.into_inner().map_err(|error| failed("be read", error)))
    }

    /// Every row of a space, in the order of their names.
    pub(super) fn rows(
        &self,
        space: Space,
    ) -> impl Iterator<
        Item = Result<(impl AsRef<[u8]> + use<>, impl AsRef<[u8]> + use<>), StoreError>,
    > + use<> {
        self.snapshot
            .iter(self.engine.space(space))
            .map(|guard| guard.into_inner().map_err(|error| failed("be read", error)))
    }

    pub(crate) fn is_empty(&self) -> Result<bool, StoreError> {
        for keyspace in &self.engine.spaces {
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
    pub(crate) fn put(&mut self, space: Space, row: &[u8], value: &[u8]) {
        self.batch.insert(self.engine.space(space), row, value);
    }

    pub(crate) fn delete(&mut self, space: Space, row: &[u8]) {
        self.batch.remove(self.engine.space(space), row);
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
