//! Rows that are added up from entries or from kept rows, in order of their
//! key, and pages of them.

use std::collections::btree_map::Entry as Slot;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use bincode::{Decode, Encode};
use custody_ledger::entry::Outcome;

use super::QueryState;
use super::error::QueryError;
use super::page::Page;
use super::scope::Seen;
use crate::read_model::{Cell, CellView, Place, Visible};

/// What every row adds up.
#[derive(Debug)]
pub(crate) struct Tally {
    pub(crate) count: u64,
    first: Option<Place>,
    last: Option<Place>,
    pub(crate) categories: BTreeSet<String>,
    worst: Outcome,
}

impl Tally {
    const fn new() -> Self {
        Self {
            count: 0,
            first: None,
            last: None,
            categories: BTreeSet::new(),
            worst: Outcome::NotJudged,
        }
    }

    /// Notes that there are entries from the one place to the other, and says
    /// whether none before was earlier.
    fn spans(&mut self, first: Place, last: Place) -> bool {
        let is_first = self.first.is_none_or(|known| first < known);
        if is_first {
            self.first = Some(first);
        }
        if self.last.is_none_or(|known| last > known) {
            self.last = Some(last);
        }
        is_first
    }

    fn add(&mut self, seen: &Seen) -> bool {
        self.count += 1;
        for category in &seen.row.entry.categories {
            if !self.categories.contains(category) {
                self.categories.insert(category.clone());
            }
        }
        self.worst = self.worst.max(seen.outcome());
        self.spans(seen.row.place, seen.row.place)
    }

    fn add_kept(&mut self, cell: &Cell) -> Option<bool> {
        let (first, last) = (cell.first()?.place, cell.last()?.place);
        self.count += cell.count;
        self.categories.extend(cell.categories.keys().cloned());
        self.worst = self.worst.max(cell.worst());
        Some(self.spans(first, last))
    }

    fn add_view(&mut self, cell: &CellView<'_>) -> Option<bool> {
        let (first, last) = (cell.first()?.place, cell.last()?.place);
        self.count += cell.count;
        for (category, _) in &cell.categories {
            if !self.categories.contains(*category) {
                self.categories.insert((*category).to_owned());
            }
        }
        self.worst = self.worst.max(cell.worst());
        Some(self.spans(first, last))
    }

    /// When the first of the entries happened.
    pub(crate) fn first_ns(&self) -> i64 {
        self.first.map_or(0, |place| place.event_time_ns)
    }

    /// When the last of the entries happened.
    pub(crate) fn last_ns(&self) -> i64 {
        self.last.map_or(0, |place| place.event_time_ns)
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

impl<K: Ord, M> Table<K, M> {
    pub(crate) fn new() -> Self {
        Self {
            rows: BTreeMap::new(),
        }
    }

    fn row(&mut self, key: K, start: impl FnOnce() -> M) -> &mut (Tally, M) {
        match self.rows.entry(key) {
            Slot::Occupied(slot) => slot.into_mut(),
            Slot::Vacant(slot) => slot.insert((Tally::new(), start())),
        }
    }

    /// Counts an entry in a row. Gives what else the row adds up, and whether
    /// no entry before was earlier.
    pub(crate) fn count(
        &mut self,
        key: K,
        seen: &Seen,
        start: impl FnOnce() -> M,
    ) -> (&mut M, bool) {
        let (tally, more) = self.row(key, start);
        let is_first = tally.add(seen);
        (more, is_first)
    }

    /// Counts a kept row in a row, as [`Table::count`]; `None` where it does
    /// not know its first or last entry any more.
    pub(crate) fn count_kept(
        &mut self,
        key: K,
        cell: &Cell,
        start: impl FnOnce() -> M,
    ) -> Option<(&mut M, bool)> {
        let (tally, more) = self.row(key, start);
        let is_first = tally.add_kept(cell)?;
        Some((more, is_first))
    }

    /// As [`Table::count_kept`], of a row that is read in place.
    pub(crate) fn count_view(
        &mut self,
        key: K,
        cell: &CellView<'_>,
        start: impl FnOnce() -> M,
    ) -> Option<&mut M> {
        let (tally, more) = self.row(key, start);
        tally.add_view(cell)?;
        Some(more)
    }

    /// All rows.
    pub(crate) fn into_rows(self) -> impl Iterator<Item = (K, Tally, M)> {
        self.rows
            .into_iter()
            .map(|(key, (tally, more))| (key, tally, more))
    }
}

impl<K: Ord + Clone + Encode + Decode<()>, M> Table<K, M> {
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
            Some(last) if more => {
                state.read_model.hold(head);
                page.next(&state.tokens, head, &last)?
            }
            _ => String::new(),
        };
        Ok((shown, token))
    }
}
