//! The store itself: one fjall database beside a stamp that says what is in it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use custody_ledger::Head;
use custody_ledger::id::{EventTag, LedgerId, ShardId, SubjectReference};
use fjall::{Database, Keyspace, KeyspaceCreateOptions};

use super::apply::Rows;
use super::key::{self, Place, RetractionKey};
use super::row::{self, EventRow, PartyRow, PositionRow};
use super::{ReadModelError, ReadModelOptions};

/// Rises whenever a key or a value changes; any other one is rebuilt.
pub(super) const READ_MODEL_VERSION: u32 = 1;

const LOCK_FILE: &str = "LOCK";
const STAMP_FILE: &str = "STAMP";
const DATABASE_DIRECTORY: &str = "db";

/// From so many events on, rows are sorted and written as tables of their own
/// instead of through the journal. Smaller runs would leave too many tables.
const BULK_EVENTS: usize = 50_000;

const MEMTABLE_BYTES: u64 = 32 << 20;

pub(super) struct Store {
    database: Database,
    events: Keyspace,
    retractions: Keyspace,
    parties: Keyspace,
    positions: Keyspace,
    /// Dropped after the database, so that nobody deletes it while it closes.
    _lock: Arc<fs::File>,
}

impl Store {
    /// Opens what is in `directory`, or makes an empty one where there is
    /// none of this ledger and version.
    pub(super) fn open(
        directory: &Path,
        ledger: LedgerId,
        options: &ReadModelOptions,
    ) -> Result<Self, ReadModelError> {
        let lock = lock(directory)?;
        if read_stamp(directory) != Some(stamp(ledger)) {
            return Self::make(directory, lock, ledger, options);
        }
        match Self::open_database(directory, &lock, options) {
            Err(error) => {
                tracing::warn!(%error, "the read model cannot be opened and is made anew");
                Self::make(directory, lock, ledger, options)
            }
            opened => opened,
        }
    }

    /// Deletes what is in `directory` and makes an empty one.
    pub(super) fn create(
        directory: &Path,
        ledger: LedgerId,
        options: &ReadModelOptions,
    ) -> Result<Self, ReadModelError> {
        Self::make(directory, lock(directory)?, ledger, options)
    }

    /// The stamp goes first and comes last, so that whatever was interrupted
    /// here has none and is deleted by the next opening.
    fn make(
        directory: &Path,
        lock: Arc<fs::File>,
        ledger: LedgerId,
        options: &ReadModelOptions,
    ) -> Result<Self, ReadModelError> {
        let database = directory.join(DATABASE_DIRECTORY);
        let stamp_file = directory.join(STAMP_FILE);
        ignore_absent(fs::remove_file(&stamp_file)).map_err(at(&stamp_file))?;
        ignore_absent(fs::remove_dir_all(&database)).map_err(at(&database))?;
        let store = Self::open_database(directory, &lock, options)?;
        write_stamp(&stamp_file, &stamp(ledger)).map_err(at(&stamp_file))?;
        Ok(store)
    }

    fn open_database(
        directory: &Path,
        lock: &Arc<fs::File>,
        options: &ReadModelOptions,
    ) -> Result<Self, ReadModelError> {
        let database = Database::builder(directory.join(DATABASE_DIRECTORY))
            .cache_size(options.cache_bytes)
            .open()?;
        let keyspace = |name: &str| {
            database.keyspace(name, || {
                KeyspaceCreateOptions::default().max_memtable_size(MEMTABLE_BYTES)
            })
        };
        Ok(Self {
            events: keyspace("events")?,
            retractions: keyspace("retractions")?,
            parties: keyspace("parties")?,
            positions: keyspace("positions")?,
            database,
            _lock: Arc::clone(lock),
        })
    }

    /// Writes rows, and the position that they end at not before them: in the
    /// same batch, or after tables that are already on disk.
    pub(super) fn write(&self, mut rows: Rows) -> Result<(), ReadModelError> {
        if rows.events.len() >= BULK_EVENTS {
            // A crash between this and the batch repeats the rows: the same
            // keys get the same values again.
            rows.events.sort_unstable_by_key(|row| row.0);
            let mut ingestion = self.events.start_ingestion()?;
            for (key, value) in std::mem::take(&mut rows.events) {
                ingestion.write(key, value)?;
            }
            ingestion.finish()?;
        }
        let mut batch = self.database.batch();
        for (key, value) in rows.events {
            batch.insert(&self.events, key, value);
        }
        for (key, value) in rows.retractions {
            batch.insert(&self.retractions, key, value);
        }
        for (key, value) in rows.parties {
            batch.insert(&self.parties, key, value);
        }
        for head in rows.heads.values() {
            let position = PositionRow {
                blocks: head.blocks,
                size: head.size,
                next_offset: head.next_offset,
                chain_head: head.chain_head,
                block_digest: head.block_digest,
                recorded_time_ns: head.recorded_time_ns,
            };
            batch.insert(
                &self.positions,
                *head.shard.as_bytes(),
                row::encode(&position)?,
            );
        }
        batch.commit()?;
        Ok(())
    }

    /// How far each shard has been taken in.
    pub(super) fn positions(&self) -> Result<Vec<Head>, ReadModelError> {
        let mut heads = Vec::new();
        for guard in self.positions.iter() {
            let (key, value) = guard.into_inner()?;
            let position: PositionRow = row::decode("positions", &value)?;
            heads.push(Head {
                shard: row::decode_shard(&key)?,
                blocks: position.blocks,
                size: position.size,
                next_offset: position.next_offset,
                chain_head: position.chain_head,
                block_digest: position.block_digest,
                recorded_time_ns: position.recorded_time_ns,
            });
        }
        Ok(heads)
    }

    /// A person's events from `first` to `last`, both included.
    pub(super) fn events(
        &self,
        subject: &SubjectReference,
        first: &Place,
        last: &Place,
    ) -> EventRows {
        let rows = (first <= last).then(|| {
            self.events
                .range(key::event_key(subject, first)..=key::event_key(subject, last))
        });
        EventRows { rows }
    }

    /// Everything that says that an event of the person was wrong: the tag of
    /// the wrong event, and the place and recorded time of what says so.
    pub(super) fn retractions(
        &self,
        subject: &SubjectReference,
    ) -> Result<Vec<RetractionRow>, ReadModelError> {
        let mut found = Vec::new();
        for guard in self.retractions.prefix(subject.as_bytes()) {
            let (key, value) = guard.into_inner()?;
            let key = RetractionKey::decode(&key).ok_or(ReadModelError::DamagedRow {
                rows: "retractions",
            })?;
            found.push(RetractionRow {
                of: key.of,
                shard: key.shard,
                sequence: key.sequence,
                recorded_time_ns: row::decode_recorded(&value)?,
            });
        }
        Ok(found)
    }

    /// The registrations of an organisation, in the order of the house shard.
    pub(super) fn parties(&self, id: &str) -> Result<Vec<(u64, PartyRow)>, ReadModelError> {
        let damaged = || ReadModelError::DamagedRow { rows: "parties" };
        let mut found = Vec::new();
        for guard in self.parties.prefix(key::party_prefix(id)) {
            let (key, value) = guard.into_inner()?;
            let sequence = key::read_party_sequence(&key).ok_or_else(damaged)?;
            found.push((sequence, row::decode("parties", &value)?));
        }
        Ok(found)
    }

    /// Makes everything written so far survive a power loss.
    pub(super) fn persist(&self) -> Result<(), ReadModelError> {
        Ok(self.database.persist(fjall::PersistMode::SyncAll)?)
    }
}

/// One retraction.
#[derive(Clone, Copy, Debug)]
pub(super) struct RetractionRow {
    pub(super) of: EventTag,
    pub(super) shard: ShardId,
    pub(super) sequence: u64,
    pub(super) recorded_time_ns: i64,
}

/// A person's events, from both ends.
pub struct EventRows {
    rows: Option<fjall::Iter>,
}

fn event_row(guard: fjall::Guard) -> Result<EventRow, ReadModelError> {
    let (key, value) = guard.into_inner()?;
    let (_, place) =
        key::read_event_key(&key).ok_or(ReadModelError::DamagedRow { rows: "events" })?;
    row::decode_event(place, &value)
}

impl Iterator for EventRows {
    type Item = Result<EventRow, ReadModelError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.rows.as_mut()?.next().map(event_row)
    }
}

impl DoubleEndedIterator for EventRows {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.rows.as_mut()?.next_back().map(event_row)
    }
}

fn stamp(ledger: LedgerId) -> String {
    format!("custody read model {READ_MODEL_VERSION}\nledger {ledger}\n")
}

/// What the stamp says; `None` where there is none that can be read.
fn read_stamp(directory: &Path) -> Option<String> {
    fs::read_to_string(directory.join(STAMP_FILE)).ok()
}

/// Writes the stamp aside and renames it, so that it is there whole or not.
fn write_stamp(path: &Path, text: &str) -> io::Result<()> {
    let aside: PathBuf = path.with_extension("new");
    fs::write(&aside, text)?;
    fs::File::open(&aside)?.sync_all()?;
    fs::rename(&aside, path)
}

fn ignore_absent(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> ReadModelError {
    let path = path.to_owned();
    move |source| ReadModelError::Files { path, source }
}

/// Takes the directory for this process. The lock is on a file beside the
/// database: deleting a database under a process that has it open would not
/// stop that process.
fn lock(directory: &Path) -> Result<Arc<fs::File>, ReadModelError> {
    fs::create_dir_all(directory).map_err(at(directory))?;
    let path = directory.join(LOCK_FILE);
    let file = fs::File::create(&path).map_err(at(&path))?;
    match file.try_lock() {
        Ok(()) => Ok(Arc::new(file)),
        Err(fs::TryLockError::WouldBlock) => Err(ReadModelError::Locked {
            path: directory.to_owned(),
        }),
        Err(fs::TryLockError::Error(source)) => Err(ReadModelError::Files { path, source }),
    }
}
