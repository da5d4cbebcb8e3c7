//! What the house shard says of erasures, holds and who is who: where they
//! stand follows from it, and from nothing else.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use custody_ledger::{
    Act, Entry, EntryRef, HouseRecord, Ledger, LedgerError, ShardDescriptor, SubjectReference,
};

use super::status::{Erased, ErasureState, ErasureStatus, Hold, Said};
use super::{ErasureId, RegisterError, register};
use crate::state::Reference;

/// Bytes of blocks read at a time.
const READ_BYTES: usize = 4 << 20;

/// Erasures and holds. Memory follows the number of persons who were erased: some
/// 50 bytes each, and some 500 an erasure.
#[derive(Default)]
pub struct Records {
    /// In the order in which they were asked for.
    erasures: Vec<ErasureStatus>,
    by_id: HashMap<ErasureId, usize>,
    holds: Vec<Hold>,
    /// Persons whose keys may be gone: whom an order names that was not withdrawn,
    /// or the register. A backup may have the ledger of before an erasure began and
    /// the vault of after it was done.
    gone: HashSet<Reference>,
    registered: HashSet<Reference>,
    /// What the operator said of identities last.
    identity: Option<HouseRecord>,
    /// Blocks of the house shard that were read.
    blocks: u64,
}

impl Records {
    /// Reads the house shard.
    ///
    /// # Errors
    /// [`LedgerError`] where it cannot be read.
    pub fn load(ledger: &Ledger) -> Result<Self, LedgerError> {
        let mut records = Self::default();
        records.follow(ledger)?;
        Ok(records)
    }

    /// Every erasure, in the order in which they were asked for.
    pub fn erasures(&self) -> &[ErasureStatus] {
        &self.erasures
    }

    /// One of them.
    pub fn erasure(&self, id: ErasureId) -> Option<&ErasureStatus> {
        self.by_id.get(&id).and_then(|at| self.erasures.get(*at))
    }

    /// The holds that were not lifted and have not run out at `now_ns`
    /// (nanoseconds since 1970 UTC), in the order in which they were placed.
    pub fn holds(&self, now_ns: i64) -> impl Iterator<Item = &Hold> {
        self.holds.iter().filter(move |hold| hold.stands(now_ns))
    }

    /// The matters of the holds that stand against erasing one of these, in
    /// order, each once.
    pub fn standing(&self, subjects: &[Reference], now_ns: i64) -> Vec<String> {
        let named: HashSet<&Reference> = subjects.iter().collect();
        let concerns = |hold: &&Hold| match &hold.subjects {
            None => true,
            Some(held) => held.iter().any(|subject| named.contains(subject)),
        };
        let mut matters: Vec<String> = self
            .holds(now_ns)
            .filter(concerns)
            .map(|hold| hold.matter.clone())
            .collect();
        matters.sort_unstable();
        matters.dedup();
        matters
    }

    /// Whether somebody ordered the person's erasure: that the vault has no key of
    /// theirs is no loss then.
    pub(crate) fn is_gone(&self, reference: &Reference) -> bool {
        self.gone.contains(reference) || self.registered.contains(reference)
    }

    /// Takes in whom the register names: where it is newer than the ledger, the
    /// vault may have been made so too.
    pub(crate) fn add_gone(&mut self, register: Option<&Path>) -> Result<(), RegisterError> {
        let Some(path) = register else {
            return Ok(());
        };
        for line in register::read_if_there(path)? {
            self.registered.extend(line.subjects);
        }
        Ok(())
    }

    /// Erasures that are not over.
    pub(super) fn open(&self) -> impl Iterator<Item = &ErasureStatus> {
        self.erasures.iter().filter(|status| status.state.is_open())
    }

    /// What was said last of who is who.
    pub(super) fn last_identity(&self) -> Option<&HouseRecord> {
        self.identity.as_ref()
    }

    /// How many of an erasure's persons no other erasure has destroyed.
    pub(super) fn not_done_by_others(&self, id: ErasureId) -> u64 {
        let Some(status) = self.erasure(id) else {
            return 0;
        };
        let others = self.erasures.iter().filter(|other| other.id != id);
        let done: HashSet<&Reference> = others
            .filter(|other| other.done.is_some())
            .flat_map(|other| &other.subjects)
            .collect();
        let left = status.subjects.iter().filter(|one| !done.contains(one));
        left.count() as u64
    }

    /// Reads what is new in the house shard.
    pub(crate) fn follow(&mut self, ledger: &Ledger) -> Result<(), LedgerError> {
        let house = ShardDescriptor::house().id();
        loop {
            let blocks = ledger.read_blocks(house, self.blocks, READ_BYTES)?;
            if blocks.is_empty() {
                return Ok(());
            }
            for block in &blocks {
                for entry in block.entries() {
                    let (sequence, entry) = entry.map_err(LedgerError::Malformed)?;
                    self.take(sequence, block.header.recorded_time_ns, &entry);
                }
                self.blocks = block.header.height + 1;
            }
        }
    }

    /// Takes in an entry of the house shard. Whoever reads them all says with
    /// [`read`](Self::read) how far.
    pub(crate) fn take(&mut self, sequence: u64, recorded_ns: i64, entry: &Entry) {
        let Act::House(record) = &entry.act else {
            return;
        };
        let shard = ShardDescriptor::house().id();
        let said = Said {
            at: EntryRef { shard, sequence },
            recorded_ns,
        };
        match record {
            HouseRecord::HoldPlaced {
                matter,
                subjects,
                until_ns,
            } => self.holds.push(Hold {
                matter: matter.clone(),
                subjects: (!subjects.is_empty()).then(|| references(subjects)),
                until_ns: *until_ns,
                placed: said,
            }),
            HouseRecord::HoldLifted { matter, subjects } => self.lift(matter, subjects),
            HouseRecord::IdentityJoined { .. } | HouseRecord::IdentityParted { .. } => {
                self.identity = Some(record.clone());
            }
            record => self.erasure_record(record, said),
        }
    }

    pub(crate) fn read(&mut self, blocks: u64) {
        self.blocks = blocks;
    }

    fn erasure_record(&mut self, record: &HouseRecord, said: Said) {
        if let HouseRecord::ErasureRequested { id, subjects, .. } = record {
            let id = ErasureId(*id);
            self.gone.extend(references(subjects));
            match self
                .by_id
                .get(&id)
                .and_then(|at| self.erasures.get_mut(*at))
            {
                Some(status) => add(status, record, said),
                None => {
                    self.by_id.insert(id, self.erasures.len());
                    self.erasures.extend(requested(record, said));
                }
            }
            return;
        }
        let (HouseRecord::ErasureWaiting { id, .. }
        | HouseRecord::ErasureStarted { id }
        | HouseRecord::ErasureDone { id, .. }
        | HouseRecord::ErasureWithdrawn { id }) = record
        else {
            return;
        };
        let at = self.by_id.get(&ErasureId(*id));
        let Some(status) = at.and_then(|at| self.erasures.get_mut(*at)) else {
            return;
        };
        match record {
            HouseRecord::ErasureWaiting { matters, .. } => {
                status.state = ErasureState::Waiting;
                status.waiting = Some(said);
                status.matters.clone_from(matters);
            }
            HouseRecord::ErasureStarted { .. } => {
                status.state = ErasureState::Started;
                status.started = Some(said);
            }
            HouseRecord::ErasureDone {
                generation,
                commitment,
                persons,
                started,
                ..
            } => {
                status.state = ErasureState::Done;
                status.done = Some(Erased {
                    said,
                    generation: *generation,
                    commitment: *commitment,
                    persons: *persons,
                    started: *started,
                });
            }
            HouseRecord::ErasureWithdrawn { .. } => {
                status.state = ErasureState::Withdrawn;
                status.withdrawn = Some(said);
                let stand = |status: &&ErasureStatus| status.withdrawn.is_none();
                let standing = self.erasures.iter().filter(stand);
                self.gone = standing.flat_map(|one| &one.subjects).copied().collect();
            }
            _ => {}
        }
    }

    fn lift(&mut self, matter: &str, subjects: &[SubjectReference]) {
        let lifted: HashSet<Reference> = subjects.iter().map(|subject| subject.0).collect();
        self.holds.retain_mut(|hold| {
            if hold.matter != matter {
                return true;
            }
            if lifted.is_empty() {
                return false;
            }
            match &mut hold.subjects {
                None => true,
                Some(held) => {
                    held.retain(|subject| !lifted.contains(subject));
                    !held.is_empty()
                }
            }
        });
    }
}

fn references(subjects: &[SubjectReference]) -> Vec<Reference> {
    subjects.iter().map(|subject| subject.0).collect()
}

fn requested(record: &HouseRecord, said: Said) -> Option<ErasureStatus> {
    let HouseRecord::ErasureRequested {
        id,
        subjects,
        recipients,
        entries,
        reason,
        ticket,
        mark,
    } = record
    else {
        return None;
    };
    Some(ErasureStatus {
        id: ErasureId(*id),
        state: ErasureState::Requested,
        subjects: references(subjects),
        recipients: recipients.clone(),
        entries: *entries,
        reason: reason.clone(),
        ticket: ticket.clone(),
        mark: *mark,
        requested: said,
        added: Vec::new(),
        waiting: None,
        matters: Vec::new(),
        started: None,
        done: None,
        withdrawn: None,
        trouble: None,
    })
}

/// A request of the same id adds what came to be known since.
fn add(status: &mut ErasureStatus, record: &HouseRecord, said: Said) {
    let HouseRecord::ErasureRequested {
        subjects,
        recipients,
        ..
    } = record
    else {
        return;
    };
    // What is added was compared with what is there.
    status.subjects.extend(references(subjects));
    status.recipients.extend_from_slice(recipients);
    status.added.push(said);
}

#[cfg(test)]
mod tests;
