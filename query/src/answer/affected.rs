//! `FindAffectedSubjects`: whose data a recipient or a system had. Rows are
//! read by recipient and then by person, so that the first persons are known
//! before the last row is read, and the stream goes on where it was broken.

use std::iter::Peekable;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bincode::{Decode, Encode};
use custody_ledger::id::SubjectReference;
use custody_proto::v1;
use prost::Message as _;

use super::affected_wire::{Affected, Lists, Persons};
use super::at_least::Wanted;
use super::error::{Faults, QueryError};
use super::everybody::Everybody;
use super::filter::{self, Filter};
use super::moment::AsOf;
use super::page::{Page, Paged};
use super::work::Meter;
use super::{Ask, QueryState};
use crate::read_model::{HeldRow, HeldRows, Holder, NOBODY, Visible};

/// So many persons have one token between them.
const PERSONS_A_TOKEN: u64 = 64;

/// So many persons are given at once, when there have been some.
const PERSONS_AT_ONCE: usize = 128;

/// A person who was found is given after this long, whatever else is found.
const AT_LATEST: Duration = Duration::from_millis(5);

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

/// Takes some persons, and says whether it wants more.
pub(crate) type Receiver<'a> = &'a mut dyn FnMut(Persons) -> bool;

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
        let mut damaged = false;
        find_affected(&self, state, &visible, &mut |some| {
            for message in some.iter() {
                match v1::FindAffectedSubjectsResponse::decode(message) {
                    Ok(person) => persons.push(person),
                    Err(_) => damaged = true,
                }
            }
            !damaged
        })?;
        match damaged {
            false => Ok(persons),
            true => Err(QueryError::Interrupted),
        }
    }
}

/// Gives every person whose data the recipient or system had, in the order of
/// their references.
///
/// # Errors
/// [`QueryError::LateOnTheWay`] where the deadline came: what was found until
/// then was given.
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
    // Almost nobody is linked, and everybody is asked of.
    state.vault.learn_links();
    let mut search = Search {
        state,
        holder,
        everybody: Everybody::new(state, &head, as_of),
        as_of,
        filter,
        meter: state.work.meter(),
        lists: Lists::default(),
        out: Outbox::new(receiver),
        after: after.map(|cursor| cursor.0),
        done: None,
    };
    let found = search.run(request, &page);
    search.out.flush();
    match (found, search.done) {
        (Err(QueryError::Late), Some(done)) => {
            let resume_token = page.next(&state.tokens, &head, &Cursor(done))?;
            Err(QueryError::LateOnTheWay { resume_token })
        }
        (found, _) => found,
    }
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

/// Persons on their way to the receiver: some at a time, the first at once.
struct Outbox<'a> {
    receiver: Receiver<'a>,
    persons: Persons,
    /// So many are given at once.
    at_once: usize,
    given: Instant,
    /// Whether the receiver has had enough.
    is_over: bool,
}

impl<'a> Outbox<'a> {
    fn new(receiver: Receiver<'a>) -> Self {
        Self {
            receiver,
            persons: Persons::default(),
            at_once: 1,
            given: Instant::now(),
            is_over: false,
        }
    }

    fn flush(&mut self) {
        if self.persons.is_empty() || self.is_over {
            return;
        }
        let room = self.persons.bytes.len();
        let next = Persons {
            bytes: Vec::with_capacity(2 * room),
            ends: Vec::with_capacity(2 * self.persons.len()),
        };
        self.is_over = !(self.receiver)(std::mem::replace(&mut self.persons, next));
        self.at_once = PERSONS_AT_ONCE.min(2 * self.at_once);
        self.given = Instant::now();
    }

    /// Gives what has waited long while no more is found.
    fn flush_late(&mut self) {
        if !self.persons.is_empty() && self.given.elapsed() > AT_LATEST {
            self.flush();
        }
    }
}

struct Search<'a> {
    state: &'a QueryState,
    holder: Holder,
    everybody: Everybody<'a>,
    as_of: AsOf,
    filter: Filter,
    meter: Meter<'a>,
    lists: Lists,
    out: Outbox<'a>,
    /// Behind whom the stream goes on.
    after: Option<SubjectReference>,
    /// The last person that was looked at, whether or not given.
    done: Option<SubjectReference>,
}

impl Search<'_> {
    fn run(
        &mut self,
        request: &v1::FindAffectedSubjectsRequest,
        page: &Page,
    ) -> Result<(), QueryError> {
        let model = &self.state.read_model;
        let from = self.after.unwrap_or(NOBODY);
        let mut rows = model.held(&self.holder, &from).peekable();
        let mut persons = 0u64;
        while let Some(subject) = next_person(&mut rows)? {
            let mut affected = self.person(&mut rows, &subject)?;
            if affected.count > 0 && self.after != Some(subject) {
                let references = self.linked(&subject, &mut affected)?;
                // Who is linked was given with the first of them.
                if references.first() == Some(&subject) {
                    persons += 1;
                    let resume_token = if persons.is_multiple_of(PERSONS_A_TOKEN) {
                        let cursor = Cursor(subject);
                        page.next(&self.state.tokens, self.everybody.head, &cursor)?
                    } else {
                        String::new()
                    };
                    let identifiers = if request.with_identifiers {
                        let identity = self.state.vault.identity(&subject.0);
                        let identity = identity.map_err(QueryError::Vault)?;
                        identity.map(|it| it.identifiers).unwrap_or_default()
                    } else {
                        Vec::new()
                    };
                    self.out.persons.add(
                        &references,
                        &affected,
                        &self.lists,
                        &identifiers,
                        &resume_token,
                    );
                    if self.out.persons.len() >= self.out.at_once {
                        self.out.flush();
                    }
                }
            }
            self.lists.settle();
            self.done = Some(subject);
            if self.out.is_over {
                break;
            }
        }
        Ok(())
    }

    /// Everybody who is one with a person and whose data was had, the person
    /// included, in order; adds what was had of them.
    fn linked(
        &mut self,
        subject: &SubjectReference,
        affected: &mut Affected,
    ) -> Result<Vec<SubjectReference>, QueryError> {
        let mut references = vec![*subject];
        let linked = self.state.vault.linked(&subject.0);
        for other in linked.map_err(QueryError::Vault)? {
            let other = SubjectReference(other);
            let model = &self.state.read_model;
            let mut rows = model.held(&self.holder, &other).peekable();
            if next_person(&mut rows)? == Some(other) {
                let more = self.person(&mut rows, &other)?;
                if more.count > 0 {
                    references.push(other);
                    affected.join(&more);
                }
            }
        }
        references.sort_unstable();
        Ok(references)
    }

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
            if self.meter.row()? {
                self.out.flush_late();
            }
            let row = row?;
            if let Some(list) = self.list(&row)? {
                affected.add(row.place.event_time_ns, &self.lists, list);
            }
        }
        Ok(affected)
    }

    /// The list of categories of a row that counts.
    fn list(&mut self, row: &HeldRow) -> Result<Option<usize>, QueryError> {
        let place = &row.place;
        let time_ns = place.event_time_ns;
        if time_ns < self.filter.from_ns
            || self.filter.last_ns.is_none_or(|last| time_ns > last)
            || time_ns > self.as_of.event_time_ns
            || row.recorded_time_ns > self.as_of.recorded_time_ns
            || place.sequence >= self.everybody.head.size(&place.shard)
        {
            return Ok(None);
        }
        let Some(list) = self.lists.number(row, &mut self.filter)? else {
            return Ok(None);
        };
        let counts = if self.filter.asks_for_more_than_categories() {
            let event = self.state.read_model.event(&row.subject, place)?;
            match event {
                Some(event) => {
                    let seen = self.everybody.seen(&mut self.filter, &row.subject, event)?;
                    seen.is_some()
                }
                None => false,
            }
        } else {
            match &row.event_tag {
                Some(tag) => !self.everybody.has_retracted(&row.subject, tag)?,
                None => true,
            }
        };
        Ok(counts.then_some(list))
    }
}
