//! A row of who received what, from the row that is kept of it.

use custody_ledger::entry::PartyView;
use custody_proto::v1;
use prost::Message;

use super::{bytes, counterparty, flag, moment, text, texts};
use crate::answer::error::QueryError;
use crate::answer::recipients::Key;
use crate::answer::registry::Registry;
use crate::read_model::CellView;

/// Numbers of `custody.v1.RecipientRow`'s fields.
mod field {
    pub(super) const RECIPIENT: u32 = 1;
    pub(super) const PURPOSE: u32 = 2;
    pub(super) const LEGAL_BASIS: u32 = 3;
    pub(super) const COUNTRY: u32 = 4;
    pub(super) const CATEGORIES: u32 = 5;
    pub(super) const COUNT: u32 = 6;
    pub(super) const FIRST_TIME: u32 = 7;
    pub(super) const LAST_TIME: u32 = 8;
    pub(super) const CONTROLLERS: u32 = 9;
    pub(super) const JUDGEMENT: u32 = 10;
    pub(super) const SALE: u32 = 11;
}

/// Writes rows, one behind the other, as field 1 of a message.
#[derive(Default)]
pub(crate) struct RecipientWriter {
    /// All of them, each with its key and length.
    pub(crate) bytes: Vec<u8>,
    /// How many.
    pub(crate) count: usize,
    /// The one at hand.
    row: Vec<u8>,
}

impl RecipientWriter {
    /// Adds a row that is kept as one; `false` where it does not know its first
    /// or last entry any more.
    pub(crate) fn kept(
        &mut self,
        registry: &Registry<'_>,
        key: &Key,
        cell: &CellView<'_>,
    ) -> Result<bool, QueryError> {
        let (Some(first), Some(last)) = (cell.first(), cell.last()) else {
            return Ok(false);
        };
        self.row.clear();
        let out = &mut self.row;
        let party = PartyView {
            id: &key.recipient.id,
            category: first.category,
            country: first.country,
            person: key.recipient.person,
        };
        counterparty(out, field::RECIPIENT, registry, &party)?;
        text(out, field::PURPOSE, &key.purpose);
        text(out, field::LEGAL_BASIS, &key.legal_basis);
        text(out, field::COUNTRY, &key.country);
        let said = cell.categories.iter().map(|(category, _)| *category);
        texts(out, field::CATEGORIES, said);
        if cell.count > 0 {
            prost::encoding::uint64::encode(field::COUNT, &cell.count, out);
        }
        moment(out, field::FIRST_TIME, first.place.event_time_ns);
        moment(out, field::LAST_TIME, last.place.event_time_ns);
        let said = cell.controllers.iter().map(|(controller, _)| *controller);
        texts(out, field::CONTROLLERS, said);
        text(out, field::JUDGEMENT, cell.worst().name());
        flag(out, field::SALE, cell.sales > 0);
        self.end();
        Ok(true)
    }

    /// Adds a row that has been put together.
    pub(crate) fn shown(&mut self, row: &v1::RecipientRow) {
        self.row.clear();
        // A vector grows as it must.
        let _ = row.encode(&mut self.row);
        self.end();
    }

    fn end(&mut self) {
        bytes(&mut self.bytes, 1, &self.row);
        self.count += 1;
    }
}
