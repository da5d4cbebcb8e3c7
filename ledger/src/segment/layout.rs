//! The fixed parts of a segment file: header, index and footer.

use crate::block::MAX_BLOCK_BYTES;
use crate::chain;
use crate::error::DecodeError;
use crate::head::HEAD_BYTES;
use crate::id::{Digest, LedgerId};
use crate::shard::{Head, MAX_DESCRIPTOR_BYTES, ShardDescriptor, check_version};
use crate::stored::{malformed, take, take_slice};

const HEADER_MAGIC: [u8; 4] = *b"CSTS";
const FOOTER_MAGIC: [u8; 4] = *b"CSTF";
const VERSION: u16 = 1;

const DIGEST_BYTES: usize = 32;
/// The header up to the descriptor.
const HEADER_FIXED_BYTES: usize = 32 + 2 * HEAD_BYTES;
/// The longest header, in bytes.
pub(super) const MAX_HEADER_BYTES: usize = HEADER_FIXED_BYTES + MAX_DESCRIPTOR_BYTES + DIGEST_BYTES;
/// What the index says of one block, in bytes.
pub(super) const RECORD_BYTES: usize = 48;
/// The end of the file, in bytes.
pub(crate) const FOOTER_BYTES: usize = 88;
/// The checksum of one stored frame, in bytes.
const CHECKSUM_BYTES: usize = 16;

// Magic 4, version 2, flags 2, ledger 16, descriptor's length 4, reserved 4.
const _: () = assert!(HEADER_FIXED_BYTES == 4 + 2 + 2 + 16 + 4 + 4 + 2 * HEAD_BYTES);
const _: () = assert!(HEADER_FIXED_BYTES == 272);
// Offset 8, stored 4, raw 4, first sequence 8, entries 4, codec 1, reserved 3,
// checksum 16.
const _: () = assert!(RECORD_BYTES == 8 + 4 + 4 + 8 + 4 + 1 + 3 + CHECKSUM_BYTES);
// Magic 4, version 2, flags 2, index offset 8, blocks 8, two digests.
const _: () = assert!(FOOTER_BYTES == 4 + 2 + 2 + 8 + 8 + 2 * DIGEST_BYTES);
const _: () = assert!(MAX_BLOCK_BYTES <= u32::MAX as usize);

/// What a segment says of itself before its blocks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) ledger: LedgerId,
    pub(crate) descriptor: ShardDescriptor,
    /// The shard's head before the first block.
    pub(crate) before: Head,
    /// The shard's head after the last block.
    pub(crate) after: Head,
}

impl Header {
    pub(crate) fn encode(&self) -> Result<Vec<u8>, DecodeError> {
        let descriptor = self.descriptor.encode()?;
        let mut bytes = Vec::with_capacity(HEADER_FIXED_BYTES + descriptor.len() + DIGEST_BYTES);
        bytes.extend_from_slice(&HEADER_MAGIC);
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.extend_from_slice(&[0; 2]);
        bytes.extend_from_slice(self.ledger.as_bytes());
        // At most 4 KiB.
        bytes.extend_from_slice(&(descriptor.len() as u32).to_le_bytes());
        bytes.extend_from_slice(&[0; 4]);
        self.before.encode_onto(&mut bytes);
        self.after.encode_onto(&mut bytes);
        bytes.extend_from_slice(&descriptor);
        let digest = chain::digest(b"custody segment header v1", &[&bytes]);
        bytes.extend_from_slice(digest.as_bytes());
        Ok(bytes)
    }

    /// Reads the header at the start of `bytes`, and tells its length.
    pub(crate) fn decode(bytes: &[u8]) -> Result<(Self, usize), DecodeError> {
        let mut rest = bytes;
        if take::<4>(&mut rest)? != HEADER_MAGIC {
            return Err(malformed("no segment: the magic is missing"));
        }
        check_version(u16::from_le_bytes(take(&mut rest)?), VERSION)?;
        let flags = take::<2>(&mut rest)?;
        let ledger = LedgerId(take(&mut rest)?);
        let length = u32::from_le_bytes(take(&mut rest)?) as usize;
        let reserved = take::<4>(&mut rest)?;
        if flags != [0; 2] || reserved != [0; 4] {
            return Err(malformed("reserved bytes are set"));
        }
        if length > MAX_DESCRIPTOR_BYTES {
            return Err(DecodeError::TooLong {
                length,
                limit: MAX_DESCRIPTOR_BYTES,
            });
        }
        let end = HEADER_FIXED_BYTES + length;
        let body = bytes.get(..end).ok_or(DecodeError::Truncated)?;
        let digest = bytes
            .get(end..end + DIGEST_BYTES)
            .ok_or(DecodeError::Truncated)?;
        if digest != chain::digest(b"custody segment header v1", &[body]).as_bytes() {
            return Err(malformed("the digest of the header differs"));
        }
        let before = Head::decode_from(&mut rest)?;
        let after = Head::decode_from(&mut rest)?;
        let descriptor = ShardDescriptor::decode(take_slice(&mut rest, length)?)?;
        let shard = descriptor.id();
        if before.shard != shard || after.shard != shard {
            return Err(malformed("its heads are another shard's"));
        }
        if after.blocks <= before.blocks || after.size < before.size {
            return Err(malformed("it holds no block"));
        }
        let header = Self {
            ledger,
            descriptor,
            before,
            after,
        };
        Ok((header, end + DIGEST_BYTES))
    }

    pub(crate) fn blocks(&self) -> u64 {
        self.after.blocks - self.before.blocks
    }

    pub(crate) fn entries(&self) -> u64 {
        self.after.size - self.before.size
    }
}

/// How a block is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Codec {
    Raw = 0,
    Zstd = 1,
}

/// What the index says of one block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Record {
    /// Where its frame starts in the file.
    pub(super) offset: u64,
    /// The length of the frame.
    pub(super) stored: u32,
    /// The length of the block.
    pub(super) raw: u32,
    pub(super) first_sequence: u64,
    pub(super) entries: u32,
    pub(super) codec: Codec,
    checksum: [u8; CHECKSUM_BYTES],
}

impl Record {
    pub(super) fn of(
        offset: u64,
        frame: &[u8],
        codec: Codec,
        raw: usize,
        first_sequence: u64,
        entries: u32,
    ) -> Self {
        Self {
            offset,
            // A frame is not longer than its block, a block not than its limit.
            stored: frame.len() as u32,
            raw: raw as u32,
            first_sequence,
            entries,
            codec,
            checksum: checksum(frame),
        }
    }

    pub(super) fn encode(&self) -> [u8; RECORD_BYTES] {
        let mut bytes = [0; RECORD_BYTES];
        bytes[..8].copy_from_slice(&self.offset.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.stored.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.raw.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.first_sequence.to_le_bytes());
        bytes[24..28].copy_from_slice(&self.entries.to_le_bytes());
        bytes[28] = self.codec as u8;
        bytes[32..].copy_from_slice(&self.checksum);
        bytes
    }

    /// Reads a record and checks what drives allocation.
    pub(super) fn decode(bytes: &[u8; RECORD_BYTES]) -> Result<Self, DecodeError> {
        let mut rest = bytes.as_slice();
        let offset = u64::from_le_bytes(take(&mut rest)?);
        let stored = u32::from_le_bytes(take(&mut rest)?);
        let raw = u32::from_le_bytes(take(&mut rest)?);
        let first_sequence = u64::from_le_bytes(take(&mut rest)?);
        let entries = u32::from_le_bytes(take(&mut rest)?);
        let codec = match take::<4>(&mut rest)? {
            [0, 0, 0, 0] => Codec::Raw,
            [1, 0, 0, 0] => Codec::Zstd,
            [codec, 0, 0, 0] => return Err(malformed(&format!("codec {codec} is unknown"))),
            _ => return Err(malformed("reserved bytes of the index are set")),
        };
        if raw as usize > MAX_BLOCK_BYTES {
            return Err(DecodeError::TooLong {
                length: raw as usize,
                limit: MAX_BLOCK_BYTES,
            });
        }
        if stored > raw || (codec == Codec::Raw && stored != raw) {
            return Err(malformed("a frame is longer than its block"));
        }
        let record = Self {
            offset,
            stored,
            raw,
            first_sequence,
            entries,
            codec,
            checksum: take(&mut rest)?,
        };
        Ok(record)
    }

    pub(super) fn is_of(&self, frame: &[u8]) -> bool {
        self.checksum == checksum(frame)
    }
}

fn checksum(frame: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let digest = chain::digest(b"custody frame v1", &[frame]);
    let mut checksum = [0; CHECKSUM_BYTES];
    checksum.copy_from_slice(&digest.as_bytes()[..CHECKSUM_BYTES]);
    checksum
}

/// The end of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Footer {
    /// Where the index starts.
    pub(super) index_offset: u64,
    /// How many records it has.
    pub(super) blocks: u64,
    pub(super) index_digest: Digest,
}

impl Footer {
    /// Everything but the digest of the file, which covers it.
    pub(super) fn encode(&self) -> [u8; FOOTER_BYTES - DIGEST_BYTES] {
        let mut bytes = [0; FOOTER_BYTES - DIGEST_BYTES];
        bytes[..4].copy_from_slice(&FOOTER_MAGIC);
        bytes[4..6].copy_from_slice(&VERSION.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.index_offset.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.blocks.to_le_bytes());
        bytes[24..].copy_from_slice(self.index_digest.as_bytes());
        bytes
    }

    /// Reads the footer of a file of `length` bytes, and the digest of the
    /// file after it.
    pub(super) fn decode(
        bytes: &[u8; FOOTER_BYTES],
        length: u64,
    ) -> Result<(Self, Digest), DecodeError> {
        let mut rest = bytes.as_slice();
        if take::<4>(&mut rest)? != FOOTER_MAGIC {
            return Err(malformed("the end is not that of a segment"));
        }
        check_version(u16::from_le_bytes(take(&mut rest)?), VERSION)?;
        if take::<2>(&mut rest)? != [0; 2] {
            return Err(malformed("reserved bytes are set"));
        }
        let footer = Self {
            index_offset: u64::from_le_bytes(take(&mut rest)?),
            blocks: u64::from_le_bytes(take(&mut rest)?),
            index_digest: Digest(take(&mut rest)?),
        };
        let end = footer
            .blocks
            .checked_mul(RECORD_BYTES as u64)
            .and_then(|index| index.checked_add(footer.index_offset))
            .and_then(|end| end.checked_add(FOOTER_BYTES as u64));
        if end != Some(length) {
            return Err(malformed("its length is not what its end says"));
        }
        Ok((footer, Digest(take(&mut rest)?)))
    }
}

/// Begins the digest of a file: over everything before it.
pub(super) fn file_hasher() -> blake3::Hasher {
    let mut hasher = blake3::Hasher::new();
    hasher.update(b"custody segment v1");
    hasher
}

/// Begins the digest of an index.
pub(super) fn index_hasher() -> blake3::Hasher {
    let mut hasher = blake3::Hasher::new();
    hasher.update(b"custody segment index v1");
    hasher
}

pub(super) fn finish(hasher: &blake3::Hasher) -> Digest {
    Digest(*hasher.finalize().as_bytes())
}
