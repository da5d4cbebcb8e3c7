use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use custody_vault::EntryContext;

use super::Home;

const PLACE: EntryContext = EntryContext {
    ledger: [1; 16],
    shard: [2; 16],
    sequence: 3,
};

/// Closed or dropped: the same persons, keys and house key come back.
#[test]
fn reopening_finds_everything() {
    let home = Home::new();
    let vault = home.open();
    let person = vault
        .admit(&["account:1001", "email:a@example.com"])
        .unwrap()
        .person;
    let sealed = person.seal(&PLACE, b"said").unwrap();
    let house = vault.house().seal(&PLACE, b"house").unwrap();
    let tag = person.tag("//s", "1");
    vault.close().unwrap();
    drop(vault);

    let vault = home.open();
    let found = vault.admit(&["account:1001"]).unwrap();
    assert!(!found.is_new);
    assert_eq!(found.person.reference(), person.reference());
    assert_eq!(found.person.tag("//s", "1"), tag);
    assert_eq!(&**found.person.open(&PLACE, &sealed).unwrap(), b"said");
    assert_eq!(&**vault.house().open(&PLACE, &house).unwrap(), b"house");
    let by_reference = vault.person(&person.reference()).unwrap().unwrap();
    assert_eq!(&**by_reference.open(&PLACE, &sealed).unwrap(), b"said");
}

/// What was flushed is in the files at that moment, without a close.
#[test]
fn a_flush_reaches_the_files() {
    let home = Home::new();
    let vault = home.open();
    let references: Vec<_> = (0..300)
        .map(|n| {
            vault
                .admit(&[&format!("account:{n}")])
                .unwrap()
                .person
                .reference()
        })
        .collect();
    vault.flush().unwrap();
    let copy = home.copy();
    let other = copy.open();
    for (n, reference) in references.iter().enumerate() {
        let found = other.admit(&[&format!("account:{n}")]).unwrap();
        assert!(!found.is_new, "person {n}");
        assert_eq!(found.person.reference(), *reference);
    }
}

/// A process that is killed after a flush, while it goes on writing, loses
/// nothing that was flushed, and the vault opens.
#[test]
fn a_killed_process_keeps_what_it_flushed() {
    let home = Home::new();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "durability::child_to_be_killed",
            "--ignored",
            "--nocapture",
        ])
        .env("CUSTODY_VAULT_TEST_DIR", home.dir.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut flushed = Vec::new();
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        if let Some(number) = line.strip_prefix("flushed ") {
            flushed.push(number.parse::<usize>().unwrap());
        }
        if flushed.len() == 40 {
            break;
        }
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(flushed.len(), 40);
    let vault = home.open();
    for number in flushed {
        let found = vault.admit(&[&format!("account:{number}")]).unwrap();
        assert!(!found.is_new, "person {number}");
    }
}

#[test]
#[ignore = "run by the test above, and killed by it"]
fn child_to_be_killed() {
    let Some(dir) = std::env::var_os("CUSTODY_VAULT_TEST_DIR") else {
        return;
    };
    let dir = std::path::PathBuf::from(dir);
    let vault =
        custody_vault::Vault::open(&dir.join("vault"), &dir.join("root.key"), super::small())
            .unwrap();
    for number in 0.. {
        vault.admit(&[&format!("account:{number}")]).unwrap();
        if number % 10 == 0 {
            vault.flush().unwrap();
            println!("\nflushed {number}");
        }
    }
}
