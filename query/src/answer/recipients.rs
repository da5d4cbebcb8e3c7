//! `ListRecipients`: who received what, for which purpose, in which country.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bincode::{Decode, Encode};
use custody_ledger::entry::{Act, PartyPart};
use custody_proto::v1;

use super::at_least::Wanted;
use super::entry;
use super::error::{Faults, QueryError};
use super::filter::{Filter, Member};
use super::flow::Recipient;
use super::in_bytes::InBytes;
use super::moment::{AsOf, timestamp};
use super::page::Page;
use super::registry::Registry;
use super::scope::{Course, Scope, Seen};
use super::table::{Table, Tally};
use super::wire::RecipientWriter;
use super::{Ask, QueryState, proved, subject};
use crate::read_model::{Cell, ReceivedKey, StoredCell, Visible, purposes_of};

/// What makes a row, in the order of the rows.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub(crate) struct Key {
    pub(crate) recipient: Recipient,
    pub(crate) purpose: String,
    pub(crate) legal_basis: String,
    pub(crate) country: String,
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

/// `ListRecipients`, answered in bytes.
#[derive(Clone, Default)]
pub struct RecipientsInBytes(pub v1::ListRecipientsRequest);

impl Ask for RecipientsInBytes {
    type Answer = InBytes<v1::ListRecipientsResponse>;
    const METHOD: &'static str = "custody.v1.LineageService/ListRecipients";

    fn proof_of(&self) -> Option<&str> {
        (self.0.with_proof && self.0.page_token.is_empty()).then_some(self.0.subject.as_str())
    }

    fn add_proof(answer: &mut Self::Answer, proof: v1::ProveCompletenessResponse) {
        proved::name_checkpoint(&mut answer.rest.head, &proof);
        answer.rest.proof = Some(proof);
    }

    fn wanted(&self, state: &QueryState) -> Result<Wanted, QueryError> {
        let request = &self.0;
        let mut faults = Faults::default();
        subject::check(&request.subject, &mut faults);
        Filter::read(request.filter.as_ref(), &mut faults);
        AsOf::read(request.as_of.as_ref(), &mut faults);
        let mut wanted = Wanted::read(request.at_least.as_ref(), &mut faults);
        Page::of::<Self, _>(state, request, &mut faults)?.want(&mut wanted);
        faults.or(wanted)
    }

    /// Entries that were taken back are left out. Where purposes are asked
    /// for, an entry is a row only under those of its purposes that match.
    fn answer(self, state: &QueryState, visible: Arc<Visible>) -> Result<Self::Answer, QueryError> {
        let request = self.0;
        let mut faults = Faults::default();
        let mut filter = Filter::read(request.filter.as_ref(), &mut faults);
        let as_of = AsOf::read(request.as_of.as_ref(), &mut faults);
        let page = Page::of::<Self, _>(state, &request, &mut faults)?;
        let page = faults.or(page)?;
        let head = page.head(state, &visible)?;
        let scope = Scope::open(state, &request.subject, &head, as_of)?;

        let kept = kept(&scope, &mut filter, &page)?;
        let (writer, next_page_token) = match kept {
            Some(answer) => answer,
            None => {
                let table = scanned(&scope, &mut filter)?;
                let (rows, token) = table.page(state, &page, &head, row)?;
                let mut writer = RecipientWriter::default();
                rows.iter().for_each(|row| writer.shown(row));
                (writer, token)
            }
        };
        Ok(InBytes {
            rows: writer.bytes,
            count: writer.count,
            rest: v1::ListRecipientsResponse {
                recipients: Vec::new(),
                next_page_token,
                head: Some(entry::ledger_head(&head)),
                proof: None,
            },
        })
    }
}

/// The same as messages.
impl Ask for v1::ListRecipientsRequest {
    type Answer = v1::ListRecipientsResponse;
    const METHOD: &'static str = RecipientsInBytes::METHOD;

    fn proof_of(&self) -> Option<&str> {
        (self.with_proof && self.page_token.is_empty()).then_some(self.subject.as_str())
    }

    fn add_proof(answer: &mut Self::Answer, proof: v1::ProveCompletenessResponse) {
        proved::name_checkpoint(&mut answer.head, &proof);
        answer.proof = Some(proof);
    }

    fn wanted(&self, state: &QueryState) -> Result<Wanted, QueryError> {
        RecipientsInBytes(self.clone()).wanted(state)
    }

    fn answer(self, state: &QueryState, visible: Arc<Visible>) -> Result<Self::Answer, QueryError> {
        RecipientsInBytes(self)
            .answer(state, visible)?
            .into_message()
    }
}

/// The page from the rows that are kept of the person; `None` where they do not
/// tell.
fn kept(
    scope: &Scope<'_>,
    filter: &mut Filter,
    page: &Page,
) -> Result<Option<(RecipientWriter, String)>, QueryError> {
    if !scope.is_told_by_kept(filter, TOLD) {
        return Ok(None);
    }
    let mut rows = KeptRows::new();
    for reference in scope.subject.references() {
        for row in scope.head.received_stored(&reference) {
            let (received, cell) = row?;
            if let Some(key) = key_of_kept(&scope.registry, filter, &received)? {
                rows.entry(key).or_default().push((received, cell));
            }
        }
    }
    page_of(rows, &scope.registry, scope.head, filter, page)
}

/// Kept rows by what makes a row of an answer: those of linked persons, and one
/// whose country is registered beside one whose country was said, are one row.
pub(crate) type KeptRows = BTreeMap<Key, Vec<(ReceivedKey, StoredCell)>>;

/// The page and the token of the next; `None` where a row does not know its
/// first or last entry any more.
pub(crate) fn page_of(
    mut rows: KeptRows,
    registry: &Registry<'_>,
    head: &Visible,
    filter: &mut Filter,
    page: &Page,
) -> Result<Option<(RecipientWriter, String)>, QueryError> {
    if let Some(last) = page.cursor::<Key>()? {
        let mut after = rows.split_off(&last);
        after.remove(&last);
        rows = after;
    }
    let more = rows.len() > page.size;
    let mut writer = RecipientWriter::default();
    let mut last = None;
    for (key, kept) in rows.into_iter().take(page.size) {
        if let [(_, cell)] = kept.as_slice() {
            if !writer.kept(registry, &key, &cell.view()?)? {
                return Ok(None);
            }
        } else {
            let mut table = Received::new();
            for (received, cell) in kept {
                if !add_kept(&mut table, registry, filter, received, &cell.decode()?)? {
                    return Ok(None);
                }
            }
            for (key, tally, more) in table.into_rows() {
                writer.shown(&row(key, tally, more));
            }
        }
        last = Some(key);
    }
    let token = match last {
        Some(last) if more => {
            registry.state.read_model.hold(head);
            page.next(&registry.state.tokens, head, &last)?
        }
        _ => String::new(),
    };
    Ok(Some((writer, token)))
}

/// The row that a kept row belongs to; `None` where it does not match.
pub(crate) fn key_of_kept(
    registry: &Registry<'_>,
    filter: &mut Filter,
    received: &ReceivedKey,
) -> Result<Option<Key>, QueryError> {
    let destination = received.destination.clone();
    let country = registry.destination(&received.recipient, destination)?;
    let matches = filter.purposes.matches(&received.purpose)
        && filter.matches_recipient(&received.recipient.id)
        && filter.matches_country(&country);
    Ok(matches.then(|| Key {
        recipient: received.recipient.clone(),
        purpose: received.purpose.clone(),
        legal_basis: received.legal_basis.clone(),
        country,
    }))
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
    let Some(key) = key_of_kept(registry, filter, &key)? else {
        return Ok(true);
    };
    let recipient = key.recipient.clone();
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
