//! The at-rest stamp: digests of every page of every file, written when the
//! ledger is closed.
//!
//! It finds any change to a closed ledger, also in bytes that no block covers,
//! and finds it before the storage engine touches them.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use crate::chain;
use crate::durable;
use crate::error::{DecodeError, OpenError};
use crate::fault::{Fault, Place};
use crate::id::{Digest, LedgerId};
use crate::lock;
use crate::segment;
use crate::shard::check_version;
use crate::stored::{malformed, take as array, take_slice as take};

pub(crate) const FILE: &str = "stamp";

const MAGIC: [u8; 4] = *b"CSTP";
const VERSION: u16 = 1;
const PAGE_BYTES: usize = 4096;
const DIGEST_BYTES: usize = 32;
/// How much of a file is read at once.
const CHUNK_BYTES: usize = 256 * PAGE_BYTES;

/// What the files of a closed ledger hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    ledger: LedgerId,
    files: BTreeMap<PathBuf, Pages>,
}

/// The digests of one file, page by page.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Pages {
    length: u64,
    digests: Vec<[u8; DIGEST_BYTES]>,
}

impl Stamp {
    /// Reads every file of the ledger in `dir`.
    pub(crate) fn of(dir: &Path, ledger: LedgerId) -> io::Result<Self> {
        let mut files = BTreeMap::new();
        for path in stamped_files(dir)? {
            let pages = Pages::of(&dir.join(&path))?;
            files.insert(path, pages);
        }
        Ok(Self { ledger, files })
    }

    /// Writes the stamp of the ledger in `dir`, durably.
    pub(crate) fn write(dir: &Path, ledger: LedgerId) -> io::Result<()> {
        let stamp = Self::of(dir, ledger)?;
        let bytes = stamp
            .encode()
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        durable::replace(&dir.join(FILE), &bytes)
    }

    /// Removes the stamp of the ledger in `dir`, durably.
    pub(crate) fn remove(dir: &Path) -> Result<(), OpenError> {
        let path = dir.join(FILE);
        durable::remove(&path).map_err(OpenError::io("remove", &path))
    }

    /// Compares the files in `dir` with their stamp. `None` where there is no
    /// stamp: the ledger was not closed.
    pub(crate) fn check(dir: &Path) -> Result<Option<Vec<Fault>>, OpenError> {
        let path = dir.join(FILE);
        let Some(bytes) = durable::read_if_present(&path).map_err(OpenError::io("read", &path))?
        else {
            return Ok(None);
        };
        let stamp = match Self::decode(&bytes) {
            Ok(stamp) => stamp,
            Err(error) => {
                return Ok(Some(vec![Fault {
                    place: Place::File { path: FILE.into() },
                    what: format!("the stamp is damaged: {error}"),
                }]));
            }
        };
        stamp
            .compare(dir)
            .map(Some)
            .map_err(OpenError::io("read", dir))
    }

    fn compare(&self, dir: &Path) -> io::Result<Vec<Fault>> {
        let mut faults = Vec::new();
        let mut fault = |path: &Path, what: &str| {
            faults.push(Fault {
                place: Place::File {
                    path: path.to_owned(),
                },
                what: what.to_owned(),
            });
        };
        let present = stamped_files(dir)?;
        for path in &present {
            if !self.files.contains_key(path) {
                fault(path, "was not there when the ledger was closed");
            }
        }
        for path in self.files.keys() {
            if present.binary_search(path).is_err() {
                fault(path, "is missing");
            }
        }
        for (path, stamped) in &self.files {
            if present.binary_search(path).is_ok() {
                Pages::of(&dir.join(path))?.compare(stamped, path, &mut faults);
            }
        }
        Ok(faults)
    }

    pub(crate) fn encode(&self) -> Result<Vec<u8>, DecodeError> {
        let mut bytes = Vec::new();
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.extend_from_slice(&[0; 2]);
        bytes.extend_from_slice(self.ledger.as_bytes());
        bytes.extend_from_slice(&(PAGE_BYTES as u32).to_le_bytes());
        bytes.extend_from_slice(&(self.files.len() as u32).to_le_bytes());
        for (path, pages) in &self.files {
            let name = path
                .to_str()
                .ok_or_else(|| DecodeError::Malformed("a file name is no UTF-8".to_owned()))?;
            bytes.extend_from_slice(&(name.len() as u32).to_le_bytes());
            bytes.extend_from_slice(name.as_bytes());
            bytes.extend_from_slice(&pages.length.to_le_bytes());
            bytes.extend(pages.digests.iter().flatten());
        }
        let digest = chain::digest(b"custody stamp v1", &[&bytes]);
        bytes.extend_from_slice(digest.as_bytes());
        Ok(bytes)
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let (body, digest) = bytes
            .split_last_chunk::<DIGEST_BYTES>()
            .ok_or(DecodeError::Truncated)?;
        let mut rest = body;
        if take(&mut rest, 4)? != MAGIC {
            return Err(malformed("the magic is missing"));
        }
        check_version(u16::from_le_bytes(array(&mut rest)?), VERSION)?;
        if Digest(*digest) != chain::digest(b"custody stamp v1", &[body]) {
            return Err(malformed("the digest differs"));
        }
        if take(&mut rest, 2)? != [0; 2] {
            return Err(malformed("reserved bytes are set"));
        }
        let ledger = LedgerId(array(&mut rest)?);
        if u32::from_le_bytes(array(&mut rest)?) as usize != PAGE_BYTES {
            return Err(malformed("the page size is unknown"));
        }
        let count = u32::from_le_bytes(array(&mut rest)?);
        let mut files = BTreeMap::new();
        for _ in 0..count {
            let length = u32::from_le_bytes(array(&mut rest)?) as usize;
            let name = std::str::from_utf8(take(&mut rest, length)?)
                .map_err(|_| malformed("a file name is no UTF-8"))?;
            let length = u64::from_le_bytes(array(&mut rest)?);
            let pages = length.div_ceil(PAGE_BYTES as u64);
            // Taken from the bytes that are there, so that no length of
            // somebody else's is allocated.
            let digests = usize::try_from(pages)
                .ok()
                .and_then(|pages| pages.checked_mul(DIGEST_BYTES))
                .ok_or(DecodeError::Truncated)?;
            let digests = take(&mut rest, digests)?.as_chunks().0.to_vec();
            let name = PathBuf::from(name);
            if files
                .last_key_value()
                .is_some_and(|(last, _)| *last >= name)
            {
                return Err(malformed("a file is out of order"));
            }
            files.insert(name, Pages { length, digests });
        }
        if !rest.is_empty() {
            return Err(DecodeError::TrailingBytes { count: rest.len() });
        }
        Ok(Self { ledger, files })
    }
}

impl Pages {
    fn of(path: &Path) -> io::Result<Self> {
        let mut file = File::open(path)?;
        let mut chunk = Vec::with_capacity(CHUNK_BYTES);
        let (mut length, mut digests) = (0, Vec::new());
        loop {
            chunk.clear();
            let read = file
                .by_ref()
                .take(CHUNK_BYTES as u64)
                .read_to_end(&mut chunk)?;
            if read == 0 {
                return Ok(Self { length, digests });
            }
            length += read as u64;
            // Chunks are whole pages up to the last one, so pages never
            // straddle them.
            digests.extend(
                chunk
                    .chunks(PAGE_BYTES)
                    .map(|page| *blake3::hash(page).as_bytes()),
            );
        }
    }

    /// One fault for each run of pages that differ.
    fn compare(&self, stamped: &Self, path: &Path, faults: &mut Vec<Fault>) {
        let pages = self.digests.len().max(stamped.digests.len());
        let differs = |page: &usize| self.digests.get(*page) != stamped.digests.get(*page);
        let mut page = 0;
        while let Some(first) = (page..pages).find(differs) {
            let end = (first..pages).find(|page| !differs(page)).unwrap_or(pages);
            let length = self.length.max(stamped.length);
            faults.push(Fault {
                place: Place::Bytes {
                    path: path.to_owned(),
                    first: first as u64 * PAGE_BYTES as u64,
                    last: (end as u64 * PAGE_BYTES as u64)
                        .min(length)
                        .saturating_sub(1),
                },
                what: "differs from when the ledger was closed".to_owned(),
            });
            page = end;
        }
        if self.length != stamped.length {
            faults.push(Fault {
                place: Place::File {
                    path: path.to_owned(),
                },
                what: format!("is {} bytes long, and was {}", self.length, stamped.length),
            });
        }
    }
}

/// What can be made again from the rest, is published from it, or was kept when
/// a lost end was given up.
const DERIVED: [&str; 4] = ["tiles", "maps", "public", "abandoned"];

/// What a stamp covers: everything but itself; the lock, which is released
/// last; segments, whose digests are in the manifest; what is derived.
fn stamped_files(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = durable::files(dir)?;
    files.retain(|path| {
        let segment =
            path.starts_with(segment::DIR) && path.extension() == Some(segment::EXTENSION.as_ref());
        let derived = DERIVED.iter().any(|dir| path.starts_with(dir));
        path != Path::new(FILE) && path != Path::new(lock::FILE) && !segment && !derived
    });
    Ok(files)
}
