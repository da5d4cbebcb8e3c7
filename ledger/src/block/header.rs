//! The block header: 232 bytes, little-endian, each field at a fixed place.

use crate::block::MAX_BODY_BYTES;
use crate::error::DecodeError;
use crate::id::{Digest, LedgerId, ShardId};
use crate::shard::{Head, check_version};

/// The version that is written, and the only one that is read.
pub const BLOCK_VERSION: u16 = 1;

/// The size of a header, in bytes.
pub const HEADER_BYTES: usize = 232;

const MAGIC: [u8; 4] = *b"CSTB";
const KIND_KAFKA: u32 = 0;
const KIND_HOUSE: u32 = 1;

/// Why Kafka offsets hold no message that could be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum GapCause {
    /// Transaction markers, or removed by compaction.
    ControlOrCompacted = 1,
    /// Removed by retention before they were read.
    LostToRetention = 2,
    /// Missing for a reason that is not known.
    Unknown = 3,
}

impl GapCause {
    /// Every cause, in the order of the counts in a header.
    pub const ALL: [Self; 3] = [
        Self::ControlOrCompacted,
        Self::LostToRetention,
        Self::Unknown,
    ];

    /// The place of its count in [`BlockHeader::gaps`].
    pub const fn index(self) -> usize {
        self as usize - 1
    }

    /// The contract's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ControlOrCompacted => "control_or_compacted",
            Self::LostToRetention => "lost_to_retention",
            Self::Unknown => "unknown",
        }
    }
}

/// What a block says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockHeader {
    /// The ledger.
    pub ledger: LedgerId,
    /// The shard.
    pub shard: ShardId,
    /// The shard's epoch.
    pub epoch: u32,
    /// The block's place in its shard, from 0.
    pub height: u64,
    /// The digest of the block before, or the genesis digest.
    pub previous: Digest,
    /// The sequence of its first entry; of the next one where it has none.
    pub first_sequence: u64,
    /// The first Kafka offset that it accounts for; `None` in the house shard.
    pub first_offset: Option<i64>,
    /// The last Kafka offset that it accounts for; `None` in the house shard.
    pub last_offset: Option<i64>,
    /// When it was recorded, nanoseconds since 1970 UTC; never before the
    /// block before.
    pub recorded_time_ns: i64,
    /// How many entries it holds.
    pub entries: u32,
    /// The length of its body, in bytes.
    pub body_bytes: u32,
    /// How many messages were delivered before, with the same content.
    pub duplicates: u64,
    /// How many messages went to the dead letters.
    pub rejected: u64,
    /// How many offsets held no message, by [`GapCause::index`].
    pub gaps: [u64; 3],
    /// The digest of the ruleset in force.
    pub ruleset: Digest,
    /// The chain after its last entry.
    pub chain_head: Digest,
}

/// Where each field starts.
mod at {
    pub(super) const MAGIC: usize = 0;
    pub(super) const VERSION: usize = 4;
    pub(super) const FLAGS: usize = 6;
    pub(super) const LEDGER: usize = 8;
    pub(super) const SHARD: usize = 24;
    pub(super) const EPOCH: usize = 40;
    pub(super) const KIND: usize = 44;
    pub(super) const HEIGHT: usize = 48;
    pub(super) const PREVIOUS: usize = 56;
    pub(super) const FIRST_SEQUENCE: usize = 88;
    pub(super) const FIRST_OFFSET: usize = 96;
    pub(super) const LAST_OFFSET: usize = 104;
    pub(super) const RECORDED_TIME: usize = 112;
    pub(super) const ENTRIES: usize = 120;
    pub(super) const BODY_BYTES: usize = 124;
    pub(super) const DUPLICATES: usize = 128;
    pub(super) const REJECTED: usize = 136;
    pub(super) const GAPS: usize = 144;
    pub(super) const RULESET: usize = 168;
    pub(super) const CHAIN_HEAD: usize = 200;

    // Each field starts where the one before ends.
    const _: () = assert!(VERSION == MAGIC + 4 && FLAGS == VERSION + 2 && LEDGER == FLAGS + 2);
    const _: () = assert!(SHARD == LEDGER + 16 && EPOCH == SHARD + 16 && KIND == EPOCH + 4);
    const _: () = assert!(HEIGHT == KIND + 4 && PREVIOUS == HEIGHT + 8);
    const _: () = assert!(FIRST_SEQUENCE == PREVIOUS + 32 && FIRST_OFFSET == FIRST_SEQUENCE + 8);
    const _: () = assert!(LAST_OFFSET == FIRST_OFFSET + 8 && RECORDED_TIME == LAST_OFFSET + 8);
    const _: () = assert!(ENTRIES == RECORDED_TIME + 8 && BODY_BYTES == ENTRIES + 4);
    const _: () = assert!(DUPLICATES == BODY_BYTES + 4 && REJECTED == DUPLICATES + 8);
    const _: () = assert!(GAPS == REJECTED + 8 && RULESET == GAPS + 24);
    const _: () = assert!(CHAIN_HEAD == RULESET + 32 && super::HEADER_BYTES == CHAIN_HEAD + 32);
}

impl BlockHeader {
    /// The stored bytes.
    pub fn encode(&self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        let mut put = |at: usize, field: &[u8]| bytes[at..at + field.len()].copy_from_slice(field);
        let kind = if self.first_offset.is_none() {
            KIND_HOUSE
        } else {
            KIND_KAFKA
        };
        put(at::MAGIC, &MAGIC);
        put(at::VERSION, &BLOCK_VERSION.to_le_bytes());
        put(at::FLAGS, &0u16.to_le_bytes());
        put(at::LEDGER, self.ledger.as_bytes());
        put(at::SHARD, self.shard.as_bytes());
        put(at::EPOCH, &self.epoch.to_le_bytes());
        put(at::KIND, &kind.to_le_bytes());
        put(at::HEIGHT, &self.height.to_le_bytes());
        put(at::PREVIOUS, self.previous.as_bytes());
        put(at::FIRST_SEQUENCE, &self.first_sequence.to_le_bytes());
        put(
            at::FIRST_OFFSET,
            &self.first_offset.unwrap_or(0).to_le_bytes(),
        );
        put(
            at::LAST_OFFSET,
            &self.last_offset.unwrap_or(0).to_le_bytes(),
        );
        put(at::RECORDED_TIME, &self.recorded_time_ns.to_le_bytes());
        put(at::ENTRIES, &self.entries.to_le_bytes());
        put(at::BODY_BYTES, &self.body_bytes.to_le_bytes());
        put(at::DUPLICATES, &self.duplicates.to_le_bytes());
        put(at::REJECTED, &self.rejected.to_le_bytes());
        for (index, gap) in self.gaps.iter().enumerate() {
            put(at::GAPS + 8 * index, &gap.to_le_bytes());
        }
        put(at::RULESET, self.ruleset.as_bytes());
        put(at::CHAIN_HEAD, self.chain_head.as_bytes());
        bytes
    }

    /// Reads stored bytes, which may come from anybody, and checks all that
    /// can be checked in a header alone.
    ///
    /// # Errors
    /// [`DecodeError`] where the magic, the version or a reserved field is not
    /// as it must be, or where the counts contradict each other.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let bytes: &[u8; HEADER_BYTES] = bytes.first_chunk().ok_or(DecodeError::Truncated)?;
        if field::<4>(bytes, at::MAGIC) != MAGIC {
            return Err(DecodeError::Malformed(
                "no block: the magic is missing".to_owned(),
            ));
        }
        check_version(u16::from_le_bytes(field(bytes, at::VERSION)), BLOCK_VERSION)?;
        let flags = u16::from_le_bytes(field(bytes, at::FLAGS));
        if flags != 0 {
            return Err(DecodeError::Malformed(format!(
                "reserved flags {flags:#06x} are set"
            )));
        }
        let offset = |at| i64::from_le_bytes(field(bytes, at));
        let (first, last) = (offset(at::FIRST_OFFSET), offset(at::LAST_OFFSET));
        let (first_offset, last_offset) = match u32::from_le_bytes(field(bytes, at::KIND)) {
            KIND_KAFKA => (Some(first), Some(last)),
            KIND_HOUSE if first == 0 && last == 0 => (None, None),
            KIND_HOUSE => {
                return Err(DecodeError::Malformed(
                    "offsets in a house block".to_owned(),
                ));
            }
            kind => return Err(DecodeError::Malformed(format!("shard kind {kind}"))),
        };
        let header = Self {
            ledger: LedgerId(field(bytes, at::LEDGER)),
            shard: ShardId(field(bytes, at::SHARD)),
            epoch: u32::from_le_bytes(field(bytes, at::EPOCH)),
            height: u64::from_le_bytes(field(bytes, at::HEIGHT)),
            previous: Digest(field(bytes, at::PREVIOUS)),
            first_sequence: u64::from_le_bytes(field(bytes, at::FIRST_SEQUENCE)),
            first_offset,
            last_offset,
            recorded_time_ns: i64::from_le_bytes(field(bytes, at::RECORDED_TIME)),
            entries: u32::from_le_bytes(field(bytes, at::ENTRIES)),
            body_bytes: u32::from_le_bytes(field(bytes, at::BODY_BYTES)),
            duplicates: u64::from_le_bytes(field(bytes, at::DUPLICATES)),
            rejected: u64::from_le_bytes(field(bytes, at::REJECTED)),
            gaps: [0, 8, 16].map(|gap| u64::from_le_bytes(field(bytes, at::GAPS + gap))),
            ruleset: Digest(field(bytes, at::RULESET)),
            chain_head: Digest(field(bytes, at::CHAIN_HEAD)),
        };
        header.check()?;
        Ok(header)
    }

    /// Whether it accounts for nothing, as only the block that begins a new
    /// epoch of a Kafka shard does.
    pub fn is_empty(&self) -> bool {
        match (self.first_offset, self.last_offset) {
            (Some(first), Some(last)) => last < first,
            _ => self.entries == 0,
        }
    }

    /// The length of the body.
    pub(crate) fn body_len(&self) -> usize {
        self.body_bytes as usize
    }

    /// The head after this block, whose digest is given. The header has been
    /// checked, so nothing overflows.
    pub(crate) fn head_after(&self, block_digest: Digest) -> Head {
        Head {
            shard: self.shard,
            blocks: self.height.saturating_add(1),
            size: self.first_sequence.saturating_add(u64::from(self.entries)),
            next_offset: self.last_offset.map(|last| last.saturating_add(1)),
            chain_head: self.chain_head,
            block_digest,
            recorded_time_ns: self.recorded_time_ns,
            epoch: self.epoch,
        }
    }

    fn check(&self) -> Result<(), DecodeError> {
        let malformed = |what: &str| Err(DecodeError::Malformed(what.to_owned()));
        if self.body_len() > MAX_BODY_BYTES {
            return Err(DecodeError::TooLong {
                length: self.body_len(),
                limit: MAX_BODY_BYTES,
            });
        }
        if self.height == u64::MAX {
            return malformed("the height is out of range");
        }
        if self
            .first_sequence
            .checked_add(u64::from(self.entries))
            .is_none()
        {
            return malformed("the sequence is out of range");
        }
        if self.recorded_time_ns < 0 {
            return malformed("the recorded time is before 1970");
        }
        let others = [
            self.duplicates,
            self.rejected,
            self.gaps[0],
            self.gaps[1],
            self.gaps[2],
        ];
        let (Some(first), Some(last)) = (self.first_offset, self.last_offset) else {
            if others.iter().any(|&count| count != 0) {
                return malformed("a house block counts messages");
            }
            if self.entries == 0 {
                return malformed("a house block is empty");
            }
            return Ok(());
        };
        // The block that begins a new epoch may account for nothing.
        let least = first.saturating_sub(i64::from(self.epoch > 0));
        if first < 0 || last < least || last == i64::MAX {
            return malformed("the offsets are out of range");
        }
        let covered = last.saturating_add(1).abs_diff(first);
        let accounted = others
            .iter()
            .try_fold(u64::from(self.entries), |sum, &count| {
                sum.checked_add(count)
            });
        if accounted != Some(covered) {
            return malformed("the counts do not add up to the offsets");
        }
        Ok(())
    }
}

/// `SIZE` bytes from `at`. Every caller's `at` is a constant within the header.
fn field<const SIZE: usize>(bytes: &[u8; HEADER_BYTES], at: usize) -> [u8; SIZE] {
    let mut field = [0; SIZE];
    field.copy_from_slice(&bytes[at..at + SIZE]);
    field
}
