//! Who erases: what it works with, and what it is asked.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use custody_ledger::{Digest, Entry, HouseRecord, Kind, SubjectReference};
use parking_lot::{Condvar, Mutex, MutexGuard};
use tracing::{info, warn};

use super::fence::Fence;
use super::order::check_count;
use super::recipients::Recipients;
use super::register::Register;
use super::trouble::Troubles;
use super::{
    Desk, EraseError, EraseOrder, ErasureId, ErasureState, ErasureStatus, Records, RegistrarParts,
    Step,
};
use crate::duplicates;
use crate::pipeline::{HouseLog, Reviews, house_entry, open_states};
use crate::state::Reference;

/// Erases persons, keeps the operator's holds, and says who is who by their word.
/// One a vault: [`Pipeline::registrar`](crate::pipeline::Pipeline::registrar)
/// where a pipeline runs, [`Registrar::open`] where none does.
pub struct Registrar {
    pub(super) desk: Desk,
    pub(super) register: Option<Register>,
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
        let register = desk.options.register.as_deref().map(Register::open);
        let (register, lines) = register.transpose()?.unzip();
        let registrar = Self {
            desk,
            register,
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
            if let (Some(register), Some(lines)) = (&registrar.register, &lines) {
                registrar.take_register(register, lines)?;
            }
        }
        registrar.carry_on()?;
        Ok(registrar)
    }

    /// Erases persons, and whoever is linked with them, as one: one change of the
    /// root key. The order is on record before anything is destroyed. Returns when
    /// it is done, or waits for holds.
    ///
    /// Where all of them are in an order that is open, that one is gone on with:
    /// the same order twice is one. What the second says beyond the first is added
    /// to it.
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
        let id = match self.open_order(&subjects) {
            Some(open) => self.order_again(&open, &order, &subjects)?,
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
        let mut open = {
            let records = self.records.lock();
            records.count();
            records.to_go_on((self.desk.clock)())
        };
        // One that fails again and again keeps none of the others from being tried.
        open.sort_by_key(|id| self.troubles.again(*id));
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
                // Each try keeps the persons' events waiting, and a start all events.
                Err(error) if error.is_common() => {
                    self.troubles.rest_all(id);
                    return Ok(done);
                }
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
        let mut entry = house_entry(kind, (self.desk.clock)(), record);
        entry.subject = subject.map(SubjectReference);
        self.append(vec![entry])
    }

    /// Says several things at once: all of them or none.
    pub(super) fn say_all(&self, records: Vec<(Kind, HouseRecord)>) -> Result<(), EraseError> {
        let now_ns = (self.desk.clock)();
        let entries = records.into_iter();
        let entries = entries.map(|(kind, record)| house_entry(kind, now_ns, record));
        self.append(entries.collect())
    }

    fn append(&self, entries: Vec<Entry>) -> Result<(), EraseError> {
        let desk = &self.desk;
        desk.ledger
            .append_house(entries, (desk.clock)(), desk.ruleset)?;
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
    fn open_order(&self, subjects: &[Reference]) -> Option<ErasureStatus> {
        let records = self.records.lock();
        let covers = |status: &&ErasureStatus| {
            let named: BTreeSet<&Reference> = status.subjects.iter().collect();
            subjects.iter().all(|subject| named.contains(subject))
        };
        records.open().find(covers).cloned()
    }

    /// Adds to an order that is open what another one of the same persons says.
    fn order_again(
        &self,
        open: &ErasureStatus,
        order: &EraseOrder,
        subjects: &[Reference],
    ) -> Result<ErasureId, EraseError> {
        let (id, mark) = (open.id, open.mark);
        if order.mark != mark {
            return Err(EraseError::OtherMark { id, mark });
        }
        let mut recipients = self.recipients(order, subjects)?;
        let known: HashSet<&String> = open.recipients.iter().collect();
        recipients.retain(|recipient| !known.contains(recipient));
        let is_same = (&order.reason, &order.ticket) == (&open.reason, &open.ticket);
        if !is_same || !recipients.is_empty() {
            let record = HouseRecord::ErasureRequested {
                id: id.0,
                subjects: Vec::new(),
                recipients,
                entries: order.entries,
                reason: order.reason.clone(),
                ticket: order.ticket.clone(),
                mark,
            };
            self.say(Kind::ErasureRequested, record)?;
        }
        Ok(id)
    }

    /// To whom their data was disclosed, as the ledger and the order say.
    fn recipients(
        &self,
        order: &EraseOrder,
        subjects: &[Reference],
    ) -> Result<Vec<String>, EraseError> {
        let mut found = Recipients::default();
        found.look(&self.desk, subjects)?;
        let (all, left_out) = found.with(&order.recipients);
        if left_out > 0 {
            warn!(
                left_out,
                "recipients that an order names are left out: they are neither codes nor of the ledger"
            );
        }
        Ok(all)
    }

    fn request(
        &self,
        order: &EraseOrder,
        subjects: Vec<Reference>,
    ) -> Result<ErasureId, EraseError> {
        let recipients = self.recipients(order, &subjects)?;
        let id = ErasureId::random()?;
        let record = HouseRecord::ErasureRequested {
            id: id.0,
            subjects: subjects.into_iter().map(SubjectReference).collect(),
            recipients,
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
}
