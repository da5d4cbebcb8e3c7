//! A kept row read in place: texts point into the stored bytes.

use bincode::BorrowDecode;
use custody_ledger::entry::{MAX_ENTRY_BYTES, Outcome};

use super::ReadModelError;
use super::cell::{Cell, worst_of};
use super::key::Place;
use super::row;

/// A kept row as it is stored.
#[derive(Clone)]
pub struct StoredCell(pub(super) fjall::Slice);

impl StoredCell {
    /// The row, read in place.
    ///
    /// # Errors
    /// [`ReadModelError::DamagedRow`].
    pub fn view(&self) -> Result<CellView<'_>, ReadModelError> {
        let config = bincode::config::standard().with_limit::<MAX_ENTRY_BYTES>();
        match bincode::borrow_decode_from_slice(&self.0, config) {
            Ok((view, read)) if read == self.0.len() => Ok(view),
            _ => Err(ReadModelError::DamagedRow { rows: "kept" }),
        }
    }

    /// The whole row.
    ///
    /// # Errors
    /// [`ReadModelError::DamagedRow`].
    pub fn decode(&self) -> Result<Cell, ReadModelError> {
        row::decode_short("kept", &self.0)
    }
}

/// Texts in order, and how many entries say them.
pub type CountsView<'a> = Vec<(&'a str, u64)>;

/// Entries added up, as [`Cell`] has them.
#[derive(Clone, Debug, PartialEq, Eq, BorrowDecode)]
pub struct CellView<'a> {
    /// See [`Cell::count`].
    pub count: u64,
    outcomes: [u64; Outcome::ALL.len()],
    /// See [`Cell::sales`].
    pub sales: u64,
    /// See [`Cell::categories`].
    pub categories: CountsView<'a>,
    /// See [`Cell::purposes`].
    pub purposes: CountsView<'a>,
    /// See [`Cell::controllers`].
    pub controllers: CountsView<'a>,
    /// See [`Cell::safeguards`].
    pub safeguards: CountsView<'a>,
    earliest: Vec<MarkView<'a>>,
    latest: Vec<MarkView<'a>>,
}

/// An entry at an end of a kept row, as [`super::Mark`] has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorrowDecode)]
pub struct MarkView<'a> {
    /// Where it stands.
    pub place: Place,
    /// What it says of the other end: the category.
    pub category: &'a str,
    /// And the country.
    pub country: &'a str,
}

impl CellView<'_> {
    /// See [`Cell::first`].
    pub fn first(&self) -> Option<&MarkView<'_>> {
        self.earliest.first()
    }

    /// See [`Cell::last`].
    pub fn last(&self) -> Option<&MarkView<'_>> {
        match self.earliest.len() as u64 == self.count {
            true => self.earliest.last(),
            false => self.latest.last(),
        }
    }

    /// See [`Cell::worst`].
    pub fn worst(&self) -> Outcome {
        worst_of(&self.outcomes)
    }
}

#[cfg(test)]
mod tests {
    use super::super::cell::{Brought, Change};
    use super::super::said::Texts;
    use super::*;
    use custody_ledger::id::ShardId;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn says_what_the_whole_row_says(
            entries in prop::collection::vec((any::<i64>(), 0usize..5, any::<bool>(), 0u8..4), 0..12),
        ) {
            let mut cell = Cell::default();
            let texts: Vec<String> = (0..4).map(|number| format!("pd:{number}é")).collect();
            for (time, outcome, sale, number) in &entries {
                let number = usize::from(*number);
                let brought = Brought {
                    place: Place {
                        event_time_ns: *time,
                        shard: ShardId([3; 16]),
                        sequence: time.unsigned_abs(),
                    },
                    party: (&texts[0], "DE"),
                    sale: *sale,
                    categories: Texts::owned(&texts[..number]),
                    purposes: Texts::owned(&texts[number..]),
                    controller: &texts[number],
                    safeguard: "",
                };
                cell.change(Change::In(Outcome::ALL[*outcome]), &brought);
            }
            let mut value = Vec::new();
            row::encode_short_onto(&mut value, &cell).unwrap();
            let stored = StoredCell(value.into());
            prop_assert_eq!(&stored.decode().unwrap(), &cell);
            let view = stored.view().unwrap();
            let of = |counts: &super::super::Counts| -> Vec<(String, u64)> {
                counts.iter().map(|(text, count)| (text.clone(), *count)).collect()
            };
            let view_of = |counts: &CountsView<'_>| -> Vec<(String, u64)> {
                counts.iter().map(|(text, count)| ((*text).to_owned(), *count)).collect()
            };
            prop_assert_eq!((view.count, view.sales), (cell.count, cell.sales));
            prop_assert_eq!(view_of(&view.categories), of(&cell.categories));
            prop_assert_eq!(view_of(&view.purposes), of(&cell.purposes));
            prop_assert_eq!(view_of(&view.controllers), of(&cell.controllers));
            prop_assert_eq!(view_of(&view.safeguards), of(&cell.safeguards));
            prop_assert_eq!(view.worst(), cell.worst());
            let place = |mark: Option<&MarkView<'_>>| mark.map(|mark| mark.place);
            prop_assert_eq!(place(view.first()), cell.first().map(|mark| mark.place));
            prop_assert_eq!(place(view.last()), cell.last().map(|mark| mark.place));
            let mut longer = stored.0.to_vec();
            longer.push(0);
            prop_assert!(StoredCell(longer.into()).view().is_err());
        }
    }
}
