//! `ListTransfers`: what went to another country.

use std::collections::BTreeSet;
use std::sync::Arc;

use bincode::{Decode, Encode};
use custody_ledger::entry::PartyPart;
use custody_proto::v1;

use super::at_least::Wanted;
use super::entry;
use super::error::{Faults, QueryError};
use super::filter::{Filter, Member};
use super::flow::{self, Recipient};
use super::moment::{AsOf, timestamp};
use super::page::Page;
use super::registry::Registry;
use super::scope::{Course, Scope, Seen};
use super::table::{Table, Tally};
use super::{Ask, QueryState, subject};
use crate::read_model::{AbroadKey, Cell, Destination, Visible, is_abroad};

/// What makes a row, in the order of the rows.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub(crate) struct Key {
    from_country: String,
    to_country: String,
    recipient: Option<Recipient>,
    safeguard: String,
}

/// What a row adds up beside the tally.
#[derive(Default)]
pub(crate) struct More {
    recipient: Option<v1::Counterparty>,
    purposes: BTreeSet<String>,
}

/// Rows of what went abroad.
pub(crate) type Abroad = Table<Key, More>;

/// What a kept row can tell of a filter.
pub(crate) const TOLD: &[Member] = &[Member::Recipients, Member::Countries];

impl Ask for v1::ListTransfersRequest {
    type Answer = v1::ListTransfersResponse;
    const METHOD: &'static str = "custody.v1.LineageService/ListTransfers";

    fn wanted(&self, state: &QueryState) -> Result<Wanted, QueryError> {
        let mut faults = Faults::default();
        subject::check(&self.subject, &mut faults);
        Filter::read(self.filter.as_ref(), &mut faults);
        AsOf::read(self.as_of.as_ref(), &mut faults);
        let mut wanted = Wanted::read(self.at_least.as_ref(), &mut faults);
        Page::of::<Self, _>(state, self, &mut faults)?.want(&mut wanted);
        faults.or(wanted)
    }

    /// Every transfer, as it was said, and every disclosure to a recipient
    /// abroad. Entries that were taken back are left out.
    fn answer(self, state: &QueryState, visible: Arc<Visible>) -> Result<Self::Answer, QueryError> {
        let mut faults = Faults::default();
        let mut filter = Filter::read(self.filter.as_ref(), &mut faults);
        let as_of = AsOf::read(self.as_of.as_ref(), &mut faults);
        let page = Page::of::<Self, _>(state, &self, &mut faults)?;
        let page = faults.or(page)?;
        let head = page.head(state, &visible)?;
        let scope = Scope::open(state, &self.subject, &head, as_of)?;

        let table = match kept(&scope, &filter)? {
            Some(table) => table,
            None => scanned(&scope, &mut filter)?,
        };
        let (transfers, next_page_token) = table.page(state, &page, &head, row)?;
        Ok(v1::ListTransfersResponse {
            transfers,
            next_page_token,
            head: Some(entry::ledger_head(&head)),
        })
    }
}

/// From the rows that are kept of the person; `None` where they do not tell.
fn kept(scope: &Scope<'_>, filter: &Filter) -> Result<Option<Abroad>, QueryError> {
    if !scope.is_told_by_kept(filter, TOLD) {
        return Ok(None);
    }
    let mut table = Table::new();
    for reference in scope.subject.references() {
        for row in scope.head.abroad(&reference) {
            let (key, cell) = row?;
            if !add_kept(&mut table, &scope.registry, filter, key, &cell)? {
                return Ok(None);
            }
        }
    }
    Ok(Some(table))
}

fn scanned(scope: &Scope<'_>, filter: &mut Filter) -> Result<Abroad, QueryError> {
    let mut table = Table::new();
    scope.walk(filter, Course::default(), |seen| {
        add(&mut table, &scope.registry, &seen)?;
        Ok(true)
    })?;
    Ok(table)
}

/// Adds an entry to its row.
pub(crate) fn add(
    table: &mut Abroad,
    registry: &Registry<'_>,
    seen: &Seen,
) -> Result<(), QueryError> {
    let Some((from_country, to_country)) = seen.flow.abroad.clone() else {
        return Ok(());
    };
    if seen.retracted {
        return Ok(());
    }
    let entry = &seen.row.entry;
    let party = entry.recipient();
    let key = Key {
        from_country,
        to_country,
        recipient: party.map(Recipient::of),
        safeguard: flow::safeguard(entry).to_owned(),
    };
    let (more, is_first) = table.count(key, seen, More::default);
    if is_first {
        let party = party.map(|party| registry.counterparty(party));
        more.recipient = party.transpose()?;
    }
    more.purposes.extend(entry.purposes.iter().cloned());
    Ok(())
}

/// Adds a kept row to its row; `false` where it does not know enough.
pub(crate) fn add_kept(
    table: &mut Abroad,
    registry: &Registry<'_>,
    filter: &Filter,
    key: AbroadKey,
    cell: &Cell,
) -> Result<bool, QueryError> {
    let is_registered = key.destination == Destination::Registered;
    let to_country = match &key.recipient {
        Some(recipient) => registry.destination(recipient, key.destination)?,
        None => key.destination.said(),
    };
    let id = key.recipient.as_ref().map_or("", |it| &it.id);
    if (is_registered && !is_abroad(&key.from, &to_country))
        || !filter.matches_recipient(id)
        || !filter.matches_country(&to_country)
    {
        return Ok(true);
    }
    let recipient = key.recipient.clone();
    let key = Key {
        from_country: key.from,
        to_country,
        recipient: key.recipient,
        safeguard: key.safeguard,
    };
    let Some((more, is_first)) = table.count_kept(key, cell, More::default) else {
        return Ok(false);
    };
    if let (true, Some(recipient), Some(first)) = (is_first, recipient, cell.first()) {
        more.recipient = Some(registry.counterparty(&PartyPart {
            id: recipient.id,
            category: first.category.clone(),
            country: first.country.clone(),
            person: recipient.person,
        })?);
    }
    more.purposes.extend(cell.purposes.keys().cloned());
    Ok(true)
}

/// A row as an answer shows it.
pub(crate) fn row(key: Key, tally: Tally, more: More) -> v1::TransferRow {
    v1::TransferRow {
        from_country: key.from_country,
        to_country: key.to_country,
        recipient: more.recipient,
        safeguard: key.safeguard,
        judgement: tally.judgement(),
        count: tally.count,
        first_time: timestamp(tally.first_ns()),
        last_time: timestamp(tally.last_ns()),
        categories: tally.categories.into_iter().collect(),
        purposes: more.purposes.into_iter().collect(),
    }
}
