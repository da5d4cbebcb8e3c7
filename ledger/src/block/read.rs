//! Reading stored blocks, which may come from anybody.

use std::fmt;

use crate::block::{BlockHeader, HEADER_BYTES, LENGTH_BYTES, TRAILER_BYTES};
use crate::chain;
use crate::entry::{Entry, MAX_ENTRY_BYTES};
use crate::error::DecodeError;
use crate::id::Digest;
use crate::shard::Head;

/// A block as it is stored. Its header and its digest have been checked; that
/// it continues the chain of its shard has not.
#[derive(Clone, PartialEq, Eq)]
pub struct Block {
    /// What it says of itself.
    pub header: BlockHeader,
    digest: Digest,
    bytes: Vec<u8>,
}

impl Block {
    /// Reads stored bytes.
    ///
    /// # Errors
    /// [`DecodeError`] where the header is refused, the length is not what it
    /// says, the digest differs, or the body does not fall into the entries
    /// that the header counts.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        Self::from_stored(bytes.to_vec())
    }

    /// As [`Block::decode`], of bytes that are given away.
    ///
    /// # Errors
    /// As [`Block::decode`].
    pub fn from_stored(bytes: Vec<u8>) -> Result<Self, DecodeError> {
        let block = Self::parse(bytes)?;
        block.check_digest()?;
        block.check_body()?;
        Ok(block)
    }

    /// Header and length only, so that the verifier can say which part of a
    /// block with a wrong digest is damaged.
    pub(crate) fn parse(bytes: Vec<u8>) -> Result<Self, DecodeError> {
        let header = BlockHeader::decode(&bytes)?;
        let length = HEADER_BYTES + header.body_len() + TRAILER_BYTES;
        if bytes.len() < length {
            return Err(DecodeError::Truncated);
        }
        if bytes.len() > length {
            return Err(DecodeError::TrailingBytes {
                count: bytes.len() - length,
            });
        }
        let digest = bytes
            .last_chunk()
            .map(|digest| Digest(*digest))
            .ok_or(DecodeError::Truncated)?;
        Ok(Self {
            header,
            digest,
            bytes,
        })
    }

    pub(crate) fn check_digest(&self) -> Result<(), DecodeError> {
        let computed = chain::block(&self.bytes[..self.bytes.len() - TRAILER_BYTES]);
        if computed != self.digest {
            return Err(DecodeError::Malformed(
                "the digest of the block differs".to_owned(),
            ));
        }
        Ok(())
    }

    pub(crate) fn check_body(&self) -> Result<(), DecodeError> {
        let mut count = 0;
        for entry in self.stored_entries() {
            entry?;
            count += 1;
        }
        if count != self.header.entries {
            return Err(DecodeError::Malformed(format!(
                "{count} entries where the header says {}",
                self.header.entries
            )));
        }
        Ok(())
    }

    /// The block's digest.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The stored bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The stored bytes, given away.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// The shard's head after this block.
    pub fn head_after(&self) -> Head {
        self.header.head_after(self.digest)
    }

    /// The entries, each with its sequence.
    pub fn entries(&self) -> impl Iterator<Item = Result<(u64, Entry), DecodeError>> + '_ {
        self.stored_entries().map(|stored| {
            let (sequence, bytes) = stored?;
            Ok((sequence, Entry::decode(bytes)?))
        })
    }

    /// The entries as stored, each with its sequence: what the chain is made
    /// of. Ends after an error.
    pub fn stored_entries(&self) -> Entries<'_> {
        Entries {
            rest: &self.bytes[HEADER_BYTES..self.bytes.len() - TRAILER_BYTES],
            sequence: self.header.first_sequence,
        }
    }
}

impl fmt::Debug for Block {
    /// Shows the header, nothing of the entries.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Block")
            .field("header", &self.header)
            .finish_non_exhaustive()
    }
}

/// The entries of a [`Block`] as stored.
#[derive(Clone, Debug)]
pub struct Entries<'a> {
    rest: &'a [u8],
    sequence: u64,
}

impl<'a> Iterator for Entries<'a> {
    type Item = Result<(u64, &'a [u8]), DecodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let entry = split_entry(self.rest);
        self.rest = entry.as_ref().map_or(&[], |(_, rest)| rest);
        let sequence = self.sequence;
        // The header's count has been checked to fit; a damaged body may hold
        // more.
        self.sequence = sequence.saturating_add(1);
        Some(entry.map(|(entry, _)| (sequence, entry)))
    }
}

pub(crate) fn split_entry(bytes: &[u8]) -> Result<(&[u8], &[u8]), DecodeError> {
    let (length, rest) = bytes
        .split_first_chunk::<LENGTH_BYTES>()
        .ok_or(DecodeError::Truncated)?;
    let length = u32::from_le_bytes(*length) as usize;
    if length > MAX_ENTRY_BYTES {
        return Err(DecodeError::TooLong {
            length,
            limit: MAX_ENTRY_BYTES,
        });
    }
    rest.split_at_checked(length).ok_or(DecodeError::Truncated)
}
