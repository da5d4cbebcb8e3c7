//! Files of a signed ledger put back, taken away and changed from outside.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use custody_ledger::{
    BlockBuilder, Head, Ledger, LedgerOptions, NotaryOptions, Place, Since, SubjectReference,
    VerifyOptions, VerifyReport, verify,
};

use crate::fixture::{RULESET, TIME, contents, copy_dir, entry, options, shard, signing_key};

fn signed_options(anchor_dir: Option<PathBuf>) -> LedgerOptions {
    LedgerOptions {
        notary: Some(NotaryOptions {
            interval: Duration::from_millis(2),
            ..NotaryOptions::new(signing_key())
        }),
        signed_anchor_dir: anchor_dir,
        ..options()
    }
}

fn append(ledger: &Ledger, head: &Head, count: u8) -> Head {
    let mut builder = BlockBuilder::new(ledger.id(), head);
    for at in 0..count {
        let mut entry = entry(builder.next_offset(), 30);
        entry.subject = Some(SubjectReference([at + 1; 16]));
        builder.push(&entry).unwrap();
    }
    let built = builder.finish(TIME, RULESET).unwrap();
    ledger.commit(built).unwrap()
}

/// Goes on with a signed ledger: two blocks in each of two shards, sealed, and
/// one more.
fn go_on(dir: &Path, anchor_dir: Option<PathBuf>) {
    let ledger = Ledger::open(dir, signed_options(anchor_dir)).unwrap();
    let mut covered = Vec::new();
    for partition in [0, 1] {
        let mut head = ledger.open_shard(&shard(partition)).unwrap();
        head = append(&ledger, &head, 2);
        head = append(&ledger, &head, 3);
        covered.push((head.shard, head.size));
    }
    ledger.rotate().unwrap();
    for (shard, size) in &mut covered {
        let head = ledger.head(*shard).unwrap();
        *size = append(&ledger, &head, 1).size;
    }
    ledger
        .wait_published(&covered, Duration::from_secs(20))
        .unwrap();
    ledger.close().unwrap();
}

fn with_key() -> VerifyOptions {
    VerifyOptions {
        keys: vec![signing_key().verifying_key().clone()],
        ..VerifyOptions::default()
    }
}

fn check(dir: &Path) -> VerifyReport {
    verify(dir, &with_key()).unwrap()
}

fn is_file(place: &Place, name: &str) -> bool {
    matches!(place, Place::File { path } if path.to_string_lossy().contains(name))
}

#[test]
fn a_signed_ledger_says_what_was_compared() {
    let dir = tempfile::tempdir().unwrap();
    go_on(dir.path(), None);
    let before = contents(dir.path());
    let report = check(dir.path());
    assert_eq!((report.faults, report.warnings), (vec![], vec![]));
    assert_eq!(contents(dir.path()), before);
    let checkpoint = report.checkpoint.unwrap();
    assert_eq!((checkpoint.shards, checkpoint.entries), (3, 12));
    assert_eq!(checkpoint.signers.len(), 1);
    for shard in report.shards.iter().filter(|shard| shard.entries > 0) {
        assert_eq!((shard.signed_size, shard.persons), (Some(6), 3));
    }
    // Not decoded as a whole, and in one thread, it is the same.
    let shallow = VerifyOptions {
        deep: false,
        threads: std::num::NonZero::new(1),
        ..with_key()
    };
    assert_eq!(verify(dir.path(), &shallow).unwrap().shards, report.shards);
}

/// Also what somebody else has open, a backup, and segments without anything.
#[test]
fn what_is_sealed_is_verified_by_itself() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = dir.path().join("ledger");
    go_on(&ledger, None);
    let backup = dir.path().join("backup");
    let open = Ledger::open(&ledger, signed_options(None)).unwrap();
    open.backup(&backup, |_| {}).unwrap();
    let sealed_only = VerifyOptions {
        sealed_only: true,
        ..with_key()
    };
    assert!(verify(&ledger, &VerifyOptions::default()).is_err());
    let report = verify(&ledger, &sealed_only).unwrap();
    assert_eq!((report.faults, report.warnings.len()), (vec![], 1));
    open.close().unwrap();

    let whole = verify(&backup, &VerifyOptions::default()).unwrap();
    assert_eq!(whole.faults, vec![]);
    let entries =
        |report: &VerifyReport| report.shards.iter().map(|shard| shard.entries).sum::<u64>();
    assert_eq!(entries(&whole), 12);

    let copy = dir.path().join("copy");
    copy_dir(&ledger.join("segments"), &copy.join("segments"));
    assert!(!check(&copy).ok());
    let with_anchor = VerifyOptions {
        signed_anchor_dir: Some(ledger.clone()),
        ..sealed_only.clone()
    };
    for options in [&sealed_only, &with_anchor] {
        let report = verify(&copy, options).unwrap();
        assert_eq!(report.faults, vec![]);
        assert_eq!(entries(&report), 10);
    }
    let segments = contents(&copy);
    let (path, bytes) = segments
        .iter()
        .find(|(path, _)| path.extension().is_some_and(|end| end == "seg"))
        .unwrap();
    let mut changed = bytes.clone();
    changed[bytes.len() / 2] ^= 4;
    fs::write(path, changed).unwrap();
    assert_eq!(verify(&copy, &sealed_only).unwrap().faults.len(), 1);
}

#[test]
fn progress_ends_where_everything_was_read() {
    let dir = tempfile::tempdir().unwrap();
    go_on(dir.path(), None);
    let last = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let seen = last.clone();
    let options = VerifyOptions {
        progress: Some(std::sync::Arc::new(move |progress| {
            seen.lock().unwrap().push(progress);
        })),
        ..with_key()
    };
    let report = verify(dir.path(), &options).unwrap();
    let seen = last.lock().unwrap();
    assert!(seen.iter().all(|at| at.bytes <= at.total_bytes));
    let blocks = seen.iter().map(|at| at.blocks).max();
    assert_eq!(blocks, Some(report.blocks()));
}

#[test]
fn an_older_manifest_of_segments_is_found() {
    let dir = tempfile::tempdir().unwrap();
    go_on(dir.path(), None);
    let path = dir.path().join("segments/manifest");
    let older = fs::read(&path).unwrap();
    go_on(dir.path(), None);
    fs::write(&path, older).unwrap();
    fs::remove_file(dir.path().join("stamp")).unwrap();
    let report = check(dir.path());
    assert!(!report.ok());
    // Its database is gone: what it held is sealed, where it does not say so.
    assert_eq!(report.faults[0].place, Place::Store, "{:?}", report.faults);
}

/// The newest of what was signed lies in other files too.
#[test]
fn an_older_signed_anchor_is_found() {
    let dir = tempfile::tempdir().unwrap();
    go_on(dir.path(), None);
    let files = ["signed.0", "signed.1"].map(|name| dir.path().join(name));
    let older = files.clone().map(|path| fs::read(path).unwrap());
    go_on(dir.path(), None);
    fs::remove_file(dir.path().join("stamp")).unwrap();
    for (path, bytes) in files.iter().zip(&older) {
        fs::write(path, bytes).unwrap();
    }
    let report = check(dir.path());
    let newer = |name: &str| {
        report
            .faults
            .iter()
            .any(|fault| is_file(&fault.place, name))
    };
    assert!(newer("public/checkpoint"), "{:?}", report.faults);
    assert!(newer("signed."), "{:?}", report.faults);
    // Without what was published, its own log has more.
    fs::remove_dir_all(dir.path().join("public")).unwrap();
    let report = check(dir.path());
    assert_eq!(report.faults.len(), 1, "{:?}", report.faults);
    assert!(is_file(&report.faults[0].place, "signed."));
    // And without any anchor nothing is signed.
    for path in files {
        fs::remove_file(path).unwrap();
    }
    let report = check(dir.path());
    assert!(is_file(&report.faults[0].place, "signed.0"));
}

#[test]
fn an_older_copy_is_found_by_a_signed_anchor_that_lies_elsewhere() {
    let dir = tempfile::tempdir().unwrap();
    let (ledger, elsewhere) = (dir.path().join("ledger"), dir.path().join("elsewhere"));
    go_on(&ledger, Some(elsewhere.clone()));
    let older = dir.path().join("older");
    copy_dir(&ledger, &older);
    go_on(&ledger, Some(elsewhere.clone()));
    let options = VerifyOptions {
        signed_anchor_dir: Some(elsewhere),
        ..with_key()
    };
    assert_eq!(verify(&ledger, &options).unwrap().faults, vec![]);
    let faults = verify(&older, &options).unwrap().faults;
    for partition in [0, 1] {
        let place = Place::Shard {
            shard: shard(partition).id(),
        };
        let fault = faults.iter().find(|fault| fault.place == place).unwrap();
        let what = "it has lost its end, or is an older copy: the signed checkpoint covers 12 \
                    entries, 6 are there";
        assert_eq!(fault.what, what);
    }
    assert!(
        faults
            .iter()
            .any(|fault| is_file(&fault.place, "tiles/ledger/0")),
        "{faults:?}"
    );
}

#[test]
fn an_earlier_checkpoint_is_continued_or_not() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = dir.path().join("ledger");
    go_on(&ledger, None);
    let kept = dir.path().join("kept");
    copy_dir(&ledger.join("public"), &kept);
    go_on(&ledger, None);
    let since = |since: Since| VerifyOptions {
        since: Some(since),
        ..with_key()
    };
    let whole = Since::read(&kept).unwrap();
    assert_eq!(whole.shards.len(), 3);
    let report = verify(&ledger, &since(whole.clone())).unwrap();
    assert_eq!((report.faults, report.warnings), (vec![], vec![]));
    assert_eq!(report.since.unwrap().entries, 12);
    // The manifest alone, and the ledger's checkpoint alone.
    let lines = Since {
        shards: Default::default(),
        ..whole.clone()
    };
    assert_eq!(verify(&ledger, &since(lines)).unwrap().faults, vec![]);
    let alone = Since::read(&kept.join("checkpoint")).unwrap();
    let report = verify(&ledger, &since(alone.clone())).unwrap();
    assert_eq!((report.faults, report.warnings.len()), (vec![], 1));

    // Another ledger with the same name, whole in itself and signed.
    let fork = dir.path().join("fork");
    let id = report.ledger;
    let first = Ledger::open(
        &fork,
        LedgerOptions {
            ledger_id: id,
            ..signed_options(None)
        },
    )
    .unwrap();
    let head = first.open_shard(&shard(0)).unwrap();
    let head = append(&first, &head, 1);
    first
        .wait_published(&[(head.shard, head.size)], Duration::from_secs(20))
        .unwrap();
    first.close().unwrap();
    go_on(&fork, None);
    go_on(&fork, None);
    assert_eq!(check(&fork).faults, vec![]);
    let faults = verify(&fork, &since(whole)).unwrap().faults;
    let at = |place: &Place| faults.iter().any(|fault| fault.place == *place);
    assert!(at(&Place::EarlierCheckpoint), "{faults:?}");
    let changed = Place::Shard {
        shard: shard(0).id(),
    };
    assert!(at(&changed), "{faults:?}");
    let faults = verify(&fork, &since(alone.clone())).unwrap().faults;
    assert_eq!(faults.len(), 1, "{faults:?}");

    // Signed by somebody else.
    let forged = Since {
        note: alone.note.replace('A', "B"),
        ..alone
    };
    let faults = verify(&ledger, &since(forged)).unwrap().faults;
    assert_eq!(faults[0].place, Place::EarlierCheckpoint);
}

/// Every byte of every file but the databases, which another test has: the
/// right place is named, or it is derived and hurts nothing.
#[test]
fn every_flipped_byte_of_a_signed_ledger_is_named_or_derived() {
    let dir = tempfile::tempdir().unwrap();
    go_on(dir.path(), None);
    let whole = check(dir.path());
    let options = VerifyOptions {
        stop_early: true,
        ..with_key()
    };
    let (mut named, mut derived) = (0, 0);
    for (path, bytes) in contents(dir.path()) {
        let relative = path.strip_prefix(dir.path()).unwrap();
        let name = relative.to_string_lossy().into_owned();
        let is_derived = ["public/", "maps/", "tiles/"]
            .iter()
            .any(|start| name.starts_with(start));
        // The whole of a database is copied and opened for each of these.
        let step = match name.as_str() {
            name if name.starts_with("db.") => continue,
            "tiles/ledger/0" => 1,
            _ if is_derived => bytes.len() / 8 + 1,
            // Some pages of digests, of which one is as good as another.
            "stamp" | "anchor.0" | "anchor.1" | "signed.0" | "signed.1" => 37,
            _ => 1,
        };
        for at in (0..bytes.len()).step_by(step) {
            let mut changed = bytes.clone();
            changed[at] ^= 1 << (at % 8);
            fs::write(&path, &changed).unwrap();
            let report = verify(dir.path(), &options).unwrap();
            if is_derived && name != "tiles/ledger/0" && report.ok() {
                assert_eq!(report.shards, whole.shards);
                derived += 1;
                continue;
            }
            let of_shard = |shard: &custody_ledger::ShardId| name.contains(&shard.to_string());
            let is_named = report.faults.iter().any(|fault| match &fault.place {
                Place::File { path } | Place::Bytes { path, .. } => path == relative,
                Place::Shard { shard }
                | Place::Block { shard, .. }
                | Place::Entry { shard, .. } => of_shard(shard),
                _ => false,
            });
            assert!(is_named, "{name} byte {at}: {:?}", report.faults);
            named += 1;
        }
        fs::write(&path, &bytes).unwrap();
    }
    println!("{named} named, {derived} derived");
    assert!(named > 1000 && derived > 10);
    assert_eq!(check(dir.path()).shards, whole.shards);
}

/// Xorshift, so that each run does the same.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) as u32
    }
}

/// Whatever lies there, verifying ends, and says so or is right.
#[test]
fn random_bytes_in_every_file_neither_hang_nor_panic() {
    let dir = tempfile::tempdir().unwrap();
    go_on(dir.path(), None);
    fs::remove_file(dir.path().join("stamp")).unwrap();
    let whole = check(dir.path());
    assert_eq!(whole.faults, vec![]);
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let files = contents(dir.path());
    let files: Vec<_> = files
        .iter()
        .filter(|(_, bytes)| !bytes.is_empty())
        .collect();
    let started = Instant::now();
    let (mut rounds, mut found, mut slowest) = (0, 0, Duration::ZERO);
    while rounds < 2000 && started.elapsed() < Duration::from_secs(60) {
        let (path, bytes) = files[random.next() as usize % files.len()];
        let mut changed = bytes.clone();
        for _ in 0..=random.next() % 4 {
            let at = random.next() as usize % changed.len();
            let until = (at + random.next() as usize % 24).min(changed.len() - 1);
            match random.next() % 4 {
                0 => changed[at..=until].fill(0xff),
                1 => changed[at..=until].fill(0),
                2 => changed[at] = random.next() as u8,
                _ => changed.truncate(at.max(1)),
            }
        }
        fs::write(path, &changed).unwrap();
        let begun = Instant::now();
        let report = check(dir.path());
        slowest = slowest.max(begun.elapsed());
        if report.ok() {
            assert_eq!(report.shards, whole.shards, "{}", path.display());
        } else {
            found += 1;
        }
        fs::write(path, bytes).unwrap();
        rounds += 1;
    }
    println!("{rounds} rounds, {found} found, the slowest took {slowest:?}");
    assert!(rounds > 100 && found > rounds / 4);
    assert!(slowest < Duration::from_secs(30));
}
