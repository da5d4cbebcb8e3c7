//! The root key's file: two slots of 4 KiB, overwritten in place.
//!
//! In place, because a file that is replaced by renaming leaves the old key on
//! the disk. Two, because a write that is cut off must not cost the key: a new
//! key goes into one slot and is synced before the other is touched. Both hold
//! the same key when nothing is under way, so that one damaged sector costs
//! nothing. The newest slot that is whole wins.
//!
//! Under a passphrase the key in a slot is sealed ([`super::passphrase`]): who
//! reads the disk then has nothing without it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::passphrase::{self, Kek, Lock, Passphrase, SEALED_BYTES};
use super::{RootKey, RootStore};
use crate::error::VaultError;
use crate::key::Key;

const MAGIC: &[u8; 8] = b"CUSTROOT";
const VERSION: u16 = 1;
const FLAGS_PLAIN: u16 = 0;
const FLAGS_SEALED: u16 = 1;

/// One page: a torn write of one slot cannot reach the other.
pub(crate) const SLOT_BYTES: usize = 4096;
const FILE_BYTES: usize = 2 * SLOT_BYTES;

const AT_VERSION: usize = 8;
const AT_FLAGS: usize = 10;
const AT_GENERATION: usize = 16;
const AT_KEY: usize = 24;
const AT_CHECKSUM: usize = SLOT_BYTES - 32;
const _: () = assert!(AT_KEY + SEALED_BYTES <= AT_CHECKSUM);

/// Root keys in a file of this machine.
#[derive(Debug)]
pub struct FileRootStore {
    path: PathBuf,
    lock: Option<Lock>,
}

impl FileRootStore {
    /// The file need not be there; it is made (mode 0600) with the first key.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            lock: None,
        }
    }

    /// As [`FileRootStore::new`], sealed under a passphrase. Opening takes a
    /// part of a second and 64 MiB. A file that is not sealed is read all the
    /// same, and sealed with the next key that is put.
    pub fn with_passphrase(path: impl Into<PathBuf>, passphrase: Passphrase) -> Self {
        Self {
            path: path.into(),
            lock: Some(Lock::new(passphrase)),
        }
    }

    /// Seals the file under another passphrase, or under none. Slot by slot: it
    /// opens with the old one until it opens with the new one.
    ///
    /// # Errors
    /// What reading or writing says; [`VaultError::RootKeyMissing`] without a
    /// file; [`VaultError::RootService`] while a change of keys is under way.
    pub fn change_passphrase(&mut self, new: Option<Passphrase>) -> Result<(), VaultError> {
        let mut kept = self.get()?;
        let Some(key) = kept.pop() else {
            return Err(VaultError::RootKeyMissing {
                place: self.place(),
            });
        };
        if !kept.is_empty() {
            return Err(VaultError::RootService {
                doing: "change the passphrase",
                reason: "an erasure is under way: open the vault first".to_owned(),
            });
        }
        self.lock = new.map(Lock::new);
        for slot in [0, 1] {
            self.overwrite(slot, &key)?;
        }
        Ok(())
    }

    fn failed(&self, doing: &'static str) -> impl Fn(io::Error) -> VaultError + use<'_> {
        move |source| VaultError::Io {
            doing,
            path: self.path.clone(),
            source,
        }
    }

    /// Both slots, whatever is in them. `None` when there is no file.
    fn read(&self) -> Result<Option<[Slot; 2]>, VaultError> {
        let Some(bytes) = self.read_bytes()? else {
            return Ok(None);
        };
        let (first, second) = bytes.split_at(SLOT_BYTES);
        let slot = |bytes| Slot::decode(bytes, self.lock.as_ref());
        match (slot(first), slot(second)) {
            (Ok(first), Ok(second)) => Ok(Some([first, second])),
            // A change of passphrase was cut off between the slots.
            (Ok(one), Err(VaultError::PassphraseWrong | VaultError::PassphraseMissing))
            | (Err(VaultError::PassphraseWrong | VaultError::PassphraseMissing), Ok(one)) => {
                Ok(Some([one, Slot::Bad("it is under another passphrase")]))
            }
            (Err(error), _) | (_, Err(error)) => Err(error),
        }
    }

    fn read_bytes(&self) -> Result<Option<Zeroizing<Vec<u8>>>, VaultError> {
        let failed = self.failed("read the root key");
        let file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        if file.metadata().map_err(&failed)?.mode() & 0o077 != 0 {
            tracing::warn!(
                "the root key file can be read by others than its owner: set its mode to 0600"
            );
        }
        let mut bytes = Zeroizing::new(Vec::with_capacity(FILE_BYTES + 1));
        (&file)
            .take(FILE_BYTES as u64 + 1)
            .read_to_end(&mut bytes)
            .map_err(&failed)?;
        if bytes.len() != FILE_BYTES {
            return Err(VaultError::RootKeyDamaged {
                path: self.path.clone(),
                reason: "its size is not that of a root key file",
            });
        }
        Ok(Some(bytes))
    }

    fn encode(&self, key: &RootKey) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        let kek = match &self.lock {
            Some(lock) => Some(lock.kek()?),
            None => None,
        };
        encode(key, kek.as_ref())
    }

    /// Writes a file that was not there, and returns when it and its name are
    /// on disk.
    fn create(&self, key: &RootKey) -> Result<(), VaultError> {
        let failed = self.failed("create the root key");
        let parent = match self.path.parent() {
            Some(parent) if parent != Path::new("") => parent,
            _ => Path::new("."),
        };
        let bytes = self.encode(key)?;
        fs::create_dir_all(parent).map_err(&failed)?;
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&self.path)
            .map_err(&failed)?;
        file.write_all(&bytes).map_err(&failed)?;
        file.sync_all().map_err(&failed)?;
        File::open(parent)
            .and_then(|dir| dir.sync_all())
            .map_err(&failed)
    }

    fn overwrite(&self, slot: usize, key: &RootKey) -> Result<(), VaultError> {
        let failed = self.failed("write the root key");
        let file = OpenOptions::new()
            .write(true)
            .open(&self.path)
            .map_err(&failed)?;
        let bytes = self.encode(key)?;
        file.write_all_at(&bytes[..SLOT_BYTES], (slot * SLOT_BYTES) as u64)
            .map_err(&failed)?;
        file.sync_all().map_err(&failed)
    }
}

impl RootStore for FileRootStore {
    fn kind(&self) -> &'static str {
        "file"
    }

    fn place(&self) -> String {
        self.path.display().to_string()
    }

    fn get(&self) -> Result<Vec<RootKey>, VaultError> {
        match self.read()? {
            Some(slots) => keys(slots, &self.path),
            None => Ok(Vec::new()),
        }
    }

    fn put(&self, key: &RootKey) -> Result<(), VaultError> {
        let Some(slots) = self.read()? else {
            return self.create(key);
        };
        let held = slots.each_ref().map(Slot::generation);
        let newest = keys(slots, &self.path)?
            .first()
            .map_or(0, RootKey::generation);
        if newest >= key.generation {
            // Written before, or older than what is there.
            return Ok(());
        }
        // Over the slot that is not needed to get back to the key before.
        let slot = usize::from(held[0] == Some(newest) && held[1] != Some(newest));
        self.overwrite(slot, key)
    }

    fn destroy(&self, generation: u64) -> Result<(), VaultError> {
        let Some(slots) = self.read()? else {
            return Ok(());
        };
        let held = slots.each_ref().map(Slot::generation);
        let keys = keys(slots, &self.path)?;
        let Some(newest) = keys.first() else {
            return Ok(());
        };
        if newest.generation == generation {
            return Err(VaultError::RootService {
                doing: "destroy a root key",
                reason: "it is the only one that there is".to_owned(),
            });
        }
        for (slot, held) in held.into_iter().enumerate() {
            // A slot that is not whole may be what is left of the key.
            if held != Some(newest.generation) {
                self.overwrite(slot, newest)?;
            }
        }
        Ok(())
    }
}

/// The newest first; each generation once.
fn keys(slots: [Slot; 2], path: &Path) -> Result<Vec<RootKey>, VaultError> {
    match slots {
        [Slot::Whole(a), Slot::Whole(b)] => Ok(match a.generation.cmp(&b.generation) {
            std::cmp::Ordering::Less => vec![b, a],
            std::cmp::Ordering::Equal => vec![a],
            std::cmp::Ordering::Greater => vec![a, b],
        }),
        [Slot::Whole(one), Slot::Bad(reason)] | [Slot::Bad(reason), Slot::Whole(one)] => {
            tracing::warn!(
                reason,
                "one slot of the root key file is damaged; the other is used"
            );
            Ok(vec![one])
        }
        [Slot::Bad(reason), Slot::Bad(_)] => Err(VaultError::RootKeyDamaged {
            path: path.into(),
            reason,
        }),
        // A slot of another version is whole, so it may be the newest.
        [Slot::OtherVersion(found), _] | [_, Slot::OtherVersion(found)] => {
            Err(VaultError::wrong_version("root key file", found, VERSION))
        }
    }
}

#[cfg(test)]
pub(crate) fn decode(bytes: &[u8], path: &Path) -> Result<Vec<RootKey>, VaultError> {
    let (first, second) = bytes.split_at(SLOT_BYTES);
    keys(
        [Slot::decode(first, None)?, Slot::decode(second, None)?],
        path,
    )
}

/// A whole file: the same key in both slots.
pub(crate) fn encode(key: &RootKey, kek: Option<&Kek>) -> Result<Zeroizing<Vec<u8>>, VaultError> {
    let mut bytes = Zeroizing::new(vec![0; FILE_BYTES]);
    let slot = &mut bytes[..SLOT_BYTES];
    let flags = if kek.is_some() {
        FLAGS_SEALED
    } else {
        FLAGS_PLAIN
    };
    slot[..AT_VERSION].copy_from_slice(MAGIC);
    slot[AT_VERSION..AT_FLAGS].copy_from_slice(&VERSION.to_le_bytes());
    slot[AT_FLAGS..AT_FLAGS + 2].copy_from_slice(&flags.to_le_bytes());
    slot[AT_GENERATION..AT_KEY].copy_from_slice(&key.generation.to_le_bytes());
    match kek {
        Some(kek) => {
            let sealed = passphrase::seal(kek, key)?;
            slot[AT_KEY..AT_KEY + SEALED_BYTES].copy_from_slice(&sealed);
        }
        None => slot[AT_KEY..AT_KEY + 32].copy_from_slice(key.expose()),
    }
    let checksum = blake3::hash(&slot[..AT_CHECKSUM]);
    slot[AT_CHECKSUM..].copy_from_slice(checksum.as_bytes());
    bytes.copy_within(..SLOT_BYTES, SLOT_BYTES);
    Ok(bytes)
}

enum Slot {
    Whole(RootKey),
    OtherVersion(u16),
    Bad(&'static str),
}

impl Slot {
    /// `bytes` has the size of a slot.
    fn decode(bytes: &[u8], lock: Option<&Lock>) -> Result<Self, VaultError> {
        if !bytes.starts_with(MAGIC) {
            return Ok(Self::Bad("it does not begin as a root key file does"));
        }
        if blake3::hash(&bytes[..AT_CHECKSUM]) != *checksum(bytes) {
            return Ok(Self::Bad("its checksum does not match"));
        }
        let number = |at: usize| u16::from_le_bytes([bytes[at], bytes[at + 1]]);
        if number(AT_VERSION) != VERSION {
            return Ok(Self::OtherVersion(number(AT_VERSION)));
        }
        let mut generation = [0; 8];
        generation.copy_from_slice(&bytes[AT_GENERATION..AT_KEY]);
        let generation = u64::from_le_bytes(generation);
        let key = match number(AT_FLAGS) {
            FLAGS_PLAIN => Key::from_slice(&bytes[AT_KEY..AT_KEY + 32]),
            FLAGS_SEALED => {
                let lock = lock.ok_or(VaultError::PassphraseMissing)?;
                let sealed = bytes[AT_KEY..].first_chunk();
                sealed
                    .map(|sealed| passphrase::open(lock, generation, sealed))
                    .transpose()?
            }
            _ => return Ok(Self::Bad("it has flags that this version does not know")),
        };
        Ok(match key {
            Some(key) => Self::Whole(RootKey { generation, key }),
            None => Self::Bad("it is too short"),
        })
    }

    fn generation(&self) -> Option<u64> {
        match self {
            Self::Whole(key) => Some(key.generation),
            _ => None,
        }
    }
}

fn checksum(slot: &[u8]) -> &[u8; 32] {
    slot.last_chunk().unwrap_or(&[0; 32])
}
