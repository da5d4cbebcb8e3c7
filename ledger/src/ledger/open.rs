//! Opening a ledger: nothing is changed before it is known to be whole.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

use parking_lot::{Mutex, RwLock};

use crate::anchor::{Anchor, AnchorState};
use crate::durable;
use crate::error::{DecodeError, OpenError};
use crate::id::{LedgerId, ShardId};
use crate::identity::Identity;
use crate::ledger::create::{MARKER, create, remove_dir};
use crate::ledger::fill::Fill;
use crate::ledger::join::{Join, Joined};
use crate::ledger::options::LedgerOptions;
use crate::ledger::queue::Queue;
use crate::ledger::rotate::make_database;
use crate::ledger::sealer::Sealer;
use crate::ledger::sealing::Sealing;
use crate::ledger::shared::Shared;
use crate::ledger::steps::Steps;
use crate::ledger::subscription::Commits;
use crate::ledger::view::{Database, View};
use crate::ledger::writer::Writer;
use crate::lock::Lock;
use crate::notary::{self, Board, Logs, Notary, NotaryOptions, SignedAnchor, SignedState};
use crate::segment::{self, Catalogue, DatabaseInfo, Manifest};
use crate::shard::{Head, ShardDescriptor};
use crate::stamp::Stamp;
use crate::store::{self, Copy, Store, StoreError, dir_name};

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
    let anchor = Anchor::open(dir, ledger)?;
    let manifest = read_manifest(dir, ledger)?;
    let catalogue = Catalogue::new(dir, ledger, manifest.shards.clone());
    catalogue.check()?;
    let signed_dir = options.signed_anchor_dir.as_deref().unwrap_or(dir);
    fs::create_dir_all(signed_dir).map_err(OpenError::io("create", signed_dir))?;
    let signed = SignedAnchor::open(signed_dir, ledger)?;
    if signed.state().generation == 0 && notary::has_signed(dir) {
        return Err(OpenError::SignedAnchor {
            path: signed_dir.to_owned(),
        });
    }
    let join = Join {
        dir,
        ledger,
        catalogue: &catalogue,
        anchor: anchor.state(),
        signed: signed.state(),
        accept_lost: &options.accept_lost,
    };
    if !stamped {
        remove_copies(dir)?;
        probe(&join, &identity, &manifest.databases)?;
    }
    // From here on the files change.
    Stamp::remove(dir)?;
    let segment_bytes = identity.segment_bytes as usize;
    let mut stores = Vec::with_capacity(manifest.databases.len());
    for info in &manifest.databases {
        let path = dir.join(dir_name(info.generation));
        let store = Store::open(&path, segment_bytes, options.cache_bytes)
            .map_err(|error| store_error(dir, error))?;
        stores.push((info.clone(), store));
    }
    let joined = join.all(&stores, false)?;
    let whole = Whole {
        lock,
        anchor,
        signed,
        manifest,
        catalogue,
        stores,
        joined,
    };
    whole.start(dir, segment_bytes, options)
}

/// A ledger that has been found whole.
struct Whole {
    lock: Lock,
    anchor: Anchor,
    signed: SignedAnchor,
    manifest: Manifest,
    catalogue: Catalogue,
    stores: Vec<(DatabaseInfo, Store)>,
    joined: Joined,
}

impl Whole {
    /// Makes it ready for appends, and starts the sealer.
    fn start(
        mut self,
        dir: &Path,
        segment_bytes: usize,
        options: LedgerOptions,
    ) -> Result<(Arc<Shared>, Writer), OpenError> {
        self.make_durable(dir, segment_bytes, &options)?;
        remove_unnamed(dir, &self.manifest)?;
        let bytes = self.open_bytes();
        let databases: Vec<Database> = self
            .stores
            .into_iter()
            .zip(self.joined.ends)
            .map(|((info, store), end)| Database {
                info,
                store: Arc::new(store),
                end: Arc::new(end),
            })
            .collect();
        let unsealed = databases.len() > 1;
        let shared = Arc::new(Shared {
            id: self.manifest.ledger,
            dir: dir.to_owned(),
            signed_dir: options
                .signed_anchor_dir
                .clone()
                .unwrap_or_else(|| dir.to_owned()),
            segment_bytes,
            compression: options.compression,
            queue: Queue::new(options.queue_bytes),
            shards: RwLock::new(self.joined.shards),
            view: RwLock::new(Some(Arc::new(View {
                catalogue: Arc::new(self.catalogue),
                databases,
            }))),
            manifest: Mutex::new(self.manifest),
            sealing: Sealing::default(),
            poisoned: Mutex::new(None),
            commits: Arc::new(Commits::default()),
            board: Board::default(),
            logs: Logs::default(),
        });
        let steps = Steps::new(options.faults.clone());
        let notary = match &options.notary {
            None => None,
            Some(notary) => Some(start_notary(&shared, self.signed, notary, &steps, dir)?),
        };
        let sealer = Sealer {
            shared: Arc::clone(&shared),
            steps: steps.clone(),
        };
        let sealer = std::thread::Builder::new()
            .name("ledger-sealer".to_owned())
            .spawn(move || sealer.run())
            .map_err(OpenError::io("start the sealer thread of", dir))?;
        if unsealed {
            shared.sealing.request();
        }
        let writer = Writer {
            dir: dir.to_owned(),
            shared: Arc::clone(&shared),
            anchor: self.anchor,
            lock: self.lock,
            fill: Fill::new(options.rotate_bytes, options.rotate_age, bytes),
            options,
            steps,
            sealer,
            notary,
        };
        Ok((shared, writer))
    }

    fn heads(&self) -> Vec<Head> {
        let shards = self.joined.shards.values();
        shards.map(|open| open.head).collect()
    }

    /// What was found beyond the anchor may have come from the page cache
    /// only; a backup has no database yet.
    fn make_durable(
        &mut self,
        dir: &Path,
        segment_bytes: usize,
        options: &LedgerOptions,
    ) -> Result<(), OpenError> {
        if let Some((_, store)) = self.stores.last() {
            store
                .flush()
                .and_then(|()| Ok(store.sync()?))
                .map_err(|error| store_error(dir, error))?;
        } else {
            let sizes = (segment_bytes, options.cache_bytes);
            let database = first_database(dir, &mut self.manifest, &self.joined, sizes)?;
            self.stores.push(database);
            self.joined.ends.push(BTreeMap::new());
        }
        let heads = self.heads();
        let known = &self.anchor.state().heads;
        if heads
            .iter()
            .any(|head| known.get(&head.shard) != Some(head))
        {
            self.anchor
                .write(&heads)
                .map_err(OpenError::io("write the anchor of", dir))?;
        }
        Ok(())
    }

    /// How many bytes the database that is written to has, or a little more;
    /// 0 where it has no block.
    fn open_bytes(&self) -> u64 {
        let Some((info, store)) = self.stores.last() else {
            return 0;
        };
        let heads = self.heads();
        if heads
            .iter()
            .any(|head| head.blocks > info.first(head.shard))
        {
            store.file_bytes().max(1)
        } else {
            0
        }
    }
}

/// The heads of the shards of a ledger that may have lost their ends, from
/// copies of its databases.
pub(super) fn survey(
    dir: &Path,
    identity: &Identity,
    anchor: &AnchorState,
    signed: &SignedState,
    may_lose: &BTreeSet<ShardId>,
) -> Result<Vec<(ShardDescriptor, Head)>, OpenError> {
    let manifest = read_manifest(dir, identity.ledger)?;
    let catalogue = Catalogue::new(dir, identity.ledger, manifest.shards.clone());
    catalogue.check()?;
    let join = Join {
        dir,
        ledger: identity.ledger,
        catalogue: &catalogue,
        anchor,
        signed,
        accept_lost: may_lose,
    };
    remove_copies(dir)?;
    let joined = probe(&join, identity, &manifest.databases)?;
    let shards = joined.shards.into_values();
    Ok(shards.map(|open| (open.descriptor, open.head)).collect())
}

fn start_notary(
    shared: &Arc<Shared>,
    signed: SignedAnchor,
    options: &NotaryOptions,
    steps: &Steps,
    dir: &Path,
) -> Result<JoinHandle<()>, OpenError> {
    let notary = Notary::new(Arc::clone(shared), signed, options.clone(), steps.clone());
    std::thread::Builder::new()
        .name("ledger-notary".to_owned())
        .spawn(move || notary.run())
        .map_err(OpenError::io("start the notary thread of", dir))
}

/// The manifest, of which every database has to be there.
fn read_manifest(dir: &Path, ledger: LedgerId) -> Result<Manifest, OpenError> {
    let incomplete = |missing| OpenError::Incomplete {
        path: dir.to_owned(),
        missing,
    };
    let manifest =
        Manifest::read(dir)?.ok_or_else(|| incomplete("the manifest of the segments"))?;
    if manifest.ledger != ledger {
        return Err(OpenError::File {
            path: dir.join(Manifest::path()),
            source: DecodeError::Malformed("it belongs to another ledger".to_owned()),
        });
    }
    let missing = |info: &DatabaseInfo| !dir.join(dir_name(info.generation)).is_dir();
    if manifest.databases.iter().any(missing) {
        return Err(incomplete("the directory of the stored blocks"));
    }
    Ok(manifest)
}

/// Makes the database of a ledger that has none.
fn first_database(
    dir: &Path,
    manifest: &mut Manifest,
    joined: &Joined,
    sizes: (usize, u64),
) -> Result<(DatabaseInfo, Store), OpenError> {
    let generation = manifest.next_database;
    let descriptors = joined.shards.values().map(|open| &open.descriptor);
    let store = make_database(dir, generation, descriptors, sizes)
        .map_err(OpenError::io("make a database in", dir))?;
    let info = DatabaseInfo {
        generation,
        first: joined
            .shards
            .iter()
            .map(|(shard, open)| (*shard, open.head.blocks))
            .collect(),
    };
    manifest.generation += 1;
    manifest.next_database += 1;
    manifest.databases.push(info.clone());
    manifest
        .write(dir)
        .map_err(OpenError::io("write the manifest of", dir))?;
    Ok((info, store))
}

/// Removes copies that a crash while probing left behind.
fn remove_copies(dir: &Path) -> Result<(), OpenError> {
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

/// Removes what the manifest does not name: databases that were sealed or
/// never used, segments that were never finished. Only of a ledger that is
/// whole; else it is evidence.
fn remove_unnamed(dir: &Path, manifest: &Manifest) -> Result<(), OpenError> {
    for generation in store::generations(dir).map_err(OpenError::io("read", dir))? {
        let mut named = manifest.databases.iter();
        if !named.any(|info| info.generation == generation) {
            tracing::info!(generation, "removing a database that is sealed or unused");
            remove_dir(&dir.join(dir_name(generation)))?;
        }
    }
    let mut names: BTreeSet<PathBuf> = manifest
        .shards
        .values()
        .flat_map(|sealed| {
            let segments = sealed.segments.iter();
            segments.map(|info| segment::path(sealed.head.shard, info.first_height))
        })
        .collect();
    names.insert(Manifest::path());
    let segments = dir.join(segment::DIR);
    let present = durable::files(&segments).map_err(OpenError::io("read", &segments))?;
    for path in present {
        if !names.contains(&Path::new(segment::DIR).join(&path)) {
            let path = segments.join(path);
            tracing::info!(path = %path.display(), "removing a segment that was never named");
            durable::remove(&path).map_err(OpenError::io("remove", &path))?;
        }
    }
    Ok(())
}

/// Opens copies, because opening a database changes it, and a damaged one must
/// stay as it was found.
fn probe(
    join: &Join<'_>,
    identity: &Identity,
    databases: &[DatabaseInfo],
) -> Result<Joined, OpenError> {
    const CACHE_BYTES: u64 = 16 << 20;
    let dir = join.dir;
    let mut copies = Vec::with_capacity(databases.len());
    let mut stores = Vec::with_capacity(databases.len());
    for info in databases {
        let copy = Copy::make(dir, info.generation, dir)
            .map_err(OpenError::io("copy the stored blocks of", dir))?;
        let store = copy
            .open(identity.segment_bytes as usize, CACHE_BYTES)
            .map_err(|error| store_error(dir, error))?;
        stores.push((info.clone(), store));
        copies.push(copy);
    }
    // Every block, not only the last ones: sled goes on without a page that it
    // cannot read, and would write over what is left of it.
    let joined = join.all(&stores, true)?;
    drop(stores);
    drop(copies);
    Ok(joined)
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
