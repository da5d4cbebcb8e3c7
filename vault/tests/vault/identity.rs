//! Links that people make and take back, and identifiers that are given up.

use std::collections::BTreeSet;

use custody_vault::VaultError;

use super::Home;

#[test]
fn a_link_taken_back_is_not_made_again_by_events() {
    let home = Home::new();
    let vault = home.open();
    let both = ["account:1", "account:2"];
    let one = vault.admit(&["account:1"]).unwrap().person.reference();
    let two = vault.admit(&["account:2"]).unwrap().person.reference();
    assert_eq!(vault.admit(&both).unwrap().linked, [(one, two)]);
    assert!(!vault.link(&one, &two).unwrap());
    assert!(vault.unlink(&two, &one).unwrap());
    assert!(!vault.unlink(&two, &one).unwrap());
    assert!(vault.linked(&one).unwrap().is_empty());
    drop(vault);

    let vault = home.open();
    let again = vault.admit(&both).unwrap();
    assert!(again.linked.is_empty() && again.person.reference() == one);
    assert!(vault.linked(&one).unwrap().is_empty());
    assert!(vault.link(&one, &two).unwrap(), "only people do");
    assert_eq!(vault.linked(&two).unwrap(), [one]);
    assert!(vault.check(&mut |_| {}).unwrap().ok());

    let unknown = vault.link(&one, &[9; 16]);
    assert!(matches!(unknown, Err(VaultError::UnknownPerson)));
    assert!(!vault.link(&one, &one).unwrap());
    assert!(!vault.unlink(&one, &one).unwrap());
}

#[test]
fn an_identifier_given_up_finds_whose_it_was() {
    let home = Home::new();
    let vault = home.open();
    let former = vault
        .admit_at(&["account:1", "member:1"], 50)
        .unwrap()
        .person;
    let former = former.reference();
    assert_eq!(vault.release("account:1", 100).unwrap(), Some(former));
    assert_eq!(vault.release("account:1", 200).unwrap(), None);
    assert_eq!(vault.release("account:7", 200).unwrap(), None);
    assert!(vault.lookup("account:1").unwrap().is_none());
    // A late event of before: cached or not, it is the former person's.
    for _ in 0..2 {
        let late = vault.admit_at(&["account:1"], 99).unwrap();
        assert_eq!(late.person.reference(), former);
    }
    let new = vault.admit_at(&["account:1"], 300).unwrap();
    assert!(new.is_new);
    let new = new.person.reference();
    drop(vault);

    let vault = home.open();
    let at = |ns| vault.lookup_at("account:1", ns).unwrap().unwrap().persons[0].reference();
    assert_eq!((at(99), at(100), at(i64::MAX)), (former, new, new));
    assert_eq!(
        vault
            .admit_at(&["account:1"], 99)
            .unwrap()
            .person
            .reference(),
        former
    );
    assert_eq!(vault.admit(&["account:1"]).unwrap().person.reference(), new);
    assert_eq!(
        vault
            .admit_at(&["account:1"], 99)
            .unwrap()
            .person
            .reference(),
        former
    );
    let ambiguous = vault.lookup("account:1");
    assert!(matches!(ambiguous, Err(VaultError::Ambiguous { count: 2 })));
    let identifiers = vault.identity(&former).unwrap().unwrap().identifiers;
    assert_eq!(identifiers, ["account:1", "member:1"]);
    assert!(matches!(
        vault.release("email:a", 1),
        Err(VaultError::SharedIdentifier)
    ));

    // Linked, they are one person, and the look-up says so.
    vault.link(&former, &new).unwrap();
    assert_eq!(
        vault.lookup("account:1").unwrap().unwrap().persons[0].reference(),
        new
    );
    vault.unlink(&former, &new).unwrap();

    // Erased one by one: the other one's share stays.
    vault.begin_erasing(&[former]).unwrap().erase(None).unwrap();
    assert!(vault.lookup_at("account:1", 99).unwrap().is_none());
    assert_eq!(
        vault.lookup("account:1").unwrap().unwrap().persons[0].reference(),
        new
    );
    vault.begin_erasing(&[new]).unwrap().erase(None).unwrap();
    assert!(vault.lookup("account:1").unwrap().is_none());
    assert!(vault.check(&mut |_| {}).unwrap().ok());
}

fn learn_links(vault: &custody_vault::Vault) {
    let until = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while !vault.knows_links() {
        vault.learn_links();
        assert!(std::time::Instant::now() < until);
        std::thread::yield_now();
    }
}

#[test]
fn who_is_linked_is_learnt_from_the_store_and_kept() {
    let home = Home::new();
    let vault = home.open();
    let admit = |n: usize| vault.admit(&[&format!("account:{n}")]).unwrap();
    let persons: Vec<_> = (0..300).map(|n| admit(n).person.reference()).collect();
    assert!(vault.link(&persons[0], &persons[299]).unwrap());
    assert!(!vault.knows_links());
    drop(vault);

    let vault = home.open();
    learn_links(&vault);
    assert_eq!(vault.linked(&persons[0]).unwrap(), [persons[299]]);
    assert_eq!(vault.linked(&persons[299]).unwrap(), [persons[0]]);
    assert!(vault.linked(&persons[1]).unwrap().is_empty());
    // By events, by people, and no more.
    assert_eq!(
        vault.admit(&["account:1", "account:2"]).unwrap().linked,
        [(persons[1], persons[2])]
    );
    assert!(vault.link(&persons[2], &persons[3]).unwrap());
    let set: BTreeSet<_> = vault.linked(&persons[1]).unwrap().into_iter().collect();
    assert_eq!(set, BTreeSet::from([persons[2], persons[3]]));
    vault
        .begin_erasing(&[persons[2]])
        .unwrap()
        .erase(None)
        .unwrap();
    assert!(vault.linked(&persons[1]).unwrap().is_empty());
    assert!(vault.linked(&persons[2]).unwrap().is_empty());
    assert_eq!(vault.linked(&persons[0]).unwrap(), [persons[299]]);
}

#[test]
fn who_is_linked_while_the_store_is_read_is_not_missed() {
    for round in 0..20 {
        let home = Home::new();
        let vault = home.open();
        let admit = |n: usize| vault.admit(&[&format!("account:{n}")]).unwrap();
        let persons: Vec<_> = (0..200).map(|n| admit(n).person.reference()).collect();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for pair in persons.chunks(2) {
                    assert!(vault.link(&pair[0], &pair[1]).unwrap());
                }
            });
            std::thread::sleep(std::time::Duration::from_micros(200 * round));
            learn_links(&vault);
        });
        for pair in persons.chunks(2) {
            assert_eq!(vault.linked(&pair[0]).unwrap(), [pair[1]]);
            assert_eq!(vault.linked(&pair[1]).unwrap(), [pair[0]]);
        }
    }
}

#[test]
fn a_vault_that_is_dropped_while_its_links_are_read_is_let_go() {
    let home = Home::new();
    let vault = home.open();
    for n in 0..500 {
        vault.admit(&[&format!("account:{n}")]).unwrap();
    }
    drop(vault);
    for _ in 0..10 {
        home.open().learn_links();
    }
}
