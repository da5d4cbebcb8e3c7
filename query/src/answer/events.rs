//! `ListEvents`: a person's entries in order of time.

use std::sync::Arc;

use bincode::{Decode, Encode};
use custody_ledger::id::ShardId;
use custody_proto::v1;
use prost::Message;

use super::at_least::Wanted;
use super::entry;
use super::error::{Faults, QueryError};
use super::filter::Filter;
use super::moment::AsOf;
use super::page::{PAGE_BYTES, Page};
use super::scope::{Course, Scope};
use super::sealed::Opener;
use super::{Ask, QueryState, proved, subject};
use crate::read_model::{Place, Visible};

/// The last entry of a page.
#[derive(Encode, Decode)]
struct Cursor {
    event_time_ns: i64,
    shard: ShardId,
    sequence: u64,
}

impl Ask for v1::ListEventsRequest {
    type Answer = v1::ListEventsResponse;
    const METHOD: &'static str = "custody.v1.LineageService/ListEvents";

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
        if v1::EntryView::try_from(self.view).is_err() {
            faults.push("view", "is no view");
        }
        let mut wanted = Wanted::read(self.at_least.as_ref(), &mut faults);
        Page::of::<Self, _>(state, self, &mut faults)?.want(&mut wanted);
        faults.or(wanted)
    }

    /// Entries that were taken back are shown, and marked. Identity is as
    /// known now on every page: a person linked in between joins from the next
    /// page on.
    fn answer(self, state: &QueryState, visible: Arc<Visible>) -> Result<Self::Answer, QueryError> {
        let mut faults = Faults::default();
        let mut filter = Filter::read(self.filter.as_ref(), &mut faults);
        let as_of = AsOf::read(self.as_of.as_ref(), &mut faults);
        let page = Page::of::<Self, _>(state, &self, &mut faults)?;
        let page = faults.or(page)?;
        let head = page.head(state, &visible)?;
        let scope = Scope::open(state, &self.subject, &head, as_of)?;
        let course = Course {
            descending: self.descending,
            after: page.cursor()?.map(|cursor: Cursor| Place {
                event_time_ns: cursor.event_time_ns,
                shard: cursor.shard,
                sequence: cursor.sequence,
            }),
            again: false,
        };
        let full = self.view() == v1::EntryView::Full;

        let mut opener = Opener::default();
        let mut entries = Vec::new();
        let (mut bytes, mut last, mut more) = (0, None, false);
        scope.walk(&mut filter, course, |seen| {
            if entries.len() == page.size || bytes >= PAGE_BYTES {
                more = true;
                return Ok(false);
            }
            let mut shown = entry::show(&scope.registry, &seen, self.with_clauses)?;
            if full {
                shown.sealed = opener.open(&scope, &seen)?;
            }
            bytes += shown.encoded_len();
            entries.push(shown);
            last = Some(seen.row.place);
            Ok(true)
        })?;
        let next_page_token = match last {
            Some(place) if more => {
                let cursor = Cursor {
                    event_time_ns: place.event_time_ns,
                    shard: place.shard,
                    sequence: place.sequence,
                };
                page.next(&state.tokens, &head, &cursor)?
            }
            _ => String::new(),
        };
        Ok(v1::ListEventsResponse {
            entries,
            next_page_token,
            head: Some(entry::ledger_head(&head)),
            proof: None,
        })
    }
}
