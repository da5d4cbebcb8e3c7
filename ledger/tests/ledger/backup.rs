//! Backups of a ledger at work.

use std::fs;
use std::thread;

use custody_ledger::{Archive, Ledger, LedgerError, LedgerOptions, OpenError, restore};

use crate::fixture::{assert_whole, block, contents, copy_dir, entry, options, shard};

#[test]
fn a_backup_is_a_whole_ledger_of_one_moment() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(
        dir.path(),
        LedgerOptions {
            rotate_bytes: 40_000,
            ..options()
        },
    )
    .unwrap();
    let mut heads: Vec<_> = (0..2)
        .map(|partition| ledger.open_shard(&shard(partition)).unwrap())
        .collect();
    ledger.open_shard(&shard(2)).unwrap();
    let place = tempfile::tempdir().unwrap();
    let to = place.path().join("backup");
    let stop = std::sync::atomic::AtomicBool::new(false);
    let report = thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                for head in &mut heads {
                    *head = ledger.commit(block(&ledger, head, 3, 400)).unwrap();
                }
                ledger
                    .append_house(vec![entry(None, 3)], 0, crate::fixture::RULESET)
                    .unwrap();
            }
        });
        while ledger.head(shard(1).id()).unwrap().blocks < 60 {
            thread::yield_now();
        }
        ledger.rotate().unwrap();
        let mut seen = Vec::new();
        let report = ledger.backup(&to, |progress| seen.push(progress)).unwrap();
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        let last = seen.last().unwrap();
        assert_eq!(last.segments, last.total_segments);
        assert_eq!(last.bytes, report.bytes);
        report
    });
    assert!(report.linked + report.copied > 0);
    let verified = assert_whole(&to);
    assert_eq!(verified.warnings, Vec::<String>::new());
    let found: Vec<_> = verified.shards.iter().map(|shard| shard.head).collect();
    assert_eq!(found, report.heads);

    let archive = Archive::open(&to).unwrap();
    assert_eq!(archive.id(), ledger.id());
    for head in &report.heads {
        assert_eq!(archive.head(head.shard), Some(*head));
        let blocks = archive.read_blocks(head.shard, 0, usize::MAX).unwrap();
        assert_eq!(blocks.len() as u64, head.blocks);
        for block in blocks {
            let height = block.header.height;
            let of_ledger = ledger.read_block(head.shard, height).unwrap().unwrap();
            assert_eq!(block, of_ledger);
            if block.header.entries > 0 {
                let found = archive.find_block(head.shard, block.header.first_sequence);
                assert_eq!(found.unwrap(), Some(height));
            }
        }
        assert!(
            archive
                .read_block(head.shard, head.blocks)
                .unwrap()
                .is_none()
        );
    }
    let before = contents(&to);
    let restored = place.path().join("restored");
    restore(&to, &restored).unwrap();
    assert_eq!(contents(&to), before);
    let again = Ledger::open(&restored, options()).unwrap();
    let opened: Vec<_> = again.shards().into_iter().map(|(_, head)| head).collect();
    assert_eq!(opened, report.heads);
    let head = again.head(shard(0).id()).unwrap();
    let head = again.commit(block(&again, &head, 2, 40)).unwrap();
    again.rotate().unwrap();
    again.commit(block(&again, &head, 2, 40)).unwrap();
    again.close().unwrap();
    assert_whole(&restored);
    // The original goes on.
    ledger.close().unwrap();
    assert_whole(dir.path());
    // A second one is not written over the first.
    assert!(matches!(restore(&to, &restored), Err(OpenError::Io { .. })));
}

/// A backup can be opened where it lies, and one that was cut short cannot.
#[test]
fn what_was_cut_short_is_no_ledger() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(dir.path(), options()).unwrap();
    let head = ledger.open_shard(&shard(0)).unwrap();
    ledger.commit(block(&ledger, &head, 3, 40)).unwrap();
    let place = tempfile::tempdir().unwrap();
    let to = place.path().join("backup");
    ledger.backup(&to, |_| {}).unwrap();
    match ledger.backup(&to, |_| {}) {
        Err(LedgerError::Backup { source }) => {
            assert_eq!(source.kind(), std::io::ErrorKind::AlreadyExists)
        }
        other => panic!("{other:?}"),
    }
    let cut = place.path().join("cut");
    copy_dir(&to, &cut);
    for name in ["identity", "stamp"] {
        fs::remove_file(cut.join(name)).unwrap();
    }
    let before = contents(&cut);
    assert!(matches!(
        Ledger::open(&cut, options()),
        Err(OpenError::Incomplete { .. })
    ));
    let after = contents(&cut);
    assert_eq!(after, before);
    assert!(matches!(
        restore(&cut, &place.path().join("other")),
        Err(OpenError::NotALedger { .. })
    ));
    // Twice, since the database is made on the first opening.
    for _ in 0..2 {
        let again = Ledger::open(&to, options()).unwrap();
        assert_eq!(again.shards(), ledger.shards());
        again.close().unwrap();
        assert_whole(&to);
    }
}

/// The sealed part of a ledger that is being written to.
#[test]
fn an_archive_reads_what_is_sealed_and_writes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(dir.path(), options()).unwrap();
    let head = ledger.open_shard(&shard(0)).unwrap();
    let head = ledger.commit(block(&ledger, &head, 3, 40)).unwrap();
    assert_eq!(Archive::open(dir.path()).unwrap().shards(), Vec::new());
    ledger.rotate().unwrap();
    ledger.commit(block(&ledger, &head, 3, 40)).unwrap();
    let before = contents(dir.path());
    let archive = Archive::open(dir.path()).unwrap();
    assert_eq!(archive.head(head.shard), Some(head));
    assert_eq!(archive.read_blocks(head.shard, 0, 1).unwrap().len(), 1);
    assert_eq!(contents(dir.path()), before);
    // The files alone are enough.
    let alone = tempfile::tempdir().unwrap();
    copy_dir(&dir.path().join("segments"), &alone.path().join("segments"));
    let archive = Archive::open(alone.path()).unwrap();
    assert_eq!(archive.head(head.shard), Some(head));
    fs::remove_file(alone.path().join("segments/manifest")).unwrap();
    assert!(matches!(
        Archive::open(alone.path()),
        Err(OpenError::Incomplete { .. })
    ));
}
