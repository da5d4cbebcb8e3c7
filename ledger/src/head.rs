//! A shard's head as stored: in the anchor, in segments and in their manifest.

use crate::error::DecodeError;
use crate::id::{Digest, ShardId};
use crate::shard::Head;
use crate::stored::take;

/// The size of a stored head, in bytes.
pub(crate) const HEAD_BYTES: usize = 120;

/// Stored as the next offset of the house shard.
const NO_OFFSET: i64 = -1;

// Shard 16, blocks 8, size 8, next offset 8, recorded time 8, epoch 4,
// reserved 4, two digests.
const _: () = assert!(HEAD_BYTES == 16 + 8 + 8 + 8 + 8 + 4 + 4 + 32 + 32);

impl Head {
    pub(crate) fn encode_onto(&self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(self.shard.as_bytes());
        bytes.extend_from_slice(&self.blocks.to_le_bytes());
        bytes.extend_from_slice(&self.size.to_le_bytes());
        bytes.extend_from_slice(&self.next_offset.unwrap_or(NO_OFFSET).to_le_bytes());
        bytes.extend_from_slice(&self.recorded_time_ns.to_le_bytes());
        bytes.extend_from_slice(&self.epoch.to_le_bytes());
        bytes.extend_from_slice(&[0; 4]);
        bytes.extend_from_slice(self.chain_head.as_bytes());
        bytes.extend_from_slice(self.block_digest.as_bytes());
    }

    pub(crate) fn decode_from(rest: &mut &[u8]) -> Result<Self, DecodeError> {
        let shard = ShardId(take(rest)?);
        let blocks = u64::from_le_bytes(take(rest)?);
        let size = u64::from_le_bytes(take(rest)?);
        let next_offset = match i64::from_le_bytes(take(rest)?) {
            NO_OFFSET => None,
            negative if negative < 0 => {
                return Err(DecodeError::Malformed("a negative offset".to_owned()));
            }
            next => Some(next),
        };
        let recorded_time_ns = i64::from_le_bytes(take(rest)?);
        let epoch = u32::from_le_bytes(take(rest)?);
        if take::<4>(rest)? != [0; 4] {
            return Err(DecodeError::Malformed("reserved bytes are set".to_owned()));
        }
        Ok(Self {
            shard,
            blocks,
            size,
            next_offset,
            chain_head: Digest(take(rest)?),
            block_digest: Digest(take(rest)?),
            recorded_time_ns,
            epoch,
        })
    }
}
