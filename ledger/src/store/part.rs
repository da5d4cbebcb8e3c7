//! Blocks in parts: how they are cut, and under which keys the parts are
//! stored.

use std::borrow::Cow;

use crate::block::{HEADER_BYTES, MAX_BLOCK_BYTES, TARGET_BODY_BYTES, TRAILER_BYTES};
use crate::id::ShardId;
use crate::store::{MIN_SEGMENT_BYTES, StoreError};

pub(super) const SHARD_BYTES: usize = 16;
pub(super) const HEIGHT_END: usize = SHARD_BYTES + 8;
pub(super) const KEY_BYTES: usize = HEIGHT_END + 2;

/// sled keeps up to this many values in a leaf and writes the leaf as one.
const LEAF_VALUES: usize = 18;

/// What stands before every part but a block's first, so that it can be found
/// and told from others in the raw file: as a block's header stands before the
/// first.
pub(super) const PREFIX_BYTES: usize = 64;
pub(super) const PREFIX_MAGIC: [u8; 4] = *b"CSTC";
pub(super) const PREFIX_VERSION: u16 = 1;
/// How much of the block's digest is in the prefix.
pub(super) const PREFIX_DIGEST_BYTES: usize = 16;

// Magic 4, version 2, part 2, ledger 16, shard 16, height 8, digest 16.
const _: () = assert!(PREFIX_BYTES == 4 + 2 + 2 + 16 + 16 + 8 + PREFIX_DIGEST_BYTES);

/// Cuts a block into values. The ledger's id is at the same place of a block's
/// header and of a prefix.
pub(crate) fn cut(block: &[u8], part_bytes: usize) -> impl Iterator<Item = Cow<'_, [u8]>> {
    let (first, rest) = block.split_at(part_bytes.min(block.len()));
    let others = (1u16..)
        .zip(rest.chunks(part_bytes - PREFIX_BYTES))
        .map(|(part, bytes)| {
            let mut value = Vec::with_capacity(PREFIX_BYTES + bytes.len());
            value.extend_from_slice(&prefix(block, part));
            value.extend_from_slice(bytes);
            Cow::Owned(value)
        });
    std::iter::once(Cow::Borrowed(first)).chain(others)
}

/// The prefix of a part of a block that has been decoded before.
pub(super) fn prefix(block: &[u8], part: u16) -> [u8; PREFIX_BYTES] {
    let mut prefix = [0; PREFIX_BYTES];
    prefix[..4].copy_from_slice(&PREFIX_MAGIC);
    prefix[4..6].copy_from_slice(&PREFIX_VERSION.to_le_bytes());
    prefix[6..8].copy_from_slice(&part.to_le_bytes());
    // Ledger and shard as in the header, then the height.
    prefix[8..40].copy_from_slice(&block[8..40]);
    prefix[40..48].copy_from_slice(&block[48..56]);
    let digest = &block[block.len() - TRAILER_BYTES..][..PREFIX_DIGEST_BYTES];
    prefix[48..].copy_from_slice(digest);
    prefix
}

/// What a stored part holds of its block.
pub(super) fn strip(
    value: &[u8],
    shard: ShardId,
    height: u64,
    part: u16,
) -> Result<&[u8], StoreError> {
    let is_part = |prefix: &[u8; PREFIX_BYTES]| {
        prefix[..4] == PREFIX_MAGIC
            && prefix[4..6] == PREFIX_VERSION.to_le_bytes()
            && prefix[6..8] == part.to_le_bytes()
            && prefix[24..40] == *shard.as_bytes()
            && prefix[40..48] == height.to_le_bytes()
    };
    match value.split_first_chunk() {
        Some((prefix, bytes)) if is_part(prefix) => Ok(bytes),
        _ => Err(StoreError::Engine(
            "a part of a block is malformed".to_owned(),
        )),
    }
}

/// How long one value may be. A leaf that does not fit a quarter of a segment
/// becomes a file of its own, which sled never syncs, so blocks are cut into
/// parts of which a whole leaf fits.
pub(super) const fn part_bytes(segment_bytes: usize) -> usize {
    /// What sled writes beside the values of a leaf, and more.
    const PER_LEAF: usize = 192;
    /// What sled writes beside one value, its key included, and more.
    const PER_VALUE: usize = KEY_BYTES + 14;
    (segment_bytes / 4 - PER_LEAF) / LEAF_VALUES - PER_VALUE
}

// The longest block has no more parts than a key can number.
const _: () = assert!(
    (part_bytes(MIN_SEGMENT_BYTES) - PREFIX_BYTES) * (u16::MAX as usize + 1) >= MAX_BLOCK_BYTES
);
// sled keeps up to 256 children in an inner node, each with a key and a number.
const _: () = assert!(256 * (KEY_BYTES + 16) < MIN_SEGMENT_BYTES / 4 - 192);
// An ordinary block is one part in segments of the default size.
const _: () = assert!(part_bytes(8 << 20) > HEADER_BYTES + TARGET_BODY_BYTES + TRAILER_BYTES);

pub(super) fn key(shard: ShardId, height: u64, part: u16) -> [u8; KEY_BYTES] {
    let mut key = [0; KEY_BYTES];
    key[..SHARD_BYTES].copy_from_slice(shard.as_bytes());
    // Big-endian, so that keys sort by height.
    key[SHARD_BYTES..HEIGHT_END].copy_from_slice(&height.to_be_bytes());
    key[HEIGHT_END..].copy_from_slice(&part.to_be_bytes());
    key
}

/// The greatest key that a block of this shard can have.
pub(super) fn key_of_last(shard: ShardId) -> [u8; KEY_BYTES] {
    key(shard, u64::MAX, u16::MAX)
}

pub(super) fn split_key(key: &[u8]) -> Result<(ShardId, u64, u16), StoreError> {
    let malformed = || StoreError::Engine("a block has a malformed key".to_owned());
    let (shard, rest) = key.split_first_chunk().ok_or_else(malformed)?;
    let (height, part) = rest.split_first_chunk().ok_or_else(malformed)?;
    let part: [u8; 2] = part.try_into().map_err(|_| malformed())?;
    Ok((
        ShardId(*shard),
        u64::from_be_bytes(*height),
        u16::from_be_bytes(part),
    ))
}
