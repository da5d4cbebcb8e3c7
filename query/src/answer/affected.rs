//! `FindAffectedSubjects`: whose data a recipient or a system had. Rows are
//! read by recipient and then by person, so that the first persons are known
//! before the last row is read, and the stream goes on where it was broken.

use std::collections::BTreeSet;
use std::iter::Peekable;
use std::sync::Arc;

use bincode::{Decode, Encode};
use custody_ledger::id::SubjectReference;
use custody_proto::v1;

use super::at_least::Wanted;
use super::error::{Faults, QueryError};
use super::everybody::Everybody;
use super::filter::{self, Filter};
use super::moment::{AsOf, timestamp};
use super::page::{Page, Paged};
use super::work::Meter;
use super::{Ask, QueryState};
use crate::read_model::{HeldRow, HeldRows, Holder, NOBODY, Visible};

/// So many persons have one token between them.
const PERSONS_A_TOKEN: u64 = 64;

/// The person behind whom a stream goes on.
#[derive(Encode, Decode)]
struct Cursor(SubjectReference);

impl Paged for v1::FindAffectedSubjectsRequest {
    fn take_page(&mut self) -> (i32, String) {
        self.at_least = None;
        (0, std::mem::take(&mut self.resume_token))
    }
}

fn holder_of(request: &v1::FindAffectedSubjectsRequest, faults: &mut Faults) -> Holder {
    let (recipient, system) = (&request.recipient, &request.system);
    if recipient.is_empty() == system.is_empty() {
        faults.push("recipient", "either `recipient` or `system` must be said");
    }
    for (id, field) in [(recipient, "recipient"), (system, "system")] {
        if !id.is_empty() && !filter::is_id(id, false) {
            faults.push(field, "is no id: `[a-z0-9._-]{1,64}`");
        }
    }
    if system.is_empty() {
        Holder::Recipient(recipient.clone())
    } else {
        Holder::System(system.clone())
    }
}

/// Takes the persons one by one, and says whether it wants more.
pub(crate) type Receiver<'a> =
    &'a mut dyn FnMut(v1::FindAffectedSubjectsResponse) -> Result<bool, QueryError>;

/// The answer in one piece, for who has no stream.
impl Ask for v1::FindAffectedSubjectsRequest {
    type Answer = Vec<v1::FindAffectedSubjectsResponse>;
    const METHOD: &'static str = "custody.v1.OversightService/FindAffectedSubjects";

    fn wanted(&self, state: &QueryState) -> Result<Wanted, QueryError> {
        let mut faults = Faults::default();
        holder_of(self, &mut faults);
        Filter::read(self.filter.as_ref(), &mut faults);
        AsOf::read(self.as_of.as_ref(), &mut faults);
        let mut wanted = Wanted::read(self.at_least.as_ref(), &mut faults);
        Page::of::<Self, _>(state, self, &mut faults)?.want(&mut wanted);
        faults.or(wanted)
    }

    fn answer(self, state: &QueryState, visible: Arc<Visible>) -> Result<Self::Answer, QueryError> {
        let mut persons = Vec::new();
        find_affected(&self, state, &visible, &mut |person| {
            persons.push(person);
            Ok(true)
        })?;
        Ok(persons)
    }
}

/// Gives every person whose data the recipient or system had, in the order of
/// their references.
pub(crate) fn find_affected(
    request: &v1::FindAffectedSubjectsRequest,
    state: &QueryState,
    visible: &Visible,
    receiver: Receiver<'_>,
) -> Result<(), QueryError> {
    let mut faults = Faults::default();
    let holder = holder_of(request, &mut faults);
    let filter = Filter::read(request.filter.as_ref(), &mut faults);
    let as_of = AsOf::read(request.as_of.as_ref(), &mut faults);
    let page = Page::of::<v1::FindAffectedSubjectsRequest, _>(state, request, &mut faults)?;
    let page = faults.or(page)?;
    let head = page.head(state, visible)?;
    let after: Option<Cursor> = page.cursor()?;
    let after = after.map(|cursor| cursor.0);
    let mut search = Search {
        state,
        everybody: Everybody::new(state, &head, as_of),
        as_of,
        filter,
        meter: state.work.meter(),
    };
    let mut rows = state
        .read_model
        .held(&holder, after.as_ref().unwrap_or(&NOBODY))
        .peekable();
    let mut persons = 0u64;
    while let Some(subject) = next_person(&mut rows)? {
        let mut affected = search.person(&mut rows, &subject)?;
        if affected.count == 0 || after == Some(subject) {
            continue;
        }
        let linked: Vec<_> = state
            .vault
            .linked(&subject.0)
            .map_err(QueryError::Vault)?
            .into_iter()
            .map(SubjectReference)
            .collect();
        let mut references = vec![subject];
        for other in linked {
            let mut rows = state.read_model.held(&holder, &other).peekable();
            if next_person(&mut rows)? == Some(other) {
                let more = search.person(&mut rows, &other)?;
                if more.count > 0 {
                    references.push(other);
                    affected.join(more);
                }
            }
        }
        references.sort_unstable();
        // Who is linked was given with the first of them.
        if references.first() != Some(&subject) {
            continue;
        }
        persons += 1;
        let resume_token = if persons.is_multiple_of(PERSONS_A_TOKEN) {
            page.next(&state.tokens, &head, &Cursor(subject))?
        } else {
            String::new()
        };
        let identifiers = if request.with_identifiers {
            let identity = state.vault.identity(&subject.0);
            let identity = identity.map_err(QueryError::Vault)?;
            identity.map(|it| it.identifiers).unwrap_or_default()
        } else {
            Vec::new()
        };
        let person = v1::FindAffectedSubjectsResponse {
            reference: subject.to_string(),
            identifiers,
            categories: affected.categories.into_iter().collect(),
            count: affected.count,
            first_time: affected.first_ns.and_then(timestamp),
            last_time: affected.last_ns.and_then(timestamp),
            resume_token,
            references: references.iter().map(ToString::to_string).collect(),
        };
        if !receiver(person)? {
            break;
        }
    }
    Ok(())
}

/// Whose rows come next.
fn next_person(rows: &mut Peekable<HeldRows>) -> Result<Option<SubjectReference>, QueryError> {
    match rows.peek() {
        Some(Ok(row)) => Ok(Some(row.subject)),
        Some(Err(_)) => match rows.next() {
            Some(Err(error)) => Err(error.into()),
            _ => Ok(None),
        },
        None => Ok(None),
    }
}

/// What was had of a person.
#[derive(Default)]
struct Affected {
    count: u64,
    categories: BTreeSet<String>,
    first_ns: Option<i64>,
    last_ns: Option<i64>,
}

impl Affected {
    fn add(&mut self, row: HeldRow) {
        let time_ns = row.place.event_time_ns;
        self.count += 1;
        for category in row.held.categories {
            if !self.categories.contains(&category) {
                self.categories.insert(category);
            }
        }
        self.first_ns = Some(self.first_ns.map_or(time_ns, |first| first.min(time_ns)));
        self.last_ns = Some(self.last_ns.map_or(time_ns, |last| last.max(time_ns)));
    }

    fn join(&mut self, other: Self) {
        self.count += other.count;
        self.categories.extend(other.categories);
        self.first_ns = self.first_ns.into_iter().chain(other.first_ns).min();
        self.last_ns = self.last_ns.into_iter().chain(other.last_ns).max();
    }
}

struct Search<'a> {
    state: &'a QueryState,
    everybody: Everybody<'a>,
    as_of: AsOf,
    filter: Filter,
    meter: Meter<'a>,
}

impl Search<'_> {
    /// Adds up the rows of one person, who comes next.
    fn person(
        &mut self,
        rows: &mut Peekable<HeldRows>,
        subject: &SubjectReference,
    ) -> Result<Affected, QueryError> {
        let mut affected = Affected::default();
        let is_same =
            |row: &Result<HeldRow, _>| row.as_ref().is_ok_and(|it| it.subject == *subject);
        while let Some(row) = rows.next_if(is_same) {
            self.meter.row()?;
            let row = row?;
            if self.counts(&row)? {
                affected.add(row);
            }
        }
        Ok(affected)
    }

    fn counts(&mut self, row: &HeldRow) -> Result<bool, QueryError> {
        let (place, held) = (&row.place, &row.held);
        let time_ns = place.event_time_ns;
        if time_ns < self.filter.from_ns
            || self.filter.last_ns.is_none_or(|last| time_ns > last)
            || time_ns > self.as_of.event_time_ns
            || held.recorded_time_ns > self.as_of.recorded_time_ns
            || place.sequence >= self.everybody.head.size(&place.shard)
            || !self
                .filter
                .categories
                .match_any(held.categories.iter().map(String::as_str))
        {
            return Ok(false);
        }
        if self.filter.asks_for_more_than_categories() {
            let event = self.state.read_model.event(&row.subject, place)?;
            let Some(event) = event else {
                return Ok(false);
            };
            let seen = self.everybody.seen(&mut self.filter, &row.subject, event)?;
            return Ok(seen.is_some());
        }
        match &held.event_tag {
            Some(tag) => Ok(!self.everybody.has_retracted(&row.subject, tag)?),
            None => Ok(true),
        }
    }
}
