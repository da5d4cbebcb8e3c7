//! Who erases: what it works with, and what it is asked.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use custody_ledger::{Digest, Entry, HouseRecord, Kind, SubjectReference};
use parking_lot::{Condvar, Mutex, MutexGuard};
use tracing::info;

use super::fence::Fence;
use super::order::check_count;
use super::recipients::Recipients;
use super::trouble::Troubles;
use super::{
    Desk, EraseError, EraseOrder, ErasureId, ErasureState, ErasureStatus, Records, RegistrarParts,
    Step, register,
};
use crate::duplicates;
use crate::pipeline::{HouseLog, Reviews, house_entry, open_states};
use crate::state::Reference;

/// Erases persons, keeps the operator's holds, and says who is who by their word.
/// One a vault: [`Pipeline::registrar`](crate::pipeline::Pipeline::registrar)
/// where a pipeline runs, [`Registrar::open`] where none does.
pub struct Registrar {
    pub(super) desk: Desk,
    fence: Fence,
    pub(super) records: Mutex<Records>,
    pub(super) troubles: Troubles,
    /// Held by whoever changes something.
    working: Mutex<()>,
    /// Whether a thread [carries on](Self::carry_on) by itself.
    has_thread: bool,
    is_told: Mutex<bool>,
    told: Condvar,
    is_closed: AtomicBool,
}

impl Registrar {
    /// Brings duplicates index and states up to the ledger, finishes what was cut
    /// short, and is ready for orders. Nobody else may have the vault and the
    /// ledger open.
    ///
    /// # Errors
    /// [`EraseError`] where one of the stores fails. What cannot be finished for
    /// another reason stays open, see [`ErasureStatus::trouble`].
    pub fn open(parts: RegistrarParts) -> Result<Self, EraseError> {
        let RegistrarParts {
            ledger,
            vault,
            state_dir,
            duplicates,
            clock,
            options,
        } = parts;
        duplicates::catch_up(&duplicates, &ledger, &vault, clock())?;
        let log = HouseLog::load(&ledger, options.erase.register.as_deref())?;
        let states = open_states(&state_dir, &ledger, &vault, &log.records, &options)?;
        let desk = Desk {
            reviews: Arc::new(Reviews::load(states.store())?),
            states: Arc::new(states),
            duplicates: Arc::new(duplicates),
            clock,
            ruleset: Digest(options.ruleset.digest()),
            deadlines: Arc::clone(&options.deadlines),
            options: options.erase.clone(),
            ledger,
            vault,
        };
        Self::new(desk, log.records, false)
    }

    /// Finishes what was cut short.
    pub(crate) fn new(desk: Desk, records: Records, has_thread: bool) -> Result<Self, EraseError> {
        let retry = desk.options.retry;
        let registrar = Self {
            desk,
            fence: Fence::default(),
            records: Mutex::new(records),
            troubles: Troubles::new(retry),
            working: Mutex::default(),
            has_thread,
            is_told: Mutex::default(),
            told: Condvar::new(),
            is_closed: AtomicBool::new(false),
        };
        {
            let _working = registrar.work()?;
            registrar.finish_identity()?;
            registrar.take_register()?;
        }
        registrar.carry_on()?;
        Ok(registrar)
    }

    /// Erases persons, and whoever is linked with them, as one: one change of the
    /// root key. The order is on record before anything is destroyed. Returns when
    /// it is done, or waits for holds.
    ///
    /// Where all of them are in an order that is open, that one is gone on with and
    /// nothing is written: the same order twice is one.
    ///
    /// # Errors
    /// [`EraseError::is_input`] where nothing was written, and nothing will be
    /// done. All else leaves the erasure open: it is tried again, by itself where a
    /// pipeline runs. [`EraseError::Stuck`] where a shard did not get what it was
    /// working on onto the disk.
    pub fn erase(&self, order: EraseOrder) -> Result<ErasureStatus, EraseError> {
        order.check()?;
        let _working = self.work()?;
        self.check_known(&order.subjects)?;
        let subjects = self.with_linked(&order.subjects)?;
        check_count(subjects.len())?;
        let open = self.open_order(&subjects);
        let id = match open {
            Some(id) => id,
            None => self.request(&order, subjects)?,
        };
        self.troubles.tried(id, self.carry(id))?;
        self.known(id)
    }

    /// Every erasure, in the order in which they were asked for.
    pub fn erasures(&self) -> Vec<ErasureStatus> {
        let all = self.records.lock().erasures().to_vec();
        all.into_iter().map(|one| self.troubles.of(one)).collect()
    }

    /// One of them.
    pub fn erasure(&self, id: ErasureId) -> Option<ErasureStatus> {
        let status = self.records.lock().erasure(id).cloned();
        status.map(|one| self.troubles.of(one))
    }

    /// Takes an erasure back that has not begun.
    ///
    /// # Errors
    /// [`EraseError::UnknownErasure`], [`EraseError::NotWaiting`]; or the ledger
    /// fails.
    pub fn withdraw(&self, id: ErasureId) -> Result<ErasureStatus, EraseError> {
        let _working = self.work()?;
        let state = self.known(id)?.state;
        if !matches!(state, ErasureState::Requested | ErasureState::Waiting) {
            return Err(EraseError::NotWaiting { id, state });
        }
        let record = HouseRecord::ErasureWithdrawn { id: id.0 };
        self.say(Kind::ErasureWithdrawn, record)?;
        self.troubles.forget(id);
        self.known(id)
    }

    /// Goes on with every erasure that nothing stands against any more, and tries
    /// those again that could not be done. Returns how many were done. A pipeline
    /// does this by itself.
    ///
    /// # Errors
    /// [`EraseError`] where nothing more can be done in this process; what else is
    /// in the way of one of them is told by its status.
    pub fn carry_on(&self) -> Result<usize, EraseError> {
        let now_ns = (self.desk.clock)();
        let open: Vec<ErasureId> = {
            let records = self.records.lock();
            let goes_on = |status: &&ErasureStatus| {
                status.state != ErasureState::Waiting
                    || records.standing(&status.subjects, now_ns).is_empty()
            };
            records.open().filter(goes_on).map(|one| one.id).collect()
        };
        let mut done = 0;
        for id in open {
            if self.troubles.is_to_rest(id) {
                continue;
            }
            let Ok(working) = self.work() else {
                return Ok(done);
            };
            match self.troubles.tried(id, self.carry(id)) {
                Err(error) if error.is_fatal() => return Err(error),
                Err(_) => {}
                Ok(()) => done += usize::from(self.known(id)?.state == ErasureState::Done),
            }
            drop(working);
        }
        Ok(done)
    }

    /// Makes what was taken in durable; nothing more is done afterwards.
    ///
    /// # Errors
    /// [`EraseError`] where a store fails.
    pub fn finish(&self) -> Result<(), EraseError> {
        self.close();
        self.desk.duplicates.persist()?;
        Ok(self.desk.states.persist()?)
    }

    pub(crate) fn fence(&self) -> &Fence {
        &self.fence
    }

    /// Ends all waits, and takes no more orders. What is at work ends soon.
    pub(crate) fn close(&self) {
        self.is_closed.store(true, Ordering::Release);
        self.told.notify_all();
    }

    /// Returns when nothing is at work any more. Called after [`close`](Self::close).
    pub(crate) fn ended(&self) {
        drop(self.working.lock());
    }

    /// Waits until there may be something to do, at most so long; `false` where it
    /// is closed.
    pub(crate) fn wait(&self, most: Duration) -> bool {
        let mut is_told = self.is_told.lock();
        if !*is_told && !self.is_closing() {
            self.told.wait_for(&mut is_told, most);
        }
        *is_told = false;
        !self.is_closing()
    }

    pub(super) fn is_closing(&self) -> bool {
        self.is_closed.load(Ordering::Acquire)
    }

    /// Goes on with what waits: at once, or in the thread that does.
    pub(super) fn tell(&self, working: MutexGuard<'_, ()>) -> Result<(), EraseError> {
        drop(working);
        if self.has_thread {
            *self.is_told.lock() = true;
            self.told.notify_all();
            return Ok(());
        }
        self.carry_on().map(|_| ())
    }

    pub(super) fn work(&self) -> Result<MutexGuard<'_, ()>, EraseError> {
        let working = self.working.lock();
        if self.is_closing() {
            return Err(EraseError::Stopping);
        }
        self.records.lock().follow(&self.desk.ledger)?;
        Ok(working)
    }

    pub(super) fn known(&self, id: ErasureId) -> Result<ErasureStatus, EraseError> {
        self.erasure(id).ok_or(EraseError::UnknownErasure { id })
    }

    pub(super) fn pass(&self, step: Step) -> Result<(), EraseError> {
        let passed = self.desk.options.faults.pass(step);
        passed.map_err(|reason| EraseError::Point { step, reason })
    }

    /// Says something in the house shard, durably.
    pub(super) fn say(&self, kind: Kind, record: HouseRecord) -> Result<(), EraseError> {
        self.say_of(kind, record, None)
    }

    pub(super) fn say_of(
        &self,
        kind: Kind,
        record: HouseRecord,
        subject: Option<Reference>,
    ) -> Result<(), EraseError> {
        let desk = &self.desk;
        let now_ns = (desk.clock)();
        let mut entry: Entry = house_entry(kind, now_ns, record);
        entry.subject = subject.map(SubjectReference);
        desk.ledger
            .append_house(vec![entry], now_ns, desk.ruleset)?;
        Ok(self.records.lock().follow(&desk.ledger)?)
    }

    pub(super) fn check_known(&self, subjects: &[Reference]) -> Result<(), EraseError> {
        for subject in subjects {
            if self.desk.vault.person(subject)?.is_none() {
                return Err(EraseError::UnknownPerson);
            }
        }
        Ok(())
    }

    /// These and everybody linked with them, in their order, each once.
    pub(super) fn with_linked(&self, subjects: &[Reference]) -> Result<Vec<Reference>, EraseError> {
        let mut all: BTreeSet<Reference> = subjects.iter().copied().collect();
        for subject in subjects {
            all.extend(self.desk.vault.linked(subject)?);
        }
        Ok(all.into_iter().collect())
    }

    /// An open order that covers all of these.
    fn open_order(&self, subjects: &[Reference]) -> Option<ErasureId> {
        let records = self.records.lock();
        let covers = |status: &&ErasureStatus| {
            let named: BTreeSet<&Reference> = status.subjects.iter().collect();
            subjects.iter().all(|subject| named.contains(subject))
        };
        records.open().find(covers).map(|status| status.id)
    }

    fn request(
        &self,
        order: &EraseOrder,
        subjects: Vec<Reference>,
    ) -> Result<ErasureId, EraseError> {
        let mut recipients = Recipients::default();
        recipients.look(&self.desk, &subjects)?;
        let mut all: Vec<String> = order.recipients.clone();
        all.extend(recipients.beyond(&order.recipients));
        all.sort_unstable();
        all.dedup();
        let id = ErasureId::random()?;
        let record = HouseRecord::ErasureRequested {
            id: id.0,
            subjects: subjects.into_iter().map(SubjectReference).collect(),
            recipients: all,
            entries: order.entries,
            reason: order.reason.clone(),
            ticket: order.ticket.clone(),
            mark: order.mark,
        };
        self.say(Kind::ErasureRequested, record)?;
        info!(erasure = %id, "an erasure is asked for");
        self.pass(Step::Requested)?;
        Ok(id)
    }

    /// Asks for what the register has and the house shard lacks: the ledger is
    /// older than the register, as after a backup was restored.
    fn take_register(&self) -> Result<(), EraseError> {
        let Some(path) = &self.desk.options.register else {
            return Ok(());
        };
        for line in register::read_if_there(path)? {
            if self.erasure(line.id).is_some() {
                continue;
            }
            info!(erasure = %line.id, "the register has an erasure that the ledger lacks");
            let record = HouseRecord::ErasureRequested {
                id: line.id.0,
                subjects: line.subjects.into_iter().map(SubjectReference).collect(),
                recipients: Vec::new(),
                entries: 0,
                reason: "restored".to_owned(),
                ticket: String::new(),
                mark: line.mark,
            };
            self.say(Kind::ErasureRequested, record)?;
            // No hold stands against what was done before.
            let record = HouseRecord::ErasureStarted { id: line.id.0 };
            self.say(Kind::ErasureStarted, record)?;
        }
        Ok(())
    }
}
