//! How entries stand: whether something took them back, and which judgement is
//! in force.

use std::collections::{HashMap, HashSet};

use custody_ledger::entry::{EntryRef, Outcome};
use custody_ledger::id::{EventTag, ShardId, SubjectReference};

use super::ReadModelError;
use super::apply::Round;
use super::finding;
use super::key::Place;
use super::said::{Said, entry_ref};
use super::store::Store;
use super::touched::Touched;

/// How an entry stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) taken_back: bool,
    pub(super) outcome: Outcome,
}

/// What a round stands on, beside its entries.
#[derive(Clone, Copy)]
pub(super) struct Ground<'a> {
    pub(super) store: &'a Store,
    pub(super) touched: &'a Touched,
    pub(super) round: &'a Round,
    /// How many entries of each shard were there before.
    pub(super) before: &'a HashMap<ShardId, u64>,
}

impl Ground<'_> {
    pub(super) fn is_in_round(&self, of: &EntryRef) -> bool {
        let before = self.before.get(&of.shard).copied();
        of.sequence >= before.unwrap_or_default()
    }

    /// How an entry stands, without the round or with it. Not of one that says
    /// what time found, where events of the person were taken back.
    pub(super) fn standing(
        &self,
        place: &Place,
        said: &Said<'_>,
        with_round: bool,
    ) -> Result<Standing, ReadModelError> {
        let overdue = said.house.and_then(finding::overdue_outcome_of);
        let Some(subject) = &said.subject else {
            return Ok(Standing {
                taken_back: false,
                outcome: overdue.unwrap_or(said.outcome),
            });
        };
        let taken_back = match (said.overdue_of(), &said.event_tag) {
            (None, Some(tag)) => self.is_retracted(subject, tag, with_round)?,
            _ => false,
        };
        let outcome = match overdue {
            Some(outcome) => outcome,
            None => {
                let rejudged = self.rejudged(subject, &entry_ref(place), with_round)?;
                rejudged.unwrap_or(said.outcome)
            }
        };
        Ok(Standing {
            taken_back,
            outcome,
        })
    }

    /// How an entry stands that says what time found: it goes with the event
    /// that began the time. `gone`: those of the round that were taken back.
    pub(super) fn overdue(
        &self,
        subject: &SubjectReference,
        said: &Said<'_>,
        gone: &HashSet<EntryRef>,
        with_round: bool,
    ) -> Result<Standing, ReadModelError> {
        let outcome = said.house.and_then(finding::overdue_outcome_of);
        let taken_back = match said.overdue_of() {
            None => false,
            Some(of) if self.is_in_round(&of) => with_round && gone.contains(&of),
            Some(of) => {
                let began = self.store.find_event(subject, &of)?;
                match began.and_then(|row| row.entry.event_tag) {
                    Some(tag) => self.is_retracted(subject, &tag, with_round)?,
                    None => false,
                }
            }
        };
        Ok(Standing {
            taken_back,
            outcome: outcome.unwrap_or(said.outcome),
        })
    }

    fn is_retracted(
        &self,
        subject: &SubjectReference,
        tag: &EventTag,
        with_round: bool,
    ) -> Result<bool, ReadModelError> {
        if !self.touched.may_be_retracted(subject, tag) {
            return Ok(false);
        }
        if with_round && self.round.retracted.contains(&(*subject, *tag)) {
            return Ok(true);
        }
        self.store.has_retraction(subject, tag)
    }

    /// What the last later judgement said.
    fn rejudged(
        &self,
        subject: &SubjectReference,
        of: &EntryRef,
        with_round: bool,
    ) -> Result<Option<Outcome>, ReadModelError> {
        if !self.touched.may_be_rejudged(of) {
            return Ok(None);
        }
        let in_round = self.round.rejudged.get(of).filter(|_| with_round);
        let in_round = in_round.filter(|it| it.0 == *subject);
        let mut last = in_round.map(|(.., sequence, outcome)| (*sequence, *outcome));
        if let Some((sequence, outcome)) = self.store.last_rejudgement(subject, of)?
            && last.is_none_or(|(known, _)| known < sequence)
        {
            last = Some((sequence, outcome));
        }
        Ok(last.map(|(_, outcome)| outcome))
    }
}
