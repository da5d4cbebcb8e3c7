//! Every byte of every block, changed one at a time.

use crate::block::{BlockHeader, BuiltBlock, HEADER_BYTES};
use crate::chain;
use crate::error::DecodeError;
use crate::fault::Place;
use crate::shard::{Head, ShardDescriptor};
use crate::tests::{LEDGER, blocks, house_block, origin};
use crate::verify::check_block;

fn chains() -> [(Head, Vec<BuiltBlock>); 2] {
    [
        (origin(), blocks()),
        (ShardDescriptor::house().origin(LEDGER), vec![house_block()]),
    ]
}

#[test]
fn a_whole_chain_passes() {
    for (mut head, blocks) in chains() {
        for block in blocks {
            head = check_block(LEDGER, &head, block.bytes)
                .unwrap()
                .head_after();
        }
    }
}

#[test]
fn every_flipped_byte_is_found_in_its_block() {
    for (mut head, blocks) in chains() {
        for block in blocks {
            for at in 0..block.bytes.len() {
                for bit in [1 << (at % 8), 0xff] {
                    let mut bytes = block.bytes.clone();
                    bytes[at] ^= bit;
                    let fault = check_block(LEDGER, &head, bytes).unwrap_err();
                    let (shard, height) = match fault.place {
                        Place::Block { shard, height } | Place::Entry { shard, height, .. } => {
                            (shard, height)
                        }
                        place => panic!("byte {at}: {place}"),
                    };
                    assert_eq!((shard, height), (head.shard, head.blocks), "byte {at}");
                }
            }
            head = block.head_after;
        }
    }
}

/// Somebody who changes a block and makes its digest anew is still found: the
/// chain, the block before or the head does not fit.
#[test]
fn a_changed_block_with_a_new_digest_is_found() {
    let blocks = blocks();
    let mut head = origin();
    for (index, block) in blocks.iter().enumerate() {
        let end = block.bytes.len() - 32;
        for at in 0..end {
            let mut bytes = block.bytes.clone();
            bytes[at] ^= 1;
            let digest = chain::block(&bytes[..end]);
            bytes[end..].copy_from_slice(digest.as_bytes());
            let read = check_block(LEDGER, &head, bytes);
            // What no earlier block determines shows in the next one.
            let next = blocks.get(index + 1);
            let found = match (read, next) {
                (Err(_), _) => true,
                (Ok(read), Some(next)) => {
                    check_block(LEDGER, &read.head_after(), next.bytes.clone()).is_err()
                }
                (Ok(read), None) => read.head_after() != block.head_after,
            };
            assert!(found, "block {index}, byte {at}");
        }
        head = block.head_after;
    }
}

#[test]
fn other_versions_and_reserved_fields_are_told_apart() {
    let block = blocks().remove(0);
    let decode = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = block.bytes.clone();
        change(&mut bytes);
        BlockHeader::decode(&bytes).unwrap_err()
    };
    let old = decode(&|bytes| bytes[4] = 0);
    assert_eq!(
        old,
        DecodeError::TooOld {
            version: 0,
            oldest: 1
        }
    );
    let new = decode(&|bytes| bytes[4] = 2);
    assert_eq!(
        new,
        DecodeError::TooNew {
            version: 2,
            newest: 1
        }
    );
    assert!(matches!(
        decode(&|bytes| bytes[6] = 1),
        DecodeError::Malformed(_)
    ));
    assert!(matches!(
        decode(&|bytes| bytes[127] = 0xff),
        DecodeError::TooLong { .. }
    ));
    assert_eq!(
        decode(&|bytes| bytes.truncate(HEADER_BYTES - 1)),
        DecodeError::Truncated
    );
    // Counts that overflow when added.
    assert!(matches!(
        decode(&|bytes| bytes[128..168].fill(0xff)),
        DecodeError::Malformed(_)
    ));
}
