//! Blocks, and the entries in them.

use crate::block::{Block, BlockHeader, HEADER_BYTES};
use crate::chain;
use crate::id::Digest;
use crate::shard::Head;
use crate::verify::check_block;

/// What comes before the first entry of a block that is made up.
const CHAIN: Digest = Digest([7; 32]);
/// Where the header has the chain after its last entry.
const CHAIN_AT: usize = HEADER_BYTES - 32;

/// A block, alone and as the next of its shard.
pub fn block(bytes: &[u8]) {
    read(bytes);
    let Some(bytes) = sealed(bytes) else {
        return;
    };
    let read = read(&bytes);
    let header = BlockHeader::decode(&bytes).unwrap();
    let head = before(&header);
    if let Ok(checked) = check_block(header.ledger, &head, bytes.clone()) {
        assert!(read, "verified, and cannot be read");
        assert!(checked.entries().all(|entry| entry.is_ok()));
        let after = checked.head_after();
        assert_eq!(after.size - head.size, u64::from(header.entries));
        assert_eq!(after.blocks, head.blocks + 1);
        // Any other bytes in its place are found.
        let mut changed = bytes;
        let at = usize::from(checked.digest().0[0]) * changed.len() / 256;
        changed[at] ^= 1 << (at % 8);
        assert!(check_block(header.ledger, &head, changed).is_err());
    }
}

/// Whether it is a block.
fn read(bytes: &[u8]) -> bool {
    if let Ok(header) = BlockHeader::decode(bytes) {
        assert_eq!(header.encode(), bytes[..HEADER_BYTES]);
    }
    let Ok(block) = Block::decode(bytes) else {
        return false;
    };
    assert_eq!(block.as_bytes(), bytes);
    let mut count = 0;
    for stored in block.stored_entries() {
        let (sequence, entry) = stored.unwrap();
        assert_eq!(sequence, block.header.first_sequence + count);
        custody_proof::fuzz::entry(entry);
        count += 1;
    }
    assert_eq!(count, u64::from(block.header.entries));
    assert_eq!(block.entries().count() as u64, count);
    true
}

/// The block with the chain and the digest that it should have.
fn sealed(bytes: &[u8]) -> Option<Vec<u8>> {
    let header = BlockHeader::decode(bytes).ok()?;
    let end = HEADER_BYTES.checked_add(header.body_len())?;
    let mut sealed = bytes.get(..end)?.to_vec();
    let parsed = Block::parse([&sealed[..], &[0; 32]].concat()).ok()?;
    let mut chain_head = CHAIN;
    for entry in parsed.stored_entries() {
        chain_head = chain::link(chain_head, entry.ok()?.1);
    }
    sealed[CHAIN_AT..HEADER_BYTES].copy_from_slice(chain_head.as_bytes());
    let digest = chain::block(&sealed);
    sealed.extend_from_slice(digest.as_bytes());
    Some(sealed)
}

/// A head that the block may follow.
fn before(header: &BlockHeader) -> Head {
    Head {
        shard: header.shard,
        blocks: header.height,
        size: header.first_sequence,
        next_offset: header.first_offset,
        chain_head: CHAIN,
        block_digest: header.previous,
        recorded_time_ns: header.recorded_time_ns,
        // The first block of an epoch may account for nothing.
        epoch: header.epoch - u32::from(header.is_empty()),
    }
}
