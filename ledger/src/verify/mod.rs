//! Recomputing a ledger from its stored bytes.

mod locate;
mod report;
mod shard;

use std::collections::BTreeMap;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::thread;

use parking_lot::Mutex;

use crate::anchor::{self, AnchorState};
use crate::error::OpenError;
use crate::fault::Place;
use crate::id::{LedgerId, ShardId};
use crate::identity::{self, Identity};
use crate::lock::{self, Lock};
use crate::segment::{self, DatabaseInfo, Manifest};
use crate::shard::Head;
use crate::sources::Sources;
use crate::stamp::Stamp;
use crate::store;
use crate::verify::shard::{Checked, Checker};

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
        segment::DIR,
    ];
    let databases = store::generations(dir).unwrap_or_default();
    if databases.is_empty() && !parts.iter().any(|part| dir.join(part).exists()) {
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

    let manifest = match Manifest::read(dir) {
        Ok(Some(manifest)) if manifest.ledger == identity.ledger => manifest,
        Ok(Some(_)) => {
            report.fault(manifest_file(), "it belongs to another ledger");
            return Ok(report);
        }
        Ok(None) => {
            report.fault(manifest_file(), "is missing");
            return Ok(report);
        }
        Err(OpenError::File { source, .. }) => {
            report.fault(manifest_file(), &source.to_string());
            return Ok(report);
        }
        Err(error) => return Err(error),
    };
    let meter = shard::Meter {
        blocks: AtomicU64::new(0),
        bytes: AtomicU64::new(0),
        total: heads.values().map(|head| head.blocks).sum(),
        progress: options.progress.as_deref(),
    };
    let mut sources = Sources::sealed(dir, identity.ledger, &manifest);
    let mut checked: BTreeMap<ShardId, Checked> = manifest
        .shards
        .iter()
        .map(|(shard, sealed)| (*shard, Checked::new(identity.ledger, &sealed.descriptor)))
        .collect();
    let checker = Checker {
        dir,
        ledger: identity.ledger,
        sources: &sources,
        anchored: &heads,
        meter: &meter,
    };
    for_each(&mut checked, options, |checked| checker.segments(checked));
    if options.stop_early && checked.values().any(|checked| checked.fault.is_some()) {
        finish(checked, &mut report);
        return Ok(report);
    }

    let missing = |info: &DatabaseInfo| !dir.join(store::dir_name(info.generation)).is_dir();
    if manifest.databases.iter().any(missing) {
        report.fault(
            Place::Store,
            "a database that the manifest names is missing",
        );
        finish(checked, &mut report);
        return Ok(report);
    }
    let scratch = options.scratch.clone().unwrap_or_else(std::env::temp_dir);
    let segment_bytes = identity.segment_bytes as usize;
    match sources.add_databases(dir, &manifest, &scratch, segment_bytes, options.cache_bytes) {
        Ok(()) => {
            let checker = Checker {
                dir,
                ledger: identity.ledger,
                sources: &sources,
                anchored: &heads,
                meter: &meter,
            };
            check_databases(&checker, checked, options, &mut report);
        }
        Err(OpenError::Store { reason }) => {
            report.fault(Place::Store, &format!("they cannot be opened: {reason}"));
            finish(checked, &mut report);
        }
        // A full disk is no fault of the ledger's.
        Err(error) => return Err(error),
    }
    Ok(report)
}

fn manifest_file() -> Place {
    Place::File {
        path: Manifest::path(),
    }
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

/// Checks what the databases hold, and that every shard is there.
fn check_databases(
    checker: &Checker<'_>,
    mut checked: BTreeMap<ShardId, Checked>,
    options: &VerifyOptions,
    report: &mut VerifyReport,
) {
    let descriptors = match checker.sources.descriptors() {
        Ok(descriptors) => descriptors,
        Err(error) => {
            finish(checked, report);
            return report.fault(Place::Store, &format!("the shards cannot be read: {error}"));
        }
    };
    for (&shard, descriptor) in &descriptors {
        match descriptor {
            Ok(descriptor) => {
                checked
                    .entry(shard)
                    .or_insert_with(|| Checked::new(checker.ledger, descriptor));
            }
            Err(error) => report.fault(
                Place::Shard { shard },
                &format!("its descriptor is damaged: {error}"),
            ),
        }
    }
    for &shard in checker.anchored.keys() {
        if !descriptors.contains_key(&shard) {
            report.fault(
                Place::Shard { shard },
                "it is missing, and the anchor names it",
            );
        }
    }
    for_each(&mut checked, options, |checked| checker.databases(checked));
    finish(checked, report);
    match checker.sources.orphans(&descriptors.into_keys().collect()) {
        Ok(orphans) => {
            for shard in orphans {
                report.fault(Place::Shard { shard }, "it has blocks and no descriptor");
            }
        }
        Err(error) => report.fault(Place::Store, &error.to_string()),
    }
}

fn finish(checked: BTreeMap<ShardId, Checked>, report: &mut VerifyReport) {
    for checked in checked.into_values() {
        report.shards.push(checked.report);
        report.faults.extend(checked.fault);
    }
}

/// Does the work for all shards, several at a time.
fn for_each(
    checked: &mut BTreeMap<ShardId, Checked>,
    options: &VerifyOptions,
    work: impl Fn(&mut Checked) + Sync,
) {
    let threads = options
        .threads
        .or_else(|| thread::available_parallelism().ok());
    let threads = threads.map_or(1, NonZero::get).min(checked.len());
    let queue = Mutex::new(checked.values_mut());
    let serve = || {
        loop {
            let Some(next) = queue.lock().next() else {
                return;
            };
            work(next);
        }
    };
    thread::scope(|scope| {
        for _ in 1..threads {
            scope.spawn(serve);
        }
        serve();
    });
}
