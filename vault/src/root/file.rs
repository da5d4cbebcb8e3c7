//! The root key's file: two slots of 4 KiB, overwritten in place.
//!
//! In place, because a file that is replaced by renaming leaves the old key on
//! the disk. Two, because a write that is cut off must not cost the key: a new
//! key goes into one slot and is synced before the other is touched. Both hold
//! the same key when nothing is under way, so that one damaged sector costs
//! nothing. The newest slot that is whole wins.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::{RootKey, RootStore};
use crate::error::VaultError;
use crate::key::Key;

const MAGIC: &[u8; 8] = b"CUSTROOT";
const VERSION: u16 = 1;
const FLAGS: u16 = 0;

/// One page: a torn write of one slot cannot reach the other.
pub(crate) const SLOT_BYTES: usize = 4096;
const FILE_BYTES: usize = 2 * SLOT_BYTES;

const AT_VERSION: usize = 8;
const AT_FLAGS: usize = 10;
const AT_GENERATION: usize = 16;
const AT_KEY: usize = 24;
const AT_CHECKSUM: usize = SLOT_BYTES - 32;
const _: () = assert!(AT_KEY + 32 <= AT_CHECKSUM);

/// Root keys in a file of this machine.
#[derive(Debug)]
pub struct FileRootStore {
    path: PathBuf,
}

impl FileRootStore {
    /// The file need not be there; it is made (mode 0600) with the first key.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
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
        let (first, second) = bytes.split_at(SLOT_BYTES);
        Ok(Some([Slot::decode(first), Slot::decode(second)]))
    }

    /// Writes a file that was not there, and returns when it and its name are
    /// on disk.
    fn create(&self, key: &RootKey) -> Result<(), VaultError> {
        let failed = self.failed("create the root key");
        let parent = match self.path.parent() {
            Some(parent) if parent != Path::new("") => parent,
            _ => Path::new("."),
        };
        fs::create_dir_all(parent).map_err(&failed)?;
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&self.path)
            .map_err(&failed)?;
        file.write_all(&encode(key)).map_err(&failed)?;
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
        let bytes = encode(key);
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
    keys([Slot::decode(first), Slot::decode(second)], path)
}

/// A whole file: the same key in both slots.
pub(crate) fn encode(key: &RootKey) -> Zeroizing<Vec<u8>> {
    let mut bytes = Zeroizing::new(vec![0; FILE_BYTES]);
    let slot = &mut bytes[..SLOT_BYTES];
    slot[..AT_VERSION].copy_from_slice(MAGIC);
    slot[AT_VERSION..AT_FLAGS].copy_from_slice(&VERSION.to_le_bytes());
    slot[AT_FLAGS..AT_FLAGS + 2].copy_from_slice(&FLAGS.to_le_bytes());
    slot[AT_GENERATION..AT_KEY].copy_from_slice(&key.generation.to_le_bytes());
    slot[AT_KEY..AT_KEY + 32].copy_from_slice(key.expose());
    let checksum = blake3::hash(&slot[..AT_CHECKSUM]);
    slot[AT_CHECKSUM..].copy_from_slice(checksum.as_bytes());
    bytes.copy_within(..SLOT_BYTES, SLOT_BYTES);
    bytes
}

enum Slot {
    Whole(RootKey),
    OtherVersion(u16),
    Bad(&'static str),
}

impl Slot {
    /// `bytes` has the size of a slot.
    fn decode(bytes: &[u8]) -> Self {
        if !bytes.starts_with(MAGIC) {
            return Self::Bad("it does not begin as a root key file does");
        }
        if blake3::hash(&bytes[..AT_CHECKSUM]) != *checksum(bytes) {
            return Self::Bad("its checksum does not match");
        }
        let version = u16::from_le_bytes([bytes[AT_VERSION], bytes[AT_VERSION + 1]]);
        if version != VERSION {
            return Self::OtherVersion(version);
        }
        if bytes[AT_FLAGS..AT_FLAGS + 2] != FLAGS.to_le_bytes() {
            return Self::Bad("it has flags that this version does not know");
        }
        let mut generation = [0; 8];
        generation.copy_from_slice(&bytes[AT_GENERATION..AT_KEY]);
        match Key::from_slice(&bytes[AT_KEY..AT_KEY + 32]) {
            Some(key) => Self::Whole(RootKey {
                generation: u64::from_le_bytes(generation),
                key,
            }),
            None => Self::Bad("it is too short"),
        }
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
