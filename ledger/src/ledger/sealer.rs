//! The sealer thread: makes segments of a full database, checks them as they
//! lie on the disk, and only then removes the database.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;

use crate::durable;
use crate::error::Step;
use crate::fault::{Fault, Place};
use crate::id::ShardId;
use crate::ledger::shared::{OpenShard, Shared, alone};
use crate::ledger::steps::Steps;
use crate::ledger::view::{Database, View};
use crate::segment::{self, Header, SealError, SealedShard};
use crate::store::{dir_name, message};

pub(super) struct Sealer {
    pub(super) shared: Arc<Shared>,
    pub(super) steps: Steps,
}

impl Sealer {
    /// Serves requests until the ledger is closed.
    pub(super) fn run(self) {
        while self.shared.sealing.next() {
            let sealed = panic::catch_unwind(AssertUnwindSafe(|| self.seal()));
            let failed = match sealed {
                Ok(Ok(())) => None,
                Ok(Err(reason)) => Some(reason),
                Err(payload) => Some(format!("it panicked: {}", message(&*payload))),
            };
            self.shared.sealing.done(failed);
        }
    }

    /// Seals every database but the one that is written to.
    fn seal(&self) -> Result<(), String> {
        loop {
            if let Some(reason) = self.shared.poisoned.lock().clone() {
                return Err(reason);
            }
            let Some(view) = self.shared.view.read().clone() else {
                return Ok(());
            };
            let (Some(oldest), true) = (view.databases.first(), view.databases.len() > 1) else {
                return Ok(());
            };
            let oldest = oldest.clone();
            let generation = oldest.info.generation;
            let sealed = self.seal_one(&view, &oldest);
            drop(view);
            sealed.map_err(|error| {
                tracing::error!(generation, %error, "a database could not be sealed and stays");
                // Nobody knows which manifest is on disk, or what else on it
                // is not what was written.
                if matches!(
                    error,
                    SealError::Damaged(_)
                        | SealError::Io {
                            step: Step::Manifest,
                            ..
                        }
                ) {
                    self.shared
                        .poison(format!("a database could not be sealed: {error}"));
                }
                error.to_string()
            })?;
            self.remove(oldest);
        }
    }

    /// Makes the segments of a database and names them in the manifest.
    fn seal_one(&self, view: &View, database: &Database) -> Result<(), SealError> {
        let started = std::time::Instant::now();
        let mut shards = view.catalogue.shards().clone();
        let mut bytes = 0;
        for (&shard, end) in database.end.iter() {
            bytes += self.seal_shard(&mut shards, database, shard, end)?;
        }
        let mut manifest = self.shared.manifest.lock();
        let mut next = manifest.clone();
        next.generation += 1;
        next.shards = shards.clone();
        next.databases
            .retain(|info| info.generation != database.info.generation);
        let dir = &self.shared.dir;
        self.steps
            .take_or_tear(Step::Manifest, || next.write(dir), || next.tear(dir))
            .map_err(SealError::io(Step::Manifest))?;
        *manifest = next;
        drop(manifest);
        let mut view = self.shared.view.write();
        if let Some(current) = view.as_ref() {
            let mut databases = current.databases.clone();
            databases.retain(|other| other.info.generation != database.info.generation);
            let catalogue = Arc::new(current.catalogue.with(shards));
            *view = Some(Arc::new(View {
                catalogue,
                databases,
            }));
        }
        drop(view);
        tracing::info!(
            generation = database.info.generation,
            bytes,
            elapsed_ms = started.elapsed().as_millis() as u64,
            "a database was sealed"
        );
        Ok(())
    }

    /// Makes the segment of one shard, where it has blocks in the database.
    /// Returns its length.
    fn seal_shard(
        &self,
        shards: &mut BTreeMap<ShardId, SealedShard>,
        database: &Database,
        shard: ShardId,
        end: &OpenShard,
    ) -> Result<u64, SealError> {
        let sealed = shards.entry(shard).or_insert_with(|| SealedShard {
            descriptor: end.descriptor.clone(),
            head: end.descriptor.origin(self.shared.id),
            segments: Vec::new(),
        });
        if end.head.blocks == sealed.head.blocks {
            return Ok(0);
        }
        let header = Header {
            ledger: self.shared.id,
            descriptor: end.descriptor.clone(),
            before: sealed.head,
            after: end.head,
        };
        let read = |height| {
            let at = |what: String| {
                SealError::Damaged(Fault {
                    place: Place::Block { shard, height },
                    what,
                })
            };
            let bytes = database.store.block(shard, height);
            let bytes = bytes.map_err(|error| at(error.to_string()))?;
            bytes.ok_or_else(|| at("it is missing".to_owned()))
        };
        let info = segment::seal(
            &self.shared.dir,
            &header,
            self.shared.compression,
            &self.steps,
            read,
        )?;
        sealed.head = end.head;
        sealed.segments.push(info);
        Ok(info.length)
    }

    /// Closes a database that nothing names any more and removes its files.
    /// What stays is removed when the ledger is opened.
    fn remove(&self, database: Database) {
        let generation = database.info.generation;
        let path = self.shared.dir.join(dir_name(generation));
        drop(alone(database.store));
        let removed = self.steps.take_or_tear(
            Step::Remove,
            || {
                remove_dir(&path)?;
                durable::sync_dir(&self.shared.dir)
            },
            // As if not all of it were gone.
            || {
                fs::create_dir(&path)?;
                fs::write(path.join("db"), b"half")
            },
        );
        if let Err(error) = removed {
            tracing::warn!(generation, %error, "a sealed database could not be removed");
        }
    }
}

fn remove_dir(path: &std::path::Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
