//! What an answer looks at: one person's rows, up to a head, as of a moment.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use custody_ledger::id::EventTag;

use super::QueryState;
use super::error::QueryError;
use super::filter::Filter;
use super::flow::Flow;
use super::moment::AsOf;
use super::subject::Subject;
use crate::read_model::{EventRow, EventRows, Party, Place, Visible};

/// One person's rows, up to a head, as of a moment.
pub(crate) struct Scope<'a> {
    pub(crate) state: &'a QueryState,
    pub(crate) subject: Subject,
    /// What the answer rests on; nothing beyond it is seen.
    pub(crate) head: &'a Visible,
    as_of: AsOf,
    retracted: HashSet<EventTag>,
    parties: RefCell<HashMap<String, Rc<Party>>>,
}

/// A row that an answer is about.
pub(crate) struct Seen {
    pub(crate) row: EventRow,
    /// Whose it is, among the subject's persons.
    pub(crate) person: usize,
    /// Whether it was taken back, as known at the scope's recorded time.
    pub(crate) retracted: bool,
    pub(crate) flow: Flow,
}

/// In which direction, and after which place, rows are read.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Course {
    pub(crate) descending: bool,
    pub(crate) after: Option<Place>,
}

impl<'a> Scope<'a> {
    /// Looks the person up and reads what was taken back.
    ///
    /// A retraction counts from when it was recorded, whenever it says that it
    /// happened: what it takes back never did. That it is itself taken back
    /// does not bring the event back; the right event is sent anew.
    pub(crate) fn open(
        state: &'a QueryState,
        identifier: &str,
        head: &'a Visible,
        as_of: AsOf,
    ) -> Result<Self, QueryError> {
        let subject = Subject::find(state, identifier)?;
        let mut retracted = HashSet::new();
        for reference in subject.references() {
            retracted.extend(state.read_model.retracted(
                &reference,
                head,
                as_of.recorded_time_ns,
            )?);
        }
        Ok(Self {
            state,
            subject,
            head,
            as_of,
            retracted,
            parties: RefCell::default(),
        })
    }

    /// What is registered of an organisation; empty where nothing is.
    pub(crate) fn registered(&self, id: &str) -> Result<Rc<Party>, QueryError> {
        if id.is_empty() {
            return Ok(Rc::default());
        }
        if let Some(party) = self.parties.borrow().get(id) {
            return Ok(Rc::clone(party));
        }
        let party = self
            .state
            .read_model
            .party(id, self.head, self.as_of.recorded_time_ns)?;
        let party = Rc::new(party.unwrap_or_default());
        self.parties
            .borrow_mut()
            .insert(id.to_owned(), Rc::clone(&party));
        Ok(party)
    }

    /// Visits every row that matches, in order of event time, shard and
    /// sequence or the other way round, until `visit` has had enough and
    /// returns `false`.
    pub(crate) fn walk(
        &self,
        filter: &mut Filter,
        course: Course,
        mut visit: impl FnMut(Seen) -> Result<bool, QueryError>,
    ) -> Result<(), QueryError> {
        let Some(last) = filter.last_ns else {
            return Ok(());
        };
        let mut window = (
            Place::first_at(filter.from_ns),
            Place::last_at(last.min(self.as_of.event_time_ns)),
        );
        if let Some(after) = course.after {
            if course.descending {
                window.1 = window.1.min(after);
            } else {
                window.0 = window.0.max(after);
            }
        }
        let mut streams = Vec::with_capacity(self.subject.persons.len());
        for reference in self.subject.references() {
            let rows = self
                .state
                .read_model
                .events(&reference, &window.0, &window.1);
            streams.push(Stream::new(rows, course.descending)?);
        }
        while let Some((person, row)) = next_of(&mut streams, course.descending)? {
            if course.after == Some(row.place)
                || row.place.sequence >= self.head.size(&row.place.shard)
                || row.recorded_time_ns > self.as_of.recorded_time_ns
                || !filter.matches(&row)
            {
                continue;
            }
            let flow = Flow::of(self, &row.entry)?;
            if filter.asks_for_countries() && !filter.matches_destination(&flow) {
                continue;
            }
            let retracted = row
                .entry
                .event_tag
                .is_some_and(|tag| self.retracted.contains(&tag));
            let seen = Seen {
                row,
                person,
                retracted,
                flow,
            };
            if !visit(seen)? {
                break;
            }
        }
        Ok(())
    }
}

/// One person's rows, with the next one in hand.
struct Stream {
    rows: EventRows,
    descending: bool,
    next: Option<EventRow>,
}

impl Stream {
    fn new(rows: EventRows, descending: bool) -> Result<Self, QueryError> {
        let mut stream = Self {
            rows,
            descending,
            next: None,
        };
        stream.advance()?;
        Ok(stream)
    }

    /// Gives the row in hand and takes the next.
    fn advance(&mut self) -> Result<Option<EventRow>, QueryError> {
        let next = if self.descending {
            self.rows.next_back()
        } else {
            self.rows.next()
        };
        Ok(std::mem::replace(&mut self.next, next.transpose()?))
    }
}

/// The first row of all streams, and whose it is. A linked set is a handful of
/// persons, so they are looked through one by one.
fn next_of(
    streams: &mut [Stream],
    descending: bool,
) -> Result<Option<(usize, EventRow)>, QueryError> {
    let places = streams
        .iter()
        .enumerate()
        .filter_map(|(index, stream)| Some((stream.next.as_ref()?.place, index)));
    let first = if descending {
        places.max()
    } else {
        places.min()
    };
    let Some((_, index)) = first else {
        return Ok(None);
    };
    Ok(streams[index].advance()?.map(|row| (index, row)))
}
