//! What lies on the disk, told from what the storage engine remembers.

use std::fs;
use std::os::unix::fs::FileExt as _;

use custody_ledger::{BuiltBlock, Ledger, LedgerError, LedgerOptions, Place};

use crate::fixture::{block, options, shard};

/// Where the bytes of a part of the block lie in the database's file.
fn copies(file: &[u8], part: &[u8]) -> Vec<usize> {
    let needle = &part[..part.len().min(600)];
    (0..file.len() - needle.len())
        .filter(|&at| file[at..].starts_with(needle))
        .collect()
}

fn filled(ledger: &Ledger, count: usize, sealed: usize) -> Vec<BuiltBlock> {
    let mut head = ledger.open_shard(&shard(0)).unwrap();
    let mut built = Vec::new();
    for _ in 0..count {
        let next = block(ledger, &head, 2, sealed);
        head = ledger.commit(next.clone()).unwrap();
        built.push(next);
    }
    built
}

#[test]
fn a_block_that_is_damaged_on_the_disk_only_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(dir.path(), options()).unwrap();
    let id = shard(0).id();
    let built = filled(&ledger, 30, 100);
    let path = dir.path().join("db.0/db");
    let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    let bytes = fs::read(&path).unwrap();
    let at = copies(&bytes, &built[7].bytes);
    assert!(!at.is_empty());
    let mut rereader = ledger.rereader();
    assert_eq!(rereader.block(id, 7).unwrap().into_bytes(), built[7].bytes);
    for &at in &at {
        file.write_all_at(&[bytes[at + 300] ^ 1], at as u64 + 300)
            .unwrap();
    }
    // The storage engine does not notice.
    assert_eq!(
        ledger.read_block(id, 7).unwrap().unwrap().into_bytes(),
        built[7].bytes
    );
    for mut rereader in [rereader, ledger.rereader()] {
        match rereader.block(id, 7) {
            Err(LedgerError::Damaged { fault }) => assert_eq!(
                fault.place,
                Place::Block {
                    shard: id,
                    height: 7
                }
            ),
            other => panic!("{other:?}"),
        }
        assert_eq!(rereader.block(id, 8).unwrap().into_bytes(), built[8].bytes);
        assert_eq!(rereader.block(id, 6).unwrap().into_bytes(), built[6].bytes);
    }
    // One whole copy is enough.
    let last = at[at.len() - 1];
    file.write_all_at(&[bytes[last + 300]], last as u64 + 300)
        .unwrap();
    assert_eq!(ledger.reread(id, 7).unwrap().into_bytes(), built[7].bytes);
    // No copy at all.
    for &at in &at {
        file.write_all_at(&[0; 64], at as u64).unwrap();
    }
    assert!(matches!(
        ledger.reread(id, 7),
        Err(LedgerError::Damaged { .. })
    ));
}

/// Long blocks lie in several parts, in segments of any size.
#[test]
fn blocks_of_many_parts_are_read_again() {
    for (segment_bytes, sealed) in [(64 << 10, 3000), (256 << 10, 40_000), (8 << 20, 240_000)] {
        let dir = tempfile::tempdir().unwrap();
        let ledger = Ledger::open(
            dir.path(),
            LedgerOptions {
                segment_bytes,
                ..options()
            },
        )
        .unwrap();
        let built = filled(&ledger, 25, sealed);
        let id = shard(0).id();
        let mut forward = ledger.rereader();
        for (height, block) in (0..).zip(&built) {
            assert_eq!(forward.block(id, height).unwrap().as_bytes(), block.bytes);
        }
        let mut backward = ledger.rereader();
        for (height, block) in built.iter().enumerate().rev() {
            assert_eq!(
                backward.block(id, height as u64).unwrap().as_bytes(),
                block.bytes
            );
        }
        // A damaged part.
        let path = dir.path().join("db.0/db");
        let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
        let bytes = fs::read(&path).unwrap();
        // Somewhere within one part.
        let middle = built[9].bytes.len() / 2;
        let found: Vec<usize> = (0..8)
            .map(|step| copies(&bytes, &built[9].bytes[middle + step * 70..][..60]))
            .find(|found| !found.is_empty())
            .unwrap();
        for at in found {
            file.write_all_at(&[bytes[at + 20] ^ 4], at as u64 + 20)
                .unwrap();
        }
        assert!(matches!(
            ledger.reread(id, 9),
            Err(LedgerError::Damaged { .. })
        ));
        assert_eq!(ledger.reread(id, 10).unwrap().as_bytes(), built[10].bytes);
    }
}

/// Right after each commit, as the notary reads, in a database that is written
/// over and over.
#[test]
fn reading_again_keeps_up_with_appends() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(dir.path(), options()).unwrap();
    let mut heads: Vec<_> = (0..5)
        .map(|partition| ledger.open_shard(&shard(partition)).unwrap())
        .collect();
    let mut rereader = ledger.rereader();
    for round in 0..200 {
        for (index, head) in heads.iter_mut().enumerate() {
            let built = block(&ledger, head, (round + index) % 4, 300);
            *head = ledger.commit(built.clone()).unwrap();
            let read = rereader.block(head.shard, head.blocks - 1).unwrap();
            assert_eq!(read.into_bytes(), built.bytes);
        }
    }
}
