//! The maps of a shard, as the thread that signs has them.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::RwLock;

use super::base::{Base, Builder};
use super::pending::Pending;
use super::snapshot::Snapshot;
use super::trie::{MAX_RECORDS, Trie};
use super::version::Version;
use super::{Covered, MapError, MapReader, MergePolicy, Roots};
use crate::durable;
use crate::id::{Digest, ShardId, SubjectReference};

pub(super) const BASE_FILE: &str = "base";
pub(super) const RECENT_FILE: &str = "recent";

/// The maps of a shard: what it has of each person.
///
/// ```
/// use custody_ledger::map::{MergePolicy, ShardMap};
/// use custody_ledger::{Digest, ShardId, SubjectReference};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let dir = tempfile::tempdir()?;
/// let genesis = Digest([0; 32]);
/// let mut map = ShardMap::create(dir.path(), ShardId([1; 16]), genesis)?;
/// let person = SubjectReference([2; 16]);
/// map.touch(person, 0, Digest([3; 32]))?;
///
/// // What a checkpoint of the first entry says.
/// let roots = map.roots(1, Digest([3; 32]))?;
/// let (_, _, proved) = map.reader().prove(&[person])?;
/// let record = proved[0].proof.verify(&roots.base, &roots.recent, &person)?;
/// assert_eq!(record.map(|record| record.count), Some(1));
///
/// if map.merge_due(&MergePolicy::default()) {
///     map.merge()?;
/// }
/// map.save_recent()?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct ShardMap {
    dir: PathBuf,
    shard: ShardId,
    /// Only this thread writes it.
    sealed: Arc<RwLock<Version>>,
    pending: Pending,
    /// The least sequence that can be touched.
    next: u64,
    /// A base map of all that is sealed, which the next version will have.
    merged: Option<Base>,
}

impl ShardMap {
    /// Empty maps, in place of what is in their directory. To rebuild them,
    /// touch every entry of the log, with a version and a merge now and then.
    ///
    /// # Errors
    ///
    /// [`MapError::Io`] where the directory cannot be emptied.
    pub fn create(dir: &Path, shard: ShardId, genesis: Digest) -> Result<Self, MapError> {
        fs::create_dir_all(dir).map_err(MapError::io("create", dir))?;
        // The recent map first: a base map is good without it.
        for name in [RECENT_FILE, BASE_FILE] {
            let path = dir.join(name);
            durable::remove(&path).map_err(MapError::io("remove", &path))?;
        }
        let covered = Covered {
            size: 0,
            chain_head: genesis,
        };
        Ok(Self::new(
            dir,
            shard,
            covered,
            Base::empty(dir),
            Trie::default(),
        ))
    }

    /// Opens the maps as they were merged or saved last: [`ShardMap::sealed`]
    /// says up to which entry. Touch the entries from there on. Maps of no
    /// entry are opened where there are no files.
    ///
    /// Whether they are maps of the same log, and not of more than it has, is
    /// for the caller to compare.
    ///
    /// # Errors
    ///
    /// Where [`MapError::needs_rebuild`]: [`ShardMap::create`], and touch every
    /// entry of the log. [`MapError::Io`] where files cannot be read.
    pub fn open(dir: &Path, shard: ShardId, genesis: Digest) -> Result<Self, MapError> {
        fs::create_dir_all(dir).map_err(MapError::io("create", dir))?;
        let mut covered = Covered {
            size: 0,
            chain_head: genesis,
        };
        let base = match Base::open(&dir.join(BASE_FILE), shard)? {
            Some((base, of)) => {
                covered = of;
                base
            }
            None => Base::empty(dir),
        };
        let mut recent = Trie::default();
        let path = dir.join(RECENT_FILE);
        if let Some(snapshot) = Snapshot::read(&path, shard)? {
            if (snapshot.base_size, snapshot.base_root) == (covered.size, base.root()) {
                covered = snapshot.covered;
                snapshot
                    .records
                    .into_iter()
                    .for_each(|record| recent.insert(record));
            } else if snapshot.covered.size > covered.size {
                return Err(MapError::OtherBase { path });
            }
            // Else it was merged after it was saved.
        }
        Ok(Self::new(dir, shard, covered, base, recent))
    }

    fn new(dir: &Path, shard: ShardId, covered: Covered, base: Base, mut recent: Trie) -> Self {
        let roots = Roots {
            base_size: base.covers(),
            base: base.root(),
            recent: recent.rehash(),
        };
        Self {
            dir: dir.to_owned(),
            shard,
            next: covered.size,
            sealed: Arc::new(RwLock::new(Version {
                covered,
                roots,
                base: Arc::new(base),
                recent,
            })),
            pending: Pending::default(),
            merged: None,
        }
    }

    /// Notes that a person has entry `sequence`, whose digest is h(sequence).
    /// Entries come in ascending order; those without a person are left out.
    ///
    /// # Errors
    ///
    /// [`MapError::Repeated`] for an entry at or before the last; else where
    /// the base map cannot be read. Then the touch is noted nevertheless.
    pub fn touch(
        &mut self,
        reference: SubjectReference,
        sequence: u64,
        entry: Digest,
    ) -> Result<(), MapError> {
        if sequence < self.next {
            return Err(MapError::Repeated {
                sequence,
                next: self.next,
            });
        }
        self.next = sequence + 1;
        self.pending.push(reference, sequence, entry);
        if self.pending.is_full() {
            self.fold()?;
        }
        Ok(())
    }

    fn fold(&mut self) -> Result<(), MapError> {
        match &self.merged {
            Some(merged) => self.pending.fold(None, merged),
            None => {
                let sealed = self.sealed.read();
                self.pending.fold(Some(&sealed.recent), &sealed.base)
            }
        }
    }

    /// Seals a version with all entries touched so far, `size` of them with
    /// those of no person, and returns its roots. From now on proofs are
    /// against these. `chain_head` is h(size - 1).
    ///
    /// Readers wait while the persons that changed are put in and hashed: some
    /// milliseconds for ten thousand.
    ///
    /// # Errors
    ///
    /// [`MapError::Full`] where a merge should have been long ago; else where
    /// the base map cannot be read. Then the version before is still sealed.
    pub fn roots(&mut self, size: u64, chain_head: Digest) -> Result<Roots, MapError> {
        self.fold()?;
        let held = match self.merged {
            Some(_) => 0,
            None => self.sealed.read().recent.len(),
        };
        let persons = held + self.pending.persons();
        if persons > MAX_RECORDS {
            return Err(MapError::Full { persons });
        }
        let records = self.pending.take();
        let merged = self.merged.take();
        self.next = self.next.max(size);

        let mut version = self.sealed.write();
        let before = merged.map(|base| {
            version.roots.base = base.root();
            version.roots.base_size = base.covers();
            let base = std::mem::replace(&mut version.base, Arc::new(base));
            (base, std::mem::take(&mut version.recent))
        });
        records
            .into_iter()
            .for_each(|record| version.recent.insert(record));
        version.roots.recent = version.recent.rehash();
        version.covered = Covered { size, chain_head };
        let roots = version.roots;
        drop(version);
        // Freeing it is no reason for readers to wait.
        drop(before);
        Ok(roots)
    }

    /// Which entries the sealed version accounts for, and its roots.
    pub fn sealed(&self) -> (Covered, Roots) {
        self.reader().sealed()
    }

    /// Proofs, for other threads.
    pub fn reader(&self) -> MapReader {
        MapReader(Arc::clone(&self.sealed))
    }

    /// How many persons the recent map and the base map have.
    pub fn persons(&self) -> (usize, u64) {
        let sealed = self.sealed.read();
        (sealed.recent.len(), sealed.base.count())
    }

    /// How many bytes the maps take in memory, touches that are pending left
    /// out.
    pub fn allocated_bytes(&self) -> usize {
        let sealed = self.sealed.read();
        sealed.recent.allocated_bytes() + sealed.base.allocated_bytes()
    }

    /// Whether [`ShardMap::merge`] is due.
    pub fn merge_due(&self, policy: &MergePolicy) -> bool {
        let (recent, base) = self.persons();
        self.merged.is_none() && policy.is_due(recent, base)
    }

    /// Writes a new base map of all that is sealed; the recent map of the next
    /// version starts empty. The sealed version stays as it is, and serves
    /// proofs, until then. Takes about 0.5 µs a person of both maps.
    ///
    /// A crash leaves the old base map or the new one, both of them good.
    ///
    /// # Errors
    ///
    /// [`MapError::Bucket`] where the old base is damaged, [`MapError::Io`].
    /// Then all is as before.
    pub fn merge(&mut self) -> Result<(), MapError> {
        if self.merged.is_some() {
            return Ok(());
        }
        // Readers are not held up: there is no writer but this thread.
        let sealed = self.sealed.read();
        let path = self.dir.join(BASE_FILE);
        let most = sealed.base.count() + sealed.recent.len() as u64;
        let mut builder = Builder::create(&path, self.shard, most)?;
        let mut recent = sealed.recent.iter().peekable();
        sealed.base.for_each(|record| {
            while let Some(earlier) = recent.next_if(|new| new.reference < record.reference) {
                builder.push(*earlier)?;
            }
            let new = recent.next_if(|new| new.reference == record.reference);
            builder.push(*new.unwrap_or(record))
        })?;
        recent.try_for_each(|record| builder.push(*record))?;
        drop(recent);
        self.merged = Some(builder.finish(sealed.covered)?);
        Ok(())
    }

    /// Saves the recent map, so that only what comes after it is to be touched
    /// again when the maps are opened. It is durable when this returns.
    ///
    /// # Errors
    ///
    /// [`MapError::Io`] where it cannot be written.
    pub fn save_recent(&self) -> Result<(), MapError> {
        if self.merged.is_some() {
            // The base map on disk has all of it.
            return Ok(());
        }
        let sealed = self.sealed.read();
        let path = self.dir.join(RECENT_FILE);
        Snapshot::write(&path, self.shard, &sealed)
    }
}
