//! What an answer looks at: one person's rows, up to a head, as of a moment.

use std::collections::{HashMap, HashSet};

use custody_ledger::entry::EntryRef;
use custody_ledger::id::{EventTag, SubjectReference};

use super::QueryState;
use super::error::QueryError;
use super::filter::{Filter, Member};
use super::flow::Flow;
use super::judgement;
use super::moment::AsOf;
use super::registry::Registry;
use super::subject::Subject;
use crate::read_model::{EventRow, EventRows, Place, Rejudgement, StoredEvent, Visible};

/// One person's rows, up to a head, as of a moment.
pub(crate) struct Scope<'a> {
    pub(crate) state: &'a QueryState,
    pub(crate) subject: Subject,
    /// What the answer rests on; nothing beyond it is seen.
    pub(crate) head: &'a Visible,
    as_of: AsOf,
    retracted: HashSet<EventTag>,
    rejudged: HashMap<EntryRef, Vec<Rejudgement>>,
    pub(crate) registry: Registry<'a>,
}

/// A row that an answer is about.
pub(crate) struct Seen {
    pub(crate) row: EventRow,
    /// Whose it is, among the subject's persons.
    pub(crate) person: usize,
    /// Whether it was taken back, as known at the scope's recorded time.
    pub(crate) retracted: bool,
    pub(crate) flow: Flow,
    /// Its later judgements, oldest first, as known then.
    pub(crate) rejudged: Vec<Rejudgement>,
}

/// In which direction, and from which place on, rows are read.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Course {
    pub(crate) descending: bool,
    /// The last place of the page before.
    pub(crate) after: Option<Place>,
    /// Whether that place is read once more.
    pub(crate) again: bool,
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
        let (model, until) = (&state.read_model, as_of.recorded_time_ns);
        let mut retracted = HashSet::new();
        let mut rejudged: HashMap<EntryRef, Vec<Rejudgement>> = HashMap::new();
        for reference in subject.references() {
            if model.may_have_retracted(&reference) {
                retracted.extend(model.retracted(&reference, head, until)?);
            }
            for rejudgement in model.rejudgements(&reference, head, until)? {
                rejudged
                    .entry(rejudgement.of)
                    .or_default()
                    .push(rejudgement);
            }
        }
        Ok(Self {
            state,
            subject,
            head,
            as_of,
            retracted,
            rejudged,
            registry: Registry::new(state, head, until),
        })
    }

    /// Whether kept rows tell the answer: it is about the present, and nothing
    /// is asked for but what makes a row.
    pub(crate) fn is_told_by_kept(&self, filter: &Filter, told: &[Member]) -> bool {
        self.head.has_kept() && self.as_of.is_now() && filter.asks_only_for(told)
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
        let window = (filter.from_ns, filter.last_ns);
        self.walk_stored(window, course, |person, stored| {
            match self.see(filter, person, &stored)? {
                Some(seen) => visit(seen),
                None => Ok(true),
            }
        })
    }

    /// Visits every row of a time, both ends included, as it is stored.
    pub(crate) fn walk_stored(
        &self,
        (from_ns, last_ns): (i64, Option<i64>),
        course: Course,
        mut visit: impl FnMut(usize, StoredEvent) -> Result<bool, QueryError>,
    ) -> Result<(), QueryError> {
        let Some(last) = last_ns else {
            return Ok(());
        };
        let mut window = (
            Place::first_at(from_ns),
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
        let mut meter = self.state.work.meter();
        while let Some((person, stored)) = next_of(&mut streams, course.descending)? {
            meter.row()?;
            if (course.after == Some(stored.place) && !course.again)
                || !self.is_there(stored.place, stored.recorded_time_ns)
            {
                continue;
            }
            if !visit(person, stored)? {
                break;
            }
        }
        Ok(())
    }

    /// A row of a person, where it matches.
    pub(crate) fn see(
        &self,
        filter: &mut Filter,
        person: usize,
        stored: &StoredEvent,
    ) -> Result<Option<Seen>, QueryError> {
        let row = stored.decode()?;
        let rejudged = self.rejudged(row.place);
        if !filter.matches(&row, judgement::outcome(&row, rejudged)) {
            return Ok(None);
        }
        let flow = Flow::of(&self.registry, &row.entry)?;
        if filter.asks_for_countries() && !filter.matches_destination(&flow) {
            return Ok(None);
        }
        Ok(Some(Seen {
            retracted: self.is_retracted(person, &row)?,
            rejudged: rejudged.to_vec(),
            row,
            person,
            flow,
        }))
    }
}

impl Scope<'_> {
    /// Whether an entry is below the head, and was there at the moment.
    pub(crate) fn is_there(&self, place: Place, recorded_time_ns: i64) -> bool {
        place.sequence < self.head.size(&place.shard)
            && place.event_time_ns <= self.as_of.event_time_ns
            && recorded_time_ns <= self.as_of.recorded_time_ns
    }

    /// An entry's later judgements, oldest first, as known at the moment.
    pub(crate) fn rejudged(&self, place: Place) -> &[Rejudgement] {
        if self.rejudged.is_empty() {
            return &[];
        }
        let at = EntryRef {
            shard: place.shard,
            sequence: place.sequence,
        };
        self.rejudged.get(&at).map_or(&[][..], Vec::as_slice)
    }

    /// Whether an event of this tag was taken back.
    pub(crate) fn has_retracted(&self, tag: Option<&EventTag>) -> bool {
        !self.retracted.is_empty() && tag.is_some_and(|tag| self.retracted.contains(tag))
    }

    /// The entry of a person at a place, where it was there at the moment.
    pub(crate) fn stored_at(
        &self,
        person: usize,
        place: &Place,
    ) -> Result<Option<StoredEvent>, QueryError> {
        let reference = SubjectReference(self.subject.persons[person].reference());
        let stored = self.state.read_model.stored_event(&reference, place)?;
        Ok(stored.filter(|it| self.is_there(it.place, it.recorded_time_ns)))
    }

    /// Whether an event was taken back. What time found is taken back with the
    /// event that began the time.
    fn is_retracted(&self, person: usize, row: &EventRow) -> Result<bool, QueryError> {
        let has = |row: &EventRow| self.has_retracted(row.entry.event_tag.as_ref());
        match judgement::overdue_of(&row.entry) {
            Some(of) if !self.retracted.is_empty() => {
                let reference = SubjectReference(self.subject.persons[person].reference());
                let began = self.state.read_model.find_event(&reference, &of)?;
                Ok(began.is_some_and(|began| has(&began)))
            }
            _ => Ok(has(row)),
        }
    }
}

/// One person's rows, with the next one in hand.
struct Stream {
    rows: EventRows,
    descending: bool,
    next: Option<StoredEvent>,
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
    fn advance(&mut self) -> Result<Option<StoredEvent>, QueryError> {
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
) -> Result<Option<(usize, StoredEvent)>, QueryError> {
    if let [stream] = streams {
        return Ok(stream.advance()?.map(|row| (0, row)));
    }
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
