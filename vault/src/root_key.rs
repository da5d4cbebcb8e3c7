//! The root key's file: two slots of 4 KiB, overwritten in place.
//!
//! In place, because a file that is replaced by renaming leaves the old key on
//! the disk. Two, because a write that is cut off must not cost the key: one
//! slot is written and synced before the other is touched. Both hold the same
//! key when nothing is under way, so that one damaged sector costs nothing.
//! The newest slot that is whole wins.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use zeroize::Zeroizing;

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

/// The key that opens everything else, and how many came before it.
pub(crate) struct RootKey {
    pub(crate) generation: u64,
    pub(crate) key: Key,
}

impl RootKey {
    pub(crate) fn generate() -> Result<Self, VaultError> {
        Ok(Self {
            generation: 1,
            key: Key::random()?,
        })
    }

    /// `None` when there is no file.
    pub(crate) fn read(path: &Path) -> Result<Option<Self>, VaultError> {
        let failed = |source| VaultError::Io {
            doing: "read the root key",
            path: path.into(),
            source,
        };
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        if file.metadata().map_err(failed)?.mode() & 0o077 != 0 {
            tracing::warn!(
                "the root key file can be read by others than its owner: set its mode to 0600"
            );
        }
        let mut bytes = Zeroizing::new(Vec::with_capacity(FILE_BYTES + 1));
        (&file)
            .take(FILE_BYTES as u64 + 1)
            .read_to_end(&mut bytes)
            .map_err(failed)?;
        Self::decode(&bytes, path).map(Some)
    }

    /// Writes a file that was not there, and returns when it and its name are
    /// on disk.
    pub(crate) fn create(&self, path: &Path) -> Result<(), VaultError> {
        let failed = |source| VaultError::Io {
            doing: "create the root key",
            path: path.into(),
            source,
        };
        let parent = match path.parent() {
            Some(parent) if parent != Path::new("") => parent,
            _ => Path::new("."),
        };
        fs::create_dir_all(parent).map_err(failed)?;
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)
            .map_err(failed)?;
        file.write_all(self.encode().as_slice()).map_err(failed)?;
        file.sync_all().map_err(failed)?;
        File::open(parent)
            .and_then(|dir| dir.sync_all())
            .map_err(failed)
    }

    pub(crate) fn encode(&self) -> Zeroizing<Vec<u8>> {
        let mut bytes = Zeroizing::new(vec![0; FILE_BYTES]);
        let slot = &mut bytes[..SLOT_BYTES];
        slot[..AT_VERSION].copy_from_slice(MAGIC);
        slot[AT_VERSION..AT_FLAGS].copy_from_slice(&VERSION.to_le_bytes());
        slot[AT_FLAGS..AT_FLAGS + 2].copy_from_slice(&FLAGS.to_le_bytes());
        slot[AT_GENERATION..AT_KEY].copy_from_slice(&self.generation.to_le_bytes());
        slot[AT_KEY..AT_KEY + 32].copy_from_slice(self.key.bytes());
        let checksum = blake3::hash(&slot[..AT_CHECKSUM]);
        slot[AT_CHECKSUM..].copy_from_slice(checksum.as_bytes());
        bytes.copy_within(..SLOT_BYTES, SLOT_BYTES);
        bytes
    }

    pub(crate) fn decode(bytes: &[u8], path: &Path) -> Result<Self, VaultError> {
        if bytes.len() != FILE_BYTES {
            return Err(VaultError::RootKeyDamaged {
                path: path.into(),
                reason: "its size is not that of a root key file",
            });
        }
        let (first, second) = bytes.split_at(SLOT_BYTES);
        match (Slot::decode(first), Slot::decode(second)) {
            (Slot::Whole(a), Slot::Whole(b)) => Ok(if b.generation > a.generation { b } else { a }),
            (Slot::Whole(one), Slot::Bad(reason)) | (Slot::Bad(reason), Slot::Whole(one)) => {
                tracing::warn!(
                    reason,
                    "one slot of the root key file is damaged; the other is used"
                );
                Ok(one)
            }
            (Slot::Bad(reason), Slot::Bad(_)) => Err(VaultError::RootKeyDamaged {
                path: path.into(),
                reason,
            }),
            // A slot of another version is whole, so it may be the newest.
            (Slot::OtherVersion(found), _) | (_, Slot::OtherVersion(found)) => {
                Err(VaultError::wrong_version("root key file", found, VERSION))
            }
        }
    }
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
}

fn checksum(slot: &[u8]) -> &[u8; 32] {
    slot.last_chunk().unwrap_or(&[0; 32])
}
