//! A vault of format 1, row by row as the last version that wrote one left it,
//! is opened and is what it was.

use std::path::Path;

use crate::root::{FileRootStore, RootStore};
use crate::store::{Area, Engine};
use crate::{EntryContext, Step, Steps, Vault, VaultError, VaultOptions};

const ROWS: &str = include_str!("../tests/vault/v1/rows.txt");
const SAID: &str = include_str!("../tests/vault/v1/said.txt");
const ROOT: &[u8] = include_bytes!("../tests/vault/v1/root.key");

const PLACE: EntryContext = EntryContext {
    ledger: [1; 16],
    shard: [2; 16],
    sequence: 3,
};

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}

fn write(dir: &Path) {
    let engine = Engine::open(&dir.join("vault"), 1 << 20).unwrap();
    let mut batch = engine.batch();
    for line in ROWS.lines() {
        let mut parts = line.split(' ');
        let (space, name, value) = (
            parts.next().unwrap(),
            unhex(parts.next().unwrap()),
            unhex(parts.next().unwrap()),
        );
        if space == "meta" {
            batch.put(Area::Meta, &name, &value);
        } else {
            engine.put_old(space, &name, &value);
        }
    }
    batch.commit().unwrap();
    engine.flush().unwrap();
    std::fs::write(dir.join("root.key"), ROOT).unwrap();
}

fn open(dir: &Path, steps: Steps) -> Result<Vault, VaultError> {
    let options = VaultOptions {
        steps,
        ..VaultOptions::default()
    };
    Vault::open(&dir.join("vault"), &dir.join("root.key"), options)
}

fn check(vault: &Vault) {
    for line in SAID.lines() {
        let parts: Vec<&str> = line.split(' ').collect();
        let [name, reference, sealed] = parts.as_slice() else {
            panic!("{line}");
        };
        let reference = unhex(reference);
        match name.strip_prefix("window:") {
            Some("20000") => assert!(matches!(
                vault.window_key(20_000),
                Err(VaultError::WindowDestroyed { .. })
            )),
            Some(window) => {
                let key = vault.window_key(window.parse().unwrap()).unwrap();
                assert_eq!(&key[..], &reference[..]);
            }
            None => {
                let person = match *name {
                    "house" => vault.house(),
                    name => vault.admit(&[name]).unwrap().person,
                };
                assert_eq!(person.reference()[..], reference[..], "{name}");
                let plain = person.open(&PLACE, &unhex(sealed)).unwrap();
                assert!(plain.starts_with(b"said of "), "{name}");
            }
        }
    }
    let linked = vault.lookup("account:1001").unwrap().unwrap();
    assert_eq!(
        linked.identifiers,
        [
            "account:1001",
            "account:1004",
            "email:a@example.com",
            "phone:+49 30 1234"
        ]
    );
    assert!(matches!(
        vault.lookup("email:a@example.com"),
        Err(VaultError::Ambiguous { count: 2 })
    ));
    let report = vault.check(&mut |_| {}).unwrap();
    assert!(report.ok(), "{:?}", report.faults);
    assert_eq!((report.persons, report.links, report.orphans), (8, 1, 0));
}

#[test]
fn a_vault_of_format_1_moves_into_a_tree() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path());
    for _ in 0..2 {
        let vault = open(dir.path(), Steps::default()).unwrap();
        assert_eq!(vault.root().generation, 2);
        check(&vault);
    }
    // The old root key is gone, and so is what it opened.
    let kept = FileRootStore::new(dir.path().join("root.key"))
        .get()
        .unwrap();
    assert_eq!(kept.len(), 1);
    let engine = Engine::open(&dir.path().join("vault"), 1 << 20).unwrap();
    assert!(engine.old_get("persons", b"").unwrap().is_none());
    assert!(!engine.drop_old(&["persons", "directory"]).unwrap());
}

#[test]
fn moving_ends_after_any_step() {
    for stop in [
        Step::Grown,
        Step::Migrated,
        Step::RootKeyPut,
        Step::OldFormatDeleted,
    ] {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path());
        let steps = Steps::new(move |step| {
            if step == stop {
                return Err(std::io::Error::other("stopped"));
            }
            Ok(())
        });
        open(dir.path(), steps).unwrap_err();
        let vault = open(dir.path(), Steps::default()).unwrap();
        assert_eq!(vault.root().generation, 2, "{stop:?}");
        check(&vault);
    }
}
