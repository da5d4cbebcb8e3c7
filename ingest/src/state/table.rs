//! The states in memory: those at work, and those that rest.
//!
//! A person is *at work* while an event of theirs is not durable. Then the
//! state as it is now, the state as it is in the store, and the events between
//! the two are kept. Otherwise the state rests in a bounded cache and in the
//! store. Persons are spread over parts with a lock each; whoever judges holds
//! the lock of the person's part from the first look until the event is
//! applied, so that no two shards judge one person at once and no update is
//! lost. Of persons who are linked the locks of all parts are held, taken in
//! order.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use custody_ledger::{EntryRef, Ledger};
use custody_policy::SubjectState;
use custody_vault::Vault;
use parking_lot::Mutex;
use quick_cache::sync::Cache;
use tracing::error;

use super::effect::Op;
use super::session::{Guards, Session};
use super::store::Store;
use super::{Reference, StateError};
use crate::metric;

/// Parts of the table, so that shards seldom wait for each other.
const PARTS: usize = 64;

/// No time at all: before every event.
pub(super) const NEVER: i64 = i64::MIN;

/// What is known of every person. Shared by all shards.
pub(crate) struct SubjectStates {
    pub(super) vault: Vault,
    pub(super) ledger: [u8; 16],
    pub(super) store: Store,
    pub(super) parts: Box<[Mutex<Part>]>,
    pub(super) idle: Cache<Reference, Arc<Known>>,
    pub(super) settling: Mutex<()>,
    /// Persons of whom something is not known that was: their stored state could
    /// not be read. It is made again on the next start.
    pub(super) lost: Mutex<HashSet<Reference>>,
    has_lost: AtomicBool,
}

/// How a person comes to an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// Known before.
    Known,
    /// For the first time.
    New,
    /// As erased on that day, in days since 1970-01-01 UTC: for the first time, or
    /// after another shard had an event of theirs and before the house shard said
    /// it.
    Marked(i32),
}

pub(super) type Part = HashMap<Reference, Slot>;

/// A person's state and what goes with it.
#[derive(Clone)]
pub(super) struct Known {
    pub(super) state: Arc<SubjectState>,
    /// References of the same person; `None` where there is no other.
    pub(super) linked: Option<Arc<[Reference]>>,
    /// Whether the house shard was found to say so.
    pub(super) links_are_said: bool,
    /// The latest event time of a judged entry, durable or not.
    pub(super) latest_judged_ns: i64,
}

impl Default for Known {
    fn default() -> Self {
        Self {
            state: Arc::default(),
            linked: None,
            links_are_said: false,
            latest_judged_ns: NEVER,
        }
    }
}

/// A person at work.
pub(super) struct Slot {
    pub(super) known: Known,
    /// As it is in the store.
    pub(super) base: Arc<SubjectState>,
    /// What was applied since.
    pub(super) ops: Vec<Op>,
    /// Entries that were judged and are not durable.
    pub(super) judged: Vec<(i64, EntryRef)>,
    /// Entries on their way that concern this person.
    pub(super) waiting: usize,
}

impl Slot {
    fn of(known: Known) -> Self {
        Self {
            base: Arc::clone(&known.state),
            known,
            ops: Vec::new(),
            judged: Vec::new(),
            waiting: 0,
        }
    }

    /// The person starts as erased on that day, whatever came before. Done twice it
    /// is done once.
    fn mark(&mut self, day: i32) {
        Arc::make_mut(&mut self.base).mark_erased_on(day);
        if self.ops.is_empty() {
            self.known.state = Arc::clone(&self.base);
        } else {
            Arc::make_mut(&mut self.known.state).mark_erased_on(day);
        }
    }
}

impl SubjectStates {
    /// Opens or makes the states of a ledger in `dir`, with `cache_states` of
    /// them at most in memory beside those at work. What is there is deleted
    /// where it is of another format or ledger, or knows blocks that the ledger
    /// does not have.
    ///
    /// # Errors
    /// [`StateError`] where the store or the ledger fails.
    pub(crate) fn open(
        dir: &Path,
        ledger: &Ledger,
        vault: Vault,
        cache_states: usize,
    ) -> Result<Self, StateError> {
        Ok(Self {
            store: super::recover::open(dir, ledger)?,
            vault,
            ledger: ledger.id().0,
            parts: (0..PARTS).map(|_| Mutex::default()).collect(),
            idle: Cache::new(cache_states),
            settling: Mutex::default(),
            lost: Mutex::default(),
            has_lost: AtomicBool::new(false),
        })
    }

    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    /// Makes what was taken in durable. It can be made again, so this only
    /// saves time on the next start.
    ///
    /// # Errors
    /// [`StateError`] where the store fails.
    pub(crate) fn persist(&self) -> Result<(), StateError> {
        self.store.persist()
    }

    /// Holds a person until the event is applied. `linked` says that somebody was
    /// linked with them a moment ago.
    pub(crate) fn enter(
        &self,
        reference: Reference,
        arrival: Arrival,
        linked: bool,
    ) -> Result<Session<'_>, StateError> {
        if linked {
            self.relink(&reference)?;
        }
        let mut guard = self.part(&reference).lock();
        let others = self.wake(&mut guard, &reference, arrival)?;
        let Some(others) = others else {
            return Ok(Session::new(self, Guards::One(guard), reference, None));
        };
        drop(guard);
        let (guards, others) = self.hold_all(&reference, others)?;
        Ok(Session::new(self, guards, reference, Some(others)))
    }

    /// The state of a person as it is now, with that of linked references.
    pub(crate) fn now(
        &self,
        reference: Reference,
    ) -> Result<(SubjectState, Vec<Reference>), StateError> {
        let session = self.enter(reference, Arrival::Known, false)?;
        let state = session.state().clone();
        let mut all = vec![reference];
        all.extend(session.others());
        session.leave();
        Ok((state, all))
    }

    /// Puts a person among those at work and tells who else is the same one.
    fn wake(
        &self,
        part: &mut Part,
        reference: &Reference,
        arrival: Arrival,
    ) -> Result<Option<Arc<[Reference]>>, StateError> {
        let slot = match part.entry(*reference) {
            Entry::Occupied(slot) => slot.into_mut(),
            Entry::Vacant(free) => {
                let known = match (self.idle.get(reference), arrival) {
                    (Some(known), _) => Known::clone(&known),
                    (None, Arrival::New) => Known::default(),
                    (None, Arrival::Known | Arrival::Marked(_)) => self.load(reference)?,
                };
                free.insert(Slot::of(known))
            }
        };
        if let Arrival::Marked(day) = arrival {
            slot.mark(day);
        }
        Ok(slot.known.linked.clone())
    }

    fn load(&self, reference: &Reference) -> Result<Known, StateError> {
        let others = self.vault.linked(reference)?;
        Ok(Known {
            state: Arc::new(self.stored(reference)?),
            linked: (!others.is_empty()).then(|| others.into()),
            links_are_said: false,
            latest_judged_ns: self.store.latest_judged(reference)?.unwrap_or(NEVER),
        })
    }

    /// Whether the vault has the person's key.
    pub(crate) fn knows(&self, reference: &Reference) -> Result<bool, StateError> {
        Ok(self.vault.person(reference)?.is_some())
    }

    /// The state in the store, as erased where the person starts so: the state may
    /// have been written before that was said. An empty one where the person's key
    /// is gone, or where it cannot be read.
    pub(super) fn stored(&self, reference: &Reference) -> Result<SubjectState, StateError> {
        let marked = self.store.marked(reference)?;
        let Some(sealed) = self.store.state(reference)? else {
            return Ok(marked.map(SubjectState::erased_on).unwrap_or_default());
        };
        let Some(person) = self.vault.person(reference)? else {
            return Ok(SubjectState::default());
        };
        let opened = person.open_state(self.ledger, sealed.as_ref());
        match opened.map(|plain| SubjectState::decode(&plain)) {
            Ok(Ok(mut state)) => {
                if let Some(day) = marked {
                    state.mark_erased_on(day);
                }
                Ok(state)
            }
            Ok(Err(problem)) => self.lose(reference, &problem),
            Err(problem) => self.lose(reference, &problem),
        }
    }

    /// Goes on without what was known of a person: one row that cannot be read
    /// must not stop the events of all others. The store is made anew on the
    /// next start.
    pub(super) fn lose(
        &self,
        reference: &Reference,
        problem: &dyn std::error::Error,
    ) -> Result<SubjectState, StateError> {
        metric::state_lost();
        self.lost.lock().insert(*reference);
        if !self.has_lost.swap(true, Ordering::AcqRel) {
            error!(%problem, "a person's state cannot be read; events are judged without it until the states are made again on the next start");
        }
        self.store.make_again()?;
        Ok(SubjectState::default())
    }

    /// Whether something of one of these persons was lost, so that nothing of
    /// theirs is to be judged again.
    pub(crate) fn is_lost(&self, references: &[Reference]) -> bool {
        self.has_lost.load(Ordering::Acquire) && {
            let lost = self.lost.lock();
            references.iter().any(|reference| lost.contains(reference))
        }
    }

    /// Locks the parts of a whole set of linked references, in order, and sees
    /// to it that each of them is awake.
    fn hold_all(
        &self,
        reference: &Reference,
        mut others: Arc<[Reference]>,
    ) -> Result<(Guards<'_>, Arc<[Reference]>), StateError> {
        loop {
            let mut guards = self.lock_parts(reference, &others);
            for member in std::iter::once(reference).chain(others.iter()) {
                let part = guards.of(member);
                if let Some(part) = part {
                    self.wake(part, member, Arrival::Known)?;
                }
            }
            // It may have been linked with more while nothing was held.
            let now = guards
                .slot(reference)
                .and_then(|slot| slot.known.linked.clone())
                .unwrap_or_default();
            if now == others {
                return Ok((guards, others));
            }
            others = now;
        }
    }

    fn lock_parts(&self, reference: &Reference, others: &[Reference]) -> Guards<'_> {
        let all = std::iter::once(reference).chain(others);
        let mut indices: Vec<usize> = all.map(index).collect();
        indices.sort_unstable();
        indices.dedup();
        Guards::Many(
            indices
                .into_iter()
                .map(|index| (index, self.parts[index].lock()))
                .collect(),
        )
    }

    /// Tells all of a linked set whom they are linked with.
    pub(crate) fn relink(&self, reference: &Reference) -> Result<(), StateError> {
        let mut set = self.vault.linked(reference)?;
        loop {
            let mut guards = self.lock_parts(reference, &set);
            // What the vault says while the parts are held is what counts:
            // whoever links after this comes by here after this.
            let now = self.vault.linked(reference)?;
            if now != set {
                set = now;
                continue;
            }
            set.push(*reference);
            for member in &set {
                let others: Vec<Reference> = set.iter().copied().filter(|o| o != member).collect();
                let others = (!others.is_empty()).then(|| Arc::from(others));
                if let Some(slot) = guards.slot(member) {
                    slot.known.linked.clone_from(&others);
                }
                if let Some(known) = self.idle.get(member) {
                    let mut known = Known::clone(&known);
                    known.linked = others;
                    self.idle.insert(*member, Arc::new(known));
                }
            }
            return Ok(());
        }
    }

    /// Puts a person to rest where nothing of theirs is on its way.
    pub(super) fn rest(&self, part: &mut Part, reference: &Reference) {
        if part.get(reference).is_some_and(|slot| slot.waiting == 0)
            && let Some(slot) = part.remove(reference)
        {
            self.idle.insert(*reference, Arc::new(slot.known));
        }
    }

    pub(super) fn part(&self, reference: &Reference) -> &Mutex<Part> {
        &self.parts[index(reference)]
    }
}

/// References are random, so that any byte will do.
pub(super) fn index(reference: &Reference) -> usize {
    usize::from(reference[0]) % PARTS
}
