//! `ListRecipients`, `ListTransfers` and `GetStatistics` over all persons: from
//! kept rows where these tell the answer, else from everybody's entries.

use std::collections::BTreeMap;
use std::sync::Arc;

use custody_ledger::entry::{Kind, Outcome};
use custody_proto::v1;

use super::at_least::Wanted;
use super::entry;
use super::error::{Faults, QueryError};
use super::everybody::Everybody;
use super::filter::Filter;
use super::in_bytes::InBytes;
use super::moment::AsOf;
use super::page::Page;
use super::recipients::{self, KeptRows};
use super::table::Table;
use super::transfers::{self, Abroad};
use super::wire::RecipientWriter;
use super::{Ask, QueryState};
use crate::read_model::Visible;

/// Asks who received what, over all persons.
#[derive(Clone, Debug, Default)]
pub struct OversightRecipients(pub v1::OversightListRequest);

/// Asks what went abroad, over all persons.
#[derive(Clone, Debug, Default)]
pub struct OversightTransfers(pub v1::OversightListRequest);

/// What is asked for, checked.
struct Asked {
    filter: Filter,
    as_of: AsOf,
    page: Page,
    wanted: Wanted,
}

impl Asked {
    fn read<Q: Ask>(
        state: &QueryState,
        request: &v1::OversightListRequest,
    ) -> Result<Self, QueryError> {
        let mut faults = Faults::default();
        let filter = Filter::read(request.filter.as_ref(), &mut faults);
        let as_of = AsOf::read(request.as_of.as_ref(), &mut faults);
        let mut wanted = Wanted::read(request.at_least.as_ref(), &mut faults);
        let page = Page::of::<Q, _>(state, request, &mut faults)?;
        page.want(&mut wanted);
        faults.or(Self {
            filter,
            as_of,
            page,
            wanted,
        })
    }
}

/// `ListRecipients` over all persons, answered in bytes.
#[derive(Clone, Debug, Default)]
pub struct OversightRecipientsInBytes(pub OversightRecipients);

impl From<v1::OversightListRequest> for OversightRecipientsInBytes {
    fn from(request: v1::OversightListRequest) -> Self {
        Self(OversightRecipients(request))
    }
}

impl Ask for OversightRecipientsInBytes {
    type Answer = InBytes<v1::ListRecipientsResponse>;
    const METHOD: &'static str = "custody.v1.OversightService/ListRecipients";

    fn wanted(&self, state: &QueryState) -> Result<Wanted, QueryError> {
        Asked::read::<Self>(state, &self.0.0).map(|asked| asked.wanted)
    }

    fn answer(self, state: &QueryState, visible: Arc<Visible>) -> Result<Self::Answer, QueryError> {
        let Asked {
            mut filter,
            as_of,
            page,
            ..
        } = Asked::read::<Self>(state, &self.0.0)?;
        let head = page.head(state, &visible)?;
        let everybody = Everybody::new(state, &head, as_of);

        let (writer, next_page_token) = match kept_received(state, &everybody, &mut filter, &page)?
        {
            Some(answer) => answer,
            None => {
                let mut table = Table::new();
                let mut purposes = filter.purposes.clone();
                everybody.walk(&mut filter, |seen| {
                    recipients::add(&mut table, &everybody.registry, &mut purposes, seen)
                })?;
                let (rows, token) = table.page(state, &page, &head, recipients::row)?;
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
impl Ask for OversightRecipients {
    type Answer = v1::ListRecipientsResponse;
    const METHOD: &'static str = OversightRecipientsInBytes::METHOD;

    fn wanted(&self, state: &QueryState) -> Result<Wanted, QueryError> {
        OversightRecipientsInBytes(self.clone()).wanted(state)
    }

    fn answer(self, state: &QueryState, visible: Arc<Visible>) -> Result<Self::Answer, QueryError> {
        OversightRecipientsInBytes(self)
            .answer(state, visible)?
            .into_message()
    }
}

/// Kept rows from the recipient on that the page before ended in, until there
/// are more rows than a page has. Rows of one recipient are read to their end:
/// a registered country stands where the country does not say.
fn kept_received(
    state: &QueryState,
    everybody: &Everybody<'_>,
    filter: &mut Filter,
    page: &Page,
) -> Result<Option<(RecipientWriter, String)>, QueryError> {
    if !everybody.is_told_by_kept(filter, recipients::TOLD) {
        return Ok(None);
    }
    let last: Option<recipients::Key> = page.cursor()?;
    let from = last.as_ref().map(|last| last.recipient.clone());
    let mut meter = state.work.meter();
    let mut rows = KeptRows::new();
    let mut current = from.clone();
    // Rows of the recipient that the page before ended in, up to its end.
    let mut behind = 0;
    for row in everybody.head.all_received(from.as_ref()) {
        meter.row()?;
        let (received, cell) = row?;
        if current.as_ref() != Some(&received.recipient) {
            if rows.len() - behind > page.size {
                break;
            }
            current = Some(received.recipient.clone());
        }
        let Some(key) = recipients::key_of_kept(&everybody.registry, filter, &received)? else {
            continue;
        };
        let is_behind = last.as_ref().is_some_and(|last| key <= *last);
        let rows_of_key = rows.entry(key).or_default();
        behind += usize::from(is_behind && rows_of_key.is_empty());
        rows_of_key.push((received, cell));
    }
    recipients::page_of(rows, &everybody.registry, everybody.head, filter, page)
}

impl Ask for OversightTransfers {
    type Answer = v1::ListTransfersResponse;
    const METHOD: &'static str = "custody.v1.OversightService/ListTransfers";

    fn wanted(&self, state: &QueryState) -> Result<Wanted, QueryError> {
        Asked::read::<Self>(state, &self.0).map(|asked| asked.wanted)
    }

    fn answer(self, state: &QueryState, visible: Arc<Visible>) -> Result<Self::Answer, QueryError> {
        let Asked {
            mut filter,
            as_of,
            page,
            ..
        } = Asked::read::<Self>(state, &self.0)?;
        let head = page.head(state, &visible)?;
        let everybody = Everybody::new(state, &head, as_of);

        let table = match kept_abroad(state, &everybody, &filter)? {
            Some(table) => table,
            None => {
                let mut table = Table::new();
                everybody.walk(&mut filter, |seen| {
                    transfers::add(&mut table, &everybody.registry, seen)
                })?;
                table
            }
        };
        let (transfers, next_page_token) = table.page(state, &page, &head, transfers::row)?;
        Ok(v1::ListTransfersResponse {
            transfers,
            next_page_token,
            head: Some(entry::ledger_head(&head)),
        })
    }
}

fn kept_abroad(
    state: &QueryState,
    everybody: &Everybody<'_>,
    filter: &Filter,
) -> Result<Option<Abroad>, QueryError> {
    if !everybody.is_told_by_kept(filter, transfers::TOLD) {
        return Ok(None);
    }
    let mut meter = state.work.meter();
    let mut table = Table::new();
    for row in everybody.head.all_abroad() {
        meter.row()?;
        let (key, cell) = row?;
        if !transfers::add_kept(&mut table, &everybody.registry, filter, key, &cell)? {
            return Ok(None);
        }
    }
    Ok(Some(table))
}

impl Ask for v1::GetStatisticsRequest {
    type Answer = v1::GetStatisticsResponse;
    const METHOD: &'static str = "custody.v1.OversightService/GetStatistics";

    fn wanted(&self, _state: &QueryState) -> Result<Wanted, QueryError> {
        let mut faults = Faults::default();
        AsOf::read(self.as_of.as_ref(), &mut faults);
        let wanted = Wanted::read(self.at_least.as_ref(), &mut faults);
        faults.or(wanted)
    }

    /// All entries of the ledger, those of the house shard too.
    fn answer(self, state: &QueryState, visible: Arc<Visible>) -> Result<Self::Answer, QueryError> {
        let mut faults = Faults::default();
        let as_of = AsOf::read(self.as_of.as_ref(), &mut faults);
        let mut everything = Filter::read(None, &mut faults);
        let as_of = faults.or(as_of)?;
        let everybody = Everybody::new(state, &visible, as_of);
        let mut counts: BTreeMap<(u8, Outcome), u64> = BTreeMap::new();
        let retracted = if everybody.is_told_by_kept(&everything, &[]) {
            for row in visible.kinds() {
                let (kind, cell) = row?;
                for outcome in Outcome::ALL {
                    counts.insert((kind, outcome), cell.judged(outcome));
                }
            }
            visible.taken_back()?
        } else {
            let mut meter = state.work.meter();
            let mut retracted = 0;
            for row in state.read_model.all_events() {
                meter.row()?;
                let (subject, row) = row?;
                if !everybody.is_there(&row) {
                    continue;
                }
                if everybody.is_retracted(&subject, &row)? {
                    retracted += 1;
                } else if let Some(seen) = everybody.seen(&mut everything, &subject, row)? {
                    let key = (seen.row.entry.kind_code, seen.outcome());
                    *counts.entry(key).or_default() += 1;
                }
            }
            retracted
        };
        let mut statistics = v1::GetStatisticsResponse {
            retracted,
            head: Some(entry::ledger_head(&visible)),
            ..v1::GetStatisticsResponse::default()
        };
        for ((kind, outcome), count) in counts {
            if count == 0 {
                continue;
            }
            let kind = Kind::from_code(kind).map_or("", Kind::name);
            let by = &mut statistics.entries_by_kind;
            *by.entry(kind.to_owned()).or_default() += count;
            let by = &mut statistics.entries_by_judgement;
            *by.entry(outcome.name().to_owned()).or_default() += count;
            statistics.entries += count;
        }
        Ok(statistics)
    }
}
