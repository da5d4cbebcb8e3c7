//! The index on disk: a keyspace a day, and each shard's position.

use std::collections::BTreeMap;
use std::path::Path;

use custody_ledger::ShardId;
use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode};

use super::DuplicatesError;
use super::index::Seen;

/// The storage engine failed.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct StoreError(#[from] fjall::Error);

impl From<fjall::Error> for DuplicatesError {
    fn from(error: fjall::Error) -> Self {
        Self::Store(StoreError(error))
    }
}

const FORMAT: &[u8] = b"custody duplicates 1";

pub(super) struct Store {
    database: Database,
    meta: Keyspace,
    positions: Keyspace,
    days: BTreeMap<u64, Keyspace>,
}

impl Store {
    /// Opens the store; empties it where it is of another format, since it can
    /// be made again.
    pub(super) fn open(dir: &Path) -> Result<Self, DuplicatesError> {
        let store = Self::open_as_is(dir)?;
        match store.meta.get("format")? {
            Some(format) if &*format == FORMAT => Ok(store),
            None if store.days.is_empty() => {
                store.meta.insert("format", FORMAT)?;
                Ok(store)
            }
            _ => {
                drop(store);
                std::fs::remove_dir_all(dir).map_err(fjall::Error::from)?;
                let store = Self::open_as_is(dir)?;
                store.meta.insert("format", FORMAT)?;
                Ok(store)
            }
        }
    }

    fn open_as_is(dir: &Path) -> Result<Self, DuplicatesError> {
        let database = Database::builder(dir).open()?;
        let meta = database.keyspace("meta", KeyspaceCreateOptions::default)?;
        let positions = database.keyspace("positions", KeyspaceCreateOptions::default)?;
        let mut days = BTreeMap::new();
        for name in database.list_keyspace_names() {
            if let Some(day) = name.strip_prefix("day-").and_then(|d| d.parse().ok()) {
                days.insert(
                    day,
                    database.keyspace(&name, KeyspaceCreateOptions::default)?,
                );
            }
        }
        Ok(Self {
            database,
            meta,
            positions,
            days,
        })
    }

    pub(super) fn days(&self) -> impl Iterator<Item = u64> + '_ {
        self.days.keys().copied()
    }

    pub(super) fn open_day(&mut self, day: u64) -> Result<(), DuplicatesError> {
        if !self.days.contains_key(&day) {
            let keyspace = self
                .database
                .keyspace(&format!("day-{day}"), KeyspaceCreateOptions::default)?;
            self.days.insert(day, keyspace);
        }
        Ok(())
    }

    pub(super) fn drop_day(&mut self, day: u64) -> Result<(), DuplicatesError> {
        if let Some(keyspace) = self.days.remove(&day) {
            self.database.delete_keyspace(keyspace)?;
        }
        Ok(())
    }

    pub(super) fn get(&self, day: u64, event: &[u8; 16]) -> Result<Option<Seen>, DuplicatesError> {
        let Some(keyspace) = self.days.get(&day) else {
            return Ok(None);
        };
        match keyspace.get(event)? {
            None => Ok(None),
            Some(row) => Seen::from_row(&row)
                .map(Some)
                .ok_or(DuplicatesError::Malformed { place: "day" }),
        }
    }

    /// Stores what a block brought in, and how far the shard is, in one batch.
    pub(super) fn put(
        &self,
        day: u64,
        rows: &[([u8; 16], Seen)],
        shard: ShardId,
        size: u64,
    ) -> Result<(), DuplicatesError> {
        let mut batch = self.database.batch();
        if let Some(keyspace) = self.days.get(&day) {
            for (event, seen) in rows {
                batch.insert(keyspace, event, seen.to_row());
            }
        }
        batch.insert(&self.positions, shard.0, size.to_be_bytes());
        batch.commit()?;
        Ok(())
    }

    /// How many of the shard's entries are in the index; 0 where none is.
    pub(super) fn position(&self, shard: ShardId) -> Result<u64, DuplicatesError> {
        match self.positions.get(shard.0)? {
            None => Ok(0),
            Some(row) => row
                .as_ref()
                .try_into()
                .map(u64::from_be_bytes)
                .map_err(|_| DuplicatesError::Malformed { place: "positions" }),
        }
    }

    pub(super) fn persist(&self) -> Result<(), DuplicatesError> {
        Ok(self.database.persist(PersistMode::SyncAll)?)
    }
}
