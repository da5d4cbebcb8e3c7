//! Recomputing a ledger from its stored bytes.

mod options;
mod report;

mod anchors;
mod files;
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

use crate::error::OpenError;
use crate::fault::Place;
use crate::id::ShardId;
use crate::lock::Lock;
use crate::segment::DatabaseInfo;
use crate::shard::ShardDescriptor;
use crate::sources::Sources;
use crate::store;
use crate::verify::claim::Claim;
use crate::verify::files::Files;
use crate::verify::fold::Folded;
use crate::verify::meter::Meter;
use crate::verify::pieces::Checker;
use crate::verify::published::Published;
use crate::verify::signed::Signed;
use crate::verify::statement::{Statement, Trust};

#[cfg(any(test, feature = "fuzzing"))]
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
    if !files::is_ledger(dir) {
        return Err(OpenError::NotALedger {
            path: dir.to_owned(),
        });
    }
    let mut report = VerifyReport::default();
    let files;
    // What is sealed does not change, whoever has the ledger open.
    let _lock = if options.sealed_only {
        files = Files::sealed(dir, &mut report)?;
        None
    } else {
        let lock = Lock::shared(dir)?;
        files = Files::read(dir, options, &mut report)?;
        lock
    };
    if let Some(files) = files {
        verify_blocks(&files, options, &mut report)?;
    }
    Ok(report)
}

/// What is signed, and the blocks.
fn verify_blocks(
    files: &Files<'_>,
    options: &VerifyOptions,
    report: &mut VerifyReport,
) -> Result<(), OpenError> {
    let said = Said::read(files, options, report)?;
    let mut sources = Sources::sealed(files.dir, files.ledger, &files.manifest);
    let mut stage = Stage {
        files,
        options,
        claims: said.claims(),
        descriptors: files.sealed_descriptors(),
    };
    if options.stop_early && report.ok() {
        // A stage of its own, which costs nobody but who asks for it.
        let folded = stage.check(&sources, &Meter::new(0, 0, None), false);
        if folded.iter().any(|shard| !shard.faults.is_empty()) {
            finish(folded, report);
        }
    }
    if options.stop_early && !report.ok() {
        return Ok(());
    }
    let complete = stage.open_databases(&mut sources, report)?;
    if complete {
        work::report_missing(&stage.descriptors, &files.anchored, &stage.claims, report);
    }
    let meter = Meter::new(
        files.anchored.values().map(|head| head.blocks).sum(),
        files.total_bytes(),
        options.progress.as_deref(),
    );
    let folded = stage.check(&sources, &meter, complete);
    let of_epochs = epochs::check(&folded);
    finish(folded, report);
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
    Ok(())
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
        files: &Files<'_>,
        options: &VerifyOptions,
        report: &mut VerifyReport,
    ) -> Result<Self, OpenError> {
        let dir = files.dir;
        let trust = Trust {
            ledger: files.ledger,
            keys: &options.keys,
        };
        let signed = match (&options.signed_anchor_dir, options.sealed_only) {
            // A copy of the segments has none.
            (None, true) => None,
            (elsewhere, _) => {
                let anchor_dir = elsewhere.as_deref().unwrap_or(dir);
                signed::read(dir, anchor_dir, trust, files.at_rest, report)?
            }
        };
        let own = signed.as_ref().and_then(|signed| signed.statement.as_ref());
        let published = if options.sealed_only {
            Published::default()
        } else {
            published::read(dir, own, trust.keys, report)
        };
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
        if !options.sealed_only {
            log::check(dir, trust.ledger, &said, report);
        }
        Ok(said)
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
    files: &'a Files<'a>,
    options: &'a VerifyOptions,
    claims: Vec<Claim>,
    descriptors: BTreeMap<ShardId, ShardDescriptor>,
}

impl Stage<'_> {
    fn check(&self, sources: &Sources, meter: &Meter<'_>, complete: bool) -> Vec<Folded> {
        let checker = Checker {
            dir: self.files.dir,
            ledger: self.files.ledger,
            sources,
            meter,
        };
        let plans = work::plans(
            &checker,
            &self.descriptors,
            &self.files.anchored,
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
        report: &mut VerifyReport,
    ) -> Result<bool, OpenError> {
        let (dir, manifest) = (self.files.dir, &self.files.manifest);
        let Some(segment_bytes) = self.files.database_segment_bytes else {
            return Ok(false);
        };
        let missing = |info: &DatabaseInfo| !dir.join(store::dir_name(info.generation)).is_dir();
        if manifest.databases.iter().any(missing) {
            report.fault(
                Place::Store,
                "a database that the manifest names is missing",
            );
            return Ok(false);
        }
        let scratch = self.options.scratch.clone();
        let scratch = scratch.unwrap_or_else(std::env::temp_dir);
        let cache_bytes = self.options.cache_bytes;
        match sources.add_databases(dir, manifest, &scratch, segment_bytes, cache_bytes) {
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

fn finish(folded: Vec<Folded>, report: &mut VerifyReport) {
    for shard in folded {
        report.shards.push(shard.report);
        report.faults.extend(shard.faults);
        report.warnings.extend(shard.warning);
    }
}
