//! A signed ledger, and somebody who can write all its files and make every
//! digest without a key right again.

use std::fs;
use std::path::Path;
use std::time::Duration;

use custody_proof::note::{SigningKey, VerifyingKey};

use crate::anchor::{self, AnchorState};
use crate::block::{Block, BlockBuilder, BlockHeader};
use crate::entry::Entry;
use crate::id::{LedgerId, ShardId, SubjectReference};
use crate::ledger::{Ledger, LedgerOptions};
use crate::notary::{NotaryOptions, SIGNED_FILES, SignedState};
use crate::segment::{self, Compression, Header, Manifest, Segment, SegmentError, Writer};
use crate::shard::{Head, ShardDescriptor};
use crate::stamp::Stamp;
use crate::tests::{RULESET, TIME, disclosure};
use crate::verify::{VerifyOptions, VerifyReport, verify};

pub(super) fn key() -> SigningKey {
    SigningKey::from_seed("custody/test", &[7; 32]).unwrap()
}

/// Under the same name, of somebody else.
pub(super) fn other_key() -> SigningKey {
    SigningKey::from_seed("custody/test", &[8; 32]).unwrap()
}

pub(super) fn keys() -> Vec<VerifyingKey> {
    vec![key().verifying_key().clone()]
}

pub(super) fn shard(partition: i32) -> ShardDescriptor {
    ShardDescriptor {
        cluster_id: "cluster-1".to_owned(),
        topic: "privacy-events".to_owned(),
        topic_id: String::new(),
        partition,
        epoch: 0,
    }
}

fn entry_of(offset: i64) -> Entry {
    let mut entry = disclosure(offset);
    entry.subject = Some(SubjectReference([offset as u8 % 5 + 1; 16]));
    entry.sealed = vec![offset as u8; 40];
    entry
}

pub(super) fn built(ledger: LedgerId, head: &Head, entries: &[Entry]) -> (Head, Vec<u8>) {
    let mut builder = BlockBuilder::new(ledger, head);
    for entry in entries {
        builder.push(entry).unwrap();
    }
    let block = builder.finish(TIME, RULESET).unwrap();
    (block.head_after, block.bytes)
}

/// A closed ledger with two shards, each with a segment of six blocks of three
/// entries, and a checkpoint that covers them.
pub(super) fn signed_ledger(dir: &Path) -> LedgerId {
    let options = LedgerOptions {
        segment_bytes: 64 << 10,
        cache_bytes: 1 << 20,
        notary: Some(NotaryOptions {
            interval: Duration::from_millis(2),
            ..NotaryOptions::new(key())
        }),
        ..LedgerOptions::default()
    };
    let ledger = Ledger::open(dir, options).unwrap();
    let mut heads = [0, 1].map(|partition| ledger.open_shard(&shard(partition)).unwrap());
    for round in 0..6 {
        for head in &mut heads {
            let entries: Vec<Entry> = (0..3).map(|at| entry_of(3 * round + at)).collect();
            let (_, bytes) = built(ledger.id(), head, &entries);
            let block = crate::block::BuiltBlock {
                head_after: Block::decode(&bytes).unwrap().head_after(),
                bytes,
            };
            *head = ledger.commit(block).unwrap();
        }
    }
    let sizes = heads.map(|head| (head.shard, head.size));
    ledger
        .wait_published(&sizes, Duration::from_secs(20))
        .unwrap();
    ledger.rotate().unwrap();
    let id = ledger.id();
    ledger.close().unwrap();
    assert_eq!(check(dir).faults, Vec::new());
    id
}

/// Verifies against the right key.
pub(super) fn check(dir: &Path) -> VerifyReport {
    let options = VerifyOptions {
        keys: keys(),
        ..VerifyOptions::default()
    };
    verify(dir, &options).unwrap()
}

/// The stored blocks of a shard's first segment.
pub(super) fn blocks(dir: &Path, shard: ShardId) -> Vec<Vec<u8>> {
    let segment = Segment::attach(&dir.join(segment::path(shard, 0))).unwrap();
    let mut blocks = Vec::new();
    segment
        .walk(|walked| {
            blocks.push(walked.bytes.to_vec());
            Ok::<_, SegmentError>(())
        })
        .unwrap();
    blocks
}

/// Makes these the blocks of a shard, and everything right that has no key:
/// the segment's file, the manifest, the anchors and the stamp.
pub(super) fn replace(dir: &Path, shard: ShardId, blocks: &[Vec<u8>]) {
    let path = dir.join(segment::path(shard, 0));
    let before = Segment::attach(&path).unwrap().header().clone();
    let last = Block::decode(blocks.last().unwrap()).unwrap().head_after();
    let entries = blocks.iter().map(|block| {
        let header = BlockHeader::decode(block).unwrap();
        u64::from(header.entries)
    });
    let after = Head {
        blocks: blocks.len() as u64,
        size: entries.sum(),
        ..last
    };
    let header = Header { after, ..before };
    let mut writer = Writer::create(&path, &header, Compression::Zstd(1)).unwrap();
    for block in blocks {
        writer.push(block).unwrap();
    }
    let written = writer.finish().unwrap();
    let mut manifest = Manifest::read(dir).unwrap().unwrap();
    let sealed = manifest.shards.get_mut(&shard).unwrap();
    sealed.head = after;
    sealed.segments[0].blocks = after.blocks;
    sealed.segments[0].entries = after.size;
    sealed.segments[0].length = written.length;
    sealed.segments[0].digest = written.digest;
    for database in &mut manifest.databases {
        if let Some(first) = database.first.get_mut(&shard) {
            *first = after.blocks;
        }
    }
    manifest.write(dir).unwrap();
    for (slot, name) in anchor::FILES.into_iter().enumerate() {
        let mut state = AnchorState::read(dir, slot).unwrap().unwrap();
        if let Some(head) = state.heads.get_mut(&shard) {
            *head = after;
        }
        fs::write(dir.join(name), state.encode()).unwrap();
    }
    Stamp::write(dir, header.ledger).unwrap();
}

/// Blocks of these entries, chained anew, three in each.
pub(super) fn rechained(ledger: LedgerId, partition: i32, entries: &[Entry]) -> Vec<Vec<u8>> {
    let mut head = shard(partition).origin(ledger);
    let mut offsets = 0..;
    let mut blocks = Vec::new();
    for entries in entries.chunks(3) {
        let moved: Vec<Entry> = entries
            .iter()
            .zip(&mut offsets)
            .map(|(entry, offset)| Entry {
                offset: Some(offset),
                ..entry.clone()
            })
            .collect();
        let (after, bytes) = built(ledger, &head, &moved);
        head = after;
        blocks.push(bytes);
    }
    blocks
}

pub(super) fn entries(blocks: &[Vec<u8>]) -> Vec<Entry> {
    let mut entries = Vec::new();
    for block in blocks {
        let block = Block::decode(block).unwrap();
        entries.extend(block.entries().map(|entry| entry.unwrap().1));
    }
    entries
}

/// The newest signed state, which is put in place of both files.
pub(super) fn resign(dir: &Path, change: impl FnOnce(&mut SignedState)) {
    let states = [0, 1].map(|slot| match SignedState::read(dir, slot).unwrap() {
        Some(Ok(state)) => Some(state),
        _ => None,
    });
    let newest = states.into_iter().flatten();
    let mut state = newest.max_by_key(|state| state.generation).unwrap();
    change(&mut state);
    for _ in SIGNED_FILES {
        state.generation += 1;
        let slot = (state.generation % 2) as usize;
        fs::write(dir.join(SIGNED_FILES[slot]), state.encode()).unwrap();
    }
    Stamp::write(dir, state.ledger).unwrap();
}
