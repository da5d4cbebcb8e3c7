//! Rotation: the writer goes on in a new database, and the full one is sealed.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

use crate::durable;
use crate::error::{LedgerError, Step};
use crate::id::ShardId;
use crate::ledger::fill::Fill;
use crate::ledger::shared::OpenShard;
use crate::ledger::view::{Database, View};
use crate::ledger::writer::Writer;
use crate::segment::DatabaseInfo;
use crate::shard::ShardDescriptor;
use crate::store::{Group, Store, StoreError, dir_name};

impl Writer {
    /// Between two commits: rotates where the open database is full or old.
    pub(super) fn rotate_if_due(&mut self) {
        if !self.fill.is_due() {
            return;
        }
        if self.shared.poisoned.lock().is_some() {
            return self.fill.postpone_far();
        }
        if self.shared.sealing.is_busy() {
            if !self.fill.is_over() {
                return self.fill.postpone();
            }
            self.shared.sealing.wait();
        }
        // A failure is logged and noted; appends go on.
        let _ = self.rotate();
    }

    /// Rotates now. One database is sealed at a time, so the one before has to
    /// be done; where it failed it is tried again.
    pub(super) fn rotate(&mut self) -> Result<(), LedgerError> {
        if let Some(reason) = self.shared.poisoned.lock().clone() {
            return Err(LedgerError::Poisoned { reason });
        }
        if self.shared.view()?.databases.len() > 1 {
            self.shared.sealing.request();
            if let Some(reason) = self.shared.sealing.wait() {
                self.fill.postpone_far();
                return Err(LedgerError::Sealing { reason });
            }
        }
        if self.fill.is_empty() {
            return Ok(());
        }
        let shards = self.shared.shards.read().clone();
        let generation = self.shared.manifest.lock().next_database;
        let dir = self.shared.dir.clone();
        let mut made = None;
        let make = || {
            let descriptors = shards.values().map(|open| &open.descriptor);
            let options = (self.shared.segment_bytes, self.options.cache_bytes);
            made = Some(make_database(&dir, generation, descriptors, options)?);
            Ok(())
        };
        let tear = || fs::remove_file(dir.join(dir_name(generation)).join("conf"));
        let result = self.steps.take_or_tear(Step::NewDatabase, make, tear);
        let (Some(store), Ok(())) = (made, &result) else {
            let reason = match result {
                Ok(()) => "no database was made".to_owned(),
                Err(error) => error.to_string(),
            };
            // Nothing names it, so the open one goes on; what was made of the
            // new one is removed when it is made again, or on opening.
            let reason = format!("{} failed: {reason}", Step::NewDatabase);
            tracing::error!(generation, reason, "a database could not be made");
            self.shared.sealing.note(Some(reason.clone()));
            self.fill.postpone_far();
            return Err(LedgerError::Sealing { reason });
        };
        let info = DatabaseInfo {
            generation,
            first: shards
                .iter()
                .map(|(shard, open)| (*shard, open.head.blocks))
                .collect(),
        };
        self.name_database(info.clone())?;
        self.switch(info, store, shards)?;
        self.fill = Fill::new(self.options.rotate_bytes, self.options.rotate_age, 0);
        self.shared.sealing.note(None);
        self.shared.sealing.request();
        Ok(())
    }

    /// Writes the manifest with one more database. Where that fails nobody
    /// knows which manifest is there, so nothing more is appended.
    fn name_database(&mut self, info: DatabaseInfo) -> Result<(), LedgerError> {
        let mut manifest = self.shared.manifest.lock();
        let mut next = manifest.clone();
        next.generation += 1;
        next.next_database = info.generation + 1;
        next.databases.push(info);
        let dir = &self.shared.dir;
        let written =
            self.steps
                .take_or_tear(Step::Manifest, || next.write(dir), || next.tear(dir));
        match written {
            Ok(()) => {
                *manifest = next;
                Ok(())
            }
            Err(error) => Err(self.poison(Step::Manifest, error)),
        }
    }

    /// Appends go to the new database from here on.
    fn switch(
        &mut self,
        info: DatabaseInfo,
        store: Store,
        shards: BTreeMap<ShardId, OpenShard>,
    ) -> Result<(), LedgerError> {
        let mut view = self.shared.view.write();
        let current = view.as_ref().ok_or(LedgerError::Closed)?;
        let mut databases = current.databases.clone();
        if let Some(full) = databases.last_mut() {
            full.end = Arc::new(shards);
        }
        databases.push(Database {
            info,
            store: Arc::new(store),
            end: Arc::default(),
        });
        let catalogue = Arc::clone(&current.catalogue);
        *view = Some(Arc::new(View {
            catalogue,
            databases,
        }));
        Ok(())
    }
}

/// Makes an empty database that knows these shards, durably. Nothing names it
/// yet.
pub(super) fn make_database<'a>(
    dir: &Path,
    generation: u64,
    shards: impl Iterator<Item = &'a ShardDescriptor>,
    (segment_bytes, cache_bytes): (usize, u64),
) -> io::Result<Store> {
    let path = dir.join(dir_name(generation));
    match fs::remove_dir_all(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut descriptors = Vec::new();
    for descriptor in shards {
        let bytes = descriptor.encode().map_err(io::Error::other)?;
        descriptors.push((descriptor.id(), bytes));
    }
    let group = Group {
        shards: descriptors
            .iter()
            .map(|(shard, bytes)| (*shard, bytes.as_slice()))
            .collect(),
        ..Group::default()
    };
    let store = Store::open(&path, segment_bytes, cache_bytes).map_err(StoreError::into_io)?;
    store.write(&group).map_err(StoreError::into_io)?;
    store.flush().map_err(StoreError::into_io)?;
    store.sync()?;
    durable::sync_dir(dir)?;
    Ok(store)
}
