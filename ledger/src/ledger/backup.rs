//! Backups of a ledger at work, and putting one in place.

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::sync::Arc;

use crate::anchor::Anchor;
use crate::durable;
use crate::error::{LedgerError, OpenError};
use crate::id::ShardId;
use crate::identity::{self, Identity};
use crate::ledger::Ledger;
use crate::ledger::shared::{OpenShard, Shared};
use crate::ledger::steps::Steps;
use crate::notary::{SignedAnchor, SignedState, ledger_tiles};
use crate::segment::{self, Catalogue, Header, Manifest, SealError, SealedShard, SegmentInfo};
use crate::shard::Head;
use crate::stamp::Stamp;
use crate::tree::StoredLeaves;

/// How far a backup has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BackupProgress {
    /// How many segments are in the backup.
    pub segments: u64,
    /// How many there will be.
    pub total_segments: u64,
    /// How many bytes the segments have that are in it.
    pub bytes: u64,
}

/// What a backup holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BackupReport {
    /// The heads that it reaches, ordered by shard.
    pub heads: Vec<Head>,
    /// How many segments share their bytes with those of the ledger.
    pub linked: u64,
    /// How many were copied.
    pub copied: u64,
    /// How many were made of what was not sealed.
    pub written: u64,
    /// How many bytes the segments have.
    pub bytes: u64,
}

impl Ledger {
    /// Writes a backup of the ledger as it is now into `to`, an absent or
    /// empty directory, while appends go on: everything that is durable when
    /// it begins, and nothing later. It is a ledger of its own that is closed
    /// and wholly sealed: [`crate::verify`] checks it, [`crate::Archive`]
    /// reads it, and [`restore`] puts it in place.
    ///
    /// On the same file system segments are linked, not copied: a fault of the
    /// medium, or somebody who writes into them, then hits both. Keep a backup
    /// on another medium.
    ///
    /// # Errors
    /// [`LedgerError::Backup`] where it cannot be written: what is there then
    /// does not open; [`LedgerError::Damaged`] where what is stored is not
    /// what was committed; [`LedgerError::Closed`].
    pub fn backup(
        &self,
        to: &Path,
        progress: impl FnMut(BackupProgress),
    ) -> Result<BackupReport, LedgerError> {
        let shared = self.shared();
        // Before the heads are looked at: what is signed is never ahead of
        // them.
        let signed = SignedAnchor::open(&shared.signed_dir, shared.id)
            .map_err(|error| failed(io::Error::other(error)))?;
        let signed = signed.state();
        write(shared, to, progress, |to, _| vouch(shared, signed, to))
    }
}

/// Adds the last signed checkpoints, and the log of manifests that they are
/// from.
fn vouch(shared: &Shared, signed: &SignedState, to: &Path) -> io::Result<()> {
    if signed.generation == 0 {
        return Ok(());
    }
    let leaves = StoredLeaves::path(&ledger_tiles(&shared.dir));
    if leaves.exists() {
        let to = ledger_tiles(to);
        fs::create_dir_all(&to)?;
        let copy = StoredLeaves::path(&to);
        // What is appended while it is copied is cut off when it is opened.
        fs::copy(leaves, &copy)?;
        File::open(&copy)?.sync_all()?;
        durable::sync_dir(&to)?;
    }
    SignedAnchor::open(to, shared.id)
        .map_err(io::Error::other)?
        .write(signed.clone())
}

/// As [`Ledger::backup`]; `finish` adds what vouches for the heads, before the
/// backup becomes a ledger.
pub(crate) fn write(
    shared: &Shared,
    to: &Path,
    mut progress: impl FnMut(BackupProgress),
    finish: impl FnOnce(&Path, &[Head]) -> io::Result<()>,
) -> Result<BackupReport, LedgerError> {
    begin(to).map_err(failed)?;
    // One moment for all shards; what lies below these heads stays readable.
    let shards = shared.shards.read().clone();
    let catalogue = Arc::clone(&shared.view()?.catalogue);
    let next_database = shared.manifest.lock().next_database;
    let mut backup = Backup {
        shared,
        to,
        catalogue: &catalogue,
        report: BackupReport::default(),
        progress: BackupProgress {
            total_segments: total(&catalogue, shards.values()),
            ..BackupProgress::default()
        },
    };
    let mut manifest = Manifest::new(shared.id);
    manifest.next_database = next_database;
    for (shard, open) in shards {
        let sealed = backup.shard(shard, &open, &mut progress)?;
        backup.report.heads.push(open.head);
        manifest.shards.insert(shard, sealed);
    }
    let report = backup.report;
    end(shared, to, &manifest, &report.heads, finish).map_err(failed)?;
    Ok(report)
}

struct Backup<'a> {
    shared: &'a Shared,
    to: &'a Path,
    catalogue: &'a Catalogue,
    report: BackupReport,
    progress: BackupProgress,
}

impl Backup<'_> {
    /// All blocks of one shard up to its head.
    fn shard(
        &mut self,
        shard: ShardId,
        open: &OpenShard,
        progress: &mut impl FnMut(BackupProgress),
    ) -> Result<SealedShard, LedgerError> {
        let known = self.catalogue.shards().get(&shard).cloned();
        let mut sealed = known.unwrap_or_else(|| SealedShard {
            descriptor: open.descriptor.clone(),
            head: open.descriptor.origin(self.shared.id),
            segments: Vec::new(),
        });
        for info in &sealed.segments {
            self.put(shard, info).map_err(failed)?;
            self.count(info, progress);
        }
        if sealed.head != open.head {
            let info = self.seal_rest(&sealed, open)?;
            self.report.written += 1;
            self.count(&info, progress);
            sealed.segments.push(info);
            sealed.head = open.head;
        }
        Ok(sealed)
    }

    fn count(&mut self, info: &SegmentInfo, progress: &mut impl FnMut(BackupProgress)) {
        self.report.bytes += info.length;
        self.progress.segments += 1;
        self.progress.bytes += info.length;
        progress(self.progress);
    }

    /// Links a segment file, or copies it to another file system.
    fn put(&mut self, shard: ShardId, info: &SegmentInfo) -> io::Result<()> {
        let path = segment::path(shard, info.first_height);
        let (from, to) = (self.shared.dir.join(&path), self.to.join(&path));
        if let Some(parent) = to.parent() {
            fs::create_dir_all(parent)?;
        }
        if fs::hard_link(&from, &to).is_ok() {
            self.report.linked += 1;
            return Ok(());
        }
        fs::copy(&from, &to)?;
        File::open(&to)?.sync_all()?;
        self.report.copied += 1;
        Ok(())
    }

    /// Makes a segment of the blocks that are not sealed.
    fn seal_rest(
        &self,
        sealed: &SealedShard,
        open: &OpenShard,
    ) -> Result<SegmentInfo, LedgerError> {
        let header = Header {
            ledger: self.shared.id,
            descriptor: open.descriptor.clone(),
            before: sealed.head,
            after: open.head,
        };
        let shard = open.head.shard;
        let mut stopped = None;
        let read = |height| {
            let block = self
                .shared
                .view()
                .and_then(|view| view.block(shard, height));
            block.map(|block| block.into_bytes()).map_err(|error| {
                let reason = io::Error::other(error.to_string());
                stopped = Some(error);
                SealError::io(crate::error::Step::SegmentWrite)(reason)
            })
        };
        let compression = self.shared.compression;
        let written = segment::seal(self.to, &header, compression, &Steps::default(), read);
        match (written, stopped) {
            (Ok(info), _) => Ok(info),
            (Err(_), Some(error)) => Err(error),
            (Err(SealError::Damaged(fault)), None) => Err(LedgerError::Damaged { fault }),
            (Err(SealError::Io { source, .. }), None) => Err(failed(source)),
        }
    }
}

fn total<'a>(catalogue: &Catalogue, shards: impl Iterator<Item = &'a OpenShard>) -> u64 {
    shards
        .map(|open| {
            let sealed = catalogue.shards().get(&open.head.shard);
            let segments = sealed.map_or(0, |sealed| sealed.segments.len() as u64);
            let rest = open.head.blocks > catalogue.blocks(open.head.shard);
            segments + u64::from(rest)
        })
        .sum()
}

/// An empty directory.
fn begin(to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    if fs::read_dir(to)?.next().is_some() {
        return Err(io::Error::new(
            io::ErrorKind::AlreadyExists,
            format!("{} is not empty", to.display()),
        ));
    }
    fs::create_dir(to.join(segment::DIR))
}

/// Makes a ledger of the segments. The identity comes last but for the stamp:
/// what was cut short is no ledger.
fn end(
    shared: &Shared,
    to: &Path,
    manifest: &Manifest,
    heads: &[Head],
    finish: impl FnOnce(&Path, &[Head]) -> io::Result<()>,
) -> io::Result<()> {
    sync_dirs(&to.join(segment::DIR))?;
    manifest.write(to)?;
    Anchor::create(to, shared.id).map_err(io::Error::other)?;
    let mut anchor = Anchor::open(to, shared.id).map_err(io::Error::other)?;
    // Into both files.
    anchor.write(heads)?;
    anchor.write(heads)?;
    finish(to, heads)?;
    let identity = Identity {
        ledger: shared.id,
        // At most 16 MiB.
        segment_bytes: shared.segment_bytes as u32,
    };
    durable::sync_dir(to)?;
    identity.write(to).map_err(io::Error::other)?;
    Stamp::write(to, shared.id)
}

fn sync_dirs(dir: &Path) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            durable::sync_dir(&entry.path())?;
        }
    }
    durable::sync_dir(dir)
}

fn failed(error: io::Error) -> LedgerError {
    LedgerError::Backup {
        source: Arc::new(error),
    }
}

/// Puts a backup in place: copies it into `dir`, an absent or empty directory,
/// where [`Ledger::open`] then opens it. The backup stays as it is.
///
/// # Errors
/// [`OpenError`] where the backup is damaged, the directory is not empty, or a
/// file cannot be copied: what is there then does not open.
pub fn restore(backup: &Path, dir: &Path) -> Result<(), OpenError> {
    let identity = Identity::read(backup)?.ok_or_else(|| OpenError::NotALedger {
        path: backup.to_owned(),
    })?;
    crate::Archive::open(backup)?;
    begin(dir).map_err(OpenError::io("restore into", dir))?;
    let copy = || {
        for path in durable::files(backup)? {
            if path == Path::new(identity::FILE) {
                continue;
            }
            let to = dir.join(&path);
            if let Some(parent) = to.parent() {
                fs::create_dir_all(parent)?;
            }
            fs::copy(backup.join(&path), &to)?;
            File::open(&to)?.sync_all()?;
        }
        sync_dirs(&dir.join(segment::DIR))?;
        durable::sync_dir(dir)
    };
    copy().map_err(OpenError::io("restore into", dir))?;
    identity.write(dir)
}
