//! Recomputing a ledger from its stored bytes.

mod locate;
mod report;
mod shard;

use std::collections::BTreeMap;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread;

use crate::anchor::{self, AnchorState};
use crate::error::OpenError;
use crate::fault::Place;
use crate::id::{LedgerId, ShardId};
use crate::identity::{self, Identity};
use crate::ledger::store_error;
use crate::lock::{self, Lock};
use crate::shard::{Head, ShardDescriptor};
use crate::stamp::Stamp;
use crate::store::{self, Copy, Store};

#[cfg(test)]
pub(crate) use shard::check_block;

pub use report::{Progress, ShardReport, VerifyReport};

/// How a ledger is verified.
#[derive(Clone)]
pub struct VerifyOptions {
    /// Called after every block that has been checked, from several threads.
    pub progress: Option<Arc<dyn Fn(Progress) + Send + Sync>>,
    /// Where the stored blocks are copied to; by default the system's
    /// directory for temporary files.
    pub scratch: Option<PathBuf>,
    /// How many shards are checked at a time; by default as many as there are
    /// processors.
    pub threads: Option<NonZero<usize>>,
    /// Whether to stop after the first stage that found a fault: the files
    /// against their stamp, then the blocks. By default all stages are run. A
    /// ledger that passes has been through all of them either way.
    pub stop_early: bool,
    /// The storage engine's cache, in bytes; by default 64 MiB.
    pub cache_bytes: u64,
}

impl Default for VerifyOptions {
    fn default() -> Self {
        Self {
            progress: None,
            scratch: None,
            threads: None,
            stop_early: false,
            cache_bytes: 64 << 20,
        }
    }
}

impl std::fmt::Debug for VerifyOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("VerifyOptions")
            .field("progress", &self.progress.is_some())
            .field("scratch", &self.scratch)
            .field("threads", &self.threads)
            .field("stop_early", &self.stop_early)
            .field("cache_bytes", &self.cache_bytes)
            .finish()
    }
}

/// Verifies the ledger in `dir`, which nobody may have open, without changing
/// a byte of it.
///
/// 1. Where the ledger was closed, every file is compared with the stamp; a
///    changed range of the database is traced to the block that it lies in.
/// 2. The stored blocks are copied, and of the copy everything is computed
///    anew: the chain over the entries, the digests, sequences, heights and
///    Kafka offsets without a gap, recorded times in order.
/// 3. The heads are compared with the anchor, so that a lost end is found.
///
/// What is wrong is in the report, by place; of each shard the first fault,
/// since what comes after it rests on nothing.
///
/// # Errors
/// [`OpenError`] where there is no ledger, it is in use, or a file cannot be
/// read.
pub fn verify(dir: &Path, options: &VerifyOptions) -> Result<VerifyReport, OpenError> {
    let parts = [
        identity::FILE,
        anchor::FILES[0],
        anchor::FILES[1],
        store::DIR,
    ];
    if !parts.iter().any(|part| dir.join(part).exists()) {
        return Err(OpenError::NotALedger {
            path: dir.to_owned(),
        });
    }
    let _lock = Lock::shared(dir)?;
    let mut report = VerifyReport::default();

    let stamped = match Stamp::check(dir)? {
        Some(faults) => {
            report.faults.extend(faults);
            // A process that died while opening it.
            if std::fs::metadata(dir.join(lock::FILE)).is_ok_and(|lock| lock.len() > 0) {
                report
                    .warnings
                    .push("the lock file is not empty, as that of a closed ledger is".to_owned());
            }
            true
        }
        None => {
            report.warnings.push(
                "the ledger was not closed: there is no stamp to compare its files with".to_owned(),
            );
            false
        }
    };
    if options.stop_early && !report.ok() {
        return Ok(report);
    }

    let identity = match Identity::read(dir) {
        Ok(Some(identity)) => identity,
        Ok(None) => {
            report.fault(file(identity::FILE), "is missing");
            return Ok(report);
        }
        Err(OpenError::File { source, .. }) => {
            report.fault(file(identity::FILE), &source.to_string());
            return Ok(report);
        }
        Err(error) => return Err(error),
    };
    report.ledger = Some(identity.ledger);
    let located = locate::blocks(dir, identity.ledger, &report.faults);
    report.faults.extend(located);
    let heads = read_anchors(dir, identity.ledger, stamped, &mut report)?;

    if !dir.join(store::DIR).is_dir() {
        report.fault(Place::Store, "they are missing");
        return Ok(report);
    }
    let scratch = options.scratch.clone().unwrap_or_else(std::env::temp_dir);
    let copy =
        Copy::make(dir, &scratch).map_err(OpenError::io("copy the stored blocks to", &scratch))?;
    match copy.open(identity.segment_bytes as usize, options.cache_bytes) {
        Ok(store) => check_store(&store, identity.ledger, &heads, options, &mut report),
        // A full disk is no fault of the ledger's.
        Err(error) => match store_error(&scratch, error) {
            OpenError::Store { reason } => {
                report.fault(Place::Store, &format!("they cannot be opened: {reason}"))
            }
            error => return Err(error),
        },
    }
    Ok(report)
}

fn file(name: &str) -> Place {
    Place::File { path: name.into() }
}

/// The newest heads that the anchor names.
fn read_anchors(
    dir: &Path,
    ledger: LedgerId,
    stamped: bool,
    report: &mut VerifyReport,
) -> Result<BTreeMap<ShardId, Head>, OpenError> {
    let mut newest: Option<AnchorState> = None;
    for (slot, name) in anchor::FILES.into_iter().enumerate() {
        let read = AnchorState::read(dir, slot).map_err(OpenError::io("read", &dir.join(name)))?;
        let what = match read {
            Ok(state) if state.ledger == ledger => {
                if newest
                    .as_ref()
                    .is_none_or(|newest| newest.generation < state.generation)
                {
                    newest = Some(state);
                }
                continue;
            }
            Ok(_) => "it belongs to another ledger".to_owned(),
            Err(error) => error.to_string(),
        };
        // A crash while one of them was written leaves it so; a ledger that
        // was closed has both.
        if stamped {
            report.fault(file(name), &what);
        } else {
            report.warnings.push(format!("file {name}: {what}"));
        }
    }
    if newest.is_none() && !stamped {
        report.fault(
            file(anchor::FILES[0]),
            "neither anchor can be read, so nothing says how far the ledger had come",
        );
    }
    Ok(newest.map(|state| state.heads).unwrap_or_default())
}

/// Checks all shards, several at a time.
fn check_store(
    store: &Store,
    ledger: LedgerId,
    anchored: &BTreeMap<ShardId, Head>,
    options: &VerifyOptions,
    report: &mut VerifyReport,
) {
    let stored = match store.shards() {
        Ok(stored) => stored,
        Err(error) => {
            return report.fault(Place::Store, &format!("the shards cannot be read: {error}"));
        }
    };
    let mut descriptors = BTreeMap::new();
    for (shard, bytes) in stored {
        match ShardDescriptor::decode(&bytes) {
            Ok(descriptor) if descriptor.id() == shard => {
                descriptors.insert(shard, descriptor);
            }
            Ok(_) => report.fault(Place::Shard { shard }, "its descriptor is another shard's"),
            Err(error) => report.fault(
                Place::Shard { shard },
                &format!("its descriptor is damaged: {error}"),
            ),
        }
    }
    for shard in anchored.keys() {
        let named = report
            .faults
            .iter()
            .any(|fault| fault.place == Place::Shard { shard: *shard });
        if !descriptors.contains_key(shard) && !named {
            report.fault(
                Place::Shard { shard: *shard },
                "it is missing, and the anchor names it",
            );
        }
    }
    let shards: Vec<&ShardDescriptor> = descriptors.values().collect();
    let next = AtomicUsize::new(0);
    let meter = shard::Meter {
        blocks: AtomicU64::new(0),
        bytes: AtomicU64::new(0),
        total: anchored.values().map(|head| head.blocks).sum(),
        progress: options.progress.as_deref(),
    };
    let work = || {
        let mut checked = Vec::new();
        while let Some(descriptor) = shards.get(next.fetch_add(1, Ordering::Relaxed)) {
            checked.push(shard::check(
                store,
                ledger,
                descriptor,
                anchored.get(&descriptor.id()),
                &meter,
            ));
        }
        checked
    };
    let threads = options
        .threads
        .or_else(|| thread::available_parallelism().ok());
    let threads = threads.map_or(1, NonZero::get).min(shards.len());
    let mut checked = thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        let mut checked = work();
        for other in others {
            match other.join() {
                Ok(others) => checked.extend(others),
                Err(payload) => std::panic::resume_unwind(payload),
            }
        }
        checked
    });
    checked.sort_by_key(|(shard, _)| shard.descriptor.id());
    for (shard, fault) in checked {
        report.shards.push(shard);
        report.faults.extend(fault);
    }
    match store.orphans(&descriptors.keys().copied().collect()) {
        Ok(orphans) => {
            for shard in orphans {
                report.fault(Place::Shard { shard }, "it has blocks and no descriptor");
            }
        }
        Err(error) => report.fault(Place::Store, &error.to_string()),
    }
}
