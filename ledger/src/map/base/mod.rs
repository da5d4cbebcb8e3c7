//! The base map: an immutable file.
//!
//! Records in ascending order, cut into buckets of about 32 by the first bits
//! of their references, each with a checksum; then the index of the buckets;
//! then the hashes of all subtrees from the root down to the buckets. So a
//! proof reads one bucket, and one hash a level above it. The index is kept in
//! memory: about half a byte a person.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use custody_proof::map::{EMPTY, MapProof, RECORD_BYTES, Record, Terminal, bit, descend_sorted};
use custody_proof::tree::Hash;

use super::{Covered, MapError};
use crate::chain;
use crate::error::DecodeError;
use crate::id::{ShardId, SubjectReference};

mod build;
mod header;

pub(super) use build::Builder;

use header::{HEADER_BYTES, Header};

/// How many records a bucket is meant to have.
const BUCKET: u64 = 32;
/// Buckets by at most so many bits: 2^25 buckets are good for 10^9 persons.
const MAX_BITS: u8 = 25;
/// End of the bucket 8, checksum 8.
const INDEX_BYTES: usize = 16;
const HASH_BYTES: usize = 32;

type Checksum = [u8; 8];

/// An open base map, or an empty one, which has no file.
#[derive(Debug)]
pub(in crate::map) struct Base {
    path: PathBuf,
    file: Option<File>,
    bits: u8,
    root: Hash,
    /// How many entries of the shard it accounts for.
    covers: u64,
    /// Where each bucket ends, in records.
    ends: Vec<u64>,
    checksums: Vec<Checksum>,
}

impl Base {
    /// A map without records.
    pub(in crate::map) fn empty(dir: &Path) -> Self {
        Self {
            path: dir.to_owned(),
            file: None,
            bits: 0,
            root: EMPTY,
            covers: 0,
            ends: vec![0],
            checksums: vec![checksum(&[])],
        }
    }

    /// Opens the file, and says what it accounts for. `None` where there is
    /// none. Header and index are checked, buckets when they are read, hashes
    /// by verifying every proof.
    pub(in crate::map) fn open(
        path: &Path,
        shard: ShardId,
    ) -> Result<Option<(Self, Covered)>, MapError> {
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(MapError::io("open", path)(error)),
        };
        let length = file.metadata().map_err(MapError::io("read", path))?.len();
        if length < HEADER_BYTES as u64 {
            return Err(MapError::file(path)(DecodeError::Truncated));
        }
        let mut bytes = [0; HEADER_BYTES];
        (file.read_exact_at(&mut bytes, 0)).map_err(MapError::io("read", path))?;
        let header = Header::decode(&bytes).map_err(MapError::file(path))?;
        if header.shard != shard {
            return Err(MapError::OtherShard {
                path: path.to_owned(),
            });
        }
        // Before anything is allocated by what the header says.
        if header.file_length() != Some(length) {
            return Err(MapError::file(path)(DecodeError::Malformed(
                "the file is not as long as its header says".to_owned(),
            )));
        }
        let buckets = 1_usize << header.bits;
        let mut index = vec![0; buckets * INDEX_BYTES];
        (file.read_exact_at(&mut index, index_position(header.count)))
            .map_err(MapError::io("read", path))?;
        let (ends, checksums) = read_index(&index, &header).map_err(MapError::file(path))?;
        let base = Self {
            path: path.to_owned(),
            file: Some(file),
            bits: header.bits,
            root: header.root,
            covers: header.covered.size,
            ends,
            checksums,
        };
        Ok(Some((base, header.covered)))
    }

    pub(in crate::map) const fn root(&self) -> Hash {
        self.root
    }

    /// How many entries of the shard it accounts for.
    pub(in crate::map) const fn covers(&self) -> u64 {
        self.covers
    }

    pub(in crate::map) fn count(&self) -> u64 {
        self.ends.last().copied().unwrap_or(0)
    }

    pub(in crate::map) fn allocated_bytes(&self) -> usize {
        self.ends.capacity() * size_of::<u64>() + self.checksums.capacity() * size_of::<Checksum>()
    }

    /// Where the records of some buckets beside each other begin and end.
    fn range(&self, first: usize, buckets: usize) -> (u64, u64) {
        let start = first.checked_sub(1).map_or(0, |before| self.ends[before]);
        (start, self.ends[first + buckets - 1])
    }

    fn read(&self, bytes: &mut [u8], position: u64) -> Result<(), MapError> {
        match &self.file {
            Some(file) => file
                .read_exact_at(bytes, position)
                .map_err(MapError::io("read", &self.path)),
            None => Ok(()),
        }
    }

    /// The records of a bucket, as stored, checked.
    fn read_bucket(&self, bucket: usize, bytes: &mut Vec<u8>) -> Result<(), MapError> {
        let (start, end) = self.range(bucket, 1);
        bytes.resize((end - start) as usize * RECORD_BYTES, 0);
        self.read(bytes, record_position(start))?;
        if checksum(bytes) != self.checksums[bucket] {
            return Err(MapError::Bucket {
                path: self.path.clone(),
                bucket,
            });
        }
        Ok(())
    }

    /// The records of a bucket.
    fn bucket(&self, bucket: usize) -> Result<Vec<Record>, MapError> {
        let mut bytes = Vec::new();
        self.read_bucket(bucket, &mut bytes)?;
        Ok(bytes.as_chunks().0.iter().map(Record::from_bytes).collect())
    }

    /// All records, in ascending order.
    pub(in crate::map) fn for_each(
        &self,
        mut each: impl FnMut(&Record) -> Result<(), MapError>,
    ) -> Result<(), MapError> {
        for bucket in 0..self.ends.len() {
            self.bucket(bucket)?.iter().try_for_each(&mut each)?;
        }
        Ok(())
    }

    pub(in crate::map) const fn lookup(&self) -> Lookup<'_> {
        Lookup {
            base: self,
            read: None,
            bytes: Vec::new(),
        }
    }

    /// What the map has under a reference. Verified by the caller.
    pub(in crate::map) fn prove(&self, reference: &SubjectReference) -> Result<MapProof, MapError> {
        let number = bucket_of(reference, self.bits);
        let mut siblings = Vec::new();
        let mut terminal = None;
        for depth in 0..self.bits {
            let below = self.bits - depth;
            let (start, end) = self.range(number >> below << below, 1 << below);
            match end - start {
                0 => terminal = Some(Terminal::Empty),
                1 => terminal = Some(Terminal::Leaf(self.record(start)?)),
                _ => {
                    let beside = (number >> (below - 1)) ^ 1;
                    siblings.push(self.hash(depth + 1, beside)?);
                    continue;
                }
            }
            break;
        }
        let terminal = match terminal {
            Some(terminal) => terminal,
            None => {
                let records = self.bucket(number)?;
                descend_sorted(&records, reference, usize::from(self.bits), &mut siblings)
            }
        };
        MapProof::new(siblings, terminal).map_err(MapError::SelfCheck)
    }

    /// One record, by its number.
    fn record(&self, number: u64) -> Result<Record, MapError> {
        let bucket = self.ends.partition_point(|end| *end <= number);
        let (start, _) = self.range(bucket, 1);
        let records = self.bucket(bucket)?;
        (records.get((number - start) as usize).copied()).ok_or_else(|| MapError::Bucket {
            path: self.path.clone(),
            bucket,
        })
    }

    /// The hash of a subtree above the buckets.
    fn hash(&self, depth: u8, number: usize) -> Result<Hash, MapError> {
        let mut hash = EMPTY;
        let first = index_position(self.count()) + (self.ends.len() * INDEX_BYTES) as u64;
        let place = (1 << depth) - 1 + number;
        self.read(&mut hash.0, first + (place * HASH_BYTES) as u64)?;
        Ok(hash)
    }
}

/// Finds records. Those asked for in ascending order cost one read a bucket.
pub(in crate::map) struct Lookup<'a> {
    base: &'a Base,
    /// The bucket that was read last.
    read: Option<usize>,
    bytes: Vec<u8>,
}

impl Lookup<'_> {
    pub(in crate::map) fn get(
        &mut self,
        reference: &SubjectReference,
    ) -> Result<Option<Record>, MapError> {
        let number = bucket_of(reference, self.base.bits);
        if self.read != Some(number) {
            self.read = None;
            self.base.read_bucket(number, &mut self.bytes)?;
            self.read = Some(number);
        }
        let records = self.bytes.as_chunks::<RECORD_BYTES>().0;
        let found = records.binary_search_by_key(&&reference.0[..], |record| &record[..16]);
        Ok(found.ok().map(|place| Record::from_bytes(&records[place])))
    }
}

/// The number that the first bits of a reference make up.
fn bucket_of(reference: &SubjectReference, bits: u8) -> usize {
    (0..usize::from(bits)).fold(0, |number, depth| {
        number << 1 | usize::from(bit(reference, depth))
    })
}

/// Finds damage, not forgery: what is forged does not verify.
fn checksum(bucket: &[u8]) -> Checksum {
    let digest = blake3::hash(bucket);
    let mut checksum = [0; 8];
    checksum.copy_from_slice(&digest.as_bytes()[..8]);
    checksum
}

const fn record_position(number: u64) -> u64 {
    HEADER_BYTES as u64 + number * RECORD_BYTES as u64
}

const fn index_position(count: u64) -> u64 {
    record_position(count)
}

fn index_digest(index: &[u8]) -> crate::id::Digest {
    chain::digest(b"custody map index v1", &[index])
}

fn read_index(index: &[u8], header: &Header) -> Result<(Vec<u64>, Vec<Checksum>), DecodeError> {
    let malformed = |what: &str| DecodeError::Malformed(what.to_owned());
    if index_digest(index) != header.index {
        return Err(malformed("the digest of the index differs"));
    }
    let halves = index.as_chunks::<8>().0.as_chunks::<2>().0;
    let ends: Vec<u64> = (halves.iter())
        .map(|[end, _]| u64::from_le_bytes(*end))
        .collect();
    if !ends.is_sorted() || ends.last() != Some(&header.count) {
        return Err(malformed("the buckets do not add up"));
    }
    Ok((ends, halves.iter().map(|[_, checksum]| *checksum).collect()))
}
