//! Writing a base map, record by record.

use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use custody_proof::map::{EMPTY, Record, node_hash, subtree_of_sorted};
use custody_proof::tree::Hash;

use super::header::{HEADER_BYTES, Header};
use super::{BUCKET, Base, Checksum, MAX_BITS, bucket_of, checksum, index_digest};
use crate::durable;
use crate::id::ShardId;
use crate::map::{Covered, MapError};

/// A base map that is being written, under another name than it will have.
///
/// In memory it has one bucket, and 48 bytes for each bucket that it wrote.
pub(in crate::map) struct Builder {
    path: PathBuf,
    new: PathBuf,
    shard: ShardId,
    file: BufWriter<File>,
    bits: u8,
    /// The bucket that is being filled.
    bucket: Vec<Record>,
    /// Those before it.
    ends: Vec<u64>,
    checksums: Vec<Checksum>,
    hashes: Vec<Hash>,
}

impl Builder {
    /// Begins a map of at most so many records: less makes its buckets
    /// smaller.
    pub(in crate::map) fn create(path: &Path, shard: ShardId, most: u64) -> Result<Self, MapError> {
        let new = path.with_extension("new");
        let mut file = File::options();
        let file = file.read(true).write(true).create(true).truncate(true);
        let file = file.open(&new).map_err(MapError::io("create", &new))?;
        let mut file = BufWriter::with_capacity(1 << 20, file);
        // The header comes last, when all is known.
        (file.write_all(&[0; HEADER_BYTES])).map_err(MapError::io("write", &new))?;
        let buckets = most.div_ceil(BUCKET).max(1).next_power_of_two();
        Ok(Self {
            path: path.to_owned(),
            new,
            shard,
            file,
            bits: (buckets.ilog2() as u8).min(MAX_BITS),
            bucket: Vec::new(),
            ends: Vec::new(),
            checksums: Vec::new(),
            hashes: Vec::new(),
        })
    }

    /// Adds a record, which comes after all before it.
    pub(in crate::map) fn push(&mut self, record: Record) -> Result<(), MapError> {
        let number = bucket_of(&record.reference, self.bits);
        while self.ends.len() < number {
            self.close_bucket()?;
        }
        self.bucket.push(record);
        Ok(())
    }

    fn close_bucket(&mut self) -> Result<(), MapError> {
        let bytes: Vec<u8> = (self.bucket.iter())
            .flat_map(|record| record.to_bytes())
            .collect();
        self.write(&bytes)?;
        let before = self.ends.last().copied().unwrap_or(0);
        self.ends.push(before + self.bucket.len() as u64);
        self.checksums.push(checksum(&bytes));
        let hash = subtree_of_sorted(&self.bucket, usize::from(self.bits));
        self.hashes.push(hash);
        self.bucket.clear();
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), MapError> {
        (self.file.write_all(bytes)).map_err(MapError::io("write", &self.new))
    }

    /// Writes index, hashes and header, syncs the file and gives it its name.
    pub(in crate::map) fn finish(mut self, covered: Covered) -> Result<Base, MapError> {
        while self.ends.len() < 1 << self.bits {
            self.close_bucket()?;
        }
        let index: Vec<u8> = (self.ends.iter().zip(&self.checksums))
            .flat_map(|(end, checksum)| [end.to_le_bytes(), *checksum].into_iter().flatten())
            .collect();
        self.write(&index)?;
        let hashes = self.upper();
        let bytes: Vec<u8> = hashes.iter().flat_map(|hash| hash.0).collect();
        self.write(&bytes)?;

        let header = Header {
            shard: self.shard,
            covered,
            count: self.ends.last().copied().unwrap_or(0),
            bits: self.bits,
            root: hashes.first().copied().unwrap_or(EMPTY),
            index: index_digest(&index),
        };
        let file = self.file.into_inner();
        let file = file.map_err(|error| MapError::io("write", &self.new)(error.into_error()))?;
        (file.write_all_at(&header.encode(), 0)).map_err(MapError::io("write", &self.new))?;
        file.sync_all().map_err(MapError::io("sync", &self.new))?;
        fs::rename(&self.new, &self.path).map_err(MapError::io("rename", &self.new))?;
        if let Some(dir) = self.path.parent() {
            durable::sync_dir(dir).map_err(MapError::io("sync", dir))?;
        }
        Ok(Base {
            path: self.path,
            file: Some(file),
            bits: self.bits,
            root: header.root,
            covers: covered.size,
            ends: self.ends,
            checksums: self.checksums,
        })
    }

    /// The hashes of all subtrees from the root down to the buckets, level by
    /// level.
    fn upper(&mut self) -> Vec<Hash> {
        let mut levels = vec![std::mem::take(&mut self.hashes)];
        for depth in (0..self.bits).rev() {
            let below = &levels[levels.len() - 1];
            let buckets = 1_usize << (self.bits - depth);
            let level = (below.as_chunks().0.iter().enumerate())
                .map(|(number, [left, right])| {
                    let first = number * buckets;
                    let start = first.checked_sub(1).map_or(0, |before| self.ends[before]);
                    match self.ends[first + buckets - 1] - start {
                        0 => EMPTY,
                        // One record is a subtree without inner nodes.
                        1 if *left == EMPTY => *right,
                        1 => *left,
                        _ => node_hash(left, right),
                    }
                })
                .collect();
            levels.push(level);
        }
        levels.into_iter().rev().flatten().collect()
    }
}
