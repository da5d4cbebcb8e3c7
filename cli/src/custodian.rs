//! The registrar of the ingest room as the query room knows it.

use std::sync::Arc;

use custody_ingest::erase::{
    EraseError, EraseOrder, ErasureId, ErasureState, ErasureStatus, Hold, Registrar, Said,
};
use custody_ledger::SubjectReference;
use custody_ledger::entry::EntryRef;
use custody_proto::{Timestamp, v1};
use custody_query::{Custodian, CustodianError, ErasureOrder};

/// A registrar that answers in the contract's words.
pub(crate) struct Steward(Arc<Registrar>);

impl Steward {
    /// Over the registrar of a pipeline, or one of its own.
    pub(crate) fn new(registrar: Arc<Registrar>) -> Self {
        Self(registrar)
    }
}

impl Custodian for Steward {
    fn erase(&self, order: ErasureOrder) -> Result<v1::Erasure, CustodianError> {
        let order = EraseOrder {
            subjects: order.subjects,
            recipients: order.recipients,
            entries: order.entries,
            reason: order.reason,
            ticket: order.ticket,
            mark: order.mark,
        };
        self.0.erase(order).map(erasure).map_err(failure)
    }

    fn erasures(&self) -> Result<Vec<v1::Erasure>, CustodianError> {
        Ok(self.0.erasures().into_iter().map(erasure).collect())
    }

    fn withdraw(&self, id: [u8; 16]) -> Result<v1::Erasure, CustodianError> {
        let withdrawn = self.0.withdraw(ErasureId(id));
        withdrawn.map(erasure).map_err(failure)
    }

    fn place_hold(
        &self,
        matter: &str,
        subjects: Option<Vec<[u8; 16]>>,
        until_ns: Option<i64>,
    ) -> Result<v1::Hold, CustodianError> {
        let subjects = subjects.unwrap_or_default();
        let placed = self.0.place_hold(matter, &subjects, until_ns);
        placed.map(hold).map_err(failure)
    }

    fn lift_hold(
        &self,
        matter: &str,
        subjects: Option<Vec<[u8; 16]>>,
    ) -> Result<(), CustodianError> {
        let subjects = subjects.unwrap_or_default();
        self.0.lift_hold(matter, &subjects).map_err(failure)
    }

    fn holds(&self) -> Result<Vec<v1::Hold>, CustodianError> {
        Ok(self.0.holds().into_iter().map(hold).collect())
    }

    fn link(&self, a: [u8; 16], b: [u8; 16], cause: &str) -> Result<bool, CustodianError> {
        self.0.join(a, b, cause).map_err(failure)
    }

    fn unlink(&self, a: [u8; 16], b: [u8; 16], cause: &str) -> Result<bool, CustodianError> {
        self.0.part(a, b, cause).map_err(failure)
    }

    fn release(
        &self,
        identifier: &str,
        from_ns: i64,
        cause: &str,
    ) -> Result<Option<[u8; 16]>, CustodianError> {
        let released = self.0.release(identifier, from_ns, cause);
        released.map_err(failure)
    }
}

fn failure(error: EraseError) -> CustodianError {
    match error {
        EraseError::UnknownErasure { .. } => CustodianError::UnknownErasure,
        EraseError::NoSuchHold { .. } => CustodianError::UnknownHold,
        EraseError::NotWaiting { .. } | EraseError::UnknownPerson => {
            CustodianError::Refused(error.to_string())
        }
        EraseError::Stuck { .. } | EraseError::Restless { .. } | EraseError::Stopping => {
            CustodianError::Unavailable(error.to_string())
        }
        error if error.is_input() => CustodianError::Invalid(error.to_string()),
        error => CustodianError::Failed(error.to_string()),
    }
}

fn erasure(status: ErasureStatus) -> v1::Erasure {
    let when = |said: &Said| Timestamp::from_unix_nanos(said.recorded_ns);
    let done = status.done.as_ref();
    // Of several beginnings, the one that the end names.
    let started = match (done, &status.started) {
        (Some(done), _) => Some(done.started),
        (None, started) => started.as_ref().map(|said| said.at),
    };
    v1::Erasure {
        id: status.id.to_string(),
        state: status.state.name().to_owned(),
        references: names(&status.subjects),
        recipients: status.recipients,
        entries: status.entries,
        reason: status.reason,
        ticket: status.ticket,
        mark: status.mark,
        matters: match status.state {
            ErasureState::Waiting => status.matters,
            _ => Vec::new(),
        },
        requested_at: Some(when(&status.requested)),
        started_at: status.started.as_ref().map(when),
        done_at: done.map(|done| when(&done.said)),
        requested: Some(position(&status.requested.at)),
        started: started.as_ref().map(position),
        done: done.map(|done| position(&done.said.at)),
        persons: done.map_or(0, |done| done.persons),
        generation: done.map_or(0, |done| done.generation),
        root_commitment: done.map_or_else(Vec::new, |done| done.commitment.0.to_vec()),
        added: status.added.iter().map(|said| position(&said.at)).collect(),
        waiting_at: status.waiting.as_ref().map(when),
        withdrawn_at: status.withdrawn.as_ref().map(when),
        trouble: status.trouble.unwrap_or_default(),
    }
}

fn hold(hold: Hold) -> v1::Hold {
    v1::Hold {
        references: names(&hold.subjects.unwrap_or_default()),
        until: hold.until_ns.map(Timestamp::from_unix_nanos),
        placed_at: Some(Timestamp::from_unix_nanos(hold.placed.recorded_ns)),
        entry: Some(position(&hold.placed.at)),
        matter: hold.matter,
    }
}

fn names(references: &[[u8; 16]]) -> Vec<String> {
    let names = references.iter();
    names.map(|it| SubjectReference(*it).to_string()).collect()
}

fn position(at: &EntryRef) -> v1::EntryPosition {
    v1::EntryPosition {
        shard: at.shard.to_string(),
        sequence: at.sequence,
        offset: None,
    }
}
