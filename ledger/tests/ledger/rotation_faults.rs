//! Each durable step of a rotation, failing in each way.

use std::fs;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use custody_ledger::{FaultInjector, Ledger, LedgerError, Step};

use crate::fixture::{
    RULESET, TIME, assert_whole, block, contents, copy_dir, entry, options, shard, with_faults,
};

#[derive(Clone, Copy, Debug, PartialEq)]
enum How {
    Nothing,
    Part,
    All,
}

/// Fails a step, the `nth` time that it is taken.
struct FailAt {
    step: Step,
    how: How,
    /// Taken so often until it fails; then it goes on failing.
    left: AtomicUsize,
}

impl FailAt {
    fn fails(&self, step: Step, how: How) -> bool {
        step == self.step && how == self.how && self.left.load(Ordering::SeqCst) == 0
    }

    fn check(&self, step: Step, how: How) -> io::Result<()> {
        if self.fails(step, how) {
            return Err(io::Error::new(io::ErrorKind::StorageFull, "injected"));
        }
        Ok(())
    }

    fn disarm(&self) {
        self.left.store(usize::MAX, Ordering::SeqCst);
    }
}

impl FaultInjector for FailAt {
    fn before(&self, step: Step) -> io::Result<()> {
        self.check(step, How::Nothing)
    }

    fn tears(&self, step: Step) -> bool {
        self.fails(step, How::Part)
    }

    fn after(&self, step: Step) -> io::Result<()> {
        self.check(step, How::All)?;
        // Not armed before the count has come down.
        if step == self.step {
            let left = self.left.load(Ordering::SeqCst);
            if left > 0 && left < 1000 {
                self.left.store(left - 1, Ordering::SeqCst);
            }
        }
        Ok(())
    }
}

/// Every step × {did nothing, a part, everything and said that it failed}, also
/// the second segment and the second manifest: nothing is lost, neither in the
/// process that goes on nor in one that comes after a crash right there.
#[test]
fn a_failed_rotation_loses_nothing() {
    for step in Step::ROTATION {
        let times = match step {
            Step::Manifest | Step::SegmentWrite | Step::SegmentSync | Step::Reread => 2,
            _ => 1,
        };
        for nth in 0..times {
            for how in [How::Nothing, How::Part, How::All] {
                if (step, how) != (Step::Reread, How::Part) {
                    fail_at(step, how, nth);
                }
            }
        }
    }
}

fn fail_at(step: Step, how: How, nth: usize) {
    let case = format!("{step} the {nth}. time, done {how:?}");
    let dir = tempfile::tempdir().unwrap();
    let faults = Arc::new(FailAt {
        step,
        how,
        left: AtomicUsize::new(usize::MAX),
    });
    let ledger = Ledger::open(dir.path(), with_faults(faults.clone())).unwrap();
    let id = shard(0).id();
    let mut built = Vec::new();
    let mut head = ledger.open_shard(&shard(0)).unwrap();
    let mut append = |ledger: &Ledger, count: usize| {
        for _ in 0..count {
            let next = block(ledger, &head, 3, 300);
            head = ledger.commit(next.clone()).unwrap();
            built.push(next.bytes);
        }
        head
    };
    // Something sealed, something not.
    append(&ledger, 3);
    ledger
        .append_house(vec![entry(None, 9)], TIME, RULESET)
        .unwrap();
    ledger.rotate().unwrap();
    append(&ledger, 3);
    ledger
        .append_house(vec![entry(None, 9)], TIME, RULESET)
        .unwrap();

    faults.left.store(nth, Ordering::SeqCst);
    let rotated = ledger.rotate();
    faults.disarm();
    let crashed = tempfile::tempdir().unwrap();
    copy_dir(dir.path(), crashed.path());
    let poisons = step == Step::Manifest;
    match (&rotated, step) {
        // The segments are named; what stays behind goes on opening.
        (Ok(()), Step::Remove) => {}
        (Err(LedgerError::Write { .. }), Step::Manifest) if nth == 0 => {}
        (Err(LedgerError::Sealing { reason }), _) => {
            assert_eq!(ledger.sealing_failed().as_ref(), Some(reason), "{case}");
        }
        other => panic!("{case}: {other:?}"),
    }
    assert_eq!(ledger.poisoned().is_some(), poisons, "{case}");
    let before = ledger.head(id).unwrap();
    if poisons {
        let refused = ledger.commit(block(&ledger, &before, 1, 10));
        assert!(
            matches!(refused, Err(LedgerError::Poisoned { .. })),
            "{case}"
        );
    } else {
        // Appends go on, and the next rotation does what this one could not.
        append(&ledger, 2);
        ledger.rotate().unwrap();
        assert_eq!(ledger.sealing_failed(), None, "{case}");
        append(&ledger, 1);
    }
    let read = |ledger: &Ledger| -> Vec<Vec<u8>> {
        let blocks = ledger.read_blocks(id, 0, usize::MAX).unwrap();
        blocks.into_iter().map(|block| block.into_bytes()).collect()
    };
    let after = ledger.head(id).unwrap();
    assert_eq!(ledger.close().is_err(), poisons, "{case}");
    drop(ledger);

    for (dir, head) in [(crashed.path(), before), (dir.path(), after)] {
        let ledger = Ledger::open(dir, options()).unwrap_or_else(|error| panic!("{case}: {error}"));
        assert_eq!(ledger.head(id), Some(head), "{case}");
        assert_eq!(read(&ledger), built[..head.blocks as usize], "{case}");
        let head = ledger.commit(block(&ledger, &head, 2, 100)).unwrap();
        ledger.rotate().unwrap();
        assert_eq!(ledger.sealing_failed(), None, "{case}");
        ledger.commit(block(&ledger, &head, 2, 100)).unwrap();
        ledger.close().unwrap();
        let report = assert_whole(dir);
        assert_eq!(report.warnings, Vec::<String>::new(), "{case}");
        assert_only_what_is_named(dir, &case);
    }
}

/// Two segments for each rotation that had blocks of both shards, one
/// database, one manifest, and no leftovers.
fn assert_only_what_is_named(dir: &Path, case: &str) {
    let databases = fs::read_dir(dir).unwrap().filter(|entry| {
        let name = entry.as_ref().unwrap().file_name();
        name.to_str().unwrap().starts_with("db.")
    });
    assert_eq!(databases.count(), 1, "{case}");
    let odd: Vec<PathBuf> = contents(&dir.join("segments"))
        .into_keys()
        .filter(|path| path.extension().is_some_and(|ext| ext != "seg"))
        .collect();
    assert_eq!(odd, Vec::<PathBuf>::new(), "{case}");
}

/// Changes a byte of what was written just before it is read again.
struct Corrupt(PathBuf);

impl FaultInjector for Corrupt {
    fn before(&self, step: Step) -> io::Result<()> {
        if step == Step::Reread {
            for (path, bytes) in contents(&self.0.join("segments")) {
                if path.extension().is_some_and(|ext| ext == "seg") {
                    let file = fs::OpenOptions::new().write(true).open(&path)?;
                    let at = bytes.len() / 2;
                    file.write_all_at(&[bytes[at] ^ 8], at as u64)?;
                }
            }
        }
        Ok(())
    }
}

#[test]
fn a_disk_that_does_not_hold_what_was_written_stops_the_ledger() {
    let dir = tempfile::tempdir().unwrap();
    let faults = Arc::new(Corrupt(dir.path().to_owned()));
    let ledger = Ledger::open(dir.path(), with_faults(faults)).unwrap();
    let head = ledger.open_shard(&shard(0)).unwrap();
    let head = ledger.commit(block(&ledger, &head, 3, 300)).unwrap();
    assert!(matches!(ledger.rotate(), Err(LedgerError::Sealing { .. })));
    assert!(ledger.sealing_failed().is_some());
    assert!(ledger.poisoned().is_some());
    let refused = ledger.commit(block(&ledger, &head, 1, 10)).unwrap_err();
    assert!(refused.stops_ledger());
    // What is in the database is read all the same.
    assert!(ledger.read_block(head.shard, 0).unwrap().is_some());
    drop(ledger);
    let ledger = Ledger::open(dir.path(), options()).unwrap();
    assert_eq!(ledger.head(head.shard), Some(head));
    ledger.rotate().unwrap();
    ledger.close().unwrap();
    assert_whole(dir.path());
    assert_only_what_is_named(dir.path(), "corrupt");
}
