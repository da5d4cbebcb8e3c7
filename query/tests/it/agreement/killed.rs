//! A process that takes the ledger in and is killed over it.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use custody_ledger::{Ledger, LedgerOptions, restore};
use custody_query::{ReadModel, ReadModelOptions};

/// Set in that process: where a ledger is, and where its read model.
const LEDGER: &str = "CUSTODY_ORACLE_LEDGER";
const READ_MODEL: &str = "CUSTODY_ORACLE_READ_MODEL";

/// So often it is killed.
const KILLS: u32 = 4;

/// Not a test of its own: what runs in the process that is killed.
#[test]
fn another_process_takes_in() {
    let Some(ledger) = std::env::var_os(LEDGER).map(PathBuf::from) else {
        return;
    };
    let directory = PathBuf::from(std::env::var_os(READ_MODEL).unwrap());
    let ledger = Ledger::open(&ledger, LedgerOptions::default()).unwrap();
    let model = ReadModel::open(&directory, &ledger, &ReadModelOptions::default()).unwrap();
    println!("\nopened");
    model.catch_up(&ledger, &mut |_| {}).unwrap();
    println!("\ncaught up");
}

/// Leaves a read model of this ledger as a process left it that was killed
/// while it filled it from nothing, several times.
pub(super) fn leave_a_read_model(ledger: &Ledger, scratch: &Path) -> PathBuf {
    let (backup, copy) = (scratch.join("backup"), scratch.join("copy"));
    ledger.backup(&backup, |_| {}).unwrap();
    restore(&backup, &copy).unwrap();
    let directory = scratch.join("killed");
    let mut patience = Duration::from_millis(40);
    let mut killed = 0;
    for _ in 0..KILLS {
        if run(&copy, &directory, patience) {
            killed += 1;
        }
        patience *= 2;
    }
    assert!(killed > 0, "it was always done before it was killed");
    directory
}

/// Lets it run so long; `true` where it was killed before it was done.
fn run(ledger: &Path, directory: &Path, patience: Duration) -> bool {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "agreement::killed::another_process_takes_in"])
        .arg("--nocapture")
        .env(LEDGER, ledger)
        .env(READ_MODEL, directory)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap() == "opened"));
    std::thread::sleep(patience);
    child.kill().unwrap();
    child.wait().unwrap();
    !lines.any(|line| line.unwrap() == "caught up")
}
