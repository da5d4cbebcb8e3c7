//! `ListRecipients`: who received what, for which purpose, in which country.

use std::collections::BTreeSet;
use std::sync::Arc;

use bincode::{Decode, Encode};
use custody_ledger::entry::Act;
use custody_proto::v1;

use super::at_least::Wanted;
use super::entry;
use super::error::{Faults, QueryError};
use super::filter::Filter;
use super::flow::Recipient;
use super::moment::{AsOf, timestamp};
use super::page::Page;
use super::scope::{Course, Scope};
use super::table::Table;
use super::{Ask, QueryState, proved, subject};
use crate::read_model::Visible;

/// What makes a row, in the order of the rows.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
struct Key {
    recipient: Recipient,
    purpose: String,
    legal_basis: String,
    country: String,
}

struct More {
    recipient: v1::Counterparty,
    controllers: BTreeSet<String>,
    sale: bool,
}

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
        let mut rows_filter = Filter::read(self.filter.as_ref(), &mut faults);
        let as_of = AsOf::read(self.as_of.as_ref(), &mut faults);
        let page = Page::of::<Self, _>(state, &self, &mut faults)?;
        let page = faults.or(page)?;
        let head = page.head(state, &visible)?;
        let scope = Scope::open(state, &self.subject, &head, as_of)?;

        let mut table = Table::new();
        scope.walk(&mut filter, Course::default(), |seen| {
            let entry = &seen.row.entry;
            let Some(party) = entry.recipient() else {
                return Ok(true);
            };
            if seen.retracted {
                return Ok(true);
            }
            let counterparty = scope.registry.counterparty(party)?;
            let sale = matches!(entry.act, Act::Disclosure { sale: true, .. });
            // An event without a purpose is a row too: it is missing, not absent.
            let mut purposes: BTreeSet<&str> = entry.purposes.iter().map(String::as_str).collect();
            if purposes.is_empty() {
                purposes.insert("");
            }
            for purpose in purposes {
                if !rows_filter.purposes.matches(purpose) {
                    continue;
                }
                let key = Key {
                    recipient: Recipient::of(party),
                    purpose: purpose.to_owned(),
                    legal_basis: entry.legal_basis.clone(),
                    country: seen.flow.destination.clone(),
                };
                let more = table.count(key, &seen, || More {
                    recipient: counterparty.clone(),
                    controllers: BTreeSet::new(),
                    sale: false,
                });
                if !entry.controller.is_empty() {
                    more.controllers.insert(entry.controller.clone());
                }
                more.sale |= sale;
            }
            Ok(true)
        })?;
        let (recipients, next_page_token) =
            table.page(state, &page, &head, |key: Key, tally, more| {
                v1::RecipientRow {
                    recipient: Some(more.recipient),
                    purpose: key.purpose,
                    legal_basis: key.legal_basis,
                    country: key.country,
                    judgement: tally.judgement(),
                    categories: tally.categories.into_iter().collect(),
                    count: tally.count,
                    first_time: timestamp(tally.first_ns),
                    last_time: timestamp(tally.last_ns),
                    controllers: more.controllers.into_iter().collect(),
                    sale: more.sale,
                }
            })?;
        Ok(v1::ListRecipientsResponse {
            recipients,
            next_page_token,
            head: Some(entry::ledger_head(&head)),
            proof: None,
        })
    }
}
