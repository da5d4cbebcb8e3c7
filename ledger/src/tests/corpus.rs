//! The files that fuzzing begins with, and what it has found worth keeping.

use custody_proof::checkpoint::Abandoned;
use custody_proof::fuzz::{run_corpora, seed};
use custody_proof::tree::Hash;

use crate::Compression;
use crate::fuzz::{TARGETS, trimmed};
use crate::id::{Digest, ShardId, SubjectReference};
use crate::map::ShardMap;
use crate::notary::{GivenUp, SignedState};
use crate::shard::ShardDescriptor;
use crate::tests::golden::frozen;
use crate::tests::{LEDGER, blocks, house_block, kafka_shard, manifest, segment};

#[test]
fn corpora_and_changes_of_them_are_read_in_peace() {
    run_corpora(&TARGETS);
}

/// A file as it is, and without its digest, which the target adds.
fn both(name: &str, bytes: Vec<u8>) -> [(String, Vec<u8>); 2] {
    let without = bytes[..bytes.len() - 32].to_vec();
    [(format!("{name}.open"), without), (name.to_owned(), bytes)]
}

fn signed() -> SignedState {
    let given_up = |shard, size| GivenUp {
        shard,
        head: Abandoned {
            epoch: 0,
            size,
            root: Hash([3; 32]),
        },
    };
    let shards = [7, 9].map(|id| (ShardId([id; 16]), "a note\n".to_owned()));
    SignedState {
        generation: 6,
        ledger: LEDGER,
        epoch: 1,
        note: "custody/log\n3\nAAAA\n\n— custody/log AAAA\n".to_owned(),
        manifest: "custody.manifest/v1\n".to_owned(),
        shards: shards.into(),
        abandoned: vec![given_up(None, 9), given_up(Some(ShardId([7; 16])), 12)],
    }
}

/// The files of the maps of a few persons.
fn maps() -> [(&'static str, Vec<u8>); 2] {
    let dir = tempfile::tempdir().unwrap();
    let mut map = ShardMap::create(dir.path(), ShardId([4; 16]), Digest([9; 32])).unwrap();
    let entry = |sequence: u64| Digest(*blake3::hash(&sequence.to_le_bytes()).as_bytes());
    for sequence in 0..40 {
        let person = entry(sequence % 36).0.first_chunk().copied().unwrap();
        map.touch(SubjectReference(person), sequence, entry(sequence))
            .unwrap();
        if sequence == 34 {
            map.roots(35, entry(34)).unwrap();
            map.merge().unwrap();
        }
    }
    map.roots(40, entry(39)).unwrap();
    map.save_recent().unwrap();
    ["base", "recent"].map(|name| (name, std::fs::read(dir.path().join(name)).unwrap()))
}

/// A file without its digest, with two parts that follow each other swapped:
/// in an order in which it is never written.
fn out_of_order(bytes: &[u8], at: usize, first: usize, second: usize) -> (String, Vec<u8>) {
    let mut swapped = bytes[..bytes.len() - 32].to_vec();
    swapped[at..at + first + second].rotate_left(first);
    ("out-of-order.open".to_owned(), swapped)
}

/// A segment whose index has an entry of block 0 in block 1; the target makes
/// its digests.
fn index_that_lies() -> Vec<u8> {
    let mut bytes = segment(Compression::None);
    let index = bytes.len() - 88 - 3 * 48;
    // Entries of the first record; first sequence and entries of the second.
    bytes[index + 24] = 1;
    bytes[index + 48 + 16] = 1;
    bytes[index + 48 + 24] = 1;
    bytes
}

/// Writes files that are not there yet.
#[test]
#[ignore = "writes new corpus files"]
fn seed_corpora() {
    let named = [("first", 0), ("without-entries", 1), ("third", 2)];
    for (name, block) in named.map(|(name, index)| (name, blocks().remove(index))) {
        seed("block", [(name.to_owned(), block.bytes)]);
    }
    seed("block", [("house".to_owned(), house_block().bytes)]);
    for name in ["block_first_v1", "block_house_v1"] {
        seed("block", [(name.to_owned(), frozen(name))]);
    }
    for (name, compression) in [("raw", Compression::None), ("zstd", Compression::Zstd(1))] {
        seed("segment", [(name.to_owned(), segment(compression))]);
    }
    seed("segment", [("index-lies".to_owned(), index_that_lies())]);
    let stored = manifest().encode().unwrap();
    // The shards of the second database.
    seed("segments_manifest", [out_of_order(&stored, 104, 24, 24)]);
    seed("segments_manifest", both("manifest", stored));
    let anchor = trimmed(&frozen("anchor_v2")).to_vec();
    seed("anchor", [out_of_order(&anchor, 40, 120, 120)]);
    seed("anchor", both("anchor", anchor));
    let anchor = frozen("anchor_v1")[..600].to_vec();
    seed("anchor", [("anchor_v1".to_owned(), anchor)]);
    let signed = trimmed(&signed().encode()).to_vec();
    let shards = signed.windows(16).position(|bytes| bytes == [7; 16]);
    seed(
        "signed_anchor",
        [out_of_order(&signed, shards.unwrap(), 27, 27)],
    );
    seed("signed_anchor", both("signed", signed));
    let [(_, base), (recent, bytes)] = maps();
    seed("base_map", [("base".to_owned(), base)]);
    seed("recent_map", [out_of_order(&bytes, 112, 56, 56)]);
    seed("recent_map", both(recent, bytes));
    let mut tile = b"CSTT\x01\0\0\0\x01\0\0\0\0\0\0\0".to_vec();
    tile.extend_from_slice(&[0x1e; 16]);
    seed("tiles", [("empty".to_owned(), tile.clone())]);
    tile.extend_from_slice(&[3; 100]);
    seed("tiles", [("torn".to_owned(), tile)]);
    seed("small_files", both("identity", frozen("identity_v1")));
    let stamp = frozen("stamp_v1");
    seed("small_files", [out_of_order(&stamp, 32, 81, 20)]);
    seed("small_files", both("stamp", stamp));
    for (name, shard) in [
        ("house", ShardDescriptor::house()),
        ("kafka", kafka_shard()),
    ] {
        seed("small_files", [(name.to_owned(), shard.encode().unwrap())]);
    }
}
