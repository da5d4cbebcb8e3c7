//! A copy of a vault in use: it holds what had been admitted, opens with the
//! same root key and with no other, and is whole whatever goes on meanwhile.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use custody_vault::{EntryContext, VaultError};

use super::Home;

const CONTEXT: EntryContext = EntryContext {
    ledger: [1; 16],
    shard: [2; 16],
    sequence: 3,
};

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found
}

/// The copy, with the root key put beside it by hand.
fn restored(home: &Home, name: &str) -> Home {
    let copy = Home::new();
    super::copy_dir(&home.dir.path().join(name), &copy.vault());
    std::fs::copy(home.root(), copy.root()).unwrap();
    copy
}

#[test]
fn a_copy_in_use_has_all_that_was_admitted_before() {
    let home = Home::new();
    let vault = home.open();
    let stop = AtomicBool::new(false);
    let admitted = AtomicUsize::new(0);
    let known = 2000;
    std::thread::scope(|scope| {
        let (vault, stop, admitted) = (&vault, &stop, &admitted);
        scope.spawn(move || {
            for number in 0.. {
                let (account, email) = (format!("account:{number}"), format!("email:{number}@x"));
                vault.admit(&[&account, &email]).unwrap();
                admitted.store(number + 1, Ordering::Release);
                if stop.load(Ordering::Acquire) {
                    return;
                }
            }
        });
        while admitted.load(Ordering::Acquire) < known {
            std::thread::yield_now();
        }
        let mut told = Vec::new();
        let to = home.dir.path().join("copy");
        let bytes = vault.backup(&to, &mut |bytes| told.push(bytes)).unwrap();
        stop.store(true, Ordering::Release);
        assert!(told.is_sorted() && told.last() == Some(&bytes) && bytes > 0);
    });

    let restored = restored(&home, "copy");
    let copy = restored.open();
    for number in 0..known {
        let id = format!("account:{number}");
        let (here, there) = (vault.lookup(&id).unwrap(), copy.lookup(&id).unwrap());
        let (here, there) = (here.unwrap(), there.unwrap());
        assert_eq!(here.identifiers, there.identifiers);
        let sealed = here.persons[0].seal(&CONTEXT, b"said").unwrap();
        assert_eq!(
            &**there.persons[0].open(&CONTEXT, &sealed).unwrap(),
            b"said"
        );
    }
    // What came while it was copied is whole or absent.
    for number in known..admitted.into_inner() {
        let by_account = copy.lookup(&format!("account:{number}")).unwrap();
        let by_email = copy.lookup(&format!("email:{number}@x")).unwrap();
        assert_eq!(by_account.is_some(), by_email.is_some(), "{number}");
    }
}

#[test]
fn a_copy_goes_nowhere_else_and_has_no_root_key() {
    let home = Home::new();
    let vault = home.open();
    vault.admit(&["account:1001"]).unwrap();
    let to = home.dir.path().join("copy");
    vault.backup(&to, &mut |_| {}).unwrap();

    let key = std::fs::read(home.root()).unwrap();
    // Magic, versions and generation come before it.
    let secret = &key[24..56];
    for file in files(&to) {
        let bytes = std::fs::read(&file).unwrap();
        assert!(!bytes.windows(secret.len()).any(|part| part == secret));
    }
    let copy = restored(&home, "copy");
    std::fs::remove_file(copy.root()).unwrap();
    let error = copy.try_open().unwrap_err();
    assert!(
        matches!(error, VaultError::RootKeyMissing { .. }),
        "{error}"
    );

    let error = vault.backup(&to, &mut |_| {}).unwrap_err();
    assert!(matches!(error, VaultError::Io { .. }), "{error}");
    // Nothing of the vault in use changed by all this.
    assert!(vault.lookup("account:1001").unwrap().is_some());
}
