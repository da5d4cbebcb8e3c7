//! The recent map, saved.

use std::path::Path;

use custody_proof::map::{RECORD_BYTES, Record};
use custody_proof::tree::Hash;

use super::version::Version;
use super::{Covered, MapError};
use crate::chain;
use crate::durable;
use crate::error::DecodeError;
use crate::id::{Digest, ShardId};
use crate::shard::check_version;

const MAGIC: [u8; 4] = *b"CSTR";
const VERSION: u16 = 1;
const HEADER_BYTES: usize = 112;
const DIGEST_BYTES: usize = 32;

// Magic 4, version 2, flags 2, shard 16, size 8, chain head 32, size of the
// base 8, root of the base 32, count 8.
const _: () = assert!(HEADER_BYTES == 4 + 2 + 2 + 16 + 8 + 32 + 8 + 32 + 8);

/// What is read of a saved recent map.
#[derive(Debug)]
pub(super) struct Snapshot {
    pub(super) covered: Covered,
    /// Up to where the base accounts that it rests on.
    pub(super) base_size: u64,
    /// Its root.
    pub(super) base_root: Hash,
    pub(super) records: Vec<Record>,
}

impl Snapshot {
    /// Writes the recent map of a sealed version, in place of the one before.
    pub(super) fn write(path: &Path, shard: ShardId, sealed: &Version) -> Result<(), MapError> {
        let snapshot = Self {
            covered: sealed.covered,
            base_size: sealed.base.covers(),
            base_root: sealed.roots.base,
            records: sealed.recent.iter().copied().collect(),
        };
        durable::replace(path, &snapshot.encode(shard)).map_err(MapError::io("write", path))
    }

    pub(super) fn encode(&self, shard: ShardId) -> Vec<u8> {
        let count = self.records.len();
        let mut bytes = Vec::with_capacity(HEADER_BYTES + count * RECORD_BYTES + DIGEST_BYTES);
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.extend_from_slice(&[0; 2]);
        bytes.extend_from_slice(shard.as_bytes());
        bytes.extend_from_slice(&self.covered.size.to_le_bytes());
        bytes.extend_from_slice(self.covered.chain_head.as_bytes());
        bytes.extend_from_slice(&self.base_size.to_le_bytes());
        bytes.extend_from_slice(self.base_root.as_bytes());
        bytes.extend_from_slice(&(count as u64).to_le_bytes());
        for record in &self.records {
            bytes.extend_from_slice(&record.to_bytes());
        }
        bytes.extend_from_slice(digest(&bytes).as_bytes());
        bytes
    }

    /// Reads a saved map, `None` where there is none.
    pub(super) fn read(path: &Path, shard: ShardId) -> Result<Option<Self>, MapError> {
        let bytes = durable::read_if_present(path).map_err(MapError::io("read", path))?;
        let Some(bytes) = bytes else {
            return Ok(None);
        };
        let (of, snapshot) = Self::decode(&bytes).map_err(MapError::file(path))?;
        if of != shard {
            return Err(MapError::OtherShard {
                path: path.to_owned(),
            });
        }
        Ok(Some(snapshot))
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<(ShardId, Self), DecodeError> {
        let malformed = |what: &str| DecodeError::Malformed(what.to_owned());
        let mut rest = bytes;
        if take::<4>(&mut rest)? != MAGIC {
            return Err(malformed("the magic is missing"));
        }
        check_version(u16::from_le_bytes(take(&mut rest)?), VERSION)?;
        let flags = take::<2>(&mut rest)?;
        let shard = ShardId(take(&mut rest)?);
        let covered = Covered {
            size: u64::from_le_bytes(take(&mut rest)?),
            chain_head: Digest(take(&mut rest)?),
        };
        let base_size = u64::from_le_bytes(take(&mut rest)?);
        let base_root = Hash(take(&mut rest)?);
        let count = u64::from_le_bytes(take(&mut rest)?);
        let Some((records, stored)) = rest.split_last_chunk::<DIGEST_BYTES>() else {
            return Err(DecodeError::Truncated);
        };
        if digest(&bytes[..bytes.len() - DIGEST_BYTES]).as_bytes() != stored {
            return Err(malformed("the digest differs"));
        }
        let (records, left) = records.as_chunks::<RECORD_BYTES>();
        if flags != [0; 2] || !left.is_empty() || records.len() as u64 != count {
            return Err(malformed("the records do not add up"));
        }
        let records: Vec<Record> = records.iter().map(Record::from_bytes).collect();
        if !records.is_sorted_by(|a, b| a.reference < b.reference) {
            return Err(malformed("a record is out of order"));
        }
        Ok((
            shard,
            Self {
                covered,
                base_size,
                base_root,
                records,
            },
        ))
    }
}

fn digest(bytes: &[u8]) -> Digest {
    chain::digest(b"custody map recent v1", &[bytes])
}

fn take<const SIZE: usize>(rest: &mut &[u8]) -> Result<[u8; SIZE], DecodeError> {
    let (field, after) = rest.split_first_chunk().ok_or(DecodeError::Truncated)?;
    *rest = after;
    Ok(*field)
}
