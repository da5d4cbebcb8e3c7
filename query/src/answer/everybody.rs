//! What an answer over all persons looks at: everybody's entries, up to a head,
//! as of a moment. Reading them all is what is left where no kept row tells the
//! answer; the work of one question bounds it.

use std::cell::RefCell;
use std::collections::HashSet;

use custody_ledger::entry::EntryRef;
use custody_ledger::id::{EventTag, SubjectReference};

use super::QueryState;
use super::error::QueryError;
use super::filter::{Filter, Member};
use super::flow::Flow;
use super::judgement;
use super::moment::AsOf;
use super::registry::Registry;
use super::scope::Seen;
use crate::read_model::{EventRow, Holder, NOBODY, Rejudgement, Visible};

/// Everybody's entries, up to a head, as of a moment.
pub(crate) struct Everybody<'a> {
    state: &'a QueryState,
    pub(crate) head: &'a Visible,
    as_of: AsOf,
    pub(crate) registry: Registry<'a>,
    /// The tags of the person looked at last that were taken back.
    retracted: RefCell<(SubjectReference, HashSet<EventTag>)>,
}

impl<'a> Everybody<'a> {
    pub(crate) fn new(state: &'a QueryState, head: &'a Visible, as_of: AsOf) -> Self {
        Self {
            state,
            head,
            as_of,
            registry: Registry::new(state, head, as_of.recorded_time_ns),
            retracted: RefCell::new((NOBODY, HashSet::new())),
        }
    }

    /// Whether kept rows tell the answer: it is about the present, and nothing
    /// is asked for but what makes a row.
    pub(crate) fn is_told_by_kept(&self, filter: &Filter, told: &[Member]) -> bool {
        self.head.has_kept() && self.as_of.is_now() && filter.asks_only_for(told)
    }

    /// Visits every entry that matches and was not taken back, in the order of
    /// the persons. Where recipients are asked for, only what they had is read.
    pub(crate) fn walk(
        &self,
        filter: &mut Filter,
        mut visit: impl FnMut(&Seen) -> Result<(), QueryError>,
    ) -> Result<(), QueryError> {
        let model = &self.state.read_model;
        let mut meter = self.state.work.meter();
        let recipients: Vec<String> = filter
            .recipients()
            .iter()
            .map(|it| (*it).to_owned())
            .collect();
        if recipients.is_empty() {
            for row in model.all_events() {
                meter.row()?;
                let (subject, row) = row?;
                if let Some(seen) = self.seen(filter, &subject, row)? {
                    visit(&seen)?;
                }
            }
            return Ok(());
        }
        for recipient in recipients {
            for row in model.held(&Holder::Recipient(recipient), &NOBODY) {
                meter.row()?;
                let row = row?;
                if let Some(event) = model.event(&row.subject, &row.place)?
                    && let Some(seen) = self.seen(filter, &row.subject, event)?
                {
                    visit(&seen)?;
                }
            }
        }
        Ok(())
    }

    /// The entry as it stands; `None` where it does not match, was taken back or
    /// was not there yet.
    pub(crate) fn seen(
        &self,
        filter: &mut Filter,
        subject: &SubjectReference,
        row: EventRow,
    ) -> Result<Option<Seen>, QueryError> {
        let time_ns = row.place.event_time_ns;
        if !self.is_there(&row)
            || time_ns < filter.from_ns
            || filter.last_ns.is_none_or(|last| time_ns > last)
        {
            return Ok(None);
        }
        let rejudged = self.rejudged(subject, &row)?;
        if !filter.matches(&row, judgement::outcome(&row, &rejudged)) {
            return Ok(None);
        }
        let flow = Flow::of(&self.registry, &row.entry)?;
        if !filter.matches_destination(&flow) || self.is_retracted(subject, &row)? {
            return Ok(None);
        }
        Ok(Some(Seen {
            row,
            person: 0,
            retracted: false,
            flow,
            rejudged,
        }))
    }

    /// Whether the entry is below the head, and was there at the moment.
    pub(crate) fn is_there(&self, row: &EventRow) -> bool {
        row.place.sequence < self.head.size(&row.place.shard)
            && row.place.event_time_ns <= self.as_of.event_time_ns
            && row.recorded_time_ns <= self.as_of.recorded_time_ns
    }

    /// The entry's later judgements, oldest first, as known at the moment.
    fn rejudged(
        &self,
        subject: &SubjectReference,
        row: &EventRow,
    ) -> Result<Vec<Rejudgement>, QueryError> {
        let model = &self.state.read_model;
        let at = EntryRef {
            shard: row.place.shard,
            sequence: row.place.sequence,
        };
        if *subject == NOBODY || !model.may_be_rejudged(&at) {
            return Ok(Vec::new());
        }
        let until = self.as_of.recorded_time_ns;
        Ok(model.rejudgements_of(subject, &at, self.head, until)?)
    }

    /// What time found is taken back with the event that began the time.
    pub(crate) fn is_retracted(
        &self,
        subject: &SubjectReference,
        row: &EventRow,
    ) -> Result<bool, QueryError> {
        let model = &self.state.read_model;
        if *subject == NOBODY || !model.may_have_retracted(subject) {
            return Ok(false);
        }
        let tag = match judgement::overdue_of(&row.entry) {
            Some(of) => {
                let began = model.find_event(subject, &of)?;
                began.and_then(|began| began.entry.event_tag)
            }
            None => row.entry.event_tag,
        };
        tag.map_or(Ok(false), |tag| self.has_retracted(subject, &tag))
    }

    /// Whether an event was taken back, as known at the moment.
    pub(crate) fn has_retracted(
        &self,
        subject: &SubjectReference,
        tag: &EventTag,
    ) -> Result<bool, QueryError> {
        let model = &self.state.read_model;
        if !model.may_have_retracted(subject) {
            return Ok(false);
        }
        let mut retracted = self.retracted.borrow_mut();
        if retracted.0 != *subject {
            let tags = model.retracted(subject, self.head, self.as_of.recorded_time_ns)?;
            *retracted = (*subject, tags.into_iter().collect());
        }
        Ok(retracted.1.contains(tag))
    }
}
