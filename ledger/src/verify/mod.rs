//! Recomputing a ledger from its stored bytes.

mod options;
mod report;

mod anchors;
mod locate;
mod published;
mod signed;
mod since;
mod statement;

mod block;
mod persons;
mod range;
mod span;
mod tiles;

mod claim;
mod fold;
mod meter;
mod pieces;
mod work;

mod epochs;
mod log;

use std::collections::BTreeMap;
use std::path::Path;

use crate::anchor;
use crate::error::OpenError;
use crate::fault::Place;
use crate::id::ShardId;
use crate::identity::{self, Identity};
use crate::lock::{self, Lock};
use crate::segment::{self, DatabaseInfo, Manifest};
use crate::shard::{Head, ShardDescriptor};
use crate::sources::Sources;
use crate::stamp::Stamp;
use crate::store;
use crate::verify::claim::Claim;
use crate::verify::fold::Folded;
use crate::verify::meter::Meter;
use crate::verify::pieces::Checker;
use crate::verify::published::Published;
use crate::verify::signed::Signed;
use crate::verify::statement::{Statement, Trust};

#[cfg(test)]
pub(crate) use block::check_block;

pub use options::VerifyOptions;
pub use report::{CheckpointReport, Progress, ShardReport, VerifyReport};
pub use since::Since;

/// Verifies the ledger in `dir`, which nobody may have open, without changing
/// a byte of it. A backup without any database is verified as well.
///
/// 1. Where the ledger was closed, every file is compared with the stamp; a
///    changed range of a database is traced to the block that it lies in.
/// 2. The signed anchor is read and its signatures verified; of the ledger's
///    own log of manifests the root is computed.
/// 3. From the stored bytes of all blocks everything is computed anew: the
///    chain over the entries, the digests, sequences, heights, epochs and
///    Kafka offsets without a gap, recorded times in order, the tree over the
///    entries and the maps of persons. Databases are copied, and the copies
///    opened.
/// 4. What was computed is compared with the anchor of commits and with the
///    signed checkpoints, so that a lost end and a ledger that was made anew
///    without the key are found; with an earlier checkpoint, where one is
///    given; and epochs with what the house says of resumptions.
///
/// What is wrong is in the report, by place; of the blocks of each shard the
/// first fault, since what comes after it rests on nothing.
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
    let at_rest = check_stamp(dir, &mut report)?;
    if options.stop_early && !report.ok() {
        return Ok(report);
    }
    let Some(identity) = read_identity(dir, &mut report)? else {
        return Ok(report);
    };
    let ledger = identity.ledger;
    report.ledger = Some(ledger);
    let located = locate::blocks(dir, ledger, &report.faults);
    report.faults.extend(located);
    let anchored = anchors::read(dir, ledger, at_rest, &mut report)?;
    let Some(manifest) = read_manifest(dir, &identity, &mut report)? else {
        return Ok(report);
    };

    let trust = Trust {
        ledger,
        keys: &options.keys,
    };
    let signed_dir = options.signed_anchor_dir.as_deref().unwrap_or(dir);
    let signed = signed::read(dir, signed_dir, trust, at_rest, &mut report)?;
    let said = Said::read(dir, signed, trust, options, &mut report);

    let mut sources = Sources::sealed(dir, ledger, &manifest);
    let meter = Meter::new(
        anchored.values().map(|head| head.blocks).sum(),
        total_bytes(dir, &manifest),
        options.progress.as_deref(),
    );
    let mut stage = Stage {
        dir,
        options,
        anchored: &anchored,
        claims: said.claims(),
        descriptors: sealed_descriptors(&manifest),
    };
    if options.stop_early && report.ok() {
        // A stage of its own, which costs nobody but who asks for it.
        let folded = stage.check(&sources, &Meter::new(0, 0, None), &identity, false);
        if folded.iter().any(|shard| !shard.faults.is_empty()) {
            finish(folded, &mut report);
        }
    }
    if options.stop_early && !report.ok() {
        return Ok(report);
    }
    let complete = stage.open_databases(&mut sources, &manifest, &identity, &mut report)?;
    if complete {
        work::report_missing(&stage.descriptors, &anchored, &stage.claims, &mut report);
    }
    let folded = stage.check(&sources, &meter, &identity, complete);
    let of_epochs = epochs::check(&folded);
    finish(folded, &mut report);
    report.faults.extend(of_epochs);
    if complete {
        match sources.orphans(&stage.descriptors.keys().copied().collect()) {
            Ok(orphans) => {
                for shard in orphans {
                    report.fault(Place::Shard { shard }, "it has blocks and no descriptor");
                }
            }
            Err(error) => report.fault(Place::Store, &error.to_string()),
        }
    }
    Ok(report)
}

/// What checkpoints say of the ledger.
struct Said {
    signed: Option<Signed>,
    earlier: Option<Statement>,
    published: Published,
}

impl Said {
    /// Reads all of them, and compares them with the ledger's own log.
    fn read(
        dir: &Path,
        signed: Option<Signed>,
        trust: Trust<'_>,
        options: &VerifyOptions,
        report: &mut VerifyReport,
    ) -> Self {
        let own = signed.as_ref().and_then(|signed| signed.statement.as_ref());
        let published = published::read(dir, own, trust.keys, report);
        let since = options.since.as_ref();
        let earlier = since.and_then(|since| since.statement(trust, report));
        report.checkpoint = own.map(Statement::report);
        report.since = earlier.as_ref().map(Statement::report);
        if trust.keys.is_empty() && own.is_some() {
            report.warnings.push(
                "no key was given: checkpoints are compared, and nobody outside vouches for them"
                    .to_owned(),
            );
        }
        let said = Self {
            signed,
            earlier,
            published,
        };
        log::check(dir, trust.ledger, &said, report);
        said
    }

    fn claims(&self) -> Vec<Claim> {
        let signed = self.signed.as_ref();
        let own = signed.and_then(|signed| signed.statement.as_ref());
        let statements = own.into_iter().chain(&self.earlier);
        let mut claims: Vec<Claim> = statements.flat_map(Statement::claims).collect();
        claims.extend(self.published.claims.iter().cloned());
        claims
    }
}

/// Checking all shards with what is said of them.
struct Stage<'a> {
    dir: &'a Path,
    options: &'a VerifyOptions,
    anchored: &'a BTreeMap<ShardId, Head>,
    claims: Vec<Claim>,
    descriptors: BTreeMap<ShardId, ShardDescriptor>,
}

impl Stage<'_> {
    fn check(
        &self,
        sources: &Sources,
        meter: &Meter<'_>,
        identity: &Identity,
        complete: bool,
    ) -> Vec<Folded> {
        let checker = Checker {
            dir: self.dir,
            ledger: identity.ledger,
            sources,
            meter,
        };
        let plans = work::plans(
            &checker,
            &self.descriptors,
            self.anchored,
            &self.claims,
            self.options.deep,
        );
        work::check_all(&checker, &plans, self.options.thread_count(), complete)
    }

    /// Opens copies of the databases, and notes the shards in them. `false`
    /// where not all can be opened.
    fn open_databases(
        &mut self,
        sources: &mut Sources,
        manifest: &Manifest,
        identity: &Identity,
        report: &mut VerifyReport,
    ) -> Result<bool, OpenError> {
        let missing =
            |info: &DatabaseInfo| !self.dir.join(store::dir_name(info.generation)).is_dir();
        if manifest.databases.iter().any(missing) {
            report.fault(
                Place::Store,
                "a database that the manifest names is missing",
            );
            return Ok(false);
        }
        let scratch = self.options.scratch.clone();
        let scratch = scratch.unwrap_or_else(std::env::temp_dir);
        let segment_bytes = identity.segment_bytes as usize;
        let cache_bytes = self.options.cache_bytes;
        match sources.add_databases(self.dir, manifest, &scratch, segment_bytes, cache_bytes) {
            Ok(()) => {}
            Err(OpenError::Store { reason }) => {
                report.fault(Place::Store, &format!("they cannot be opened: {reason}"));
                return Ok(false);
            }
            // A full disk is no fault of the ledger's.
            Err(error) => return Err(error),
        }
        let descriptors = match sources.descriptors() {
            Ok(descriptors) => descriptors,
            Err(error) => {
                report.fault(Place::Store, &format!("the shards cannot be read: {error}"));
                return Ok(false);
            }
        };
        for (shard, descriptor) in descriptors {
            match descriptor {
                Ok(descriptor) => {
                    self.descriptors.insert(shard, descriptor);
                }
                Err(error) => report.fault(
                    Place::Shard { shard },
                    &format!("its descriptor is damaged: {error}"),
                ),
            }
        }
        Ok(true)
    }
}

/// Whether the ledger was closed. Its files are then compared with the stamp.
fn check_stamp(dir: &Path, report: &mut VerifyReport) -> Result<bool, OpenError> {
    let Some(faults) = Stamp::check(dir)? else {
        report.warnings.push(
            "the ledger was not closed: there is no stamp to compare its files with".to_owned(),
        );
        return Ok(false);
    };
    report.faults.extend(faults);
    // A process that died while opening it.
    if std::fs::metadata(dir.join(lock::FILE)).is_ok_and(|lock| lock.len() > 0) {
        report
            .warnings
            .push("the lock file is not empty, as that of a closed ledger is".to_owned());
    }
    Ok(true)
}

fn read_identity(dir: &Path, report: &mut VerifyReport) -> Result<Option<Identity>, OpenError> {
    let place = Place::File {
        path: identity::FILE.into(),
    };
    match Identity::read(dir) {
        Ok(None) => report.fault(place, "is missing"),
        Err(OpenError::File { source, .. }) => report.fault(place, &source.to_string()),
        read => return read,
    }
    Ok(None)
}

fn read_manifest(
    dir: &Path,
    identity: &Identity,
    report: &mut VerifyReport,
) -> Result<Option<Manifest>, OpenError> {
    let place = Place::File {
        path: Manifest::path(),
    };
    match Manifest::read(dir) {
        Ok(Some(manifest)) if manifest.ledger == identity.ledger => return Ok(Some(manifest)),
        Ok(Some(_)) => report.fault(place, "it belongs to another ledger"),
        Ok(None) => report.fault(place, "is missing"),
        Err(OpenError::File { source, .. }) => report.fault(place, &source.to_string()),
        Err(error) => return Err(error),
    }
    Ok(None)
}

fn sealed_descriptors(manifest: &Manifest) -> BTreeMap<ShardId, ShardDescriptor> {
    let shards = manifest.shards.iter();
    shards
        .map(|(shard, sealed)| (*shard, sealed.descriptor.clone()))
        .collect()
}

/// How many bytes there are to be read: those of segments and databases.
fn total_bytes(dir: &Path, manifest: &Manifest) -> u64 {
    let segments = manifest.shards.values().flat_map(|shard| &shard.segments);
    let sealed = segments.fold(0, |sum: u64, info| sum.saturating_add(info.length));
    let databases = manifest.databases.iter().map(|info| {
        let file = dir.join(store::dir_name(info.generation)).join("db");
        file.metadata().map_or(0, |metadata| metadata.len())
    });
    databases.fold(sealed, u64::saturating_add)
}

fn finish(folded: Vec<Folded>, report: &mut VerifyReport) {
    for shard in folded {
        report.shards.push(shard.report);
        report.faults.extend(shard.faults);
        report.warnings.extend(shard.warning);
    }
}
