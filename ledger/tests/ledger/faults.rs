//! Each durable step, failing in each way.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use custody_ledger::{FaultInjector, Ledger, LedgerError, LedgerOptions, Step};

use crate::fixture::{assert_whole, block, copy_dir, options, shard, with_faults};

/// Fails one step once armed.
struct FailAt {
    step: Step,
    how: How,
    kind: io::ErrorKind,
    armed: AtomicBool,
}

/// How much of a failed step is done.
#[derive(Clone, Copy, Debug, PartialEq)]
enum How {
    Nothing,
    Part,
    All,
}

impl FailAt {
    fn fails(&self, step: Step, how: How) -> bool {
        self.armed.load(Ordering::SeqCst) && step == self.step && how == self.how
    }

    fn check(&self, step: Step, how: How) -> io::Result<()> {
        if self.fails(step, how) {
            return Err(io::Error::new(self.kind, "injected"));
        }
        Ok(())
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
        // What a test cannot have done by half is done by half here: a part of
        // the flush is taken back below.
        self.check(step, How::Part)?;
        self.check(step, How::All)
    }
}

/// Each step × {did nothing, a part, everything and said that it failed} × {any
/// error, disk full}: the failed block is not acknowledged, nothing more is
/// taken, and after reopening everything that was acknowledged is there.
#[test]
fn a_failed_step_loses_nothing_that_was_acknowledged() {
    for step in Step::COMMIT {
        for how in [How::Nothing, How::Part, How::All] {
            for kind in [io::ErrorKind::Other, io::ErrorKind::StorageFull] {
                fail_at(step, how, kind);
            }
        }
    }
}

fn fail_at(step: Step, how: How, kind: io::ErrorKind) {
    let case = format!("{step}, done {how:?}, {kind}");
    let dir = tempfile::tempdir().unwrap();
    let faults = Arc::new(FailAt {
        step,
        how,
        kind,
        armed: AtomicBool::new(false),
    });
    let ledger = Ledger::open(dir.path(), with_faults(faults.clone())).unwrap();
    let id = shard(0).id();
    let mut head = ledger.open_shard(&shard(0)).unwrap();
    for count in 0..3 {
        head = ledger.commit(block(&ledger, &head, count, 100)).unwrap();
    }
    assert_eq!(ledger.poisoned(), None);
    let store = std::fs::read(dir.path().join("db.0/db")).unwrap();

    faults.armed.store(true, Ordering::SeqCst);
    let submitted = block(&ledger, &head, 4, 100);
    match ledger.commit(submitted.clone()) {
        Err(LedgerError::Write {
            step: failed,
            source,
        }) => {
            assert_eq!(failed, step, "{case}");
            if how != How::Part {
                assert_eq!(source.kind(), kind, "{case}");
            }
        }
        other => panic!("{case}: {other:?}"),
    }
    // Also when the cause has gone: nobody knows what is on disk.
    faults.armed.store(false, Ordering::SeqCst);
    let refused = ledger.commit(submitted.clone()).unwrap_err();
    assert!(
        matches!(refused, LedgerError::Poisoned { .. }) && refused.stops_ledger(),
        "{case}"
    );
    assert!(
        ledger
            .append_house(
                vec![crate::fixture::entry(None, 1)],
                0,
                crate::fixture::RULESET
            )
            .is_err()
    );
    assert!(ledger.open_shard(&shard(1)).is_err());
    assert!(
        ledger.poisoned().is_some_and(|reason| !reason.is_empty()),
        "{case}"
    );
    // What is not durable is not shown.
    assert_eq!(ledger.head(id), Some(head), "{case}");
    assert_eq!(ledger.read_block(id, head.blocks).unwrap(), None, "{case}");
    assert!(
        ledger.read_block(id, head.blocks - 1).unwrap().is_some(),
        "{case}"
    );

    // As a crash at this point leaves it; the lock is the old process's.
    let crashed = tempfile::tempdir().unwrap();
    copy_dir(dir.path(), crashed.path());
    if how == How::Part {
        take_back_half(&crashed.path().join("db.0/db"), &store);
    }
    assert!(
        matches!(ledger.close(), Err(LedgerError::Poisoned { .. })),
        "{case}"
    );
    drop(ledger);

    for dir in [crashed.path(), dir.path()] {
        let ledger = Ledger::open(dir, options()).unwrap_or_else(|error| panic!("{case}: {error}"));
        let reopened = ledger.head(id).unwrap();
        assert!(
            reopened == head || reopened == submitted.head_after,
            "{case}: {reopened:?}"
        );
        if how == How::All && matches!(step, Step::Flush | Step::Sync | Step::Anchor) {
            assert_eq!(reopened, submitted.head_after, "{case}");
        }
        let next = ledger.commit(block(&ledger, &reopened, 2, 100)).unwrap();
        assert_eq!(next.blocks, reopened.blocks + 1);
        ledger.close().unwrap();
        let report = assert_whole(dir);
        assert_eq!(report.warnings, Vec::<String>::new(), "{case}");
    }
}

/// Of what was written to a file since, the second half is as it was.
fn take_back_half(path: &std::path::Path, before: &[u8]) {
    let mut bytes = std::fs::read(path).unwrap();
    let mut before = before.to_vec();
    before.resize(bytes.len(), 0);
    let changed: Vec<usize> = (0..bytes.len())
        .filter(|&at| bytes[at] != before[at])
        .collect();
    for &at in &changed[changed.len() / 2..] {
        bytes[at] = before[at];
    }
    std::fs::write(path, bytes).unwrap();
}

/// The barrier of the keys runs before the blocks, once a group, and its
/// failure keeps the blocks out.
#[test]
fn blocks_wait_for_what_must_be_durable_before_them() {
    let dir = tempfile::tempdir().unwrap();
    let (runs, fail) = (
        Arc::new(AtomicUsize::new(0)),
        Arc::new(AtomicBool::new(false)),
    );
    let barrier = {
        let (runs, fail) = (runs.clone(), fail.clone());
        move || {
            runs.fetch_add(1, Ordering::SeqCst);
            if fail.load(Ordering::SeqCst) {
                panic!("no keys");
            }
            Ok(())
        }
    };
    let ledger = Ledger::open(
        dir.path(),
        LedgerOptions {
            before_commit: Some(Arc::new(barrier)),
            ..options()
        },
    )
    .unwrap();
    let head = ledger.open_shard(&shard(0)).unwrap();
    let before = runs.load(Ordering::SeqCst);
    let head = ledger.commit(block(&ledger, &head, 1, 10)).unwrap();
    assert_eq!(runs.load(Ordering::SeqCst), before + 1);

    fail.store(true, Ordering::SeqCst);
    let failed = ledger.commit(block(&ledger, &head, 1, 10)).unwrap_err();
    assert!(
        matches!(
            failed,
            LedgerError::Write {
                step: Step::Barrier,
                ..
            }
        ),
        "{failed}"
    );
    drop(ledger);
    let ledger = Ledger::open(dir.path(), options()).unwrap();
    assert_eq!(ledger.head(shard(0).id()), Some(head));
    ledger.close().unwrap();
    assert_whole(dir.path());
}
