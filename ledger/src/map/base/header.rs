//! The first bytes of a base map.

use custody_proof::map::RECORD_BYTES;
use custody_proof::tree::Hash;

use super::{HASH_BYTES, INDEX_BYTES, MAX_BITS};
use crate::chain;
use crate::error::DecodeError;
use crate::id::{Digest, ShardId};
use crate::map::Covered;
use crate::shard::check_version;

const MAGIC: [u8; 4] = *b"CSTU";
const VERSION: u16 = 1;

/// The header's length.
pub(super) const HEADER_BYTES: usize = 176;

// Magic 4, version 2, flags 2, shard 16, size 8, chain head 32, count 8,
// bits 1, reserved 7, root 32, digest of the index 32, digest 32.
const _: () = assert!(HEADER_BYTES == 4 + 2 + 2 + 16 + 8 + 32 + 8 + 1 + 7 + 32 + 32 + 32);

/// What the file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) shard: ShardId,
    pub(super) covered: Covered,
    pub(super) count: u64,
    pub(super) bits: u8,
    pub(super) root: Hash,
    pub(super) index: Digest,
}

impl Header {
    pub(super) fn encode(&self) -> [u8; HEADER_BYTES] {
        let mut bytes = Vec::with_capacity(HEADER_BYTES);
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.extend_from_slice(&[0; 2]);
        bytes.extend_from_slice(self.shard.as_bytes());
        bytes.extend_from_slice(&self.covered.size.to_le_bytes());
        bytes.extend_from_slice(self.covered.chain_head.as_bytes());
        bytes.extend_from_slice(&self.count.to_le_bytes());
        bytes.push(self.bits);
        bytes.extend_from_slice(&[0; 7]);
        bytes.extend_from_slice(self.root.as_bytes());
        bytes.extend_from_slice(self.index.as_bytes());
        bytes.extend_from_slice(header_digest(&bytes).as_bytes());
        let mut header = [0; HEADER_BYTES];
        header.copy_from_slice(&bytes);
        header
    }

    pub(super) fn decode(bytes: &[u8; HEADER_BYTES]) -> Result<Self, DecodeError> {
        let malformed = |what: &str| DecodeError::Malformed(what.to_owned());
        let mut rest = &bytes[..];
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
        let count = u64::from_le_bytes(take(&mut rest)?);
        let [bits] = take(&mut rest)?;
        let reserved = take::<7>(&mut rest)?;
        let root = Hash(take(&mut rest)?);
        let index = Digest(take(&mut rest)?);
        if header_digest(&bytes[..HEADER_BYTES - 32]).as_bytes() != rest {
            return Err(malformed("the digest differs"));
        }
        if flags != [0; 2] || reserved != [0; 7] {
            return Err(malformed("reserved bytes are set"));
        }
        if bits > MAX_BITS {
            return Err(malformed("more buckets than there can be"));
        }
        Ok(Self {
            shard,
            covered,
            count,
            bits,
            root,
            index,
        })
    }

    /// How long the whole file is. `None` where no file can be so long.
    pub(super) fn file_length(&self) -> Option<u64> {
        let buckets = 1_u64 << self.bits;
        let index = buckets * INDEX_BYTES as u64;
        let hashes = (2 * buckets - 1) * HASH_BYTES as u64;
        (self.count.checked_mul(RECORD_BYTES as u64)?)
            .checked_add(HEADER_BYTES as u64 + index + hashes)
    }
}

fn header_digest(bytes: &[u8]) -> Digest {
    chain::digest(b"custody map header v1", &[bytes])
}

fn take<const SIZE: usize>(rest: &mut &[u8]) -> Result<[u8; SIZE], DecodeError> {
    let (field, after) = rest.split_first_chunk().ok_or(DecodeError::Truncated)?;
    *rest = after;
    Ok(*field)
}
