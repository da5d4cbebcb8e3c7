//! Who there is, by which identifiers, and who turned out to be whom: what the
//! vault is told, kept beside it.

use std::collections::{BTreeMap, BTreeSet};

use custody_ledger::SubjectReference;

use crate::everybody_model::Links;
use crate::person_model::Whose;

/// A person.
#[derive(Default)]
pub(super) struct Human {
    pub(super) account: String,
    /// Other identifiers that an event named.
    pub(super) others: BTreeSet<String>,
    /// Once an event was taken in.
    pub(super) reference: Option<SubjectReference>,
    /// With whom directly.
    linked: BTreeSet<usize>,
    pub(super) erased: bool,
    pub(super) events: usize,
    /// Ids of the latest events.
    pub(super) lately: Vec<String>,
    /// An id that is used before its event is there.
    pub(super) promised: Option<String>,
}

#[derive(Default)]
pub(super) struct People {
    pub(super) all: Vec<Human>,
    by_reference: BTreeMap<SubjectReference, usize>,
    /// Pairs that the operator has parted: no event links them again.
    parted: BTreeSet<(usize, usize)>,
}

/// What is asked for by an identifier.
pub(super) enum Called {
    Nobody,
    /// Several persons who are not linked have it.
    Several,
    One(Whose),
}

impl People {
    pub(super) fn new(count: usize) -> Self {
        let all = (0..count).map(|number| Human {
            account: format!("account:{}", 100_000 + number),
            ..Human::default()
        });
        Self {
            all: all.collect(),
            ..Self::default()
        }
    }

    pub(super) fn email(number: usize) -> String {
        format!("email:p{number}@example.com")
    }

    /// Thirty persons have one between them.
    pub(super) fn tablet(number: usize) -> String {
        format!("device:tablet-{}", number / 30)
    }

    pub(super) fn name(&mut self, number: usize, reference: SubjectReference) {
        self.all[number].reference = Some(reference);
        self.by_reference.insert(reference, number);
    }

    /// Everybody who is the same person, directly or by way of others.
    pub(super) fn set(&self, number: usize) -> BTreeSet<usize> {
        let (mut set, mut next) = (BTreeSet::from([number]), vec![number]);
        while let Some(number) = next.pop() {
            for other in &self.all[number].linked {
                if set.insert(*other) {
                    next.push(*other);
                }
            }
        }
        set
    }

    /// An event that names both: `false` where it links nobody.
    pub(super) fn meet(&mut self, a: usize, b: usize) -> bool {
        let is_new = !self.parted.contains(&(a.min(b), a.max(b))) && !self.set(a).contains(&b);
        if is_new {
            self.all[a].linked.insert(b);
            self.all[b].linked.insert(a);
        }
        is_new
    }

    /// Somebody who is linked directly.
    pub(super) fn neighbour(&self, number: usize) -> Option<usize> {
        self.all[number].linked.first().copied()
    }

    /// The operator says that they are not one.
    pub(super) fn part(&mut self, a: usize, b: usize) {
        self.parted.insert((a.min(b), a.max(b)));
        self.all[a].linked.remove(&b);
        self.all[b].linked.remove(&a);
    }

    pub(super) fn erase(&mut self, set: &BTreeSet<usize>) {
        for number in set {
            let human = &mut self.all[*number];
            human.erased = true;
            human.others.clear();
            human.linked.clear();
        }
    }

    /// Identifiers of a set: accounts first, which are theirs alone.
    fn identifiers(&self, set: &BTreeSet<usize>) -> Vec<String> {
        let humans = || set.iter().map(|number| &self.all[*number]);
        let mut accounts: Vec<_> = humans().map(|human| human.account.clone()).collect();
        accounts.sort();
        let others: BTreeSet<_> = humans().flat_map(|human| human.others.clone()).collect();
        accounts.extend(others);
        accounts
    }

    fn whose(&self, subject: &str, number: usize) -> Called {
        let human = &self.all[number];
        let Some(first) = human.reference.filter(|_| !human.erased) else {
            return Called::Nobody;
        };
        let set = self.set(number);
        let rest = set.iter().filter_map(|other| self.all[*other].reference);
        let rest = rest.filter(|it| *it != first);
        Called::One(Whose {
            subject: subject.to_owned(),
            references: std::iter::once(first).chain(rest).collect(),
            identifiers: self.identifiers(&set),
        })
    }

    /// Whom an identifier means.
    pub(super) fn called(&self, identifier: &str) -> Called {
        let account = self.all.iter().position(|it| it.account == identifier);
        if let Some(number) = account {
            return self.whose(identifier, number);
        }
        let have_it: Vec<usize> = (0..self.all.len())
            .filter(|number| self.all[*number].others.contains(identifier))
            .collect();
        let lowest = have_it.iter().min_by_key(|it| self.all[**it].reference);
        let Some(first) = lowest else {
            return Called::Nobody;
        };
        let set = self.set(*first);
        if have_it.iter().all(|number| set.contains(number)) {
            self.whose(identifier, *first)
        } else {
            Called::Several
        }
    }
}

impl Links for People {
    fn set_of(&self, reference: SubjectReference) -> (BTreeSet<SubjectReference>, Vec<String>) {
        let number = self.by_reference[&reference];
        if self.all[number].erased {
            return (BTreeSet::from([reference]), Vec::new());
        }
        let set = self.set(number);
        let references = set.iter().filter_map(|it| self.all[*it].reference);
        (references.collect(), self.identifiers(&set))
    }
}
