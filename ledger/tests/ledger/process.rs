//! Other processes: one that wants the same ledger, and one that is killed.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use custody_ledger::{Ledger, LedgerOptions, OpenError, VerifyOptions, verify};

use crate::fixture::{assert_whole, block, options, shard};

const DIR: &str = "CUSTODY_TEST_DIR";

/// Runs one of the tests below in a process of its own.
fn spawn(test: &str, dir: &Path) -> (Child, BufReader<ChildStdout>) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--nocapture", "--test-threads=1", test])
        .env(DIR, dir)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    (child, output)
}

fn child_dir() -> Option<PathBuf> {
    std::env::var_os(DIR).map(PathBuf::from)
}

/// Not a test by itself: appends until it is killed, and says what was
/// acknowledged.
#[test]
fn child_that_appends() {
    let Some(dir) = child_dir() else { return };
    let options = LedgerOptions {
        // So that it is killed while databases are sealed, too.
        rotate_bytes: 8000,
        ..options()
    };
    let ledger = Ledger::open(&dir, options).unwrap();
    let mut head = ledger.open_shard(&shard(0)).unwrap();
    println!("open");
    loop {
        head = ledger.commit(block(&ledger, &head, 3, 200)).unwrap();
        println!("acknowledged {}", head.blocks);
    }
}

fn acknowledged(line: &str) -> Option<u64> {
    line.strip_prefix("acknowledged ")?.parse().ok()
}

#[test]
fn what_was_acknowledged_survives_a_kill() {
    let dir = tempfile::tempdir().unwrap();
    let mut durable = 0;
    for round in 1..=6 {
        let (mut child, mut output) = spawn("process::child_that_appends", dir.path());
        let mut line = String::new();
        while durable < 40 * round {
            line.clear();
            assert!(output.read_line(&mut line).unwrap() > 0, "the child ended");
            durable = acknowledged(line.trim_end()).unwrap_or(durable);
        }
        // A writer at work lets nobody else in, and is named.
        match Ledger::open(dir.path(), options()) {
            Err(OpenError::Locked { pid, .. }) => assert_eq!(pid, Some(child.id())),
            other => panic!("{other:?}"),
        }
        let verified = verify(dir.path(), &VerifyOptions::default());
        assert!(matches!(verified, Err(OpenError::Locked { .. })));
        child.kill().unwrap();
        child.wait().unwrap();
        for line in output.lines() {
            durable = acknowledged(&line.unwrap()).unwrap_or(durable);
        }
        let report = assert_whole(dir.path());
        assert_eq!(report.warnings.len(), 1, "{:?}", report.warnings);
        let ledger = Ledger::open(dir.path(), options()).unwrap();
        assert!(ledger.head(shard(0).id()).unwrap().blocks >= durable);
        ledger.close().unwrap();
        assert_eq!(assert_whole(dir.path()).warnings, Vec::<String>::new());
    }
}

#[test]
fn a_second_handle_is_refused_and_names_the_first() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(dir.path(), options()).unwrap();
    match Ledger::open(dir.path(), options()) {
        Err(error @ OpenError::Locked { pid, .. }) => {
            assert_eq!(pid, Some(std::process::id()));
            assert!(error.to_string().contains(&std::process::id().to_string()));
        }
        other => panic!("{other:?}"),
    }
    ledger.close().unwrap();
    Ledger::open(dir.path(), options()).unwrap();
}
