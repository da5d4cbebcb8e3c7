//! Building a block on a head, without any input or output.

use crate::block::{BlockHeader, GapCause, HEADER_BYTES, LENGTH_BYTES, TRAILER_BYTES};
use crate::chain;
use crate::entry::{Entry, MAX_ENTRY_BYTES};
use crate::error::BuildError;
use crate::id::{Digest, LedgerId};
use crate::shard::Head;

/// The body length from which [`BlockBuilder::is_full`] says to cut, in bytes:
/// 64 KiB. sled writes values of 16 to 64 KiB fastest.
pub const TARGET_BODY_BYTES: usize = 64 << 10;

/// The body length that a second entry may not exceed, in bytes: 512 KiB. A
/// block then fits a Kafka record, as it must once blocks are replicated that
/// way. A single entry may be as long as [`MAX_ENTRY_BYTES`].
pub const BLOCK_LIMIT_BYTES: usize = 512 << 10;

/// A block in the making. Pure: no clock, no disk.
///
/// On a Kafka shard every offset from the head's `next_offset` on is accounted
/// for exactly once, in ascending order: as an entry, a duplicate, a rejected
/// message or part of a gap.
///
/// An error leaves the builder as it was.
#[derive(Clone, Debug)]
pub struct BlockBuilder {
    header: BlockHeader,
    next_offset: Option<i64>,
    previous_recorded_ns: i64,
    /// Whether it may account for nothing.
    begins_epoch: bool,
    /// Header, to be filled in at the end, and body.
    bytes: Vec<u8>,
}

/// A finished block, ready to be submitted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuiltBlock {
    /// The stored bytes.
    pub bytes: Vec<u8>,
    /// The shard's head once the block is committed. The next block can be
    /// built on it at once.
    pub head_after: Head,
}

impl BlockBuilder {
    /// A block on top of `head`, in its epoch.
    pub fn new(ledger: LedgerId, head: &Head) -> Self {
        Self::resuming(ledger, head, head.epoch)
    }

    /// A block on top of what is left of a shard that lost its end, in a
    /// greater `epoch`. [`crate::Ledger::resume`] takes it. In a Kafka shard it
    /// may account for nothing.
    pub fn resuming(ledger: LedgerId, head: &Head, epoch: u32) -> Self {
        Self {
            header: BlockHeader {
                ledger,
                shard: head.shard,
                epoch,
                height: head.blocks,
                previous: head.block_digest,
                first_sequence: head.size,
                first_offset: head.next_offset,
                last_offset: None,
                recorded_time_ns: 0,
                entries: 0,
                body_bytes: 0,
                duplicates: 0,
                rejected: 0,
                gaps: [0; 3],
                ruleset: Digest([0; 32]),
                chain_head: head.chain_head,
            },
            next_offset: head.next_offset,
            previous_recorded_ns: head.recorded_time_ns,
            begins_epoch: epoch > head.epoch && head.next_offset.is_some(),
            bytes: vec![0; HEADER_BYTES],
        }
    }

    /// The sequence that the next entry gets.
    pub fn next_sequence(&self) -> u64 {
        self.header
            .first_sequence
            .saturating_add(u64::from(self.header.entries))
    }

    /// The next Kafka offset to be accounted for; `None` in the house shard.
    pub fn next_offset(&self) -> Option<i64> {
        self.next_offset
    }

    /// The length of the body so far, in bytes.
    pub fn body_bytes(&self) -> usize {
        self.bytes.len() - HEADER_BYTES
    }

    /// How many entries there are so far.
    pub fn entries(&self) -> u32 {
        self.header.entries
    }

    /// Whether nothing at all is accounted for.
    pub fn is_empty(&self) -> bool {
        self.header.entries == 0 && self.next_offset == self.header.first_offset
    }

    /// Whether the block should be cut: the body has reached
    /// [`TARGET_BODY_BYTES`].
    pub fn is_full(&self) -> bool {
        self.body_bytes() >= TARGET_BODY_BYTES
    }

    /// Appends an entry and returns its sequence.
    ///
    /// # Errors
    /// - [`BuildError::BlockFull`] where the entry must go into the next block,
    /// - [`BuildError::Unaccounted`] or [`BuildError::Repeated`] where its
    ///   offset is not the next one,
    /// - [`BuildError::Offset`] where it has an offset in the house shard, or
    ///   none in another,
    /// - [`BuildError::Entry`] where it is too long.
    pub fn push(&mut self, entry: &Entry) -> Result<u64, BuildError> {
        let after = match (entry.offset, self.next_offset) {
            (Some(offset), Some(_)) => Some(self.after(offset, offset)?),
            (None, None) => None,
            _ => return Err(BuildError::Offset),
        };
        let sequence = self.next_sequence();
        let entries = self
            .header
            .entries
            .checked_add(1)
            .ok_or(BuildError::OutOfRange)?;
        sequence.checked_add(1).ok_or(BuildError::OutOfRange)?;
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&[0; LENGTH_BYTES]);
        if let Err(error) = entry.encode_onto(&mut self.bytes) {
            self.bytes.truncate(start);
            return Err(BuildError::Entry(error));
        }
        if self.header.entries > 0 && self.body_bytes() > BLOCK_LIMIT_BYTES {
            self.bytes.truncate(start);
            return Err(BuildError::BlockFull {
                body_bytes: self.body_bytes(),
                limit: BLOCK_LIMIT_BYTES,
            });
        }
        let stored = start + LENGTH_BYTES;
        const { assert!(MAX_ENTRY_BYTES <= u32::MAX as usize) };
        let length = (self.bytes.len() - stored) as u32;
        self.bytes[start..stored].copy_from_slice(&length.to_le_bytes());
        self.header.chain_head = chain::link(self.header.chain_head, &self.bytes[stored..]);
        self.header.entries = entries;
        self.next_offset = after;
        Ok(sequence)
    }

    /// Accounts for a message that was delivered before.
    ///
    /// # Errors
    /// As [`BlockBuilder::push`], of offsets.
    pub fn duplicate(&mut self, offset: i64) -> Result<(), BuildError> {
        self.next_offset = Some(self.after(offset, offset)?);
        self.header.duplicates += 1;
        Ok(())
    }

    /// Accounts for a message that went to the dead letters.
    ///
    /// # Errors
    /// As [`BlockBuilder::push`], of offsets.
    pub fn rejected(&mut self, offset: i64) -> Result<(), BuildError> {
        self.next_offset = Some(self.after(offset, offset)?);
        self.header.rejected += 1;
        Ok(())
    }

    /// Accounts for the offsets from `first` to `last`, both included, which
    /// hold no message that could be read.
    ///
    /// # Errors
    /// As [`BlockBuilder::push`], of offsets.
    pub fn gap(&mut self, first: i64, last: i64, cause: GapCause) -> Result<(), BuildError> {
        self.next_offset = Some(self.after(first, last)?);
        // Offsets are not negative, so a block's gaps are below 2^63.
        self.header.gaps[cause.index()] += last.abs_diff(first) + 1;
        Ok(())
    }

    /// The offset after `first..=last`, which must be the next ones.
    fn after(&self, first: i64, last: i64) -> Result<i64, BuildError> {
        let expected = self.next_offset.ok_or(BuildError::Offset)?;
        match first.cmp(&expected) {
            std::cmp::Ordering::Less => {
                return Err(BuildError::Repeated {
                    expected,
                    found: first,
                });
            }
            std::cmp::Ordering::Equal => {}
            std::cmp::Ordering::Greater => {
                return Err(BuildError::Unaccounted {
                    expected,
                    found: first,
                });
            }
        }
        if last < first {
            return Err(BuildError::OutOfRange);
        }
        last.checked_add(1).ok_or(BuildError::OutOfRange)
    }

    /// Finishes the block.
    ///
    /// `recorded_time_ns` is nanoseconds since 1970 UTC; where a clock went
    /// back, the block before lends its own, so that the time never does.
    ///
    /// # Errors
    /// [`BuildError::Empty`] where nothing is accounted for.
    pub fn finish(
        mut self,
        recorded_time_ns: i64,
        ruleset: Digest,
    ) -> Result<BuiltBlock, BuildError> {
        if self.is_empty() && !self.begins_epoch {
            return Err(BuildError::Empty);
        }
        self.header.last_offset = self.next_offset.map(|next| next - 1);
        self.header.recorded_time_ns = recorded_time_ns.max(self.previous_recorded_ns).max(0);
        self.header.ruleset = ruleset;
        self.header.body_bytes =
            u32::try_from(self.body_bytes()).map_err(|_| BuildError::OutOfRange)?;
        let mut bytes = self.bytes;
        bytes[..HEADER_BYTES].copy_from_slice(&self.header.encode());
        let digest = chain::block(&bytes);
        bytes.reserve_exact(TRAILER_BYTES);
        bytes.extend_from_slice(digest.as_bytes());
        Ok(BuiltBlock {
            bytes,
            head_after: self.header.head_after(digest),
        })
    }
}
