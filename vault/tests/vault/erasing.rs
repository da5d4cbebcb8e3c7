//! Erasing as callers see it.

use std::time::Duration;

use custody_vault::{EntryContext, EraseMark, VaultError};

use super::Home;

const PLACE: EntryContext = EntryContext {
    ledger: [1; 16],
    shard: [2; 16],
    sequence: 3,
};

fn mark(day: i32) -> Option<EraseMark> {
    let scope = String::new();
    Some(EraseMark { day, scope })
}

#[test]
fn the_erased_are_gone_and_the_others_are_not() {
    let home = Home::new();
    let vault = home.open();
    let one = vault.admit(&["account:1", "email:a@x"]).unwrap().person;
    let two = vault.admit(&["account:2", "email:a@x"]).unwrap().person;
    let sealed = (
        one.seal(&PLACE, b"one").unwrap(),
        two.seal(&PLACE, b"two").unwrap(),
    );
    let erasing = vault.begin_erasing(&[one.reference(), [7; 16]]).unwrap();
    assert_eq!(erasing.persons(), 1);
    let epoch = vault.epoch();
    let erased = erasing.erase(None).unwrap();
    assert_eq!((erased.persons, erased.identifiers), (1, 2));
    assert!(vault.epoch() > epoch);
    assert_eq!(vault.root().commitment, erased.commitment);

    // A handle that was given out goes on.
    assert_eq!(&**one.open(&PLACE, &sealed.0).unwrap(), b"one");
    let check = |vault: &custody_vault::Vault| {
        assert!(vault.lookup("account:1").unwrap().is_none());
        assert!(vault.person(&one.reference()).unwrap().is_none());
        let by_email = vault.lookup("email:a@x").unwrap().unwrap();
        assert_eq!(by_email.persons[0].reference(), two.reference());
        assert_eq!(
            &**by_email.persons[0].open(&PLACE, &sealed.1).unwrap(),
            b"two"
        );
        assert!(vault.check(&mut |_| {}).unwrap().ok());
    };
    check(&vault);
    drop(vault);
    let vault = home.open();
    check(&vault);

    // Again: nobody is left, and that is no error.
    let again = vault.begin_erasing(&[one.reference()]).unwrap();
    assert_eq!(again.persons(), 0);
    assert_eq!(again.erase(None).unwrap().persons, 0);
    // The same identifier is somebody new.
    let new = vault.admit(&["account:1"]).unwrap();
    assert!(new.is_new && new.erased_day.is_none());
    assert_ne!(new.person.reference(), one.reference());
}

#[test]
fn a_fence_holds_its_persons_and_nobody_else() {
    let home = Home::new();
    let vault = home.open();
    let one = vault.admit(&["account:1"]).unwrap().person.reference();
    let two = vault.admit(&["account:2"]).unwrap().person.reference();
    let is_erasing = |result: Result<_, VaultError>| matches!(result, Err(VaultError::Erasing));

    let erasing = vault.begin_erasing(&[one]).unwrap();
    assert!(is_erasing(vault.admit(&["account:1"]).map(drop)), "cached");
    assert!(is_erasing(vault.admit(&["account:1", "email:e"]).map(drop)));
    assert!(is_erasing(
        vault.admit(&["account:2", "account:1"]).map(drop)
    ));
    assert!(is_erasing(vault.link(&one, &two).map(drop)));
    assert!(is_erasing(vault.release("account:1", 0).map(drop)));
    assert!(is_erasing(vault.begin_erasing(&[two, one]).map(drop)));
    assert!(!vault.admit(&["account:2"]).unwrap().is_new);
    assert!(vault.lookup("account:1").unwrap().is_some());
    assert!(!vault.wait_while_erasing(Duration::from_millis(5)));
    // Given up: nothing changed.
    drop(erasing);
    assert!(vault.wait_while_erasing(Duration::ZERO));
    assert_eq!(vault.admit(&["account:1"]).unwrap().person.reference(), one);

    let erasing = vault.begin_erasing(&[one]).unwrap();
    std::thread::scope(|scope| {
        let waiter = scope.spawn(|| {
            assert!(vault.wait_while_erasing(Duration::from_secs(60)));
            vault.admit(&["account:1"]).unwrap()
        });
        std::thread::sleep(Duration::from_millis(20));
        erasing.erase(mark(20_000)).unwrap();
        let new = waiter.join().unwrap();
        assert!(new.is_new);
        assert_eq!(new.erased_day, Some(20_000));
    });
}

#[test]
fn marks_stay_where_a_person_would_be_found_again() {
    let home = Home::new();
    let vault = home.open();
    let ids = ["account:1", "member:1", "email:a@x"];
    let one = vault.admit(&ids).unwrap().person.reference();
    let shared = vault.admit(&["email:a@x", "device:d"]).unwrap().person;
    let old = vault.admit(&["account:9"]).unwrap().person.reference();
    vault.release("account:9", 500).unwrap();
    let all = [one, shared.reference(), old];
    vault
        .begin_erasing(&all)
        .unwrap()
        .erase(mark(20_000))
        .unwrap();
    drop(vault);
    let vault = home.open();
    let day = |ids: &[&str]| vault.admit(ids).unwrap().erased_day;
    assert_eq!(
        day(&["account:5", "email:a@x"]),
        None,
        "a shared one speaks for nobody"
    );
    assert_eq!(day(&["device:d"]), None, "it decided nothing");
    assert_eq!(day(&["email:a@x"]), Some(20_000), "it decided");
    assert_eq!(day(&["account:6", "member:1"]), Some(20_000));
    assert_eq!(day(&["account:6"]), None, "no longer new");
    assert_eq!(
        day(&["account:9"]),
        None,
        "given up before: somebody else's"
    );

    // Erased again on a later day: the latest counts.
    let again = vault.admit(&["account:6"]).unwrap().person.reference();
    vault
        .begin_erasing(&[again])
        .unwrap()
        .erase(mark(20_100))
        .unwrap();
    assert_eq!(day(&["account:1", "account:6"]), Some(20_100));
    let scope = "x".repeat(custody_vault::MAX_SCOPE_BYTES + 1);
    let error = vault
        .begin_erasing(&[one])
        .unwrap()
        .erase(Some(EraseMark { day: 1, scope }))
        .unwrap_err();
    assert!(matches!(error, VaultError::ScopeTooLong { .. }));
}
