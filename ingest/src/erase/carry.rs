//! The steps of an erasure, from wherever it stands.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use custody_ledger::{Digest, HouseRecord, Kind, SubjectReference};
use custody_vault::Erasing;
use tracing::info;

use super::recipients::Recipients;
use super::register::{self, Line};
use super::{EraseError, ErasureId, ErasureState, ErasureStatus, Registrar, Step};
use crate::metric;
use crate::overdue;
use crate::state::Reference;

/// How often it is begun anew, because persons are being linked meanwhile.
const TRIES: usize = 8;

/// How long to wait before looking whether the pipeline is about to end.
const LOOK: Duration = Duration::from_millis(50);

const DAY_NS: i64 = 86_400 * 1_000_000_000;

impl Registrar {
    /// Goes on with an erasure until it is done or waits. The caller is at work.
    pub(super) fn carry(&self, id: ErasureId) -> Result<(), EraseError> {
        for _ in 0..TRIES {
            if self.attempt(id)? {
                return Ok(());
            }
        }
        Err(EraseError::Restless { id })
    }

    /// `false` where the persons are linked with more than it began with.
    fn attempt(&self, id: ErasureId) -> Result<bool, EraseError> {
        let status = self.known(id)?;
        if !status.state.is_open() {
            return Ok(true);
        }
        let subjects = self.with_linked(&status.subjects)?;
        self.add(&status, &subjects, Vec::new())?;
        if status.state != ErasureState::Started && self.waits(&status, &subjects)? {
            return Ok(true);
        }
        // Most of it before anybody has to wait.
        let mut recipients = Recipients::default();
        recipients.look(&self.desk, &subjects)?;

        let erasing = self.desk.vault.begin_erasing(&subjects)?;
        self.pass(Step::Fenced)?;
        if erasing.persons() > 0 || status.started.is_none() {
            self.drain(id)?;
            self.pass(Step::Drained)?;
            if self.with_linked(&subjects)? != subjects {
                return Ok(false);
            }
            recipients.look(&self.desk, &subjects)?;
            let known = self.known(id)?;
            self.add(&known, &subjects, recipients.beyond(&known.recipients))?;
            let record = HouseRecord::ErasureStarted { id: id.0 };
            self.say(Kind::ErasureStarted, record)?;
            self.pass(Step::Started)?;
        }
        self.destroy(id, &subjects, erasing)?;
        Ok(true)
    }

    /// Waits until what was admitted before is durable and in the states. Whoever
    /// is admitted since then is not one of them.
    fn drain(&self, id: ErasureId) -> Result<(), EraseError> {
        let end = Instant::now() + self.desk.options.fence_timeout;
        let age = self.fence().turn();
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let Err(shard) = self.fence().wait(age, left.min(LOOK)) else {
                break;
            };
            if self.is_closing() {
                break;
            }
            if left.is_zero() {
                return Err(EraseError::Stuck { id, shard });
            }
        }
        // What failed has arrived nowhere.
        if self.is_closing() {
            return Err(EraseError::Stopping);
        }
        Ok(())
    }

    /// From the register on to the end.
    fn destroy(
        &self,
        id: ErasureId,
        subjects: &[Reference],
        erasing: Erasing,
    ) -> Result<(), EraseError> {
        let desk = &self.desk;
        let status = self.known(id)?;
        let day = (desk.clock)().div_euclid(DAY_NS);
        let day = i32::try_from(day).unwrap_or(i32::MAX);
        if let Some(path) = &desk.options.register {
            let line = Line {
                id,
                generation: desk.vault.root().generation,
                day,
                mark: status.mark,
                subjects: subjects.to_vec(),
            };
            register::append(path, &line)?;
        }
        self.pass(Step::Registered)?;
        // Nobody judges or follows anything of theirs from here on.
        let _reviews = desk.reviews.working.lock();
        // What the index lacks is read from the ledger, which is about to be
        // closed; and an event that comes once more must not bring its person back.
        desk.duplicates.persist()?;
        let erased = erasing.erase(register::mark(status.mark, day))?;
        self.pass(Step::Erased)?;
        desk.reviews.forget(subjects);
        desk.states.forget(subjects, |batch| {
            subjects.iter().try_for_each(|subject| {
                overdue::forget(desk.states.store(), &*desk.deadlines, subject, batch)
            })
        })?;
        self.pass(Step::Forgotten)?;
        let persons = match erased.persons {
            // The vault had done it when the process ended.
            0 => self.records.lock().not_done_by_others(id),
            persons => persons,
        };
        let Some(started) = status.started else {
            return Err(EraseError::UnknownErasure { id });
        };
        let record = HouseRecord::ErasureDone {
            id: id.0,
            generation: erased.generation,
            commitment: Digest(erased.commitment),
            persons,
            started: started.at,
        };
        self.say(Kind::ErasureDone, record)?;
        metric::erased(persons);
        info!(erasure = %id, persons, generation = erased.generation, "an erasure is done");
        self.pass(Step::Done)
    }

    /// Says who and what came to be known since the erasure was asked for.
    fn add(
        &self,
        status: &ErasureStatus,
        subjects: &[Reference],
        recipients: Vec<String>,
    ) -> Result<(), EraseError> {
        let known: HashSet<&Reference> = status.subjects.iter().collect();
        let is_new = |subject: &&Reference| !known.contains(subject);
        let subjects: Vec<SubjectReference> = subjects
            .iter()
            .filter(is_new)
            .map(|subject| SubjectReference(*subject))
            .collect();
        if subjects.is_empty() && recipients.is_empty() {
            return Ok(());
        }
        let record = HouseRecord::ErasureRequested {
            id: status.id.0,
            subjects,
            recipients,
            entries: 0,
            reason: status.reason.clone(),
            ticket: status.ticket.clone(),
            mark: status.mark,
        };
        self.say(Kind::ErasureRequested, record)
    }

    /// Whether holds stand against it, and says which where that is new.
    fn waits(&self, status: &ErasureStatus, subjects: &[Reference]) -> Result<bool, EraseError> {
        let now_ns = (self.desk.clock)();
        let matters = self.records.lock().standing(subjects, now_ns);
        if matters.is_empty() {
            return Ok(false);
        }
        if status.state != ErasureState::Waiting || status.matters != matters {
            let id = status.id.0;
            self.say(
                Kind::ErasureWaiting,
                HouseRecord::ErasureWaiting { id, matters },
            )?;
        }
        Ok(true)
    }
}
