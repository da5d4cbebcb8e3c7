//! Damage where there is no stamp: after a crash, or where somebody removed
//! it.

use std::fs;

use custody_ledger::{Ledger, OpenError, Place};

use crate::fixture::{
    assert_whole, block, check, contents, copy_dir, options, shard, small_ledger,
};

/// sled may panic, or lose its end in silence; Custody does neither.
#[test]
fn a_flipped_byte_of_the_store_never_loses_a_block_in_silence() {
    let dir = tempfile::tempdir().unwrap();
    small_ledger(dir.path(), 2);
    // Many segments: in an old one, sled misses a page instead of its end.
    let ledger = Ledger::open(dir.path(), options()).unwrap();
    let mut head = ledger.head(shard(0).id()).unwrap();
    for _ in 0..60 {
        head = ledger.commit(block(&ledger, &head, 3, 5000)).unwrap();
    }
    ledger.close().unwrap();
    fs::remove_file(dir.path().join("stamp")).unwrap();
    let whole = assert_whole(dir.path());

    let (mut found, mut passed, mut opened, mut refused) = (0, 0, 0, 0);
    for name in ["db.0/db", "db.0/conf"]
        .map(str::to_owned)
        .into_iter()
        .chain(snapshot(dir.path()))
    {
        let path = dir.path().join(&name);
        let bytes = fs::read(&path).unwrap();
        let step = (bytes.len() / 60).max(1);
        for at in (0..bytes.len()).step_by(step) {
            let mut changed = bytes.clone();
            changed[at] ^= 1 << (at % 8);
            fs::write(&path, &changed).unwrap();

            let report = check(dir.path());
            if report.ok() {
                // Unused space, or superseded copies.
                assert_eq!(report.shards, whole.shards, "{name} byte {at}");
                passed += 1;
            } else {
                found += 1;
            }

            let scratch = tempfile::tempdir().unwrap();
            copy_dir(dir.path(), scratch.path());
            let before = contents(scratch.path());
            match Ledger::open(scratch.path(), options()) {
                Ok(ledger) => {
                    assert!(report.ok(), "{name} byte {at}: {:?}", report.faults);
                    let heads: Vec<_> = ledger.shards().into_iter().map(|(_, head)| head).collect();
                    let expected: Vec<_> = whole.shards.iter().map(|shard| shard.head).collect();
                    assert_eq!(heads, expected, "{name} byte {at}");
                    opened += 1;
                }
                Err(error) => {
                    assert!(!report.ok(), "{name} byte {at}: only open found {error}");
                    assert_eq!(contents(scratch.path()), before, "{name} byte {at}");
                    refused += 1;
                }
            }
        }
        fs::write(&path, &bytes).unwrap();
    }
    println!("verify: {found} found, {passed} harmless; open: {refused} refused, {opened} opened");
    assert!(found > 0 && passed > 0 && opened > 0 && refused > 0);
    assert_whole(dir.path());
}

fn snapshot(dir: &std::path::Path) -> Vec<String> {
    let names = fs::read_dir(dir.join("db.0"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name());
    let names = names
        .map(|name| name.into_string().unwrap())
        .filter(|name| name.starts_with("snap"));
    names.map(|name| format!("db.0/{name}")).collect()
}

/// An older copy of the database under a newer anchor, as a storage engine
/// that lost its end would look.
#[test]
fn a_lost_end_is_found_and_nothing_is_touched() {
    let dir = tempfile::tempdir().unwrap();
    small_ledger(dir.path(), 2);
    let old = tempfile::tempdir().unwrap();
    copy_dir(&dir.path().join("db.0"), old.path());

    let ledger = Ledger::open(dir.path(), options()).unwrap();
    let id = shard(1).id();
    let head = ledger.head(id).unwrap();
    ledger.commit(block(&ledger, &head, 1, 10)).unwrap();
    ledger.close().unwrap();

    fs::remove_dir_all(dir.path().join("db.0")).unwrap();
    copy_dir(old.path(), &dir.path().join("db.0"));
    fs::remove_file(dir.path().join("stamp")).unwrap();
    let before = contents(dir.path());
    match Ledger::open(dir.path(), options()) {
        Err(OpenError::LostTail {
            shard,
            anchored,
            found,
        }) => assert_eq!((shard, anchored, found), (id, 3, 2)),
        other => panic!("{other:?}"),
    }
    assert_eq!(contents(dir.path()), before);
    let report = check(dir.path());
    assert_eq!(report.faults.len(), 1, "{:?}", report.faults);
    assert_eq!(report.faults[0].place, Place::Shard { shard: id });
}

/// After a crash one anchor file may be half written.
#[test]
fn one_anchor_is_enough_and_none_is_too_few() {
    let dir = tempfile::tempdir().unwrap();
    small_ledger(dir.path(), 2);
    fs::remove_file(dir.path().join("stamp")).unwrap();
    let whole = assert_whole(dir.path());
    for slot in ["anchor.0", "anchor.1"] {
        let copy = tempfile::tempdir().unwrap();
        copy_dir(dir.path(), copy.path());
        let path = copy.path().join(slot);
        let mut bytes = fs::read(&path).unwrap();
        bytes[60..100].fill(0xee);
        fs::write(&path, &bytes).unwrap();

        let report = assert_whole(copy.path());
        assert_eq!(report.warnings.len(), 2, "{:?}", report.warnings);
        let ledger = Ledger::open(copy.path(), options()).unwrap();
        let heads: Vec<_> = ledger.shards().into_iter().map(|(_, head)| head).collect();
        assert_eq!(
            heads,
            whole
                .shards
                .iter()
                .map(|shard| shard.head)
                .collect::<Vec<_>>()
        );
        for _ in 0..2 {
            let head = ledger.head(shard(0).id()).unwrap();
            ledger.commit(block(&ledger, &head, 1, 10)).unwrap();
        }
        ledger.close().unwrap();
        assert_eq!(assert_whole(copy.path()).warnings, Vec::<String>::new());
    }
    for slot in ["anchor.0", "anchor.1"] {
        fs::write(dir.path().join(slot), [0xee; 4096]).unwrap();
    }
    assert!(matches!(
        Ledger::open(dir.path(), options()),
        Err(OpenError::Anchor { .. })
    ));
    assert!(!check(dir.path()).ok());
}

#[test]
fn a_ledger_without_its_identity_gets_no_other() {
    let dir = tempfile::tempdir().unwrap();
    small_ledger(dir.path(), 1);
    fs::remove_file(dir.path().join("identity")).unwrap();
    assert!(matches!(
        Ledger::open(dir.path(), options()),
        Err(OpenError::Incomplete { .. })
    ));
    fs::remove_file(dir.path().join("stamp")).unwrap();
    assert!(matches!(
        Ledger::open(dir.path(), options()),
        Err(OpenError::Incomplete { .. })
    ));
    assert!(!check(dir.path()).ok());
}

/// A creation can be cut short after any of its files: until the identity is
/// there, nothing was used.
#[test]
fn a_creation_that_was_cut_short_is_begun_anew() {
    let whole = tempfile::tempdir().unwrap();
    Ledger::open(whole.path(), options())
        .unwrap()
        .close()
        .unwrap();
    for parts in [
        &[][..],
        &["anchor.0"],
        &["anchor.0", "anchor.1"],
        &["anchor.0", "anchor.1", "db.0/conf"],
    ] {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("creating"), b"").unwrap();
        fs::create_dir(dir.path().join("db.0")).unwrap();
        for part in parts {
            let bytes = fs::read(whole.path().join(part)).unwrap();
            fs::write(dir.path().join(part), &bytes[..bytes.len() / 2]).unwrap();
        }
        let ledger = Ledger::open(dir.path(), options()).unwrap();
        assert_eq!(ledger.shards().len(), 1);
        ledger.close().unwrap();
        assert!(!dir.path().join("creating").exists());
        assert_whole(dir.path());
    }
}

/// With an identity, nothing may be missing, so that an emptied ledger is not
/// taken for a new one.
#[test]
fn an_emptied_ledger_is_not_taken_for_a_new_one() {
    let parts = [
        "anchor.0",
        "anchor.1",
        "db.0/db",
        "db.0/conf",
        "db.0/blobs",
        "db.0",
    ];
    for gone in [
        &parts[..2],
        &parts[2..],
        &parts[..],
        &parts[2..3],
        &parts[3..4],
    ] {
        let dir = tempfile::tempdir().unwrap();
        small_ledger(dir.path(), 1);
        fs::remove_file(dir.path().join("stamp")).unwrap();
        for part in gone {
            let path = dir.path().join(part);
            if path.is_dir() {
                fs::remove_dir_all(path).unwrap();
            } else {
                fs::remove_file(path).unwrap();
            }
        }
        let before = contents(dir.path());
        let opened = Ledger::open(dir.path(), options());
        if *gone == ["db.0/conf"] {
            // sled's settings are made anew from the ledger's identity.
            opened.unwrap().close().unwrap();
            assert_whole(dir.path());
            continue;
        }
        assert!(opened.is_err(), "{gone:?}");
        assert_eq!(contents(dir.path()), before, "{gone:?}");
        assert!(!check(dir.path()).ok(), "{gone:?}");
    }
}

#[test]
fn a_foreign_directory_is_not_verified() {
    let dir = tempfile::tempdir().unwrap();
    let verified = custody_ledger::verify(dir.path(), &custody_ledger::VerifyOptions::default());
    assert!(matches!(verified, Err(OpenError::NotALedger { .. })));
}
