//! From the entries of a round to rows.
//!
//! The entries come in the order of persons, so that all that is about one
//! person is made at once, and in the order in which it is stored.
//!
//! An entry counts in its kept rows while nothing took it back, with the
//! judgement that is in force. What a round brings may change how entries stand
//! that came before it: a retraction takes one out, a later judgement moves one.
//! Both may also have come before their entry, where another shard was read
//! first. So every entry that a round touches is looked at without the round
//! and with it, and its rows get the difference: what is kept does not depend
//! on the order in which shards were read, nor on how many are read at once.

use std::collections::{BTreeMap, HashSet};

use custody_ledger::entry::{ActView, EntryRef, HouseRecord, Outcome};
use custody_ledger::id::{EventTag, SubjectReference};

use super::ReadModelError;
use super::cell::Change;
use super::counts::{Counting, Everybody};
use super::key::{self, Place};
use super::link::{self, ABOUT_KEY_BYTES, Tie};
use super::rights;
use super::row::{self, EventRow};
use super::said::{Said, entry_ref};
use super::sorter::Sorter;
use super::standing::{Ground, Standing};

/// Where rows go to, each in the order of its keys but those over everybody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum To {
    Events,
    Ties,
    About,
    Rights,
    Held,
    Findings,
    /// Kept rows of who received what, of persons.
    Received,
    /// Kept rows of what went abroad, of persons.
    Abroad,
    /// Kept rows over everybody.
    Everybody,
}

/// What takes rows.
pub(super) trait Sink {
    /// Takes a row; `None` where there is to be none.
    fn put(&mut self, to: To, key: &[u8], value: Option<&[u8]>) -> Result<(), ReadModelError>;

    /// Makes the rows over everybody readable that were put so far.
    fn flush_everybody(&mut self) -> Result<(), ReadModelError>;
}

/// What is known of one person while the person's entries pass.
#[derive(Default)]
struct Passing {
    whose: Option<SubjectReference>,
    about: Vec<[u8; ABOUT_KEY_BYTES]>,
    /// Events that were taken back.
    gone: Vec<Place>,
    /// What time found about an event, where some of the person's were taken
    /// back: it goes with its event.
    overdue: Vec<(Place, Vec<u8>)>,
    /// What says so here of an event.
    retracting: Vec<EventTag>,
    /// What is judged again here, and when it happened.
    rejudging: Vec<(EntryRef, i64)>,
}

/// Makes rows.
pub(super) struct Settler<'a, S> {
    ground: Ground<'a>,
    pub(super) sink: S,
    counts: Counting<'a>,
    passing: Passing,
    ties: Sorter,
    held: Sorter,
    key: Vec<u8>,
    value: Vec<u8>,
}

impl<'a, S: Sink> Settler<'a, S> {
    pub(super) fn new(
        ground: Ground<'a>,
        sink: S,
        everybody: Everybody,
        [ties, held]: [Sorter; 2],
    ) -> Self {
        let is_first = ground.before.values().all(|size| *size == 0);
        Self {
            ground,
            sink,
            counts: Counting::new(ground.store, is_first, everybody),
            passing: Passing::default(),
            ties,
            held,
            key: Vec::new(),
            value: Vec::new(),
        }
    }

    /// The next entry, in the order of `events`.
    pub(super) fn entry(&mut self, key: &[u8], value: &[u8]) -> Result<(), ReadModelError> {
        let damaged = || ReadModelError::DamagedRow { rows: "events" };
        let (whose, place) = key::read_event_key(key).ok_or_else(damaged)?;
        if self.passing.whose != Some(whose) {
            self.end_person()?;
            self.passing.whose = Some(whose);
        }
        self.sink.put(To::Events, key, Some(value))?;
        let (recorded_time_ns, entry) = row::split_event(value)?;
        let mut whole = None;
        let said = Said::read(entry, &mut whole)?;
        if let Some(subject) = said.subject {
            self.links(recorded_time_ns, key, place, &said)?;
            if said.overdue_of().is_some() && self.ground.touched.may_have_retracted(&subject) {
                self.passing.overdue.push((place, entry.to_vec()));
                return Ok(());
            }
        }
        let standing = self.ground.standing(&place, &said, true)?;
        if standing.taken_back {
            self.passing.gone.push(place);
        }
        self.change(&place, &said, None, standing)
    }

    /// Rows that lead to this entry.
    fn links(
        &mut self,
        recorded_time_ns: i64,
        event_key: &[u8],
        place: Place,
        said: &Said<'_>,
    ) -> Result<(), ReadModelError> {
        for tie in link::ties_of(said, place) {
            self.ties.push(&tie, &[])?;
        }
        self.passing.about.extend(link::about_of(said, &place));
        if link::held_of(
            recorded_time_ns,
            said,
            &place,
            &mut self.key,
            &mut self.value,
        )? {
            self.held.push(&self.key, &[&self.value])?;
        }
        if rights::is_of_request(said) {
            self.sink.put(To::Rights, event_key, Some(&[]))?;
        }
        if let ActView::Retraction { of } = said.act {
            self.passing.retracting.push(of);
        }
        if let Some(HouseRecord::Rejudged {
            shard, sequence, ..
        }) = said.house
        {
            let of = EntryRef {
                shard: *shard,
                sequence: *sequence,
            };
            self.passing.rejudging.push((of, place.event_time_ns));
        }
        Ok(())
    }

    /// All entries have passed; what is not by person is put.
    pub(super) fn end(mut self) -> Result<(S, Everybody), ReadModelError> {
        self.end_person()?;
        let sink = &mut self.sink;
        self.held
            .drain(|key, value| sink.put(To::Held, key, Some(value)))?;
        let everybody = self.counts.end(&mut self.sink)?;
        Ok((self.sink, everybody))
    }

    fn end_person(&mut self) -> Result<(), ReadModelError> {
        let passing = std::mem::take(&mut self.passing);
        let Some(subject) = passing.whose else {
            return Ok(());
        };
        let gone: HashSet<EntryRef> = passing.gone.iter().map(entry_ref).collect();
        for (place, entry) in &passing.overdue {
            let mut whole = None;
            let said = Said::read(entry, &mut whole)?;
            let standing = self.ground.overdue(&subject, &said, &gone, true)?;
            self.change(place, &said, None, standing)?;
        }
        for row in self.earlier(&subject, &passing)?.values() {
            let said = Said::of(&row.entry);
            let (before, after) = match said.overdue_of() {
                Some(_) => (
                    self.ground.overdue(&subject, &said, &gone, false)?,
                    self.ground.overdue(&subject, &said, &gone, true)?,
                ),
                None => (
                    self.ground.standing(&row.place, &said, false)?,
                    self.ground.standing(&row.place, &said, true)?,
                ),
            };
            self.change(&row.place, &said, Some(before), after)?;
        }
        let sink = &mut self.sink;
        self.ties
            .drain(|key, _| sink.put(To::Ties, key, Some(&[])))?;
        let mut about = passing.about;
        about.sort_unstable();
        for key in &about {
            self.sink.put(To::About, key, Some(&[]))?;
        }
        self.counts.put_person(&subject, &mut self.sink)
    }

    /// Entries of a person from before the round that the round may change.
    fn earlier(
        &self,
        subject: &SubjectReference,
        passing: &Passing,
    ) -> Result<BTreeMap<Place, EventRow>, ReadModelError> {
        let store = self.ground.store;
        let mut earlier = BTreeMap::new();
        let mut gone = Vec::new();
        for tag in &passing.retracting {
            for place in store.tied(subject, tag, Tie::Is)? {
                gone.push(place);
            }
        }
        // The event, and what time found about it before it came.
        for place in gone.iter().chain(&passing.gone) {
            let about = store.about(subject, &entry_ref(place))?;
            for place in std::iter::once(*place).chain(about) {
                if let Some(row) = store.event(subject, &place)? {
                    earlier.insert(place, row);
                }
            }
        }
        for (of, event_time_ns) in &passing.rejudging {
            if self.ground.is_in_round(of) {
                continue;
            }
            let place = Place {
                event_time_ns: *event_time_ns,
                shard: of.shard,
                sequence: of.sequence,
            };
            let found = match store.event(subject, &place)? {
                None => store.find_event(subject, of)?,
                found => found,
            };
            if let Some(row) = found {
                earlier.insert(row.place, row);
            }
        }
        Ok(earlier)
    }

    /// An entry's rows get the difference between how it stood and how it
    /// stands.
    fn change(
        &mut self,
        place: &Place,
        said: &Said<'_>,
        before: Option<Standing>,
        after: Standing,
    ) -> Result<(), ReadModelError> {
        let counted = before.filter(|it| !it.taken_back).map(|it| it.outcome);
        let counts = (!after.taken_back).then_some(after.outcome);
        let change = match (counted, counts) {
            (None, Some(after)) => Some(Change::In(after)),
            (Some(before), None) => Some(Change::Out(before)),
            (Some(before), Some(after)) if before != after => Some(Change::Judged(before, after)),
            _ => None,
        };
        if let Some(change) = change {
            self.counts.change(place, said, change, &mut self.sink)?;
        }
        let was = before.is_some_and(|it| it.taken_back);
        match (was, after.taken_back) {
            (false, true) => self
                .counts
                .taken_back(place, Change::In(Outcome::NotJudged)),
            (true, false) => self
                .counts
                .taken_back(place, Change::Out(Outcome::NotJudged)),
            _ => Ok(()),
        }
    }
}
