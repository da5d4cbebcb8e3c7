//! Kept rows while a round changes them: those of the person whose entries pass,
//! and those over everybody.

use std::collections::{BTreeMap, HashMap};

use custody_ledger::id::SubjectReference;

use super::ReadModelError;
use super::cell::{Brought, Cell, Change};
use super::counted::{self, Counted};
use super::kept::Table;
use super::key::Place;
use super::row;
use super::said::Said;
use super::settle::{Sink, To};
use super::store::Store;

/// So many rows over everybody are held before they are written.
const EVERYBODY_ROWS: usize = 16_384;

/// By what makes the row.
type Rows = BTreeMap<Vec<u8>, Cell>;

/// Rows over everybody, by table and what makes them: those that were changed,
/// and as long as they are few those that stand in the store as they are here.
/// The next round changes most of them again.
#[derive(Default)]
pub(super) struct Everybody(HashMap<Vec<u8>, Held>);

struct Held {
    cell: Cell,
    is_changed: bool,
}

impl Held {
    fn change(&mut self, change: Change, brought: &Brought<'_>) {
        self.cell.change(change, brought);
        self.is_changed = true;
    }
}

/// Kept rows that were changed.
pub(super) struct Counting<'a> {
    store: &'a Store,
    /// Nothing is in the store.
    is_first: bool,
    received: Rows,
    abroad: Rows,
    everybody: Everybody,
    key: Vec<u8>,
    full: Vec<u8>,
}

impl<'a> Counting<'a> {
    /// `everybody` is what [`Counting::end`] gave back when the round before this
    /// one was written, or nothing.
    pub(super) fn new(store: &'a Store, is_first: bool, everybody: Everybody) -> Self {
        Self {
            store,
            is_first,
            received: Rows::new(),
            abroad: Rows::new(),
            everybody,
            key: Vec::new(),
            full: Vec::new(),
        }
    }

    /// Changes all rows of an entry.
    pub(super) fn change<'s>(
        &mut self,
        place: &Place,
        said: &Said<'s>,
        change: Change,
        sink: &mut impl Sink,
    ) -> Result<(), ReadModelError> {
        let Self {
            store,
            is_first,
            received,
            abroad,
            everybody,
            key,
            full,
        } = self;
        let mut load = |parts: [&[u8]; 2]| -> Result<Cell, ReadModelError> {
            if *is_first {
                return Ok(Cell::default());
            }
            full.clear();
            parts.iter().for_each(|part| full.extend_from_slice(part));
            stored(store, full)
        };
        counted::rows_of(said, *place, key, |table, key, brought: &Brought<'s>| {
            let person = match (table, &said.subject) {
                (Counted::Received, Some(subject)) => {
                    Some((&mut *received, Table::Received(subject)))
                }
                (Counted::Abroad, Some(subject)) => Some((&mut *abroad, Table::Abroad(subject))),
                _ => None,
            };
            if let Some((rows, table)) = person {
                let of_person = &key[1..];
                match rows.get_mut(of_person) {
                    Some(cell) => cell.change(change, brought),
                    None => {
                        let mut cell = load([&table.prefix(), of_person])?;
                        cell.change(change, brought);
                        rows.insert(of_person.to_vec(), cell);
                    }
                }
            }
            match everybody.0.get_mut(key) {
                Some(held) => held.change(change, brought),
                None => {
                    let mut cell = load([key, &[]])?;
                    cell.change(change, brought);
                    let is_changed = true;
                    everybody.0.insert(key.to_vec(), Held { cell, is_changed });
                }
            }
            Ok::<(), ReadModelError>(())
        })?;
        if self.everybody.0.len() >= EVERYBODY_ROWS {
            self.put_everybody(sink)?;
            sink.flush_everybody()?;
            // What was put is looked up again.
            self.everybody.0.clear();
            self.is_first = false;
        }
        Ok(())
    }

    /// Counting what was taken back.
    pub(super) fn taken_back(
        &mut self,
        place: &Place,
        change: Change,
    ) -> Result<(), ReadModelError> {
        let key = Table::TakenBack.prefix();
        let held = match self.everybody.0.get_mut(&key) {
            Some(held) => held,
            None => {
                let cell = match self.is_first {
                    true => Cell::default(),
                    false => stored(self.store, &key)?,
                };
                let is_changed = true;
                let held = Held { cell, is_changed };
                self.everybody.0.entry(key).or_insert(held)
            }
        };
        held.change(change, &Brought::bare(*place));
        Ok(())
    }

    /// Puts the rows of a person whose entries have passed.
    pub(super) fn put_person(
        &mut self,
        subject: &SubjectReference,
        sink: &mut impl Sink,
    ) -> Result<(), ReadModelError> {
        let tables = [
            (&mut self.received, Table::Received(subject), To::Received),
            (&mut self.abroad, Table::Abroad(subject), To::Abroad),
        ];
        for (rows, table, to) in tables {
            if rows.is_empty() {
                continue;
            }
            let prefix = table.prefix();
            for (row, cell) in std::mem::take(rows) {
                self.key.clear();
                self.key.extend_from_slice(&prefix);
                self.key.extend_from_slice(&row);
                put(to, &self.key, &cell, &mut self.full, sink)?;
            }
        }
        Ok(())
    }

    /// Puts the rows over everybody, and gives back what the next round may
    /// begin with once they are written.
    pub(super) fn end(mut self, sink: &mut impl Sink) -> Result<Everybody, ReadModelError> {
        self.put_everybody(sink)?;
        Ok(self.everybody)
    }

    fn put_everybody(&mut self, sink: &mut impl Sink) -> Result<(), ReadModelError> {
        for (key, held) in &mut self.everybody.0 {
            if std::mem::take(&mut held.is_changed) {
                put(To::Everybody, key, &held.cell, &mut self.full, sink)?;
            }
        }
        Ok(())
    }
}

/// The row as it stands in the store.
fn stored(store: &Store, key: &[u8]) -> Result<Cell, ReadModelError> {
    let value = store.kept_now(key)?;
    value.map_or(Ok(Cell::default()), |value| {
        row::decode_short("kept", &value)
    })
}

/// A row that nothing counts in is none.
fn put(
    to: To,
    key: &[u8],
    cell: &Cell,
    value: &mut Vec<u8>,
    sink: &mut impl Sink,
) -> Result<(), ReadModelError> {
    if cell.count == 0 {
        return sink.put(to, key, None);
    }
    value.clear();
    row::encode_short_onto(value, cell)?;
    sink.put(to, key, Some(value))
}
