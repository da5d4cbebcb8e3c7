//! The store itself: one fjall database beside a stamp that says what is in it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use custody_ledger::Head;
use custody_ledger::id::{EventTag, LedgerId, ShardId, SubjectReference};
use fjall::{Database, Keyspace, KeyspaceCreateOptions};

use super::apply::Rows;
use super::finding::{self, FindingKey, FindingRow, FindingsFrom, Rejudgement, RejudgementRow};
use super::key::{self, Place, RetractionKey};
use super::rights::RightsRows;
use super::row::{self, EventRow, PartyRow, PositionRow};
use super::visible::Visible;
use super::{ReadModelError, ReadModelOptions};

/// Rises whenever a key or a value changes; any other one is rebuilt.
pub(super) const READ_MODEL_VERSION: u32 = 4;

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
    findings: Keyspace,
    rejudgements: Keyspace,
    rights: Keyspace,
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
            findings: keyspace("findings")?,
            rejudgements: keyspace("rejudgements")?,
            rights: keyspace("rights")?,
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
        if rows.findings.len() >= BULK_EVENTS {
            rows.findings.sort_unstable();
            let mut ingestion = self.findings.start_ingestion()?;
            for (key, value) in std::mem::take(&mut rows.findings) {
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
        for (key, value) in rows.findings {
            batch.insert(&self.findings, key, value);
        }
        for (key, value) in rows.rejudgements {
            batch.insert(&self.rejudgements, key, value);
        }
        for key in rows.rights {
            batch.insert(&self.rights, key, []);
        }
        for head in rows.heads.values() {
            let position = PositionRow {
                blocks: head.blocks,
                size: head.size,
                next_offset: head.next_offset,
                chain_head: head.chain_head,
                block_digest: head.block_digest,
                recorded_time_ns: head.recorded_time_ns,
                epoch: head.epoch,
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
                epoch: position.epoch,
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

    /// Everything that says that an event of a person was wrong: the tag of
    /// the wrong event, and the place and recorded time of what says so. The
    /// prefix is a person's reference, or that and an event's tag.
    pub(super) fn retractions(&self, prefix: &[u8]) -> Result<Vec<RetractionRow>, ReadModelError> {
        let mut found = Vec::new();
        for guard in self.retractions.prefix(prefix) {
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

    /// The event of a person at this place.
    pub(super) fn event(
        &self,
        subject: &SubjectReference,
        place: &Place,
    ) -> Result<Option<EventRow>, ReadModelError> {
        let value = self.events.get(key::event_key(subject, place))?;
        value
            .map(|value| row::decode_event(*place, &value))
            .transpose()
    }

    /// Rows of requests: of one person, or of everybody.
    pub(super) fn rights(&self, subject: Option<&SubjectReference>) -> RightsRows {
        let rows = match subject {
            Some(subject) => self.rights.prefix(subject.as_bytes()),
            None => self.rights.iter(),
        };
        RightsRows { rows }
    }

    /// Findings over all persons, in order.
    pub(super) fn findings(&self, from: FindingsFrom<'_>) -> FindingRows {
        FindingRows {
            rows: self.findings.range(from.key()..),
        }
    }

    /// Re-judgements whose key begins so: of a person, or of one entry, in the
    /// order of the entries and of the house shard.
    pub(super) fn rejudgements(&self, prefix: &[u8]) -> Result<Vec<Rejudgement>, ReadModelError> {
        let damaged = || ReadModelError::DamagedRow {
            rows: "rejudgements",
        };
        let mut found = Vec::new();
        for guard in self.rejudgements.prefix(prefix) {
            let (key, value) = guard.into_inner()?;
            let (of, sequence) = key::read_rejudgement_key(&key).ok_or_else(damaged)?;
            let row: RejudgementRow = row::decode("rejudgements", &value)?;
            found.push(Rejudgement {
                of,
                sequence,
                recorded_time_ns: row.recorded_time_ns,
                cause: row.cause,
                judgement: row.judgement,
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

impl RetractionRow {
    /// Whether it has been taken in, and was recorded by then.
    pub(super) fn is_known(&self, visible: &Visible, recorded_until_ns: i64) -> bool {
        self.sequence < visible.size(&self.shard) && self.recorded_time_ns <= recorded_until_ns
    }
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

/// Findings over all persons.
pub struct FindingRows {
    rows: fjall::Iter,
}

impl Iterator for FindingRows {
    type Item = Result<(FindingKey, FindingRow), ReadModelError>;

    fn next(&mut self) -> Option<Self::Item> {
        let read = |guard: fjall::Guard| {
            let (key, value) = guard.into_inner()?;
            finding::decode_finding(&key, &value)
        };
        self.rows.next().map(read)
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
