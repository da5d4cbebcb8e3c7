//! The files that say what a ledger is made of.

use std::collections::BTreeMap;
use std::path::Path;

use crate::anchor;
use crate::error::OpenError;
use crate::fault::Place;
use crate::id::{LedgerId, ShardId};
use crate::identity::{self, Identity};
use crate::lock;
use crate::segment::{self, Manifest};
use crate::shard::{Head, ShardDescriptor};
use crate::stamp::Stamp;
use crate::store;
use crate::verify::options::VerifyOptions;
use crate::verify::report::VerifyReport;
use crate::verify::{anchors, locate};

/// Everything that says what a ledger is made of.
pub(super) struct Files<'a> {
    pub(super) dir: &'a Path,
    pub(super) ledger: LedgerId,
    /// The segment size of databases; `None` where only what is sealed is
    /// looked at.
    pub(super) database_segment_bytes: Option<usize>,
    /// Whether the ledger was closed: nobody can have been writing any file.
    pub(super) at_rest: bool,
    /// The heads that the anchor of commits names.
    pub(super) anchored: BTreeMap<ShardId, Head>,
    pub(super) manifest: Manifest,
}

impl<'a> Files<'a> {
    /// Reads them, and compares them with the stamp. `None` where one is
    /// missing without which nothing else can be read.
    pub(super) fn read(
        dir: &'a Path,
        options: &VerifyOptions,
        report: &mut VerifyReport,
    ) -> Result<Option<Self>, OpenError> {
        let at_rest = check_stamp(dir, report)?;
        if options.stop_early && !report.ok() {
            return Ok(None);
        }
        let Some(identity) = read_identity(dir, report)? else {
            return Ok(None);
        };
        let ledger = identity.ledger;
        report.ledger = Some(ledger);
        let located = locate::blocks(dir, ledger, &report.faults);
        report.faults.extend(located);
        let anchored = anchors::read(dir, ledger, at_rest, report)?;
        let Some(manifest) = read_manifest(dir, report)? else {
            return Ok(None);
        };
        if manifest.ledger != ledger {
            report.fault(manifest_place(), "it belongs to another ledger");
            return Ok(None);
        }
        Ok(Some(Self {
            dir,
            ledger,
            database_segment_bytes: Some(identity.segment_bytes as usize),
            at_rest,
            anchored,
            manifest,
        }))
    }

    /// Of what is sealed alone.
    pub(super) fn sealed(
        dir: &'a Path,
        report: &mut VerifyReport,
    ) -> Result<Option<Self>, OpenError> {
        let Some(manifest) = read_manifest(dir, report)? else {
            return Ok(None);
        };
        report.ledger = Some(manifest.ledger);
        report
            .warnings
            .push("only what is sealed was verified, as far as its manifest says".to_owned());
        Ok(Some(Self {
            dir,
            ledger: manifest.ledger,
            database_segment_bytes: None,
            at_rest: false,
            anchored: BTreeMap::new(),
            manifest,
        }))
    }

    pub(super) fn sealed_descriptors(&self) -> BTreeMap<ShardId, ShardDescriptor> {
        let shards = self.manifest.shards.iter();
        shards
            .map(|(shard, sealed)| (*shard, sealed.descriptor.clone()))
            .collect()
    }

    /// How many bytes there are to be read: those of segments and databases.
    pub(super) fn total_bytes(&self) -> u64 {
        let segments = self
            .manifest
            .shards
            .values()
            .flat_map(|shard| &shard.segments);
        let sealed = segments.fold(0, |sum: u64, info| sum.saturating_add(info.length));
        let databases = self.manifest.databases.iter().map(|info| {
            let file = self.dir.join(store::dir_name(info.generation)).join("db");
            file.metadata().map_or(0, |metadata| metadata.len())
        });
        if self.database_segment_bytes.is_none() {
            return sealed;
        }
        databases.fold(sealed, u64::saturating_add)
    }
}

/// Whether there is anything of a ledger in `dir`.
pub(super) fn is_ledger(dir: &Path) -> bool {
    let parts = [
        identity::FILE,
        anchor::FILES[0],
        anchor::FILES[1],
        segment::DIR,
    ];
    let databases = store::generations(dir).unwrap_or_default();
    !databases.is_empty() || parts.iter().any(|part| dir.join(part).exists())
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

fn manifest_place() -> Place {
    Place::File {
        path: Manifest::path(),
    }
}

fn read_manifest(dir: &Path, report: &mut VerifyReport) -> Result<Option<Manifest>, OpenError> {
    match Manifest::read(dir) {
        Ok(None) => report.fault(manifest_place(), "is missing"),
        Err(OpenError::File { source, .. }) => report.fault(manifest_place(), &source.to_string()),
        read => return read,
    }
    Ok(None)
}
