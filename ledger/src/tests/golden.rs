//! Every version as stored bytes, frozen.
//!
//! A test that fails here says that what is written today cannot be read by
//! what was built yesterday, or the other way round. The files are never
//! changed; another version gets files of its own.

use std::fmt::Write as _;
use std::path::PathBuf;

use crate::anchor::AnchorState;
use crate::block::Block;
use crate::chain;
use crate::entry::{Entry, Kind};
use crate::error::DecodeError;
use crate::identity::Identity;
use crate::shard::ShardDescriptor;
use crate::stamp::Stamp;
use crate::tests::{
    LEDGER, blocks, disclosure, house, house_block, house_entry, judged_late, kafka_shard,
    new_house_entries, origin,
};

/// Compares with a frozen file. With `CUSTODY_FREEZE` set, an absent file is
/// written; one that is there never is.
pub(crate) fn assert_golden(name: &str, bytes: &[u8]) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(format!("{name}.hex"));
    let mut text = String::new();
    for line in bytes.chunks(32) {
        writeln!(text, "{}", hex::encode(line)).unwrap();
    }
    if std::env::var_os("CUSTODY_FREEZE").is_some() && !path.exists() {
        std::fs::write(&path, &text).unwrap();
    }
    let frozen = std::fs::read_to_string(&path).unwrap();
    assert_eq!(text, frozen, "{name} is stored otherwise than it was");
}

/// The bytes of a frozen file of a version that is not written any more.
pub(crate) fn frozen(name: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(format!("{name}.hex"));
    let text = std::fs::read_to_string(&path).unwrap();
    hex::decode(text.replace('\n', "")).unwrap()
}

#[test]
fn entries_are_stored_as_they_were() {
    let mut entries = vec![
        ("entry_disclosure_v2".to_owned(), disclosure(10)),
        ("entry_house_v2".to_owned(), house_entry()),
        ("entry_judged_late_v2".to_owned(), judged_late(10)),
    ];
    for entry in new_house_entries() {
        entries.push((format!("entry_{}_v2", entry.kind().unwrap()), entry));
    }
    for entry in house::entries() {
        entries.push((format!("entry_{}_v3", entry.kind().unwrap()), entry));
    }
    for (name, entry) in entries {
        let bytes = entry.encode().unwrap();
        assert_golden(&name, &bytes);
        assert_eq!(Entry::decode(&bytes).unwrap(), entry);
    }
}

#[test]
fn entries_of_version_1_are_read_as_they_were_meant() {
    for (name, entry) in [
        ("entry_disclosure_v1", disclosure(10)),
        ("entry_house_v1", house_entry()),
    ] {
        let bytes = frozen(name);
        assert_eq!(bytes[0], 1);
        assert_eq!(Entry::decode(&bytes).unwrap(), entry);
    }
    let read = Block::decode(&frozen("block_first_v1")).unwrap();
    let entries: Vec<Entry> = read.entries().map(|entry| entry.unwrap().1).collect();
    assert_eq!(entries, [disclosure(10), disclosure(14)]);
    // Nothing but entries is stored otherwise since then.
    for name in [
        "block_without_entries_v1",
        "block_third_v1",
        "block_house_v1",
    ] {
        assert!(Block::decode(&frozen(name)).is_ok(), "{name}");
    }
    // Nothing of that version was ever released.
    assert_eq!(
        AnchorState::decode(&frozen("anchor_v1")),
        Err(DecodeError::TooOld {
            version: 1,
            oldest: 2
        })
    );
}

#[test]
fn version_1_has_nothing_that_came_later() {
    // A kind of version 2 in a record of version 1.
    let mut bytes = frozen("entry_house_v1");
    assert_eq!(bytes[1], Kind::OffsetsLost.code());
    bytes[1] = Kind::WaiverGiven.code();
    assert!(matches!(
        Entry::decode(&bytes),
        Err(DecodeError::Malformed(_))
    ));
    // A house record of version 2: the number of its variant, 4 bytes before
    // its first text.
    let mut waiver = new_house_entries()[1].clone();
    waiver.kind_code = Kind::OffsetsLost.code();
    let mut bytes = waiver.encode().unwrap();
    assert!(Entry::decode(&bytes).is_ok());
    bytes[0] = 1;
    // `late` is what version 1 does not have; it stands before the empty
    // sealed part.
    let late = bytes.len() - 9;
    bytes.remove(late);
    let refused = Entry::decode(&bytes).unwrap_err();
    assert!(refused.to_string().contains("came later"), "{refused}");
}

#[test]
fn each_entry_is_of_the_first_version_that_has_what_is_in_it() {
    let older = new_house_entries().into_iter().chain([disclosure(10)]);
    let each = older.map(|entry| (entry, 2, 3));
    for (entry, version, other) in each.chain(house::entries().into_iter().map(|e| (e, 3, 2))) {
        let mut bytes = entry.encode().unwrap();
        assert_eq!(bytes[0], version);
        bytes[0] = other;
        let refused = Entry::decode(&bytes).unwrap_err();
        assert!(
            refused.to_string().contains("of what is written"),
            "{refused}"
        );
    }
    // The number of a kind alone, and a record alone.
    let mut kind = house_entry();
    kind.kind_code = Kind::RootEscrowed.code();
    assert_eq!(kind.encode().unwrap()[0], 3);
    let mut record = house::entries().remove(0);
    record.kind_code = Kind::OffsetsLost.code();
    assert_eq!(record.encode().unwrap()[0], 3);
    // Version 1 has none of it either. `late` stands before the sealed part.
    let mut bytes = record.encode().unwrap();
    bytes[0] = 1;
    bytes.remove(bytes.len() - 9);
    let refused = Entry::decode(&bytes).unwrap_err();
    assert!(refused.to_string().contains("came later"), "{refused}");
}

#[test]
fn descriptors_are_stored_and_named_as_they_were() {
    let by_name = ShardDescriptor {
        topic_id: String::new(),
        ..kafka_shard()
    };
    for (name, shard) in [
        ("descriptor_kafka_v1", kafka_shard()),
        ("descriptor_kafka_by_name_v1", by_name),
        ("descriptor_house_v1", ShardDescriptor::house()),
    ] {
        let mut bytes = shard.encode().unwrap();
        assert_eq!(ShardDescriptor::decode(&bytes).unwrap(), shard);
        bytes.extend_from_slice(shard.id().as_bytes());
        bytes.extend_from_slice(shard.genesis(LEDGER).as_bytes());
        assert_golden(name, &bytes);
    }
}

#[test]
fn blocks_are_stored_as_they_were() {
    let blocks = blocks();
    let house = house_block();
    for (name, block) in [
        ("block_first_v1_entries_v2", &blocks[0]),
        ("block_without_entries_v1_entries_v2", &blocks[1]),
        ("block_third_v1_entries_v2", &blocks[2]),
        ("block_house_v1_entries_v2", &house),
    ] {
        assert_golden(name, &block.bytes);
        let read = Block::decode(&block.bytes).unwrap();
        assert_eq!(read.head_after(), block.head_after);
        assert_eq!(
            read.header.encode(),
            block.bytes[..crate::block::HEADER_BYTES]
        );
    }
}

#[test]
fn the_chain_goes_straight_across_blocks() {
    let stored = [10, 14, 20].map(|offset| disclosure(offset).encode().unwrap());
    let head = stored
        .iter()
        .fold(kafka_shard().genesis(LEDGER), |head, entry| {
            chain::link(head, entry)
        });
    assert_eq!(blocks()[2].head_after.chain_head, head);
    // A link is over the domain, the link before and the stored bytes.
    let mut hasher = blake3::Hasher::new();
    hasher.update(b"custody entry v1");
    hasher.update(kafka_shard().genesis(LEDGER).as_bytes());
    hasher.update(&stored[0]);
    let first = crate::id::Digest(*hasher.finalize().as_bytes());
    assert_eq!(
        chain::link(kafka_shard().genesis(LEDGER), &stored[0]),
        first
    );
}

#[test]
fn identity_and_anchor_are_stored_as_they_were() {
    let identity = Identity {
        ledger: LEDGER,
        segment_bytes: 8 << 20,
    };
    assert_golden("identity_v1", &identity.encode());
    assert_eq!(Identity::decode(&identity.encode()).unwrap(), identity);

    let heads = [origin(), house_block().head_after];
    let anchor = AnchorState {
        generation: 5,
        ledger: LEDGER,
        heads: heads.map(|head| (head.shard, head)).into(),
    };
    assert_golden("anchor_v2", &anchor.encode());
    assert_eq!(AnchorState::decode(&anchor.encode()).unwrap(), anchor);
}

#[test]
fn a_stamp_is_stored_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("db")).unwrap();
    std::fs::write(dir.path().join("db/db"), [7; 5000]).unwrap();
    std::fs::write(dir.path().join("identity"), b"").unwrap();
    // Neither is stamped.
    std::fs::write(dir.path().join("lock"), b"").unwrap();
    let stamp = Stamp::of(dir.path(), LEDGER).unwrap();
    assert_golden("stamp_v1", &stamp.encode().unwrap());
    Stamp::write(dir.path(), LEDGER).unwrap();
    assert_eq!(Stamp::check(dir.path()).unwrap(), Some(Vec::new()));
    assert_eq!(Stamp::decode(&stamp.encode().unwrap()).unwrap(), stamp);
}
