//! Small ledgers to work on.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use custody_ledger::{
    BlockBuilder, BuiltBlock, Digest, Entry, FaultInjector, GapCause, Head, Kind, Ledger,
    LedgerOptions, ShardDescriptor, VerifyOptions, VerifyReport, verify,
};

use custody_proof::note::SigningKey;

pub(crate) const RULESET: Digest = Digest([0x5e; 32]);
pub(crate) const TIME: i64 = 1_700_000_000_000_000_000;

/// Small segments, so that a ledger of a few blocks has several.
pub(crate) fn options() -> LedgerOptions {
    LedgerOptions {
        segment_bytes: 64 << 10,
        cache_bytes: 1 << 20,
        ..LedgerOptions::default()
    }
}

pub(crate) fn with_faults(faults: Arc<dyn FaultInjector>) -> LedgerOptions {
    LedgerOptions {
        faults: Some(faults),
        ..options()
    }
}

pub(crate) fn shard(partition: i32) -> ShardDescriptor {
    ShardDescriptor {
        cluster_id: "cluster-1".to_owned(),
        topic: "privacy-events".to_owned(),
        topic_id: String::new(),
        partition,
        epoch: 0,
    }
}

pub(crate) fn entry(offset: Option<i64>, sealed: usize) -> Entry {
    let mut entry = Entry::new(Kind::Use, TIME);
    entry.offset = offset;
    entry.controller = "alibaba-com-singapore".to_owned();
    // Not all the same, so that a swap would show.
    entry.sealed = (0..sealed)
        .map(|at| (at as u8) ^ (offset.unwrap_or(0) as u8))
        .collect();
    entry
}

/// A block of `count` entries, with a duplicate, a rejected message and a gap.
pub(crate) fn block(ledger: &Ledger, head: &Head, count: usize, sealed: usize) -> BuiltBlock {
    let mut builder = BlockBuilder::new(ledger.id(), head);
    let mut next = head.next_offset.unwrap();
    for _ in 0..count {
        builder.push(&entry(Some(next), sealed)).unwrap();
        next += 1;
    }
    builder.duplicate(next).unwrap();
    builder.rejected(next + 1).unwrap();
    builder
        .gap(next + 2, next + 4, GapCause::ControlOrCompacted)
        .unwrap();
    builder.finish(TIME, RULESET).unwrap()
}

/// A closed ledger with two shards and the house: a few blocks each.
pub(crate) fn small_ledger(dir: &Path, blocks: usize) {
    let ledger = Ledger::open(dir, options()).unwrap();
    for partition in [0, 1] {
        let mut head = ledger.open_shard(&shard(partition)).unwrap();
        for count in 1..=blocks {
            head = ledger.commit(block(&ledger, &head, count, 40)).unwrap();
        }
    }
    ledger
        .append_house(vec![entry(None, 10)], TIME, RULESET)
        .unwrap();
    ledger.close().unwrap();
}

/// The key that signs for the ledgers of tests.
pub(crate) fn signing_key() -> SigningKey {
    SigningKey::from_seed("custody/test", &[7; 32]).unwrap()
}

pub(crate) fn check(dir: &Path) -> VerifyReport {
    verify(dir, &VerifyOptions::default()).unwrap()
}

/// The one verifier that every test ends in.
pub(crate) fn assert_whole(dir: &Path) -> VerifyReport {
    let report = check(dir);
    assert_eq!(report.faults, Vec::new());
    report
}

/// Copies a directory, also of a ledger at work: where something is removed or
/// renamed meanwhile, it begins again.
pub(crate) fn copy_dir(from: &Path, to: &Path) {
    for _ in 0..100 {
        match try_copy(from, to) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                fs::remove_dir_all(to).unwrap();
                std::thread::sleep(std::time::Duration::from_millis(5));
            }
            copied => return copied.unwrap(),
        }
    }
    panic!("{} never stands still", from.display());
}

fn try_copy(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            try_copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

/// Every file and its bytes, but for the lock.
pub(crate) fn contents(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut contents = BTreeMap::new();
    let mut pending = vec![dir.to_owned()];
    while let Some(path) = pending.pop() {
        for entry in fs::read_dir(path).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_dir() {
                pending.push(entry.path());
            } else if entry.file_name() != "lock" {
                contents.insert(entry.path(), fs::read(entry.path()).unwrap());
            }
        }
    }
    contents
}
