//! `ListTransfers`: what went to another country.

use std::collections::BTreeSet;
use std::sync::Arc;

use bincode::{Decode, Encode};
use custody_proto::v1;

use super::at_least::Wanted;
use super::entry;
use super::error::{Faults, QueryError};
use super::filter::Filter;
use super::flow::{self, Recipient};
use super::moment::{AsOf, timestamp};
use super::page::Page;
use super::scope::{Course, Scope};
use super::table::Table;
use super::{Ask, QueryState, subject};
use crate::read_model::Visible;

/// What makes a row, in the order of the rows.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
struct Key {
    from_country: String,
    to_country: String,
    recipient: Option<Recipient>,
    safeguard: String,
}

struct More {
    recipient: Option<v1::Counterparty>,
    purposes: BTreeSet<String>,
}

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

        let mut table = Table::new();
        scope.walk(&mut filter, Course::default(), |seen| {
            let Some((from_country, to_country)) = seen.flow.abroad.clone() else {
                return Ok(true);
            };
            if seen.retracted {
                return Ok(true);
            }
            let entry = &seen.row.entry;
            let party = entry.recipient();
            let counterparty = party
                .map(|party| scope.registry.counterparty(party))
                .transpose()?;
            let key = Key {
                from_country,
                to_country,
                recipient: party.map(Recipient::of),
                safeguard: flow::safeguard(entry).to_owned(),
            };
            let more = table.count(key, &seen, || More {
                recipient: counterparty,
                purposes: BTreeSet::new(),
            });
            more.purposes.extend(entry.purposes.iter().cloned());
            Ok(true)
        })?;
        let (transfers, next_page_token) =
            table.page(state, &page, &head, |key: Key, tally, more| {
                v1::TransferRow {
                    from_country: key.from_country,
                    to_country: key.to_country,
                    recipient: more.recipient,
                    safeguard: key.safeguard,
                    judgement: tally.judgement(),
                    categories: tally.categories.into_iter().collect(),
                    purposes: more.purposes.into_iter().collect(),
                    count: tally.count,
                    first_time: timestamp(tally.first_ns),
                    last_time: timestamp(tally.last_ns),
                }
            })?;
        Ok(v1::ListTransfersResponse {
            transfers,
            next_page_token,
            head: Some(entry::ledger_head(&head)),
        })
    }
}
