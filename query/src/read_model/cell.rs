//! Entries added up so that one of them can be taken out again: what a kept
//! row holds. A retraction takes an entry out, a later judgement moves it from
//! one outcome to another; both leave what would be there had it never come.

use std::collections::BTreeMap;

use bincode::{Decode, Encode};
use custody_ledger::entry::Outcome;

use super::key::Place;
use super::said::Texts;

/// So many entries are known by place at each end. Taking out an entry at an
/// end uncovers the next; only when that many went without another coming, the
/// end is no longer known.
const ENDS: usize = 4;

/// Texts and how many entries say them.
pub type Counts = BTreeMap<String, u64>;

/// An entry at an end of a kept row.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Mark {
    /// Where it stands.
    pub place: Place,
    /// What it says of the other end: the category.
    pub category: String,
    /// And the country.
    pub country: String,
}

/// Entries added up.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Cell {
    /// How many.
    pub count: u64,
    /// How many of each outcome, by its number.
    outcomes: [u64; Outcome::ALL.len()],
    /// How many were sales.
    pub sales: u64,
    /// Data categories.
    pub categories: Counts,
    /// Purposes; only where they do not make the row.
    pub purposes: Counts,
    /// Controllers; only where they do not make the row.
    pub controllers: Counts,
    /// Safeguards; only where they do not make the row.
    pub safeguards: Counts,
    /// The earliest entries, in order. All of them where they are as many as
    /// `count`; `latest` is empty then.
    earliest: Vec<Mark>,
    /// The latest entries, in order.
    latest: Vec<Mark>,
}

/// What an entry brings to a row.
#[derive(Clone, Copy, Debug)]
pub(super) struct Brought<'a> {
    pub(super) place: Place,
    /// Category and country of the other end.
    pub(super) party: (&'a str, &'a str),
    pub(super) sale: bool,
    pub(super) categories: Texts<'a>,
    pub(super) purposes: Texts<'a>,
    pub(super) controller: &'a str,
    pub(super) safeguard: &'a str,
}

impl Brought<'_> {
    /// Nothing but that it is there.
    pub(super) fn bare(place: Place) -> Self {
        Self {
            place,
            party: ("", ""),
            sale: false,
            categories: Texts::default(),
            purposes: Texts::default(),
            controller: "",
            safeguard: "",
        }
    }
}

/// What happens to a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// The entry comes in, with this judgement in force.
    In(Outcome),
    /// It goes out.
    Out(Outcome),
    /// It was judged again: before and after.
    Judged(Outcome, Outcome),
}

impl Cell {
    pub(super) fn change(&mut self, change: Change, brought: &Brought<'_>) {
        match change {
            Change::In(outcome) => {
                self.outcomes[outcome as usize] += 1;
                self.texts(brought, |counts, text| match counts.get_mut(text) {
                    Some(count) => *count += 1,
                    None => {
                        counts.insert(text.to_owned(), 1);
                    }
                });
                self.sales += u64::from(brought.sale);
                self.come(brought);
                self.count += 1;
            }
            Change::Out(outcome) => {
                take_one(&mut self.outcomes[outcome as usize]);
                self.texts(brought, |counts, text| {
                    if let Some(count) = counts.get_mut(text) {
                        take_one(count);
                        if *count == 0 {
                            counts.remove(text);
                        }
                    }
                });
                self.sales = self.sales.saturating_sub(u64::from(brought.sale));
                take_one(&mut self.count);
                self.go(&brought.place);
            }
            Change::Judged(before, after) => {
                take_one(&mut self.outcomes[before as usize]);
                self.outcomes[after as usize] += 1;
            }
        }
    }

    fn texts(&mut self, brought: &Brought<'_>, mut each: impl FnMut(&mut Counts, &str)) {
        for category in brought.categories.iter() {
            each(&mut self.categories, category);
        }
        for purpose in brought.purposes.iter() {
            each(&mut self.purposes, purpose);
        }
        if !brought.controller.is_empty() {
            each(&mut self.controllers, brought.controller);
        }
        if !brought.safeguard.is_empty() {
            each(&mut self.safeguards, brought.safeguard);
        }
    }

    /// The first entry; `None` where there is none or where it is not known.
    pub fn first(&self) -> Option<&Mark> {
        self.earliest.first()
    }

    /// The last entry; `None` where there is none or where it is not known.
    pub fn last(&self) -> Option<&Mark> {
        match self.is_whole() {
            true => self.earliest.last(),
            false => self.latest.last(),
        }
    }

    /// The worst judgement in force.
    pub fn worst(&self) -> Outcome {
        worst_of(&self.outcomes)
    }

    /// How many entries have this judgement in force.
    pub fn judged(&self, outcome: Outcome) -> u64 {
        self.outcomes[outcome as usize]
    }

    /// Whether `earliest` is all entries.
    fn is_whole(&self) -> bool {
        self.earliest.len() as u64 == self.count
    }

    /// Called before the entry is counted.
    fn come(&mut self, brought: &Brought<'_>) {
        let mark = || Mark {
            place: brought.place,
            category: brought.party.0.to_owned(),
            country: brought.party.1.to_owned(),
        };
        let whole = self.is_whole();
        let position = |marks: &[Mark]| marks.partition_point(|it| it.place < brought.place);
        let at = position(&self.earliest);
        // Beyond the last that is known there may be others that are not.
        if whole || at < self.earliest.len() {
            self.earliest.insert(at, mark());
        }
        if whole {
            if self.earliest.len() > ENDS {
                self.latest = self.earliest[1..].to_vec();
                self.earliest.truncate(ENDS);
            }
            return;
        }
        self.earliest.truncate(ENDS);
        let at = position(&self.latest);
        if at > 0 {
            self.latest.insert(at, mark());
            if self.latest.len() > ENDS {
                self.latest.remove(0);
            }
        }
    }

    /// Called after the entry is no longer counted.
    fn go(&mut self, place: &Place) {
        self.earliest.retain(|it| it.place != *place);
        self.latest.retain(|it| it.place != *place);
        if self.latest.len() as u64 == self.count {
            self.earliest = std::mem::take(&mut self.latest);
        } else if self.is_whole() {
            self.latest.clear();
        }
    }
}

/// The worst of the outcomes that any entry has.
pub(super) fn worst_of(outcomes: &[u64; Outcome::ALL.len()]) -> Outcome {
    let judged = Outcome::ALL
        .into_iter()
        .rev()
        .find(|it| outcomes[*it as usize] > 0);
    judged.unwrap_or_default()
}

fn take_one(count: &mut u64) {
    *count = count.saturating_sub(1);
}

#[cfg(test)]
mod tests {
    use super::*;
    use custody_ledger::id::ShardId;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn brought(time: i64, categories: &[String]) -> Brought<'_> {
        Brought {
            place: Place {
                event_time_ns: time,
                shard: ShardId([1; 16]),
                sequence: 7,
            },
            party: ("", ""),
            sale: time % 2 == 0,
            categories: Texts::owned(categories),
            purposes: Texts::default(),
            controller: "shop",
            safeguard: "",
        }
    }

    fn outcome(time: i64) -> Outcome {
        Outcome::ALL[time.unsigned_abs() as usize % 5]
    }

    proptest! {
        /// Entries come and go in any order; what is said is always what a set
        /// of those present says, or at an end nothing.
        #[test]
        fn what_is_kept_is_what_a_set_says(steps in prop::collection::vec(0..40i64, 1..120)) {
            let mut present = BTreeSet::new();
            let mut cell = Cell::default();
            let mut gone = false;
            for time in steps {
                let categories = vec![format!("c{}", time % 3)];
                let entry = brought(time, &categories);
                if present.remove(&time) {
                    gone = true;
                    cell.change(Change::Out(outcome(time)), &entry);
                } else {
                    present.insert(time);
                    cell.change(Change::In(outcome(time)), &entry);
                }
                let at = |mark: Option<&Mark>| mark.map(|it| it.place.event_time_ns);
                prop_assert_eq!(cell.count, present.len() as u64);
                for (known, is) in [
                    (at(cell.first()), present.first().copied()),
                    (at(cell.last()), present.last().copied()),
                ] {
                    prop_assert!(known == is || (gone && known.is_none()), "{:?} {:?}", known, is);
                }
                let said: BTreeSet<String> = present.iter().map(|it| format!("c{}", it % 3)).collect();
                prop_assert_eq!(cell.categories.keys().cloned().collect::<BTreeSet<_>>(), said);
                prop_assert_eq!(cell.sales, present.iter().filter(|it| *it % 2 == 0).count() as u64);
                let worst = present.iter().map(|it| outcome(*it)).max().unwrap_or_default();
                prop_assert_eq!(cell.worst(), worst);
                if present.is_empty() {
                    prop_assert_eq!(&cell, &Cell::default());
                }
            }
        }
    }

    #[test]
    fn an_end_is_lost_only_after_as_many_as_are_known_went() {
        let mut cell = Cell::default();
        let come =
            |cell: &mut Cell, time| cell.change(Change::In(Outcome::Gap), &brought(time, &[]));
        let go =
            |cell: &mut Cell, time| cell.change(Change::Out(Outcome::Gap), &brought(time, &[]));
        (0..20).for_each(|time| come(&mut cell, time));
        for time in 0..3 {
            go(&mut cell, time);
            assert_eq!(cell.first().unwrap().place.event_time_ns, time + 1);
        }
        go(&mut cell, 3);
        assert_eq!((cell.first(), cell.count), (None, 16));
        assert_eq!(cell.last().unwrap().place.event_time_ns, 19);
        // What comes does not make an unknown end known.
        come(&mut cell, 1);
        assert_eq!(cell.first(), None);
        // Until few enough are left.
        for time in [1, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15] {
            go(&mut cell, time);
        }
        assert_eq!(cell.first().unwrap().place.event_time_ns, 16);
    }

    #[test]
    fn judged_again_moves_between_outcomes_only() {
        let mut cell = Cell::default();
        cell.change(Change::In(Outcome::Violation), &brought(1, &[]));
        let before = cell.clone();
        cell.change(
            Change::Judged(Outcome::Violation, Outcome::Conforms),
            &brought(1, &[]),
        );
        assert_eq!((cell.worst(), cell.count), (Outcome::Conforms, 1));
        cell.change(
            Change::Judged(Outcome::Conforms, Outcome::Violation),
            &brought(1, &[]),
        );
        assert_eq!(cell, before);
    }
}
