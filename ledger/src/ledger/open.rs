//! Opening a ledger: nothing is changed before it is known to be whole.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};

use crate::anchor::{self, Anchor, AnchorState};
use crate::block::Block;
use crate::durable;
use crate::error::OpenError;
use crate::fault::{Fault, Place};
use crate::id::{LedgerId, ShardId};
use crate::identity::{self, Identity};
use crate::ledger::options::LedgerOptions;
use crate::ledger::queue::Queue;
use crate::ledger::shared::{OpenShard, Shared};
use crate::ledger::subscription::Commits;
use crate::ledger::writer::Writer;
use crate::lock::Lock;
use crate::shard::{Head, ShardDescriptor};
use crate::stamp::Stamp;
use crate::store::{self, Copy, Group, Store, StoreError};
use crate::succession;

pub(super) fn open(dir: &Path, options: LedgerOptions) -> Result<(Arc<Shared>, Writer), OpenError> {
    fs::create_dir_all(dir).map_err(OpenError::io("create", dir))?;
    let lock = Lock::exclusive(dir)?;
    let identity = match Identity::read(dir)? {
        Some(identity) => identity,
        None => create(dir, &options)?,
    };
    let ledger = identity.ledger;
    let segment_bytes = identity.segment_bytes as usize;
    let stamped = match Stamp::check(dir)? {
        Some(faults) if !faults.is_empty() => return Err(OpenError::Changed { faults }),
        Some(_) => true,
        None => false,
    };
    if !stamped {
        finish_creation(dir, ledger)?;
    }
    let mut anchor = Anchor::open(dir, ledger)?;
    if !stamped {
        remove_leftovers(dir)?;
        if anchor.state().heads.is_empty() {
            // A creation that was cut short: nothing was acknowledged, and
            // what sled left behind may be half a file.
            remove_dir(&dir.join(store::DIR))?;
        } else {
            probe(dir, &identity, anchor.state())?;
        }
    }
    Stamp::remove(dir)?;
    let store = Store::open(&dir.join(store::DIR), segment_bytes, options.cache_bytes)
        .map_err(store_error)?;
    durable::sync_dir(dir).map_err(OpenError::io("sync", dir))?;
    let mut shards = check_tails(&store, ledger, anchor.state())?;

    let house = ShardDescriptor::house();
    if !shards.contains_key(&house.id()) {
        let head = house.origin(ledger);
        put_descriptor(&store, &house)?;
        shards.insert(
            house.id(),
            OpenShard {
                descriptor: house,
                head,
            },
        );
    }
    // What was found beyond the anchor may have come from the page cache only.
    store
        .flush()
        .and_then(|()| Ok(store.sync()?))
        .map_err(store_error)?;
    let heads: Vec<Head> = shards.values().map(|open| open.head).collect();
    if heads
        .iter()
        .any(|head| anchor.state().heads.get(&head.shard) != Some(head))
    {
        anchor
            .write(heads)
            .map_err(OpenError::io("write the anchor of", dir))?;
    }

    let shared = Arc::new(Shared {
        id: ledger,
        queue: Queue::new(options.queue_bytes),
        shards: RwLock::new(shards),
        store: RwLock::new(Some(store)),
        poisoned: Mutex::new(None),
        commits: Arc::new(Commits::default()),
    });
    let writer = Writer {
        dir: dir.to_owned(),
        shared: Arc::clone(&shared),
        anchor,
        lock,
        options,
    };
    Ok((shared, writer))
}

/// Names a new ledger. A directory that already holds parts of one has lost
/// its identity, and gets no other.
fn create(dir: &Path, options: &LedgerOptions) -> Result<Identity, OpenError> {
    let parts = [anchor::FILES[0], anchor::FILES[1], store::DIR];
    if parts.iter().any(|part| dir.join(part).exists()) {
        return Err(OpenError::Incomplete {
            path: dir.to_owned(),
            missing: identity::FILE,
        });
    }
    let segments = store::MIN_SEGMENT_BYTES..=store::MAX_SEGMENT_BYTES;
    if !options.segment_bytes.is_power_of_two() || !segments.contains(&options.segment_bytes) {
        let error = std::io::Error::new(
            std::io::ErrorKind::InvalidInput,
            "the segment size is out of range",
        );
        return Err(OpenError::io("create a ledger in", dir)(error));
    }
    let ledger = match options.ledger_id {
        Some(id) => id,
        None => random_id().map_err(OpenError::io("draw a name for", dir))?,
    };
    let identity = Identity {
        ledger,
        segment_bytes: options.segment_bytes as u32,
    };
    identity.write(dir)?;
    // The directory's own name.
    if let Some(parent) = dir.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        durable::sync_dir(parent).map_err(OpenError::io("sync", parent))?;
    }
    Ok(identity)
}

/// Writes the anchors of a ledger that has just been named, also where an
/// earlier creation was cut short before there was any block.
fn finish_creation(dir: &Path, ledger: LedgerId) -> Result<(), OpenError> {
    let missing = anchor::FILES
        .iter()
        .filter(|file| !dir.join(file).exists())
        .count();
    if missing > 0 && !dir.join(store::DIR).exists() {
        Anchor::create(dir, ledger)?;
    }
    Ok(())
}

fn random_id() -> std::io::Result<LedgerId> {
    let mut id = [0; 16];
    let mut filled = 0;
    while filled < id.len() {
        filled +=
            rustix::rand::getrandom(&mut id[filled..], rustix::rand::GetRandomFlags::empty())?;
    }
    Ok(LedgerId(id))
}

fn remove_dir(path: &Path) -> Result<(), OpenError> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(OpenError::io("remove", path)(error))
        }
        _ => Ok(()),
    }
}

/// Removes copies that a crash while probing left behind.
fn remove_leftovers(dir: &Path) -> Result<(), OpenError> {
    for entry in fs::read_dir(dir).map_err(OpenError::io("read", dir))? {
        let entry = entry.map_err(OpenError::io("read", dir))?;
        if entry
            .file_name()
            .to_string_lossy()
            .starts_with(store::COPY_PREFIX)
        {
            remove_dir(&entry.path())?;
        }
    }
    Ok(())
}

/// Opens a copy, because opening a database changes it, and a damaged one must
/// stay as it was found.
fn probe(dir: &Path, identity: &Identity, anchor: &AnchorState) -> Result<(), OpenError> {
    const CACHE_BYTES: u64 = 16 << 20;
    let copy =
        Copy::open(dir, dir, identity.segment_bytes as usize, CACHE_BYTES).map_err(store_error)?;
    check_tails(copy.store(), identity.ledger, anchor).map(|_| ())
}

fn put_descriptor(store: &Store, descriptor: &ShardDescriptor) -> Result<(), OpenError> {
    let bytes = descriptor
        .encode()
        .map_err(|error| store_error(StoreError::Engine(error.to_string())))?;
    let group = Group {
        shards: vec![(descriptor.id(), &bytes)],
        ..Group::default()
    };
    store.write(&group).map_err(store_error)
}

fn store_error(error: StoreError) -> OpenError {
    OpenError::Store {
        reason: error.to_string(),
    }
}

/// The shards of a database and their heads, after their ends have been
/// compared with the anchor. Blocks beyond the anchor are those of a commit
/// that was cut short after they were durable: they are checked and kept.
fn check_tails(
    store: &Store,
    ledger: LedgerId,
    anchor: &AnchorState,
) -> Result<BTreeMap<ShardId, OpenShard>, OpenError> {
    let mut shards = BTreeMap::new();
    for (id, bytes) in store.shards().map_err(store_error)? {
        let descriptor =
            ShardDescriptor::decode(&bytes).map_err(|error| damaged(id, &error.to_string()))?;
        if descriptor.id() != id {
            return Err(damaged(id, "its descriptor is another shard's"));
        }
        let head = check_tail(store, ledger, &descriptor, anchor.heads.get(&id))?;
        shards.insert(id, OpenShard { descriptor, head });
    }
    let lost = anchor
        .heads
        .values()
        .find(|head| !shards.contains_key(&head.shard));
    match lost {
        Some(head) if head.blocks > 0 => Err(OpenError::LostTail {
            shard: head.shard,
            anchored: head.blocks,
            found: 0,
        }),
        Some(head) => Err(damaged(head.shard, "its descriptor is missing")),
        None => Ok(shards),
    }
}

fn damaged(shard: ShardId, what: &str) -> OpenError {
    OpenError::Damaged {
        fault: Fault {
            place: Place::Shard { shard },
            what: what.to_owned(),
        },
    }
}

fn check_tail(
    store: &Store,
    ledger: LedgerId,
    descriptor: &ShardDescriptor,
    anchored: Option<&Head>,
) -> Result<Head, OpenError> {
    let shard = descriptor.id();
    let origin = descriptor.origin(ledger);
    let anchored = anchored.copied().unwrap_or(origin);
    let found = store
        .last_height(shard)
        .map_err(store_error)?
        .map_or(0, |last| last.saturating_add(1));
    if found < anchored.blocks {
        return Err(OpenError::LostTail {
            shard,
            anchored: anchored.blocks,
            found,
        });
    }
    let damaged = |height: u64, what: String| OpenError::Damaged {
        fault: Fault {
            place: Place::Block { shard, height },
            what,
        },
    };
    let read = |height: u64| {
        let bytes = store.block(shard, height).map_err(store_error)?;
        let bytes = bytes.ok_or_else(|| damaged(height, "it is missing".to_owned()))?;
        Block::from_stored(bytes).map_err(|error| damaged(height, error.to_string()))
    };
    let differs = "it is not the block that the anchor names";
    match anchored.blocks.checked_sub(1) {
        Some(last) if read(last)?.head_after() != anchored => {
            return Err(damaged(last, differs.to_owned()));
        }
        None if anchored != origin => return Err(damaged(0, differs.to_owned())),
        _ => {}
    }
    let mut head = anchored;
    for height in anchored.blocks..found {
        let block = read(height)?;
        succession::check_header(ledger, descriptor.epoch, &head, &block.header)
            .and_then(|()| succession::check_chain(&head, &block))
            .map_err(|error| damaged(height, error.to_string()))?;
        head = block.head_after();
    }
    Ok(head)
}
