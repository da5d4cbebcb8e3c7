//! `ListRecipients`: who received what, for which purpose, in which country.

use std::collections::BTreeSet;
use std::sync::Arc;

use bincode::{Decode, Encode};
use custody_ledger::entry::{Act, PartyPart};
use custody_proto::v1;

use super::at_least::Wanted;
use super::entry;
use super::error::{Faults, QueryError};
use super::filter::{Filter, Member};
use super::flow::Recipient;
use super::moment::{AsOf, timestamp};
use super::page::Page;
use super::registry::Registry;
use super::scope::{Course, Scope, Seen};
use super::table::{Table, Tally};
use super::{Ask, QueryState, proved, subject};
use crate::read_model::{Cell, ReceivedKey, Visible, purposes_of};

/// What makes a row, in the order of the rows.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub(crate) struct Key {
    pub(crate) recipient: Recipient,
    pub(crate) purpose: String,
    pub(crate) legal_basis: String,
    country: String,
}

/// What a row adds up beside the tally.
#[derive(Default)]
pub(crate) struct More {
    recipient: v1::Counterparty,
    controllers: BTreeSet<String>,
    sale: bool,
}

/// Rows of who received what.
pub(crate) type Received = Table<Key, More>;

/// What a kept row can tell of a filter.
pub(crate) const TOLD: &[Member] = &[Member::Purposes, Member::Recipients, Member::Countries];

impl Ask for v1::ListRecipientsRequest {
    type Answer = v1::ListRecipientsResponse;
    const METHOD: &'static str = "custody.v1.LineageService/ListRecipients";

    fn proof_of(&self) -> Option<&str> {
        (self.with_proof && self.page_token.is_empty()).then_some(self.subject.as_str())
    }

    fn add_proof(answer: &mut Self::Answer, proof: v1::ProveCompletenessResponse) {
        proved::name_checkpoint(&mut answer.head, &proof);
        answer.proof = Some(proof);
    }

    fn wanted(&self, state: &QueryState) -> Result<Wanted, QueryError> {
        let mut faults = Faults::default();
        subject::check(&self.subject, &mut faults);
        Filter::read(self.filter.as_ref(), &mut faults);
        AsOf::read(self.as_of.as_ref(), &mut faults);
        let mut wanted = Wanted::read(self.at_least.as_ref(), &mut faults);
        Page::of::<Self, _>(state, self, &mut faults)?.want(&mut wanted);
        faults.or(wanted)
    }

    /// Entries that were taken back are left out. Where purposes are asked
    /// for, an entry is a row only under those of its purposes that match.
    fn answer(self, state: &QueryState, visible: Arc<Visible>) -> Result<Self::Answer, QueryError> {
        let mut faults = Faults::default();
        let mut filter = Filter::read(self.filter.as_ref(), &mut faults);
        let as_of = AsOf::read(self.as_of.as_ref(), &mut faults);
        let page = Page::of::<Self, _>(state, &self, &mut faults)?;
        let page = faults.or(page)?;
        let head = page.head(state, &visible)?;
        let scope = Scope::open(state, &self.subject, &head, as_of)?;

        let table = match kept(&scope, &mut filter)? {
            Some(table) => table,
            None => scanned(&scope, &mut filter)?,
        };
        let (recipients, next_page_token) = table.page(state, &page, &head, row)?;
        Ok(v1::ListRecipientsResponse {
            recipients,
            next_page_token,
            head: Some(entry::ledger_head(&head)),
            proof: None,
        })
    }
}

/// From the rows that are kept of the person; `None` where they do not tell.
fn kept(scope: &Scope<'_>, filter: &mut Filter) -> Result<Option<Received>, QueryError> {
    if !scope.is_told_by_kept(filter, TOLD) {
        return Ok(None);
    }
    let mut table = Table::new();
    for reference in scope.subject.references() {
        for row in scope.head.received(&reference) {
            let (key, cell) = row?;
            if !add_kept(&mut table, &scope.registry, filter, key, &cell)? {
                return Ok(None);
            }
        }
    }
    Ok(Some(table))
}

fn scanned(scope: &Scope<'_>, filter: &mut Filter) -> Result<Received, QueryError> {
    let mut table = Table::new();
    let mut purposes = filter.purposes.clone();
    scope.walk(filter, Course::default(), |seen| {
        add(&mut table, &scope.registry, &mut purposes, &seen)?;
        Ok(true)
    })?;
    Ok(table)
}

/// Adds an entry to its rows.
pub(crate) fn add(
    table: &mut Received,
    registry: &Registry<'_>,
    purposes: &mut super::filter::Terms,
    seen: &Seen,
) -> Result<(), QueryError> {
    let entry = &seen.row.entry;
    let Some(party) = entry.recipient() else {
        return Ok(());
    };
    if seen.retracted {
        return Ok(());
    }
    let sale = matches!(entry.act, Act::Disclosure { sale: true, .. });
    // An event without a purpose is a row too: it is missing, not absent.
    for purpose in purposes_of(entry) {
        if !purposes.matches(purpose) {
            continue;
        }
        let key = Key {
            recipient: Recipient::of(party),
            purpose: purpose.to_owned(),
            legal_basis: entry.legal_basis.clone(),
            country: seen.flow.destination.clone(),
        };
        let (more, is_first) = table.count(key, seen, More::default);
        if is_first {
            more.recipient = registry.counterparty(party)?;
        }
        if !entry.controller.is_empty() && !more.controllers.contains(&entry.controller) {
            more.controllers.insert(entry.controller.clone());
        }
        more.sale |= sale;
    }
    Ok(())
}

/// Adds a kept row to its row; `false` where it does not know enough.
pub(crate) fn add_kept(
    table: &mut Received,
    registry: &Registry<'_>,
    filter: &mut Filter,
    key: ReceivedKey,
    cell: &Cell,
) -> Result<bool, QueryError> {
    let country = registry.destination(&key.recipient, key.destination)?;
    if !filter.purposes.matches(&key.purpose)
        || !filter.matches_recipient(&key.recipient.id)
        || !filter.matches_country(&country)
    {
        return Ok(true);
    }
    let recipient = key.recipient.clone();
    let key = Key {
        recipient: key.recipient,
        purpose: key.purpose,
        legal_basis: key.legal_basis,
        country,
    };
    let Some((more, is_first)) = table.count_kept(key, cell, More::default) else {
        return Ok(false);
    };
    if let (true, Some(first)) = (is_first, cell.first()) {
        more.recipient = registry.counterparty(&PartyPart {
            id: recipient.id,
            category: first.category.clone(),
            country: first.country.clone(),
            person: recipient.person,
        })?;
    }
    more.controllers.extend(cell.controllers.keys().cloned());
    more.sale |= cell.sales > 0;
    Ok(true)
}

/// A row as an answer shows it.
pub(crate) fn row(key: Key, tally: Tally, more: More) -> v1::RecipientRow {
    v1::RecipientRow {
        recipient: Some(more.recipient),
        purpose: key.purpose,
        legal_basis: key.legal_basis,
        country: key.country,
        judgement: tally.judgement(),
        count: tally.count,
        first_time: timestamp(tally.first_ns()),
        last_time: timestamp(tally.last_ns()),
        categories: tally.categories.into_iter().collect(),
        controllers: more.controllers.into_iter().collect(),
        sale: more.sale,
    }
}
