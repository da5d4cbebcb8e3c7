//! A file that is an array of hashes, which only grows.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use custody_proof::tree::Hash;

use super::TreeError;
use crate::error::DecodeError;
use crate::shard::check_version;

const MAGIC: [u8; 4] = *b"CSTT";
const VERSION: u16 = 1;
/// As long as a hash, so that hash n lies at a multiple of 32.
const HEADER_BYTES: usize = 32;
const HASH_BYTES: usize = 32;

// Magic 4, version 2, flags 2, level 1, reserved 7, owner 16.
const _: () = assert!(HEADER_BYTES == 4 + 2 + 2 + 1 + 7 + 16);

/// One level of one tree.
#[derive(Debug)]
pub(super) struct HashArray {
    path: PathBuf,
    file: File,
}

impl HashArray {
    /// Opens the array, and makes it where it is not there.
    pub(super) fn open(dir: &Path, level: u32, owner: [u8; 16]) -> Result<Self, TreeError> {
        let path = dir.join(level.to_string());
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let file = options.open(&path).map_err(TreeError::io("open", &path))?;
        let array = Self { path, file };
        let expected = header(level, owner);
        let mut found = [0; HEADER_BYTES];
        match array.file.read_exact_at(&mut found, 0) {
            Ok(()) => check_header(&found, &expected).map_err(|source| TreeError::File {
                path: array.path.clone(),
                source,
            })?,
            // New, or torn before its header was written.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                array.truncate_bytes(0)?;
                (array.file.write_all_at(&expected, 0)).map_err(array.io("write"))?;
            }
            Err(error) => return Err(array.io("read")(error)),
        }
        Ok(array)
    }

    fn io(&self, what: &'static str) -> impl FnOnce(io::Error) -> TreeError {
        TreeError::io(what, &self.path)
    }

    /// How many whole hashes there are.
    pub(super) fn len(&self) -> Result<u64, TreeError> {
        let bytes = self.file.metadata().map_err(self.io("read"))?.len();
        Ok(bytes.saturating_sub(HEADER_BYTES as u64) / HASH_BYTES as u64)
    }

    /// Cuts off what comes after the first `len` hashes.
    pub(super) fn truncate(&self, len: u64) -> Result<(), TreeError> {
        self.truncate_bytes(position(len))
    }

    fn truncate_bytes(&self, bytes: u64) -> Result<(), TreeError> {
        self.file.set_len(bytes).map_err(self.io("truncate"))
    }

    /// Writes hashes from number `first` on.
    pub(super) fn write(&self, first: u64, hashes: &[Hash]) -> Result<(), TreeError> {
        let bytes: Vec<u8> = hashes.iter().flat_map(|hash| hash.0).collect();
        (self.file.write_all_at(&bytes, position(first))).map_err(self.io("write"))
    }

    /// Reads `count` hashes from number `first` on.
    pub(super) fn read(&self, first: u64, count: usize) -> Result<Vec<Hash>, TreeError> {
        let mut bytes = vec![0; count * HASH_BYTES];
        (self.file.read_exact_at(&mut bytes, position(first))).map_err(self.io("read"))?;
        Ok(bytes.as_chunks().0.iter().copied().map(Hash).collect())
    }

    pub(super) fn sync(&self) -> Result<(), TreeError> {
        self.file.sync_data().map_err(self.io("sync"))
    }
}

const fn position(index: u64) -> u64 {
    HEADER_BYTES as u64 + index * HASH_BYTES as u64
}

fn header(level: u32, owner: [u8; 16]) -> [u8; HEADER_BYTES] {
    let mut header = [0; HEADER_BYTES];
    header[..4].copy_from_slice(&MAGIC);
    header[4..6].copy_from_slice(&VERSION.to_le_bytes());
    // A tree of 2^63 leaves has levels 0 to 7.
    header[8] = level as u8;
    header[16..].copy_from_slice(&owner);
    header
}

fn check_header(
    found: &[u8; HEADER_BYTES],
    expected: &[u8; HEADER_BYTES],
) -> Result<(), DecodeError> {
    let malformed = |what: &str| Err(DecodeError::Malformed(what.to_owned()));
    if found[..4] != MAGIC {
        return malformed("the magic is missing");
    }
    check_version(u16::from_le_bytes([found[4], found[5]]), VERSION)?;
    if found != expected {
        return malformed("it is of another tree or level, or reserved bytes are set");
    }
    Ok(())
}
