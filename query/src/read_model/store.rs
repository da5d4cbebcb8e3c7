//! The store itself: one fjall database beside a stamp that says what is in it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use custody_ledger::Head;
use custody_ledger::entry::{EntryRef, Outcome};
use custody_ledger::id::{EventTag, LedgerId, ShardId, SubjectReference};
use fjall::{Database, Keyspace, Readable};

use super::cell::Cell;
use super::cell_view::StoredCell;
use super::finding::{self, FindingKey, FindingRow, FindingsFrom, Rejudgement, RejudgementRow};
use super::kept::{RowKey, Table};
use super::key::{self, Place, RetractionKey};
use super::keyspaces::options_of;
use super::link::{self, HeldRow, Holder, Tie, TieRow};
use super::rights::RightsRows;
use super::row::{self, EventRow, PartyRow, PositionRow, StoredEvent};
use super::touched::Touched;
use super::visible::Visible;
use super::{ReadModelError, ReadModelOptions};

/// Rises whenever a key or a value changes; any other one is rebuilt.
pub(super) const READ_MODEL_VERSION: u32 = 6;

const LOCK_FILE: &str = "LOCK";
const STAMP_FILE: &str = "STAMP";
const DATABASE_DIRECTORY: &str = "db";

/// Rows are in the journal too until they are written out; what is written
/// seldom is written out where the journal comes to so many bytes.
const JOURNAL_BYTES: u64 = 128 << 20;

pub(super) struct Store {
    pub(super) database: Database,
    pub(super) events: Keyspace,
    pub(super) retractions: Keyspace,
    pub(super) parties: Keyspace,
    pub(super) findings: Keyspace,
    pub(super) rejudgements: Keyspace,
    pub(super) rights: Keyspace,
    pub(super) ties: Keyspace,
    pub(super) about: Keyspace,
    pub(super) held: Keyspace,
    pub(super) kept: Keyspace,
    pub(super) positions: Keyspace,
    pub(super) meta: Keyspace,
    directory: PathBuf,
    /// Rows are there before their position: the mark is set.
    pub(super) torn: AtomicBool,
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
            Ok(store) if store.was_interrupted()? => {
                tracing::warn!("a bulk write of the read model was interrupted; it is made anew");
                drop(store);
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
            .max_journaling_size(JOURNAL_BYTES)
            // With more, fjall's first spins while another one compacts.
            .worker_threads(1)
            .open()?;
        let keyspace = |name: &str| database.keyspace(name, || options_of(name));
        Ok(Self {
            events: keyspace("events")?,
            retractions: keyspace("retractions")?,
            parties: keyspace("parties")?,
            findings: keyspace("findings")?,
            rejudgements: keyspace("rejudgements")?,
            ties: keyspace("ties")?,
            about: keyspace("about")?,
            held: keyspace("held")?,
            kept: keyspace("kept")?,
            rights: keyspace("rights")?,
            positions: keyspace("positions")?,
            meta: keyspace("meta")?,
            database,
            directory: directory.to_owned(),
            torn: AtomicBool::new(false),
            _lock: Arc::clone(lock),
        })
    }

    /// Where files may lie that nobody needs after a crash.
    pub(super) fn directory(&self) -> &Path {
        &self.directory
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
            .map(|value| row::decode_event(*place, value))
            .transpose()
    }

    /// The same as it is stored.
    pub(super) fn stored_event(
        &self,
        subject: &SubjectReference,
        place: &Place,
    ) -> Result<Option<StoredEvent>, ReadModelError> {
        let value = self.events.get(key::event_key(subject, place))?;
        value
            .map(|value| StoredEvent::read(*place, value))
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

    /// Whether an event of a person was taken back, as far as was taken in.
    pub(super) fn has_retraction(
        &self,
        subject: &SubjectReference,
        tag: &EventTag,
    ) -> Result<bool, ReadModelError> {
        let prefix = key::retraction_prefix(subject, tag);
        let first = self.retractions.prefix(prefix).next();
        Ok(first.map(fjall::Guard::key).transpose()?.is_some())
    }

    /// The number and the outcome of the last judgement of an entry after the
    /// one at ingest.
    pub(super) fn last_rejudgement(
        &self,
        subject: &SubjectReference,
        of: &EntryRef,
    ) -> Result<Option<(u64, Outcome)>, ReadModelError> {
        let known = self.rejudgements(&key::rejudgement_prefix(subject, of))?;
        Ok(known.last().map(|last| {
            let outcome = Outcome::from_code(last.judgement.outcome_code);
            (last.sequence, outcome.unwrap_or_default())
        }))
    }

    /// Every event that was taken back and every entry that was judged again.
    pub(super) fn touch(&self, touched: &Touched) -> Result<(), ReadModelError> {
        for guard in self.retractions.iter() {
            let key = RetractionKey::decode(&guard.key()?).ok_or(ReadModelError::DamagedRow {
                rows: "retractions",
            })?;
            touched.add(std::iter::once((key.subject, key.of)), std::iter::empty());
        }
        for guard in self.rejudgements.iter() {
            let (of, _) =
                key::read_rejudgement_key(&guard.key()?).ok_or(ReadModelError::DamagedRow {
                    rows: "rejudgements",
                })?;
            touched.add(std::iter::empty(), std::iter::once(of));
        }
        Ok(())
    }

    /// Everything that leads from a person's tags to events.
    pub(super) fn ties(
        &self,
        subject: &SubjectReference,
    ) -> impl Iterator<Item = Result<TieRow, ReadModelError>> + use<> {
        self.ties.prefix(subject.as_bytes()).map(|guard| {
            link::read_tie(&guard.key()?).ok_or(ReadModelError::DamagedRow { rows: "ties" })
        })
    }

    /// Where the events stand that are tied to a tag.
    pub(super) fn tied(
        &self,
        subject: &SubjectReference,
        tag: &EventTag,
        tie: Tie,
    ) -> Result<Vec<Place>, ReadModelError> {
        let rows = self.ties.prefix(link::tie_prefix(subject, tag, tie));
        places("ties", rows)
    }

    /// Where the entries stand that say what time found about an entry.
    pub(super) fn about(
        &self,
        subject: &SubjectReference,
        of: &EntryRef,
    ) -> Result<Vec<Place>, ReadModelError> {
        places("about", self.about.prefix(link::about_prefix(subject, of)))
    }

    /// What a recipient or a system had, by person and then by time, from a
    /// person on.
    pub(super) fn held(&self, holder: &Holder, from: &SubjectReference) -> HeldRows {
        let prefix = holder.prefix();
        let mut first = prefix.clone();
        first.extend_from_slice(from.as_bytes());
        let mut end = prefix;
        // The byte after the NUL that ends the id.
        if let Some(last) = end.last_mut() {
            *last = 1;
        }
        HeldRows {
            rows: self.held.range(first..end),
        }
    }

    /// One event of a person whose time is not known: looked for among the
    /// person's events.
    pub(super) fn find_event(
        &self,
        subject: &SubjectReference,
        at: &EntryRef,
    ) -> Result<Option<EventRow>, ReadModelError> {
        for row in self.events(
            subject,
            &Place::first_at(i64::MIN),
            &Place::last_at(i64::MAX),
        ) {
            let row = row?;
            if (row.place.shard, row.place.sequence) == (at.shard, at.sequence) {
                return row.decode().map(Some);
            }
        }
        Ok(None)
    }

    /// Everybody's entries, in the order of the references, nobody's first.
    pub(super) fn all_events(&self) -> AllEvents {
        AllEvents {
            rows: self.events.iter(),
        }
    }

    /// The value of a kept row as it stands now.
    pub(super) fn kept_now(&self, key: &[u8]) -> Result<Option<fjall::Slice>, ReadModelError> {
        Ok(self.kept.get(key)?)
    }

    /// Everything as it stands now.
    pub(super) fn view(&self) -> View {
        View {
            snapshot: self.database.snapshot(),
            kept: self.kept.clone(),
        }
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

fn places(rows: &'static str, found: fjall::Iter) -> Result<Vec<Place>, ReadModelError> {
    let place = |guard: fjall::Guard| {
        link::place_of(&guard.key()?).ok_or(ReadModelError::DamagedRow { rows })
    };
    found.map(place).collect()
}

/// Kept rows as they stood at one moment, whatever comes after it. Clones share
/// it.
#[derive(Clone)]
pub(super) struct View {
    snapshot: fjall::Snapshot,
    kept: Keyspace,
}

impl View {
    /// A table's rows from a key on, both without the table's prefix.
    pub(super) fn rows<K: RowKey>(
        &self,
        table: Table<'_>,
        from: &[u8],
    ) -> impl Iterator<Item = Result<(K, StoredCell), ReadModelError>> + use<K> {
        let prefix = table.prefix();
        let mut first = prefix.clone();
        first.extend_from_slice(from);
        let rows = self.snapshot.range(&self.kept, first..);
        let damaged = || ReadModelError::DamagedRow { rows: "kept" };
        let rows = rows.map(move |guard| {
            let (key, value) = guard.into_inner()?;
            let Some(mut rest) = key.strip_prefix(&prefix[..]) else {
                return Ok(None);
            };
            let row = K::take(&mut rest).filter(|_| rest.is_empty());
            Ok(Some((row.ok_or_else(damaged)?, StoredCell(value))))
        });
        rows.map_while(Result::transpose)
    }

    /// The one row of a table that has no more.
    pub(super) fn row(&self, table: Table<'_>) -> Result<Cell, ReadModelError> {
        let value = self.snapshot.get(&self.kept, table.prefix())?;
        value.map_or(Ok(Cell::default()), |value| {
            row::decode_short("kept", &value)
        })
    }
}

impl std::fmt::Debug for View {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("View")
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

fn stored_event(guard: fjall::Guard) -> Result<StoredEvent, ReadModelError> {
    let (key, value) = guard.into_inner()?;
    let (_, place) =
        key::read_event_key(&key).ok_or(ReadModelError::DamagedRow { rows: "events" })?;
    StoredEvent::read(place, value)
}

impl Iterator for EventRows {
    type Item = Result<StoredEvent, ReadModelError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.rows.as_mut()?.next().map(stored_event)
    }
}

impl DoubleEndedIterator for EventRows {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.rows.as_mut()?.next_back().map(stored_event)
    }
}

/// What a recipient or a system had.
pub struct HeldRows {
    rows: fjall::Iter,
}

impl Iterator for HeldRows {
    type Item = Result<HeldRow, ReadModelError>;

    fn next(&mut self) -> Option<Self::Item> {
        let read = |guard: fjall::Guard| {
            let (key, value) = guard.into_inner()?;
            link::read_held(&key, &value)
        };
        self.rows.next().map(read)
    }
}

/// Everybody's entries.
pub struct AllEvents {
    rows: fjall::Iter,
}

impl Iterator for AllEvents {
    type Item = Result<(SubjectReference, EventRow), ReadModelError>;

    fn next(&mut self) -> Option<Self::Item> {
        let read = |guard: fjall::Guard| {
            let (key, value) = guard.into_inner()?;
            let (subject, place) =
                key::read_event_key(&key).ok_or(ReadModelError::DamagedRow { rows: "events" })?;
            Ok((subject, row::decode_event(place, value)?))
        };
        self.rows.next().map(read)
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
