//! `ListEvents`: a person's entries in order of time.

use std::sync::Arc;

use bincode::{Decode, Encode};
use custody_ledger::id::ShardId;
use custody_proto::v1;

use super::at_least::Wanted;
use super::entry;
use super::error::{Faults, QueryError};
use super::filter::Filter;
use super::in_bytes::InBytes;
use super::moment::AsOf;
use super::page::{PAGE_BYTES, Page};
use super::scope::{Course, Scope};
use super::sealed::Opener;
use super::wire::EntryWriter;
use super::{Ask, QueryState, proved, subject};
use crate::read_model::{Place, StoredEvent, Visible};

/// The last entry of a page.
#[derive(Encode, Decode)]
struct Cursor {
    event_time_ns: i64,
    shard: ShardId,
    sequence: u64,
}

/// `ListEvents`, answered in bytes.
#[derive(Clone, Debug, Default)]
pub struct EventsInBytes(pub v1::ListEventsRequest);

impl Ask for EventsInBytes {
    type Answer = InBytes<v1::ListEventsResponse>;
    const METHOD: &'static str = "custody.v1.LineageService/ListEvents";

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
        if v1::EntryView::try_from(request.view).is_err() {
            faults.push("view", "is no view");
        }
        let mut wanted = Wanted::read(request.at_least.as_ref(), &mut faults);
        Page::of::<Self, _>(state, request, &mut faults)?.want(&mut wanted);
        faults.or(wanted)
    }

    /// Entries that were taken back are shown, and marked. Identity is as
    /// known now on every page: a person linked in between joins from the next
    /// page on.
    fn answer(self, state: &QueryState, visible: Arc<Visible>) -> Result<Self::Answer, QueryError> {
        let request = self.0;
        let mut faults = Faults::default();
        let mut filter = Filter::read(request.filter.as_ref(), &mut faults);
        let as_of = AsOf::read(request.as_of.as_ref(), &mut faults);
        let page = Page::of::<Self, _>(state, &request, &mut faults)?;
        let page = faults.or(page)?;
        let head = page.head(state, &visible)?;
        let scope = Scope::open(state, &request.subject, &head, as_of)?;
        let course = Course {
            descending: request.descending,
            after: page.cursor()?.map(|cursor: Cursor| Place {
                event_time_ns: cursor.event_time_ns,
                shard: cursor.shard,
                sequence: cursor.sequence,
            }),
            again: false,
        };
        let full = request.view() == v1::EntryView::Full;

        let mut opener = Opener::default();
        let mut writer = EntryWriter::default();
        let (mut last, mut more) = (None, false);
        let window = (filter.from_ns, filter.last_ns);
        scope.walk_stored(window, course, |person, stored| {
            let is_full = writer.count == page.size || writer.bytes.len() >= PAGE_BYTES;
            if !begin(
                &mut writer,
                &scope,
                &mut filter,
                person,
                &stored,
                request.with_clauses,
            )? {
                return Ok(true);
            }
            if is_full {
                more = true;
                return Ok(false);
            }
            if full && let Some(sealed) = opener.open_stored(&scope, person, &stored)? {
                writer.seal(&sealed);
            }
            writer.end();
            last = Some(stored.place);
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
        Ok(InBytes {
            rows: writer.bytes,
            count: writer.count,
            rest: v1::ListEventsResponse {
                entries: Vec::new(),
                next_page_token,
                head: Some(entry::ledger_head(&head)),
                proof: None,
            },
        })
    }
}

/// Begins a row where it matches; says whether it does. Most are written as they
/// are read in place; those with findings, with later judgements or of the house
/// are put together first.
pub(super) fn begin(
    writer: &mut EntryWriter,
    scope: &Scope<'_>,
    filter: &mut Filter,
    person: usize,
    stored: &StoredEvent,
    with_clauses: bool,
) -> Result<bool, QueryError> {
    let plain =
        !with_clauses && scope.rejudged(stored.place).is_empty() && !filter.asks_for_countries();
    if plain
        && let Some(view) = stored.view()?
        && view.findings == 0
    {
        if !filter.matches_view(&view) {
            return Ok(false);
        }
        let retracted = scope.has_retracted(view.event_tag.as_ref());
        writer.begin(&scope.registry, stored, &view, retracted)?;
        return Ok(true);
    }
    let Some(seen) = scope.see(filter, person, stored)? else {
        return Ok(false);
    };
    writer.begin_shown(&entry::show(&scope.registry, &seen, with_clauses)?);
    Ok(true)
}

/// The same as messages.
impl Ask for v1::ListEventsRequest {
    type Answer = v1::ListEventsResponse;
    const METHOD: &'static str = EventsInBytes::METHOD;

    fn proof_of(&self) -> Option<&str> {
        (self.with_proof && self.page_token.is_empty()).then_some(self.subject.as_str())
    }

    fn add_proof(answer: &mut Self::Answer, proof: v1::ProveCompletenessResponse) {
        proved::name_checkpoint(&mut answer.head, &proof);
        answer.proof = Some(proof);
    }

    fn wanted(&self, state: &QueryState) -> Result<Wanted, QueryError> {
        EventsInBytes(self.clone()).wanted(state)
    }

    fn answer(self, state: &QueryState, visible: Arc<Visible>) -> Result<Self::Answer, QueryError> {
        EventsInBytes(self).answer(state, visible)?.into_message()
    }
}
