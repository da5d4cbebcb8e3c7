//! Opening a ledger: nothing is changed before it is known to be whole.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};

use crate::anchor::{Anchor, AnchorState};
use crate::block::Block;
use crate::durable;
use crate::error::OpenError;
use crate::fault::{Fault, Place};
use crate::id::{LedgerId, ShardId};
use crate::identity::Identity;
use crate::ledger::create::{MARKER, create, remove_dir};
use crate::ledger::options::LedgerOptions;
use crate::ledger::queue::Queue;
use crate::ledger::shared::{OpenShard, Shared};
use crate::ledger::subscription::Commits;
use crate::ledger::writer::Writer;
use crate::lock::Lock;
use crate::shard::{Head, ShardDescriptor};
use crate::stamp::Stamp;
use crate::store::{self, Copy, Store, StoreError};
use crate::succession::{self, Epochs};

pub(super) fn open(dir: &Path, options: LedgerOptions) -> Result<(Arc<Shared>, Writer), OpenError> {
    fs::create_dir_all(dir).map_err(OpenError::io("create", dir))?;
    let lock = Lock::exclusive(dir)?;
    let identity = match Identity::read(dir)? {
        Some(identity) => identity,
        None => create(dir, &options)?,
    };
    let ledger = identity.ledger;
    let marker = dir.join(MARKER);
    durable::remove(&marker).map_err(OpenError::io("remove", &marker))?;

    let stamped = match Stamp::check(dir)? {
        Some(faults) if !faults.is_empty() => return Err(OpenError::Changed { faults }),
        stamp => stamp.is_some(),
    };
    let mut anchor = Anchor::open(dir, ledger)?;
    if !dir.join(store::DIR).is_dir() {
        return Err(OpenError::Incomplete {
            path: dir.to_owned(),
            missing: "the directory of the stored blocks",
        });
    }
    if !stamped {
        remove_leftovers(dir)?;
        probe(dir, &identity, anchor.state())?;
    }
    // From here on the files change.
    Stamp::remove(dir)?;
    let segment_bytes = identity.segment_bytes as usize;
    let store = Store::open(&dir.join(store::DIR), segment_bytes, options.cache_bytes)
        .map_err(|error| store_error(dir, error))?;
    let shards = check_tails(dir, &store, ledger, anchor.state())?;
    // What was found beyond the anchor may have come from the page cache only.
    store
        .flush()
        .and_then(|()| Ok(store.sync()?))
        .map_err(|error| store_error(dir, error))?;
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
    let copy = Copy::make(dir, dir).map_err(OpenError::io("copy the stored blocks of", dir))?;
    let store = copy
        .open(identity.segment_bytes as usize, CACHE_BYTES)
        .map_err(|error| store_error(dir, error))?;
    let shards = check_tails(dir, &store, identity.ledger, anchor)?;
    // Every block, not only the last ones: sled goes on without a page that it
    // cannot read, and would write over what is left of it.
    for open in shards.values() {
        let origin = open.descriptor.origin(identity.ledger);
        check_blocks(dir, &store, identity.ledger, origin, open.head.blocks)?;
    }
    Ok(())
}

/// Tells what the machine lacks from what is wrong with the stored bytes.
pub(crate) fn store_error(dir: &Path, error: StoreError) -> OpenError {
    match error {
        StoreError::Io(source) if is_of_machine(source.kind()) => {
            OpenError::io("open the stored blocks of", dir)(source)
        }
        error => OpenError::Store {
            reason: error.to_string(),
        },
    }
}

fn is_of_machine(kind: io::ErrorKind) -> bool {
    use io::ErrorKind;
    matches!(
        kind,
        ErrorKind::StorageFull
            | ErrorKind::QuotaExceeded
            | ErrorKind::ReadOnlyFilesystem
            | ErrorKind::PermissionDenied
            | ErrorKind::OutOfMemory
    )
}

/// The shards of a database and their heads, after their ends have been
/// compared with the anchor. Blocks beyond the anchor are those of a commit
/// that was cut short after they were durable: they are checked and kept.
fn check_tails(
    dir: &Path,
    store: &Store,
    ledger: LedgerId,
    anchor: &AnchorState,
) -> Result<BTreeMap<ShardId, OpenShard>, OpenError> {
    let mut shards = BTreeMap::new();
    for (id, bytes) in store.shards().map_err(|error| store_error(dir, error))? {
        let descriptor =
            ShardDescriptor::decode(&bytes).map_err(|error| damaged(id, &error.to_string()))?;
        if descriptor.id() != id {
            return Err(damaged(id, "its descriptor is another shard's"));
        }
        let head = check_tail(dir, store, ledger, &descriptor, anchor.heads.get(&id))?;
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
    dir: &Path,
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
        .map_err(|error| store_error(dir, error))?
        .map_or(0, |last| last.saturating_add(1));
    if found < anchored.blocks {
        return Err(OpenError::LostTail {
            shard,
            anchored: anchored.blocks,
            found,
        });
    }
    let differs = || {
        damaged_block(
            shard,
            anchored.blocks.saturating_sub(1),
            "it is not the block that the anchor names".to_owned(),
        )
    };
    match anchored.blocks.checked_sub(1) {
        Some(last) if read(dir, store, shard, last)?.head_after() != anchored => {
            return Err(differs());
        }
        None if anchored != origin => return Err(differs()),
        _ => {}
    }
    check_blocks(dir, store, ledger, anchored, found)
}

/// Checks the blocks that follow `head`, up to the height `end`.
fn check_blocks(
    dir: &Path,
    store: &Store,
    ledger: LedgerId,
    mut head: Head,
    end: u64,
) -> Result<Head, OpenError> {
    for height in head.blocks..end {
        let block = read(dir, store, head.shard, height)?;
        succession::check_header(ledger, Epochs::SameOrResumed, &head, &block.header)
            .and_then(|()| succession::check_chain(&head, &block))
            .map_err(|error| damaged_block(head.shard, height, error.to_string()))?;
        head = block.head_after();
    }
    Ok(head)
}

fn read(dir: &Path, store: &Store, shard: ShardId, height: u64) -> Result<Block, OpenError> {
    let bytes = store
        .block(shard, height)
        .map_err(|error| store_error(dir, error))?;
    let bytes = bytes.ok_or_else(|| damaged_block(shard, height, "it is missing".to_owned()))?;
    Block::from_stored(bytes).map_err(|error| damaged_block(shard, height, error.to_string()))
}

fn damaged_block(shard: ShardId, height: u64, what: String) -> OpenError {
    OpenError::Damaged {
        fault: Fault {
            place: Place::Block { shard, height },
            what,
        },
    }
}
