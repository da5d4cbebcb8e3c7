//! The process ends after any step of a change that takes several: the vault
//! opens, is whole, and has made the change or has not.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use custody_vault::{
    EraseMark, FileRootStore, RootKey, RootStore, Step, Steps, Vault, VaultError, VaultOptions,
};

use super::{Home, copy_dir, small};

const PERSONS: usize = 300;

fn with(steps: Steps) -> VaultOptions {
    VaultOptions { steps, ..small() }
}

fn account(n: usize) -> String {
    format!("account:{n}")
}

/// So many persons that buckets were split, each with an address of its own.
fn populate(vault: &Vault) -> Vec<[u8; 16]> {
    (0..PERSONS)
        .map(|n| {
            vault
                .admit(&[&account(n), &format!("email:{n}@x")])
                .unwrap()
                .person
                .reference()
        })
        .collect()
}

fn generation(home: &Home) -> u64 {
    let kept = FileRootStore::new(home.root()).get().unwrap();
    assert_eq!(kept.len(), 1, "one root key is left");
    kept[0].generation()
}

/// Which of the accounts are there; and the vault is whole.
fn present(home: &Home) -> BTreeSet<usize> {
    let vault = home.open();
    let report = vault.check(&mut |_| {}).unwrap();
    assert!(report.ok(), "{:?}", report.faults);
    assert_eq!((report.orphans, report.pending), (0, false));
    (0..PERSONS)
        .filter(|n| vault.lookup(&account(*n)).unwrap().is_some())
        .collect()
}

type Copies = Arc<Mutex<Vec<(Step, Home)>>>;

/// Copies files and root key after each step.
fn copying(home: &Home) -> (Steps, Copies) {
    let copies = Copies::default();
    let (to, vault, root) = (copies.clone(), home.vault(), home.root());
    let steps = Steps::new(move |step| {
        let copy = Home::new();
        if vault.exists() {
            copy_dir(&vault, &copy.vault());
        }
        std::fs::copy(&root, copy.root())?;
        to.lock().unwrap().push((step, copy));
        Ok(())
    });
    (steps, copies)
}

#[test]
fn erasing_ends_after_any_step() {
    let home = Home::new();
    let references = populate(&home.open());
    let before = generation(&home);
    let gone = [3, 77, 299];
    let (steps, copies) = copying(&home);
    let vault = Vault::open(&home.vault(), &home.root(), with(steps)).unwrap();
    vault
        .begin_erasing(&gone.map(|n| references[n]))
        .unwrap()
        .erase(Some(EraseMark {
            day: 5,
            scope: String::new(),
        }))
        .unwrap();
    drop(vault);
    let all: BTreeSet<usize> = (0..PERSONS).collect();
    let left: BTreeSet<usize> = all.iter().copied().filter(|n| !gone.contains(n)).collect();
    let copies = std::mem::take(&mut *copies.lock().unwrap());
    let steps: Vec<Step> = copies.iter().map(|(step, _)| *step).collect();
    assert_eq!(
        steps,
        [
            Step::Renewed,
            Step::RootKeyPut,
            Step::RootKeyDestroyed,
            Step::Cleaned
        ]
    );
    for (step, copy) in &copies {
        // Twice: what the first opening mends, the second finds whole.
        for _ in 0..2 {
            let counts = *step != Step::Renewed;
            assert_eq!(
                present(copy),
                if counts { left.clone() } else { all.clone() },
                "{step:?}"
            );
            assert_eq!(generation(copy), before + u64::from(counts), "{step:?}");
        }
        let vault = copy.open();
        let again = vault.begin_erasing(&gone.map(|n| references[n])).unwrap();
        let persons = again.erase(None).unwrap().persons;
        assert_eq!(persons, if *step == Step::Renewed { 3 } else { 0 });
    }
    assert_eq!(present(&home), left);
}

/// The same, stopped there and not copied: the vault in use says so, changes
/// nothing more, and goes on answering.
#[test]
fn a_vault_that_was_stopped_changes_nothing_more() {
    for stop in [
        Step::Renewed,
        Step::RootKeyPut,
        Step::RootKeyDestroyed,
        Step::Cleaned,
    ] {
        let home = Home::new();
        let references = populate(&home.open());
        let steps = Steps::new(move |step| {
            if step == stop {
                return Err(io::Error::other("stopped"));
            }
            Ok(())
        });
        let vault = Vault::open(&home.vault(), &home.root(), with(steps)).unwrap();
        let erasing = vault.begin_erasing(&references[..2]).unwrap();
        erasing.erase(None).unwrap_err();
        assert!(vault.wait_while_erasing(std::time::Duration::ZERO));
        let refused = vault.admit(&["account:new"]).unwrap_err();
        assert!(matches!(refused, VaultError::Interrupted), "{refused}");
        assert!(vault.lookup(&account(9)).unwrap().is_some());
        drop(vault);
        let gone = if stop == Step::Renewed { 0 } else { 2 };
        assert_eq!(present(&home).len(), PERSONS - gone, "{stop:?}");
    }
}

#[test]
fn making_and_growing_end_after_any_step() {
    let home = Home::new();
    let (steps, copies) = copying(&home);
    let vault = Vault::open(&home.vault(), &home.root(), with(steps)).unwrap();
    for n in 0..120 {
        vault.admit(&[&account(n), "ip:192.0.2.1"]).unwrap();
        vault.flush().unwrap();
    }
    drop(vault);
    let copies = std::mem::take(&mut *copies.lock().unwrap());
    assert_eq!(copies[0].0, Step::RootKeyMade);
    let mut most = 0;
    for (_, copy) in copies.iter().step_by(7) {
        let found = present(copy);
        // Whole admissions, in their order.
        assert!(found.iter().copied().eq(0..found.len()));
        assert!(found.len() >= most);
        most = found.len();
        let vault = copy.open();
        assert!(vault.admit(&["account:new"]).unwrap().is_new);
    }
    assert!(most > 100);
}

#[test]
fn rotating_ends_after_any_step() {
    let home = Home::new();
    let vault = home.open();
    let keys: Vec<[u8; 32]> = (0..5).map(|day| *vault.window_key(day).unwrap()).collect();
    drop(vault);
    let before = generation(&home);
    let (steps, copies) = copying(&home);
    let vault = Vault::open(&home.vault(), &home.root(), with(steps)).unwrap();
    vault.destroy_window(2).unwrap();
    vault.destroy_window(2).unwrap();
    assert_eq!(vault.root().generation, before);
    assert_eq!(vault.rotate().unwrap().generation, before + 1);
    drop(vault);
    let copies = std::mem::take(&mut *copies.lock().unwrap());
    assert_eq!(
        copies.len(),
        1 + 4,
        "the second time there is nothing to do"
    );
    for (step, copy) in &copies {
        let vault = copy.open();
        let counts = !matches!(step, Step::Grown | Step::Renewed);
        assert_eq!(vault.root().generation, before + u64::from(counts));
        if *step != Step::Grown {
            let gone = vault.window_key(2).unwrap_err();
            assert!(matches!(gone, VaultError::WindowDestroyed { window: 2 }));
        }
        for day in [0, 1, 3, 4] {
            assert_eq!(*vault.window_key(day).unwrap(), keys[day as usize]);
        }
        assert!(vault.check(&mut |_| {}).unwrap().ok());
    }
    assert_eq!(generation(&home), before + 1);
}

/// A root store that fails when it is told to, before or after it has done what
/// was asked.
struct Failing {
    inner: FileRootStore,
    fail: Arc<Fail>,
}

#[derive(Default)]
struct Fail {
    put_before: AtomicBool,
    put_after: AtomicBool,
    destroy: AtomicBool,
    get: AtomicBool,
}

fn fails(flag: &AtomicBool) -> Result<(), VaultError> {
    if flag.load(Ordering::SeqCst) {
        return Err(VaultError::RootService {
            doing: "be reached",
            reason: "a test".to_owned(),
        });
    }
    Ok(())
}

impl RootStore for Failing {
    fn kind(&self) -> &'static str {
        "failing"
    }

    fn place(&self) -> String {
        self.inner.place()
    }

    fn get(&self) -> Result<Vec<RootKey>, VaultError> {
        fails(&self.fail.get)?;
        self.inner.get()
    }

    fn put(&self, key: &RootKey) -> Result<(), VaultError> {
        fails(&self.fail.put_before)?;
        self.inner.put(key)?;
        fails(&self.fail.put_after)
    }

    fn destroy(&self, generation: u64) -> Result<(), VaultError> {
        fails(&self.fail.destroy)?;
        self.inner.destroy(generation)
    }
}

#[test]
fn a_root_store_that_fails_leaves_one_of_two_vaults() {
    for case in ["put before", "put after", "put lost", "destroy"] {
        let home = Home::new();
        let references = populate(&home.open());
        let fail = Arc::new(Fail::default());
        let roots = Box::new(Failing {
            inner: FileRootStore::new(home.root()),
            fail: fail.clone(),
        });
        let vault = Vault::open_with(&home.vault(), roots, small()).unwrap();
        let set = |flag: &AtomicBool, to| flag.store(to, Ordering::SeqCst);
        match case {
            "put before" => set(&fail.put_before, true),
            "put after" => set(&fail.put_after, true),
            "put lost" => {
                set(&fail.put_after, true);
                set(&fail.get, true);
            }
            _ => set(&fail.destroy, true),
        }
        let result = vault.begin_erasing(&references[..1]).unwrap().erase(None);
        set(&fail.put_before, false);
        set(&fail.put_after, false);
        set(&fail.destroy, false);
        set(&fail.get, false);
        let there = vault.lookup(&account(0)).unwrap().is_some();
        match case {
            // Nothing happened, and it can be tried again.
            "put before" => {
                assert!(result.is_err() && there);
                let again = vault.begin_erasing(&references[..1]).unwrap();
                assert_eq!(again.erase(None).unwrap().persons, 1);
            }
            // It was kept after all: the vault asked.
            "put after" => assert!(result.is_ok() && !there),
            // Nobody knows: nothing more is changed.
            "put lost" => {
                assert!(result.is_err());
                assert!(matches!(
                    vault.admit(&["account:new"]),
                    Err(VaultError::Interrupted)
                ));
            }
            // It counts, and is not done until the old key is destroyed.
            _ => {
                assert!(result.is_err() && !there);
                assert_eq!(FileRootStore::new(home.root()).get().unwrap().len(), 2);
                assert!(vault.admit(&["account:0"]).unwrap().is_new);
                let again = vault.begin_erasing(&references[..1]).unwrap();
                assert_eq!(again.erase(None).unwrap().persons, 0);
            }
        }
        let is_back = case == "destroy";
        drop(vault);
        assert_eq!(present(&home).contains(&0), is_back, "{case}");
        generation(&home);
    }
}
