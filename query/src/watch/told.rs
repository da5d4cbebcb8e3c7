//! What is told of one entry: the entry, and what is found in it or by it.

use custody_ledger::entry::{Act, EntryRef, HouseRecord};
use custody_ledger::id::{EventTag, SubjectReference};
use custody_proto::v1;
use custody_proto::v1::watch_response::What;

use crate::answer::watched::{
    Filter, FindingFilter, Flow, Opener, Registry, Seen, Subject, overdue_of, row, show,
};
use crate::answer::{QueryError, QueryState};
use crate::read_model::{EventRow, Place, Visible};

/// Which entries and findings a watcher hears of, and how they are shown.
pub(super) struct Choice {
    pub(super) filter: Filter,
    pub(super) findings: FindingFilter,
    pub(super) tells_entries: bool,
    pub(super) tells_findings: bool,
    pub(super) full: bool,
    pub(super) with_clauses: bool,
}

/// What entries are shown by.
pub(super) struct Teller<'a> {
    pub(super) state: &'a QueryState,
    pub(super) visible: &'a Visible,
    pub(super) registry: Registry<'a>,
    /// Whose sealed parts are opened.
    pub(super) subject: Option<&'a Subject>,
    pub(super) opener: Opener,
}

impl<'a> Teller<'a> {
    pub(super) fn new(
        state: &'a QueryState,
        visible: &'a Visible,
        subject: Option<&'a Subject>,
    ) -> Self {
        Self {
            state,
            visible,
            registry: Registry::new(state, visible, i64::MAX),
            subject,
            opener: Opener::default(),
        }
    }

    /// The messages of one entry, always the same and in the same order.
    pub(super) fn tell(
        &mut self,
        choice: &mut Choice,
        new: &EventRow,
    ) -> Result<Vec<What>, QueryError> {
        let mut told = Vec::new();
        let seen = self.as_recorded(new.clone(), new.recorded_time_ns, None)?;
        let reference = new.entry.subject.map(|it| it.to_string());
        let matches = choice.takes(&seen);
        if choice.tells_entries && matches {
            let mut shown = show(&self.registry, &seen, choice.with_clauses)?;
            if choice.full {
                shown.sealed = self.open(new)?;
            }
            told.push(What::Entry(v1::WatchedEntry {
                entry: Some(shown),
                reference: reference.unwrap_or_default(),
            }));
        }
        if !choice.tells_findings {
            return Ok(told);
        }
        if let Some((about, sequence)) = self.judged_again(new)? {
            if choice.takes(&about) {
                self.findings(choice, &about, Some(sequence), &mut told)?;
            }
        } else if matches {
            self.findings(choice, &seen, None, &mut told)?;
        }
        Ok(told)
    }

    /// What one judgement found.
    fn findings(
        &self,
        choice: &Choice,
        seen: &Seen,
        judged_by: Option<u64>,
        told: &mut Vec<What>,
    ) -> Result<(), QueryError> {
        if seen.retracted {
            return Ok(());
        }
        for found in seen.findings() {
            if found.rejudged == judged_by
                && choice.findings.matches(seen, &found)
                && choice.findings.shows(&found)
            {
                let subject = seen.row.entry.subject;
                let row = row(&self.registry, seen, &found, subject, choice.with_clauses)?;
                told.push(What::Finding(row));
            }
        }
        Ok(())
    }

    /// The entry that this one says was judged again, as that judgement left
    /// it, and the judgement's number in the house shard.
    fn judged_again(&self, new: &EventRow) -> Result<Option<(Seen, u64)>, QueryError> {
        let Act::House(HouseRecord::Rejudged {
            shard, sequence, ..
        }) = &new.entry.act
        else {
            return Ok(None);
        };
        let Some(subject) = new.entry.subject else {
            return Ok(None);
        };
        let of = EntryRef {
            shard: *shard,
            sequence: *sequence,
        };
        let place = Place {
            event_time_ns: new.place.event_time_ns,
            shard: of.shard,
            sequence: of.sequence,
        };
        let model = &self.state.read_model;
        let judged = match model.event(&subject, &place)? {
            None => model.find_event(&subject, &of)?,
            judged => judged,
        };
        let Some(judged) = judged else {
            return Ok(None);
        };
        let last = new.place.sequence;
        let seen = self.as_recorded(judged, new.recorded_time_ns, Some((subject, of, last)))?;
        Ok(Some((seen, last)))
    }

    /// An entry as it stood at a recorded time: judged again by those up to the
    /// last, where one is named.
    fn as_recorded(
        &self,
        row: EventRow,
        recorded_time_ns: i64,
        last: Option<(SubjectReference, EntryRef, u64)>,
    ) -> Result<Seen, QueryError> {
        let model = &self.state.read_model;
        let mut rejudged = Vec::new();
        if let Some((subject, of, last)) = last {
            rejudged = model.rejudgements_of(&subject, &of, self.visible, i64::MAX)?;
            rejudged.retain(|later| later.sequence <= last);
        }
        Ok(Seen {
            flow: Flow::of(&self.registry, &row.entry)?,
            retracted: self.is_retracted(&row, recorded_time_ns)?,
            row,
            person: 0,
            rejudged,
        })
    }

    /// Whether it had been taken back by then. What time found is taken back
    /// with the event that began the time.
    fn is_retracted(&self, row: &EventRow, recorded_time_ns: i64) -> Result<bool, QueryError> {
        let model = &self.state.read_model;
        let Some(subject) = row.entry.subject else {
            return Ok(false);
        };
        let is_taken_back = |tag: Option<EventTag>| match tag {
            Some(tag) => model.is_retracted(&subject, &tag, self.visible, recorded_time_ns),
            None => Ok(false),
        };
        let Some(of) = overdue_of(&row.entry) else {
            return Ok(is_taken_back(row.entry.event_tag)?);
        };
        // The event is looked for only where it may have been taken back.
        if model
            .retracted(&subject, self.visible, recorded_time_ns)?
            .is_empty()
        {
            return Ok(false);
        }
        let began = model.find_event(&subject, &of)?;
        Ok(is_taken_back(
            began.and_then(|began| began.entry.event_tag),
        )?)
    }

    fn open(&mut self, row: &EventRow) -> Result<Option<v1::SealedPart>, QueryError> {
        let persons = self.subject.map_or(&[][..], |it| &it.persons);
        let whose = |reference: SubjectReference| {
            let mut persons = persons.iter();
            persons.find(|person| person.reference() == reference.0)
        };
        match row.entry.subject.and_then(whose) {
            Some(person) => self.opener.open_row(self.state, person, row),
            None => Ok(None),
        }
    }
}

impl Choice {
    fn takes(&mut self, seen: &Seen) -> bool {
        let time_ns = seen.row.place.event_time_ns;
        let in_time = time_ns >= self.filter.from_ns
            && self.filter.last_ns.is_some_and(|last| time_ns <= last);
        in_time
            && self.filter.matches(&seen.row, seen.outcome())
            && self.filter.matches_destination(&seen.flow)
    }
}
