//! The directory against a plain model: lists of events, no index.

use std::collections::{BTreeMap, BTreeSet};

use custody_vault::{Vault, VaultError};
use proptest::prelude::*;

use super::Home;

/// A person of the model is the number of the event that made it.
type Number = usize;

#[derive(Default)]
struct Model {
    owners: BTreeMap<String, Number>,
    seen_with: BTreeMap<String, BTreeSet<Number>>,
    identifiers: BTreeMap<Number, BTreeSet<(bool, String)>>,
    links: Vec<(Number, Number)>,
    next: Number,
}

fn is_unique(id: &str) -> bool {
    id.starts_with("account:") || id.starts_with("member:")
}

impl Model {
    fn set(&self, person: Number) -> BTreeSet<Number> {
        let mut set = BTreeSet::from([person]);
        loop {
            let before = set.len();
            for (a, b) in &self.links {
                if set.contains(a) || set.contains(b) {
                    set.extend([*a, *b]);
                }
            }
            if set.len() == before {
                return set;
            }
        }
    }

    /// Person, whether new, and links that this event made.
    fn admit(&mut self, ids: &[String]) -> (Number, bool, Vec<(Number, Number)>) {
        let mut finding: Vec<&String> = ids.iter().filter(|id| is_unique(id)).collect();
        if finding.is_empty() {
            finding.push(&ids[0]);
        }
        let owners: Vec<Number> = finding
            .iter()
            .filter_map(|id| self.owners.get(*id).copied())
            .collect();
        let person = owners.first().copied().unwrap_or_else(|| {
            self.next += 1;
            self.next
        });
        for id in finding {
            self.owners.entry(id.clone()).or_insert(person);
        }
        for id in ids {
            if is_unique(id) {
                let owner = self.owners[id];
                self.identifiers
                    .entry(owner)
                    .or_default()
                    .insert((false, id.clone()));
            } else {
                self.seen_with.entry(id.clone()).or_default().insert(person);
                self.identifiers
                    .entry(person)
                    .or_default()
                    .insert((true, id.clone()));
            }
        }
        let mut linked = Vec::new();
        for other in owners.iter().copied() {
            if !self.set(person).contains(&other) {
                self.links.push((person, other));
                linked.push((person, other));
            }
        }
        (person, owners.is_empty(), linked)
    }

    /// How many linked sets the identifier hits, and one of them.
    fn lookup(&self, id: &str) -> BTreeSet<BTreeSet<Number>> {
        if is_unique(id) {
            self.owners
                .get(id)
                .map(|owner| self.set(*owner))
                .into_iter()
                .collect()
        } else {
            self.seen_with
                .get(id)
                .into_iter()
                .flatten()
                .map(|person| self.set(*person))
                .collect()
        }
    }
}

fn identifier() -> impl Strategy<Value = String> {
    prop_oneof![
        (0..6).prop_map(|n| format!("account:{n}")),
        (0..4).prop_map(|n| format!("member:{n}")),
        (0..4).prop_map(|n| format!("email:{n}@example.com")),
        (0..2).prop_map(|n| format!("device:{n}")),
    ]
}

fn check_all(
    vault: &Vault,
    model: &Model,
    references: &BTreeMap<Number, [u8; 16]>,
) -> Result<(), TestCaseError> {
    let known = model.owners.keys().chain(model.seen_with.keys()).cloned();
    for id in known.chain(["account:unknown".to_owned(), "email:unknown".to_owned()]) {
        let expected = model.lookup(&id);
        match vault.lookup(&id) {
            Err(VaultError::Ambiguous { count }) => {
                prop_assert!(count > 1);
                prop_assert_eq!(count, expected.len());
            }
            Err(error) => return Err(TestCaseError::fail(error.to_string())),
            Ok(None) => prop_assert!(expected.is_empty()),
            Ok(Some(identity)) => {
                prop_assert_eq!(expected.len(), 1);
                let set = expected.first().unwrap();
                let found: BTreeSet<_> = identity.persons.iter().map(|p| p.reference()).collect();
                let wanted: BTreeSet<_> = set.iter().map(|number| references[number]).collect();
                prop_assert_eq!(&found, &wanted);
                prop_assert_eq!(identity.persons.len(), found.len());
                for reference in &found {
                    let mut others = found.clone();
                    others.remove(reference);
                    let linked = vault.linked(reference).unwrap();
                    prop_assert_eq!(linked, others.into_iter().collect::<Vec<_>>());
                }
                if let Some(owner) = model.owners.get(&id) {
                    prop_assert_eq!(identity.persons[0].reference(), references[owner]);
                }
                let identifiers: BTreeSet<_> = set
                    .iter()
                    .filter_map(|number| model.identifiers.get(number))
                    .flatten()
                    .collect();
                let identifiers: Vec<_> = identifiers.into_iter().map(|(_, id)| id).collect();
                prop_assert_eq!(identity.identifiers.iter().collect::<Vec<_>>(), identifiers);
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn answers_are_those_of_the_model(
        events in prop::collection::vec(prop::collection::vec(identifier(), 1..4), 1..25),
        reopen_at in 0_usize..25,
    ) {
        let home = Home::new();
        let mut vault = home.open();
        let mut model = Model::default();
        let mut references = BTreeMap::new();
        for (position, ids) in events.iter().enumerate() {
            let (person, is_new, linked) = model.admit(ids);
            let list: Vec<&str> = ids.iter().map(String::as_str).collect();
            let admission = vault.admit(&list).unwrap();
            prop_assert_eq!(admission.is_new, is_new);
            let reference = *references.entry(person).or_insert(admission.person.reference());
            prop_assert_eq!(admission.person.reference(), reference);
            let linked: Vec<_> = linked.iter().map(|(a, b)| (references[a], references[b])).collect();
            prop_assert_eq!(admission.linked, linked);
            if position == reopen_at {
                check_all(&vault, &model, &references)?;
                drop(vault);
                vault = home.open();
            }
        }
        let distinct: BTreeSet<_> = references.values().collect();
        prop_assert_eq!(distinct.len(), references.len());
        check_all(&vault, &model, &references)?;
    }
}

#[test]
fn the_rules_one_by_one() {
    let home = Home::new();
    let vault = home.open();
    let reference = |ids: &[&str]| vault.admit(ids).unwrap().person.reference();

    // A shared identifier never takes an event to a person with a unique one.
    let one = reference(&["account:1", "email:a@example.com"]);
    let shared_only = reference(&["email:a@example.com"]);
    assert_ne!(one, shared_only);
    assert_eq!(reference(&["email:a@example.com", "device:d"]), shared_only);
    assert!(matches!(
        vault.lookup("email:a@example.com"),
        Err(VaultError::Ambiguous { count: 2 })
    ));

    // The unique identifier decides, wherever it stands.
    assert_eq!(reference(&["device:d", "account:1"]), one);
    // An unknown unique identifier becomes the known person's.
    assert_eq!(reference(&["member:1", "account:1"]), one);
    assert_eq!(reference(&["member:1"]), one);

    // Two persons in one event: linked, once, and the first one's event.
    let two = reference(&["account:2"]);
    let admission = vault.admit(&["account:2", "member:1"]).unwrap();
    assert_eq!(admission.person.reference(), two);
    assert_eq!(admission.linked, [(two, one)]);
    assert!(
        vault
            .admit(&["account:2", "member:1"])
            .unwrap()
            .linked
            .is_empty()
    );
    assert!(
        vault
            .admit(&["member:1", "account:2"])
            .unwrap()
            .linked
            .is_empty()
    );

    // A shared identifier of one linked set finds it.
    reference(&["account:2", "ip:192.0.2.7"]);
    reference(&["account:1", "ip:192.0.2.7"]);
    let identity = vault.lookup("ip:192.0.2.7").unwrap().unwrap();
    assert_eq!(identity.persons.len(), 2);
    let again = vault.identity(&two).unwrap().unwrap();
    assert_eq!(again.persons[0].reference(), two);
    assert_eq!(again.identifiers, identity.identifiers);

    // Byte for byte.
    assert_ne!(reference(&["account:A"]), reference(&["account:a"]));
    assert!(vault.person(&[0; 16]).unwrap().is_none());
    assert!(vault.linked(&[0; 16]).unwrap().is_empty());
    assert!(vault.lookup("account:404").unwrap().is_none());
}
