//! Rows that are added up from entries, in order of their key, and pages of
//! them.

use std::collections::btree_map::Entry as Slot;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use bincode::{Decode, Encode};
use custody_ledger::entry::Outcome;

use super::QueryState;
use super::error::QueryError;
use super::page::Page;
use super::scope::Seen;
use crate::read_model::Visible;

/// What every row adds up.
#[derive(Debug)]
pub(crate) struct Tally {
    pub(crate) count: u64,
    pub(crate) first_ns: i64,
    pub(crate) last_ns: i64,
    pub(crate) categories: BTreeSet<String>,
    worst: Outcome,
}

impl Tally {
    fn new(seen: &Seen) -> Self {
        let time = seen.row.entry.event_time_ns;
        Self {
            count: 0,
            first_ns: time,
            last_ns: time,
            categories: BTreeSet::new(),
            worst: Outcome::NotJudged,
        }
    }

    fn add(&mut self, seen: &Seen) {
        let entry = &seen.row.entry;
        self.count += 1;
        self.first_ns = self.first_ns.min(entry.event_time_ns);
        self.last_ns = self.last_ns.max(entry.event_time_ns);
        self.categories.extend(entry.categories.iter().cloned());
        self.worst = self.worst.max(seen.outcome());
    }

    /// The worst judgement among the events.
    pub(crate) fn judgement(&self) -> String {
        self.worst.name().to_owned()
    }
}

/// Rows by their key; `M` is what a method adds up beside the tally.
pub(crate) struct Table<K, M> {
    rows: BTreeMap<K, (Tally, M)>,
}

impl<K: Ord + Clone + Encode + Decode<()>, M> Table<K, M> {
    pub(crate) fn new() -> Self {
        Self {
            rows: BTreeMap::new(),
        }
    }

    /// Counts an entry in a row and gives what else the row adds up.
    pub(crate) fn count(&mut self, key: K, seen: &Seen, start: impl FnOnce() -> M) -> &mut M {
        let (tally, more) = match self.rows.entry(key) {
            Slot::Occupied(slot) => slot.into_mut(),
            Slot::Vacant(slot) => slot.insert((Tally::new(seen), start())),
        };
        tally.add(seen);
        more
    }

    /// The rows of a page and the token of the next.
    pub(crate) fn page<R>(
        mut self,
        state: &QueryState,
        page: &Page,
        head: &Visible,
        show: impl Fn(K, Tally, M) -> R,
    ) -> Result<(Vec<R>, String), QueryError> {
        if let Some(last) = page.cursor::<K>()? {
            let after = self
                .rows
                .range((Bound::Excluded(&last), Bound::Unbounded))
                .next();
            self.rows = match after.map(|(key, _)| key.clone()) {
                Some(first) => self.rows.split_off(&first),
                None => BTreeMap::new(),
            };
        }
        let more = self.rows.len() > page.size;
        let mut last = None;
        let mut shown = Vec::with_capacity(self.rows.len().min(page.size));
        for (key, (tally, more)) in self.rows.into_iter().take(page.size) {
            last = Some(key.clone());
            shown.push(show(key, tally, more));
        }
        let token = match last {
            Some(last) if more => page.next(&state.tokens, head, &last)?,
            _ => String::new(),
        };
        Ok((shown, token))
    }
}
