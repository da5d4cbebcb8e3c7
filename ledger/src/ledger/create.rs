//! Making a new ledger.
//!
//! The identity comes last: a directory that has one is a whole ledger, and
//! anything missing from it later is a loss. Until then a marker says that
//! what lies there was never used.

use std::fs;
use std::io;
use std::path::Path;

use crate::anchor::{self, Anchor};
use crate::durable;
use crate::error::OpenError;
use crate::id::LedgerId;
use crate::identity::{self, Identity};
use crate::ledger::open::store_error;
use crate::ledger::options::LedgerOptions;
use crate::shard::ShardDescriptor;
use crate::store::{self, Group, Store, StoreError};

/// There while a ledger is being made.
pub(crate) const MARKER: &str = "creating";

/// Makes a ledger in `dir`, also where that was begun before and cut short.
pub(super) fn create(dir: &Path, options: &LedgerOptions) -> Result<Identity, OpenError> {
    let marker = dir.join(MARKER);
    let parts = [anchor::FILES[0], anchor::FILES[1], store::DIR];
    if !marker.exists() && parts.iter().any(|part| dir.join(part).exists()) {
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
    remove_dir(&dir.join(store::DIR))?;
    Anchor::create(dir, ledger)?;
    create_store(dir, ledger, options)?;
    let identity = Identity {
        ledger,
        segment_bytes: options.segment_bytes as u32,
    };
    identity.write(dir)?;
    Ok(identity)
}

/// The database, with the house shard. The anchor names it, so that from here
/// on it never names nothing.
fn create_store(dir: &Path, ledger: LedgerId, options: &LedgerOptions) -> Result<(), OpenError> {
    let house = ShardDescriptor::house();
    let descriptor = house
        .encode()
        .map_err(|error| store_error(dir, StoreError::Engine(error.to_string())))?;
    let group = Group {
        shards: vec![(house.id(), &descriptor)],
        ..Group::default()
    };
    let path = dir.join(store::DIR);
    Store::open(&path, options.segment_bytes, options.cache_bytes)
        .and_then(|store| {
            store.write(&group)?;
            store.flush()?;
            Ok(store.sync()?)
        })
        .map_err(|error| store_error(dir, error))?;
    durable::sync_dir(dir).map_err(OpenError::io("sync", dir))?;
    let mut anchor = Anchor::open(dir, ledger)?;
    anchor
        .write([house.origin(ledger)])
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
