//! States on disk, and what goes with them in the same batch.

use std::path::Path;

use custody_ledger::{Digest, EntryRef, Head, LedgerId, ShardId};
use custody_policy::SubjectState;
use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode};
use tracing::warn;

use super::{Batch, Reference, StateError};

/// The storage engine failed.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct StateStoreError(#[from] fjall::Error);

impl From<fjall::Error> for StateError {
    fn from(error: fjall::Error) -> Self {
        Self::Store(StateStoreError(error))
    }
}

const FORMAT: &str = "custody state 4";

/// In `meta`: the store is to be made anew when it is opened again.
const MAKE_AGAIN: &str = "make-again";

/// In `meta`: the store was begun from nothing and is not up to the ledger yet.
const FROM_NOTHING: &str = "from-nothing";

/// What a store of a ledger says of itself: our rows, and the encoding of the
/// states in them.
fn stamp(ledger: LedgerId) -> String {
    let codec = SubjectState::default().encode();
    let codec = codec.first().copied().unwrap_or_default();
    format!("{FORMAT}.{codec} {ledger}")
}

/// How far a shard is in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Position {
    /// Blocks taken in.
    pub(crate) blocks: u64,
    /// Entries in them.
    pub(crate) size: u64,
    /// The digest of the last one.
    pub(crate) block: Digest,
}

impl Position {
    pub(crate) fn of(head: &Head) -> Self {
        Self {
            blocks: head.blocks,
            size: head.size,
            block: head.block_digest,
        }
    }
}

/// A main-kind entry of a person, by its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct JudgedRow {
    pub(crate) time_ns: i64,
    pub(crate) at: EntryRef,
    pub(crate) height: u64,
}

/// A person's entries that are to be judged again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ReviewRow {
    /// The entry that brought what was not known.
    pub(crate) cause: EntryRef,
    pub(crate) subject: Reference,
    /// Entries with a later event time may be concerned.
    pub(crate) from_ns: i64,
}

/// A key and what is stored under it.
pub(crate) type Row = (Vec<u8>, Vec<u8>);

pub(crate) struct Store {
    pub(super) database: Database,
    pub(super) meta: Keyspace,
    pub(super) states: Keyspace,
    pub(super) judged: Keyspace,
    pub(super) reviews: Keyspace,
    pub(super) rejudged: Keyspace,
    pub(super) duties: Keyspace,
    pub(super) due: Keyspace,
    pub(super) found: Keyspace,
    pub(super) marked: Keyspace,
    pub(super) links: Keyspace,
    pub(super) positions: Keyspace,
}

impl Store {
    /// Opens the store; empties it where it is of another format or ledger, or
    /// holds what could not be read.
    pub(crate) fn open(dir: &Path, ledger: LedgerId) -> Result<Self, StateError> {
        let store = Self::open_as_is(dir)?;
        match store.meta.get("format")? {
            Some(format)
                if *format == *stamp(ledger).as_bytes()
                    && !store.meta.contains_key(MAKE_AGAIN)? =>
            {
                return Ok(store);
            }
            None if store.positions.is_empty()? => {
                store.begin(ledger)?;
                return Ok(store);
            }
            _ => {}
        }
        warn!(
            "the subject states are of another format or ledger, or damaged; they are made again"
        );
        drop(store);
        Self::anew(dir, ledger)
    }

    /// Deletes what is there and makes an empty store.
    pub(crate) fn anew(dir: &Path, ledger: LedgerId) -> Result<Self, StateError> {
        std::fs::remove_dir_all(dir).map_err(fjall::Error::from)?;
        let store = Self::open_as_is(dir)?;
        store.begin(ledger)?;
        Ok(store)
    }

    fn open_as_is(dir: &Path) -> Result<Self, StateError> {
        let database = Database::builder(dir).open()?;
        let open = |name: &str| database.keyspace(name, KeyspaceCreateOptions::default);
        Ok(Self {
            meta: open("meta")?,
            states: open("states")?,
            judged: open("judged")?,
            reviews: open("reviews")?,
            rejudged: open("rejudged")?,
            duties: open("duties")?,
            due: open("due")?,
            found: open("found")?,
            marked: open("marked")?,
            links: open("links")?,
            positions: open("positions")?,
            database,
        })
    }

    /// The mark comes first: without a format the store is begun once more.
    fn begin(&self, ledger: LedgerId) -> Result<(), StateError> {
        self.meta.insert(FROM_NOTHING, "")?;
        Ok(self.meta.insert("format", stamp(ledger))?)
    }

    /// Whether it was begun from nothing and was never up to the ledger since,
    /// in this process or an earlier one.
    pub(crate) fn is_from_nothing(&self) -> Result<bool, StateError> {
        Ok(self.meta.contains_key(FROM_NOTHING)?)
    }

    /// Says that the store is up to the ledger.
    pub(crate) fn caught_up(&self) -> Result<(), StateError> {
        Ok(self.meta.remove(FROM_NOTHING)?)
    }

    /// Has the store made anew when it is opened again.
    pub(crate) fn make_again(&self) -> Result<(), StateError> {
        Ok(self.meta.insert(MAKE_AGAIN, "")?)
    }

    #[cfg(test)]
    pub(super) fn stamp_as(&self, stamp: &str) {
        self.meta.insert("format", stamp).unwrap();
    }

    pub(crate) fn batch(&self) -> Batch<'_> {
        Batch::of(self)
    }

    pub(crate) fn persist(&self) -> Result<(), StateError> {
        Ok(self.database.persist(PersistMode::SyncAll)?)
    }

    pub(crate) fn positions(&self) -> Result<Vec<(ShardId, Position)>, StateError> {
        let rows = self.positions.iter().map(|row| {
            let (key, value) = row.into_inner()?;
            let shard = array(&key, "positions")?;
            Ok((ShardId(shard), decode_position(&value)?))
        });
        rows.collect()
    }

    pub(crate) fn position(&self, shard: ShardId) -> Result<Option<Position>, StateError> {
        let row = self.positions.get(shard.0)?;
        row.map(|row| decode_position(&row)).transpose()
    }

    /// The sealed state.
    pub(crate) fn state(
        &self,
        subject: &Reference,
    ) -> Result<Option<impl AsRef<[u8]> + use<>>, StateError> {
        Ok(self.states.get(subject)?)
    }

    /// The event time of the latest main-kind entry of a person.
    pub(crate) fn latest_judged(&self, subject: &Reference) -> Result<Option<i64>, StateError> {
        match self.judged.prefix(subject).next_back() {
            None => Ok(None),
            Some(row) => Ok(Some(decode_judged(&row.key()?, 0)?.time_ns)),
        }
    }

    /// The main-kind entries of a person with an event time after `from_ns`.
    pub(crate) fn judged_after(
        &self,
        subject: &Reference,
        from_ns: i64,
    ) -> impl Iterator<Item = Result<JudgedRow, StateError>> + use<> {
        let mut low = [0xff; 48];
        let mut high = [0xff; 48];
        low[..16].copy_from_slice(subject);
        high[..16].copy_from_slice(subject);
        low[16..24].copy_from_slice(&sortable(from_ns));
        self.judged
            .range((
                std::ops::Bound::Excluded(low),
                std::ops::Bound::Included(high),
            ))
            .map(|row| {
                let (key, value) = row.into_inner()?;
                let height = u64::from_be_bytes(array(&value, "judged")?);
                decode_judged(&key, height)
            })
    }

    /// Reviews that are not done.
    pub(crate) fn reviews(&self) -> Result<Vec<ReviewRow>, StateError> {
        let rows = self.reviews.iter().map(|row| {
            let (key, value) = row.into_inner()?;
            let (subject, from) = value
                .split_first_chunk()
                .ok_or(StateError::Malformed { place: "reviews" })?;
            Ok(ReviewRow {
                cause: decode_at(&key, "reviews")?,
                subject: *subject,
                from_ns: i64::from_be_bytes(array(from, "reviews")?),
            })
        });
        rows.collect()
    }

    pub(crate) fn review_done(&self, cause: EntryRef) -> Result<(), StateError> {
        Ok(self.reviews.remove(encode_at(cause))?)
    }

    /// Where the house shard has the last re-judgement of an entry: height and
    /// sequence.
    pub(crate) fn rejudged(&self, at: EntryRef) -> Result<Option<(u64, u64)>, StateError> {
        let Some(row) = self.rejudged.get(encode_at(at))? else {
            return Ok(None);
        };
        let (height, sequence) = row
            .split_first_chunk()
            .ok_or(StateError::Malformed { place: "rejudged" })?;
        Ok(Some((
            u64::from_be_bytes(*height),
            u64::from_be_bytes(array(sequence, "rejudged")?),
        )))
    }

    pub(crate) fn duty(&self, key: &[u8]) -> Result<Option<impl AsRef<[u8]> + use<>>, StateError> {
        Ok(self.duties.get(key)?)
    }

    /// Keys of what falls due from `low` to before `high`, in order, at most
    /// `most`.
    pub(crate) fn due(
        &self,
        low: &[u8],
        high: &[u8],
        most: usize,
    ) -> Result<Vec<Vec<u8>>, StateError> {
        let rows = self.due.range(low..high).take(most);
        rows.map(|row| Ok(row.key()?.to_vec())).collect()
    }

    /// Every duty of a kind that a person has: its key and what is stored.
    pub(crate) fn duties_of(&self, key: &[u8]) -> Result<Vec<Row>, StateError> {
        let rows = self.duties.prefix(key).map(|row| {
            let (key, value) = row.into_inner()?;
            Ok((key.to_vec(), value.to_vec()))
        });
        rows.collect()
    }

    /// On which day the person starts as erased, days since 1970-01-01 UTC.
    pub(crate) fn marked(&self, subject: &Reference) -> Result<Option<i32>, StateError> {
        let row = self.marked.get(subject)?;
        row.map(|row| Ok(i32::from_be_bytes(array(&row, "marked")?)))
            .transpose()
    }

    /// With whom the house shard has linked a person.
    pub(crate) fn links(&self, subject: &Reference) -> Result<Vec<Reference>, StateError> {
        let rows = self.links.prefix(subject).map(|row| {
            let key = row.key()?;
            array(key.get(16..).unwrap_or_default(), "links")
        });
        rows.collect()
    }

    pub(crate) fn is_found(&self, key: &[u8]) -> Result<bool, StateError> {
        Ok(self.found.contains_key(key)?)
    }
}

/// Bytes in the order of the times.
pub(crate) fn sortable(ns: i64) -> [u8; 8] {
    (ns ^ i64::MIN).to_be_bytes()
}

pub(crate) fn from_sortable(bytes: [u8; 8]) -> i64 {
    i64::from_be_bytes(bytes) ^ i64::MIN
}

pub(crate) fn encode_at(at: EntryRef) -> [u8; 24] {
    let mut key = [0; 24];
    key[..16].copy_from_slice(&at.shard.0);
    key[16..].copy_from_slice(&at.sequence.to_be_bytes());
    key
}

fn decode_at(bytes: &[u8], place: &'static str) -> Result<EntryRef, StateError> {
    let (shard, sequence) = bytes
        .split_first_chunk()
        .ok_or(StateError::Malformed { place })?;
    Ok(EntryRef {
        shard: ShardId(*shard),
        sequence: u64::from_be_bytes(array(sequence, place)?),
    })
}

pub(super) fn decode_judged(key: &[u8], height: u64) -> Result<JudgedRow, StateError> {
    let bad = StateError::Malformed { place: "judged" };
    let (time, at) = match key.get(16..).and_then(|rest| rest.split_first_chunk()) {
        Some(split) => split,
        None => return Err(bad),
    };
    Ok(JudgedRow {
        time_ns: from_sortable(*time),
        at: decode_at(at, "judged")?,
        height,
    })
}

fn decode_position(row: &[u8]) -> Result<Position, StateError> {
    let row: [u8; 48] = array(row, "positions")?;
    let number = |at: usize| {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&row[at..at + 8]);
        u64::from_be_bytes(bytes)
    };
    let mut block = [0; 32];
    block.copy_from_slice(&row[16..]);
    Ok(Position {
        blocks: number(0),
        size: number(8),
        block: Digest(block),
    })
}

fn array<const N: usize>(bytes: &[u8], place: &'static str) -> Result<[u8; N], StateError> {
    bytes
        .try_into()
        .map_err(|_| StateError::Malformed { place })
}
