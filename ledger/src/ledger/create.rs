//! Making a new ledger.
//!
//! The identity comes last: a directory that has one is a whole ledger, and
//! anything missing from it later is a loss. Until then a marker says that
//! what lies there was never used.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use crate::anchor::{self, Anchor};
use crate::durable;
use crate::error::OpenError;
use crate::id::LedgerId;
use crate::identity::{self, Identity};
use crate::ledger::options::LedgerOptions;
use crate::ledger::rotate::make_database;
use crate::segment::{self, DatabaseInfo, Manifest};
use crate::shard::ShardDescriptor;
use crate::store;

/// There while a ledger is being made.
pub(crate) const MARKER: &str = "creating";

/// Makes a ledger in `dir`, also where that was begun before and cut short.
pub(super) fn create(dir: &Path, options: &LedgerOptions) -> Result<Identity, OpenError> {
    let marker = dir.join(MARKER);
    let parts = [anchor::FILES[0], anchor::FILES[1], segment::DIR];
    let databases = store::generations(dir).map_err(OpenError::io("read", dir))?;
    let used = !databases.is_empty() || parts.iter().any(|part| dir.join(part).exists());
    if !marker.exists() && used {
        return Err(OpenError::Incomplete {
            path: dir.to_owned(),
            missing: identity::FILE,
        });
    }
    let segments = store::MIN_SEGMENT_BYTES..=store::MAX_SEGMENT_BYTES;
    if !options.segment_bytes.is_power_of_two() || !segments.contains(&options.segment_bytes) {
        let error = io::Error::new(
            io::ErrorKind::InvalidInput,
            "the segment size is out of range",
        );
        return Err(OpenError::io("create a ledger in", dir)(error));
    }
    let ledger = match options.ledger_id {
        Some(id) => id,
        None => random_id().map_err(OpenError::io("draw a name for", dir))?,
    };
    durable::replace(&marker, &[]).map_err(OpenError::io("write", &marker))?;
    // The directory's own name.
    if let Some(parent) = dir.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        durable::sync_dir(parent).map_err(OpenError::io("sync", parent))?;
    }
    for generation in databases {
        remove_dir(&dir.join(store::dir_name(generation)))?;
    }
    remove_dir(&dir.join(segment::DIR))?;
    Anchor::create(dir, ledger)?;
    create_store(dir, ledger, options)?;
    let identity = Identity {
        ledger,
        segment_bytes: options.segment_bytes as u32,
    };
    identity.write(dir)?;
    Ok(identity)
}

/// The first database, with the house shard, and the manifest that names it.
/// The anchor names the shard, so that from here on it never names nothing.
fn create_store(dir: &Path, ledger: LedgerId, options: &LedgerOptions) -> Result<(), OpenError> {
    let house = ShardDescriptor::house();
    let sizes = (options.segment_bytes, options.cache_bytes);
    let mut manifest = Manifest::new(ledger);
    make_database(dir, manifest.next_database, std::iter::once(&house), sizes)
        .map_err(OpenError::io("make a database in", dir))?;
    manifest.databases.push(DatabaseInfo {
        generation: manifest.next_database,
        first: BTreeMap::new(),
    });
    manifest.next_database += 1;
    let segments = dir.join(segment::DIR);
    fs::create_dir(&segments)
        .and_then(|()| manifest.write(dir))
        .and_then(|()| durable::sync_dir(dir))
        .map_err(OpenError::io("write the manifest of", dir))?;
    let mut anchor = Anchor::open(dir, ledger)?;
    anchor
        .write(&[house.origin(ledger)])
        .map_err(OpenError::io("write the anchor of", dir))
}

fn random_id() -> io::Result<LedgerId> {
    let mut id = [0; 16];
    let mut filled = 0;
    while filled < id.len() {
        let flags = rustix::rand::GetRandomFlags::empty();
        filled += rustix::rand::getrandom(&mut id[filled..], flags)?;
    }
    Ok(LedgerId(id))
}

/// Removes a directory, if it is there.
pub(super) fn remove_dir(path: &Path) -> Result<(), OpenError> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(OpenError::io("remove", path)(error))
        }
        _ => Ok(()),
    }
}
