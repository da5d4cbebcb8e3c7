//! The whole vault against a plain model: lists of what was said, no index and
//! no keys.

use std::collections::{BTreeMap, BTreeSet};

use custody_vault::{EraseMark, Vault, VaultError};
use proptest::prelude::*;

use super::Home;

/// A person of the model is the number of the event that made it.
type Number = usize;

#[derive(Debug, Clone)]
enum Act {
    Admit(Vec<String>, i64),
    Link(usize, usize),
    Unlink(usize, usize),
    Release(String, i64),
    Erase(Vec<usize>, Option<i32>),
    LearnLinks,
    Reopen,
}

#[derive(Default)]
struct Model {
    /// Changes of owner in the order of time: from then on whose.
    owners: BTreeMap<String, BTreeMap<i64, Option<Number>>>,
    /// Of shared ones: the person who is known by them only.
    shared_only: BTreeMap<String, Number>,
    identifiers: BTreeMap<Number, BTreeSet<(bool, String)>>,
    /// Pairs, and whether they are linked or are to stay apart.
    links: BTreeMap<(Number, Number), bool>,
    marks: BTreeMap<String, i32>,
    /// The day of the mark with which a person was made.
    days: BTreeMap<Number, Option<i32>>,
    next: Number,
}

fn is_shared(id: &str) -> bool {
    id.starts_with("email:")
}

fn pair(a: Number, b: Number) -> (Number, Number) {
    (a.min(b), a.max(b))
}

impl Model {
    fn set(&self, person: Number) -> BTreeSet<Number> {
        let mut set = BTreeSet::from([person]);
        loop {
            let before = set.len();
            for ((a, b), linked) in &self.links {
                if *linked && (set.contains(a) || set.contains(b)) {
                    set.extend([*a, *b]);
                }
            }
            if set.len() == before {
                return set;
            }
        }
    }

    fn owner(&self, id: &str, at: i64) -> Option<Number> {
        if is_shared(id) {
            return self.shared_only.get(id).copied();
        }
        let (_, owner) = self.owners.get(id)?.range(..=at).next_back()?;
        *owner
    }

    fn admit(
        &mut self,
        ids: &[String],
        at: i64,
    ) -> (Number, bool, Vec<(Number, Number)>, Option<i32>) {
        let mut finding: Vec<&String> = ids.iter().filter(|id| !is_shared(id)).collect();
        if finding.is_empty() {
            finding.push(&ids[0]);
        }
        let owners: Vec<Number> = finding.iter().filter_map(|id| self.owner(id, at)).collect();
        let is_new = owners.is_empty();
        let person = owners.first().copied().unwrap_or_else(|| {
            self.next += 1;
            self.identifiers.insert(self.next, BTreeSet::new());
            self.next
        });
        let marks = finding.iter().filter_map(|id| self.marks.get(*id).copied());
        let day = marks.max();
        if is_new {
            self.days.insert(person, day);
        }
        let day = self.days[&person];
        for id in ids {
            if is_shared(id) {
                let texts = self.identifiers.get_mut(&person).unwrap();
                texts.insert((true, id.clone()));
                continue;
            }
            let spans = self
                .owners
                .entry(id.clone())
                .or_insert_with(|| [(i64::MIN, None)].into());
            let owner = spans.range_mut(..=at).next_back().unwrap().1;
            let owner = *owner.get_or_insert(person);
            let texts = self.identifiers.get_mut(&owner).unwrap();
            texts.insert((false, id.clone()));
        }
        self.join();
        if finding.iter().all(|id| is_shared(id)) {
            self.shared_only.entry(ids[0].clone()).or_insert(person);
        }
        let mut linked = Vec::new();
        for other in owners {
            if !self.set(person).contains(&other) && !self.links.contains_key(&pair(person, other))
            {
                self.links.insert(pair(person, other), true);
                linked.push((person, other));
            }
        }
        (person, is_new, linked, day)
    }

    fn release(&mut self, id: &str, from: i64) -> Option<Number> {
        let owner = self.owner(id, from)?;
        self.owners.get_mut(id).unwrap().insert(from, None);
        self.join();
        Some(owner)
    }

    /// Neighbours of the same owner are one span; one that is nobody's at all
    /// times was never heard of.
    fn join(&mut self) {
        for spans in self.owners.values_mut() {
            let mut before = None;
            spans.retain(|_, owner| before.replace(*owner) != Some(*owner));
        }
    }

    fn erase(&mut self, gone: &BTreeSet<Number>, mark: Option<i32>) {
        let is_gone = |one: &Number| gone.contains(one);
        for (id, spans) in &mut self.owners {
            let now = spans.last_key_value().and_then(|(_, owner)| *owner);
            if let (Some(day), true) = (mark, now.as_ref().is_some_and(is_gone)) {
                self.marks.insert(id.clone(), day);
            }
            for owner in spans.values_mut() {
                *owner = owner.filter(|owner| !is_gone(owner));
            }
        }
        self.join();
        for (id, owner) in &self.shared_only {
            if let (Some(day), true) = (mark, is_gone(owner)) {
                self.marks.insert(id.clone(), day);
            }
        }
        self.shared_only.retain(|_, owner| !is_gone(owner));
        self.identifiers.retain(|one, _| !is_gone(one));
        self.links.retain(|(a, b), _| !is_gone(a) && !is_gone(b));
    }

    /// The linked sets that a look-up without a time hits.
    fn lookup(&self, id: &str) -> BTreeSet<BTreeSet<Number>> {
        if is_shared(id) {
            let seen = self
                .identifiers
                .iter()
                .filter(|(_, texts)| texts.contains(&(true, id.to_owned())));
            return seen.map(|(person, _)| self.set(*person)).collect();
        }
        if self.owner(id, i64::MAX).is_none() {
            return BTreeSet::new();
        }
        let owners = self.owners[id].values().flatten();
        owners.map(|owner| self.set(*owner)).collect()
    }
}

fn id() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => (0..6).prop_map(|n| format!("account:{n}")),
        1 => (0..3).prop_map(|n| format!("email:{n}@example.com")),
    ]
}

fn act() -> impl Strategy<Value = Act> {
    let at = prop_oneof![2 => Just(i64::MAX), 1 => 0_i64..40];
    let unique = (0..6).prop_map(|n| format!("account:{n}"));
    prop_oneof![
        8 => (prop::collection::vec(id(), 1..4), at).prop_map(|(ids, at)| Act::Admit(ids, at)),
        2 => (any::<usize>(), any::<usize>()).prop_map(|(a, b)| Act::Link(a, b)),
        2 => (any::<usize>(), any::<usize>()).prop_map(|(a, b)| Act::Unlink(a, b)),
        3 => (unique, 0_i64..40).prop_map(|(id, from)| Act::Release(id, from)),
        3 => (prop::collection::vec(any::<usize>(), 1..4), prop::option::of(1_i32..5))
            .prop_map(|(who, mark)| Act::Erase(who, mark)),
        2 => Just(Act::LearnLinks),
        1 => Just(Act::Reopen),
    ]
}

struct Both {
    home: Home,
    vault: Option<Vault>,
    model: Model,
    references: BTreeMap<Number, [u8; 16]>,
}

impl Both {
    fn vault(&self) -> &Vault {
        self.vault.as_ref().unwrap()
    }

    /// Of the persons who are there.
    fn pick(&self, which: usize) -> Option<Number> {
        let persons: Vec<Number> = self.model.identifiers.keys().copied().collect();
        (!persons.is_empty()).then(|| persons[which % persons.len()])
    }

    fn act(&mut self, act: &Act) -> Result<(), TestCaseError> {
        match act {
            Act::Admit(ids, at) => {
                let list: Vec<&str> = ids.iter().map(String::as_str).collect();
                let found = self.vault().admit_at(&list, *at).unwrap();
                let (person, is_new, linked, day) = self.model.admit(ids, *at);
                let reference = found.person.reference();
                let expected = *self.references.entry(person).or_insert(reference);
                prop_assert_eq!((expected, is_new), (reference, found.is_new));
                // From memory it is not told again.
                if is_new || found.erased_day.is_some() {
                    prop_assert_eq!(found.erased_day, day);
                }
                let of = |n: &Number| self.references[n];
                let linked: Vec<_> = linked.iter().map(|(a, b)| (of(a), of(b))).collect();
                prop_assert_eq!(found.linked, linked);
            }
            Act::Link(a, b) | Act::Unlink(a, b) => {
                let (Some(a), Some(b)) = (self.pick(*a), self.pick(*b)) else {
                    return Ok(());
                };
                let (ra, rb) = (self.references[&a], self.references[&b]);
                let before = self.model.links.get(&pair(a, b)).copied();
                if matches!(act, Act::Link(..)) {
                    let new = before == Some(false) || !self.model.set(a).contains(&b);
                    prop_assert_eq!(self.vault().link(&ra, &rb).unwrap(), new);
                    if new {
                        self.model.links.insert(pair(a, b), true);
                    }
                } else {
                    let taken = self.vault().unlink(&ra, &rb).unwrap();
                    prop_assert_eq!(taken, before == Some(true));
                    if a != b {
                        self.model.links.insert(pair(a, b), false);
                    }
                }
            }
            Act::Release(id, from) => {
                let owner = self.model.release(id, *from);
                let expected = owner.map(|owner| self.references[&owner]);
                prop_assert_eq!(self.vault().release(id, *from).unwrap(), expected);
            }
            Act::Erase(who, mark) => {
                let gone: BTreeSet<Number> = who.iter().filter_map(|n| self.pick(*n)).collect();
                let references: Vec<[u8; 16]> = gone.iter().map(|n| self.references[n]).collect();
                let generation = self.vault().root().generation;
                let erasing = self.vault().begin_erasing(&references).unwrap();
                let mark_of = mark.map(|day| EraseMark {
                    day,
                    scope: String::new(),
                });
                let erased = erasing.erase(mark_of).unwrap();
                prop_assert_eq!(erased.persons as usize, gone.len());
                prop_assert_eq!(erased.generation, generation + u64::from(!gone.is_empty()));
                self.model.erase(&gone, *mark);
            }
            Act::LearnLinks => self.vault().learn_links(),
            Act::Reopen => {
                self.vault = None;
                self.vault = Some(self.home.open());
            }
        }
        Ok(())
    }

    fn check(&self) -> Result<(), TestCaseError> {
        let vault = self.vault();
        for (number, reference) in &self.references {
            let there = self.model.identifiers.get(number);
            let linked = vault.linked(reference).unwrap();
            let mut set: BTreeSet<_> = match there {
                Some(_) => self.model.set(*number),
                None => BTreeSet::new(),
            };
            set.remove(number);
            let set: BTreeSet<_> = set.iter().map(|n| self.references[n]).collect();
            prop_assert_eq!(linked, set.into_iter().collect::<Vec<_>>());
            let identity = vault.identity(reference).unwrap();
            prop_assert_eq!(identity.is_some(), there.is_some());
            prop_assert_eq!(vault.person(reference).unwrap().is_some(), there.is_some());
            if let (Some(identity), Some(_)) = (identity, there) {
                let set = self.model.set(*number);
                let texts: BTreeSet<_> = set
                    .iter()
                    .flat_map(|n| &self.model.identifiers[n])
                    .collect();
                let texts: Vec<_> = texts.into_iter().map(|(_, text)| text.clone()).collect();
                prop_assert_eq!(identity.identifiers, texts);
                prop_assert_eq!(identity.persons.len(), set.len());
            }
        }
        for id in (0..6)
            .map(|n| format!("account:{n}"))
            .chain((0..3).map(|n| format!("email:{n}@example.com")))
        {
            let sets = self.model.lookup(&id);
            match vault.lookup(&id) {
                Err(VaultError::Ambiguous { count }) => {
                    prop_assert!(count > 1 && count == sets.len())
                }
                Err(error) => return Err(TestCaseError::fail(error.to_string())),
                Ok(found) => {
                    let found = found.map(|found| {
                        found
                            .persons
                            .iter()
                            .map(|p| p.reference())
                            .collect::<BTreeSet<_>>()
                    });
                    let set = sets
                        .first()
                        .map(|set| set.iter().map(|n| self.references[n]).collect());
                    prop_assert_eq!((found, sets.len() < 2), (set, true));
                }
            }
            if !is_shared(&id) {
                for at in 0..40 {
                    let found = vault.lookup_at(&id, at).unwrap();
                    let found = found.map(|found| found.persons[0].reference());
                    let owner = self.model.owner(&id, at).map(|n| self.references[&n]);
                    prop_assert_eq!(found, owner, "at {}", at);
                }
            }
        }
        let report = vault.check(&mut |_| {}).unwrap();
        prop_assert!(report.ok(), "{:?}", report.faults);
        prop_assert_eq!(report.persons as usize, self.model.identifiers.len());
        prop_assert_eq!(report.orphans, 0);
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn the_vault_does_what_the_model_does(acts in prop::collection::vec(act(), 1..40)) {
        let home = Home::new();
        let vault = Some(home.open());
        let mut both = Both { home, vault, model: Model::default(), references: BTreeMap::new() };
        for (number, act) in acts.iter().enumerate() {
            both.act(act)?;
            if number % 10 == 9 {
                both.check()?;
            }
        }
        both.check()?;
        both.act(&Act::Reopen)?;
        both.check()?;
    }
}
