//! Asks and remembers.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use custody_ledger::ShardId;
use custody_vault::{Vault, VaultError};
use parking_lot::{Mutex, RwLock};

use super::DuplicatesError;
use super::store::Store;

const DAY_NS: i64 = 86_400 * 1_000_000_000;
/// Parts of the table of events in flight, so that shards seldom wait for
/// each other.
const PARTS: usize = 16;

/// What the index is asked about: plain digests, in memory only.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Digests {
    /// Of `source` and `id`.
    event: [u8; 32],
    /// Of the decoded content.
    content: [u8; 32],
}

impl Digests {
    /// The digests of the event that `source` and `id` name, with the decoded
    /// content's digest.
    pub fn new(source: &str, id: &str, content: [u8; 32]) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&(source.len() as u64).to_le_bytes());
        hasher.update(source.as_bytes());
        hasher.update(id.as_bytes());
        Self {
            event: *hasher.finalize().as_bytes(),
            content,
        }
    }
}

/// What the index answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sighting {
    /// Not seen within the window; now remembered as in flight.
    Fresh,
    /// Seen with the same content.
    Duplicate,
    /// Seen with other content.
    Conflict,
}

/// A row: the keyed digest of the content and when it was recorded.
#[derive(Clone, Copy)]
pub(super) struct Seen {
    pub(super) content: [u8; 16],
    pub(super) recorded_ns: i64,
}

impl Seen {
    pub(super) fn to_row(self) -> [u8; 24] {
        let mut row = [0; 24];
        row[..16].copy_from_slice(&self.content);
        row[16..].copy_from_slice(&self.recorded_ns.to_be_bytes());
        row
    }

    pub(super) fn from_row(row: &[u8]) -> Option<Self> {
        let (content, time) = row.split_first_chunk::<16>()?;
        Some(Self {
            content: *content,
            recorded_ns: i64::from_be_bytes(time.try_into().ok()?),
        })
    }
}

/// The index of events within the window. Shared by all shards.
pub struct DuplicateIndex {
    vault: Vault,
    window_ns: i64,
    state: RwLock<State>,
    /// Events of blocks that are not durable yet: event's digest to content's.
    in_flight: [Mutex<HashMap<[u8; 32], [u8; 32]>>; PARTS],
}

struct State {
    store: Store,
    /// The keys of the days within the window, the newest first.
    keys: Vec<(u64, Arc<[u8; 32]>)>,
}

impl DuplicateIndex {
    /// Opens or makes the index in `dir`, with a window of `window_days` days
    /// before `now_ns`.
    ///
    /// # Errors
    /// [`DuplicatesError`] where the store or the vault fails.
    pub fn open(
        dir: &Path,
        vault: Vault,
        window_days: u32,
        now_ns: i64,
    ) -> Result<Self, DuplicatesError> {
        let index = Self {
            vault,
            window_ns: i64::from(window_days) * DAY_NS,
            state: RwLock::new(State {
                store: Store::open(dir)?,
                keys: Vec::new(),
            }),
            in_flight: std::array::from_fn(|_| Mutex::default()),
        };
        index.turn(now_ns)?;
        Ok(index)
    }

    /// Asks about an event, and remembers it as in flight where it is fresh.
    /// `now_ns` is about when it will be recorded.
    ///
    /// # Errors
    /// [`DuplicatesError`] where the store or the vault fails.
    pub fn see(&self, digests: &Digests, now_ns: i64) -> Result<Sighting, DuplicatesError> {
        self.turn(now_ns)?;
        // Held while the store is asked, so that of two shards only one is first.
        let mut part = self.part(digests).lock();
        if let Some(known) = part.get(&digests.event) {
            return Ok(compare(known, &digests.content));
        }
        let state = self.state.read();
        for (day, key) in &state.keys {
            let (event, content) = keyed(key, digests);
            if let Some(seen) = state.store.get(*day, &event)?
                && now_ns.saturating_sub(seen.recorded_ns) <= self.window_ns
            {
                return Ok(compare(&seen.content, &content));
            }
        }
        part.insert(digests.event, digests.content);
        Ok(Sighting::Fresh)
    }

    /// Takes in the events of a block that is now durable; `size` is the
    /// shard's number of entries after it.
    ///
    /// # Errors
    /// [`DuplicatesError`] where the store or the vault fails.
    pub fn durable(
        &self,
        events: &[Digests],
        recorded_ns: i64,
        shard: ShardId,
        size: u64,
    ) -> Result<(), DuplicatesError> {
        let day = day_of(recorded_ns);
        self.open_day(day)?;
        let state = self.state.read();
        let Some((_, key)) = state.keys.iter().find(|(open, _)| *open == day) else {
            return Err(DuplicatesError::Malformed { place: "days" });
        };
        let rows: Vec<([u8; 16], Seen)> = events
            .iter()
            .map(|digests| {
                let (event, content) = keyed(key, digests);
                (
                    event,
                    Seen {
                        content,
                        recorded_ns,
                    },
                )
            })
            .collect();
        state.store.put(day, &rows, shard, size)?;
        drop(state);
        for digests in events {
            self.part(digests).lock().remove(&digests.event);
        }
        Ok(())
    }

    /// How many of the shard's entries are in the index.
    ///
    /// # Errors
    /// [`DuplicatesError`] where the store fails.
    pub fn position(&self, shard: ShardId) -> Result<u64, DuplicatesError> {
        self.state.read().store.position(shard)
    }

    /// The window's length, nanoseconds.
    pub fn window_ns(&self) -> i64 {
        self.window_ns
    }

    /// Makes what was taken in durable. The index can be made again, so this
    /// only saves time on the next start.
    ///
    /// # Errors
    /// [`DuplicatesError`] where the store fails.
    pub fn persist(&self) -> Result<(), DuplicatesError> {
        self.state.read().store.persist()
    }

    /// Opens the day of `now_ns` and lets go of days that left the window:
    /// first their keys, then their rows.
    fn turn(&self, now_ns: i64) -> Result<(), DuplicatesError> {
        let today = day_of(now_ns);
        if self.newest() >= Some(today) {
            return Ok(());
        }
        self.open_day(today)?;
        let oldest = day_of(now_ns.saturating_sub(self.window_ns));
        let mut state = self.state.write();
        let gone: Vec<u64> = state.store.days().filter(|day| *day < oldest).collect();
        for day in gone {
            self.vault.destroy_window(day)?;
            state.store.drop_day(day)?;
            state.keys.retain(|(open, _)| *open != day);
        }
        Ok(())
    }

    fn newest(&self) -> Option<u64> {
        self.state.read().keys.first().map(|(day, _)| *day)
    }

    fn open_day(&self, day: u64) -> Result<(), DuplicatesError> {
        if self.state.read().keys.iter().any(|(open, _)| *open == day) {
            return Ok(());
        }
        let mut state = self.state.write();
        state.store.open_day(day)?;
        // Days left from an earlier run are opened with the first.
        let days: Vec<u64> = state.store.days().collect();
        let mut keys = Vec::with_capacity(days.len());
        for open in days.into_iter().rev() {
            match self.vault.window_key(open) {
                Ok(key) => keys.push((open, Arc::new(*key))),
                // The process ended between a day's key and its rows.
                Err(VaultError::WindowDestroyed { .. }) if open != day => {
                    state.store.drop_day(open)?;
                }
                Err(error) => return Err(error.into()),
            }
        }
        state.keys = keys;
        Ok(())
    }

    fn part(&self, digests: &Digests) -> &Mutex<HashMap<[u8; 32], [u8; 32]>> {
        &self.in_flight[usize::from(digests.event[0]) % PARTS]
    }
}

fn compare<T: PartialEq>(known: &T, content: &T) -> Sighting {
    if known == content {
        Sighting::Duplicate
    } else {
        Sighting::Conflict
    }
}

fn day_of(ns: i64) -> u64 {
    u64::try_from(ns.div_euclid(DAY_NS)).unwrap_or(0)
}

/// The digests of event and content under a day's key: the first halves of a
/// keyed BLAKE3 each.
///
/// 16 bytes: within a window of 10^10 events the chance that any two share a
/// digest is below 2^-61. The event is mixed into the content's digest, so that
/// equal contents of two events cannot be told from the index.
fn keyed(key: &[u8; 32], digests: &Digests) -> ([u8; 16], [u8; 16]) {
    let mut both = [0; 64];
    both[..32].copy_from_slice(&digests.event);
    both[32..].copy_from_slice(&digests.content);
    (
        half(blake3::keyed_hash(key, &digests.event).as_bytes()),
        half(blake3::keyed_hash(key, &both).as_bytes()),
    )
}

fn half(digest: &[u8; 32]) -> [u8; 16] {
    let mut half = [0; 16];
    half.copy_from_slice(&digest[..16]);
    half
}
