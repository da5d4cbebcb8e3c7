//! A closed ledger, and any change to it.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::thread;
use std::time::Instant;

use custody_ledger::{Ledger, OpenError, Place, VerifyOptions, verify};

use crate::fixture::{
    assert_whole, block, check, contents, copy_dir, options, shard, small_ledger,
};

fn place_names(place: &Place, file: &Path, at: u64) -> bool {
    match place {
        Place::File { path } => path == file,
        Place::Bytes { path, first, last } => path == file && (*first..=*last).contains(&at),
        // A block of the segment.
        Place::Block { shard, .. } => file.starts_with(format!("segments/{shard}")),
        _ => false,
    }
}

/// Every single byte of every file, one bit at a time: the verifier names the
/// file and the range.
#[test]
fn every_flipped_byte_of_a_closed_ledger_is_found_and_named() {
    let dir = tempfile::tempdir().unwrap();
    small_ledger(dir.path(), 6);
    seal_and_go_on(dir.path());
    // Reopened, so that the storage engine has files of every kind.
    let ledger = Ledger::open(dir.path(), options()).unwrap();
    let head = ledger.head(shard(0).id()).unwrap();
    ledger.commit(block(&ledger, &head, 3, 20)).unwrap();
    ledger.close().unwrap();
    let sealed = contents(dir.path()).into_keys();
    assert_eq!(
        sealed
            .filter(|path| path.extension().is_some_and(|ext| ext == "seg"))
            .count(),
        3
    );
    assert_eq!(assert_whole(dir.path()).warnings, Vec::<String>::new());

    let started = Instant::now();
    let threads = thread::available_parallelism().map_or(1, |threads| threads.get());
    let flipped: usize = thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|worker| {
                let dir = dir.path();
                scope.spawn(move || flip_every_byte(dir, worker, threads))
            })
            .collect();
        workers
            .into_iter()
            .map(|worker| worker.join().unwrap())
            .sum()
    });
    let total: usize = contents(dir.path()).values().map(Vec::len).sum();
    assert_eq!(flipped, total);
    println!("{flipped} bytes in {:?}", started.elapsed());
}

/// Seals what there is, and appends some more.
fn seal_and_go_on(dir: &Path) {
    let ledger = Ledger::open(dir, options()).unwrap();
    ledger.rotate().unwrap();
    let head = ledger.head(shard(0).id()).unwrap();
    ledger.commit(block(&ledger, &head, 3, 20)).unwrap();
    ledger.close().unwrap();
}

/// Flips the bytes at `worker`, `worker + step`, … of each file of a copy.
fn flip_every_byte(dir: &Path, worker: usize, step: usize) -> usize {
    let copy = tempfile::tempdir().unwrap();
    copy_dir(dir, copy.path());
    let stop_early = VerifyOptions {
        stop_early: true,
        ..VerifyOptions::default()
    };
    let mut flipped = 0;
    for (path, bytes) in contents(copy.path()) {
        let relative = path.strip_prefix(copy.path()).unwrap();
        let file = OpenOptions::new().write(true).open(&path).unwrap();
        for at in (worker..bytes.len()).step_by(step) {
            file.write_all_at(&[bytes[at] ^ (1 << (at % 8))], at as u64)
                .unwrap();
            let report = verify(copy.path(), &stop_early).unwrap();
            assert!(!report.ok(), "{} byte {at} passed", relative.display());
            let named = report
                .faults
                .iter()
                .any(|fault| place_names(&fault.place, relative, at as u64));
            assert!(
                named,
                "{} byte {at}: {:?}",
                relative.display(),
                report.faults
            );
            file.write_all_at(&[bytes[at]], at as u64).unwrap();
            flipped += 1;
        }
    }
    assert_whole(copy.path());
    flipped
}

/// A sample goes through all stages, and through `open`, which refuses and
/// leaves every byte as it was.
#[test]
fn a_changed_file_is_not_opened() {
    let dir = tempfile::tempdir().unwrap();
    small_ledger(dir.path(), 3);
    let files = contents(dir.path());
    for (path, bytes) in &files {
        for at in (0..bytes.len()).step_by(bytes.len() / 5 + 1) {
            let mut changed = bytes.clone();
            changed[at] ^= 0x40;
            fs::write(path, &changed).unwrap();
            let before = contents(dir.path());
            assert!(!check(dir.path()).ok());
            match Ledger::open(dir.path(), options()) {
                Err(OpenError::Changed { faults }) => assert!(!faults.is_empty()),
                Err(OpenError::File { path, .. }) => assert!(path.ends_with("identity")),
                other => panic!("{}: {other:?}", path.display()),
            }
            assert_eq!(contents(dir.path()), before);
        }
        fs::write(path, bytes).unwrap();
    }
    fs::write(dir.path().join("lock"), b"").unwrap();
    assert_whole(dir.path());
}

#[test]
fn missing_added_shortened_and_lengthened_files_are_named() {
    let dir = tempfile::tempdir().unwrap();
    small_ledger(dir.path(), 2);
    seal_and_go_on(dir.path());
    for (path, bytes) in contents(dir.path()) {
        let relative = path.strip_prefix(dir.path()).unwrap();
        let named = |what: &str| {
            let report = check(dir.path());
            if relative == Path::new("stamp") && what == "missing" {
                // As after a crash: a warning, and the blocks still pass.
                assert!(report.ok());
                assert_eq!(report.warnings.len(), 1);
                return;
            }
            let end = bytes.len() as u64;
            let found = report.faults.iter().any(|fault| {
                place_names(&fault.place, relative, end)
                    || place_names(&fault.place, relative, end.saturating_sub(1))
            });
            assert!(found, "{what} {}: {:?}", relative.display(), report.faults);
        };
        fs::remove_file(&path).unwrap();
        named("missing");
        fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
        named("shortened");
        fs::write(&path, [bytes.as_slice(), &[0]].concat()).unwrap();
        named("lengthened");
        fs::write(&path, &bytes).unwrap();
    }
    fs::write(dir.path().join("db.1/extra"), b"").unwrap();
    let faults = check(dir.path()).faults;
    assert!(
        place_names(&faults[0].place, Path::new("db.1/extra"), 0),
        "{faults:?}"
    );
}

/// Verifying leaves no trace, and what is closed stays openable.
#[test]
fn verifying_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    small_ledger(dir.path(), 4);
    let before = contents(dir.path());
    let report = assert_whole(dir.path());
    assert_eq!(contents(dir.path()), before);
    assert_eq!(report.shards.len(), 3);
    assert_eq!(report.entries(), 2 * (1 + 2 + 3 + 4) + 1);
    let kafka = report
        .shards
        .iter()
        .find(|shard| shard.descriptor == crate::fixture::shard(0))
        .unwrap();
    assert_eq!(
        (kafka.entries, kafka.duplicates, kafka.rejected, kafka.gaps),
        (10, 4, 4, [12, 0, 0])
    );
    assert_eq!((kafka.first_offset, kafka.last_offset), (Some(0), Some(29)));
}
