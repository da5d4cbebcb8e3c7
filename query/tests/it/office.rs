//! A custodian without a pipeline: what the real one does, in the order of the
//! contract and without what protects it from events under way.

use custody_ledger::{
    Act, Digest, Entry, EntryRef, HouseRecord, Kind, Ledger, ShardDescriptor, SubjectReference,
};
use custody_proto::{Timestamp, v1};
use custody_query::{Custodian, CustodianError, ErasureOrder};
use custody_vault::{EraseMark, Vault};
use parking_lot::Mutex;

use crate::world::START;

pub(crate) struct Office {
    pub(crate) ledger: Ledger,
    pub(crate) vault: Vault,
    erasures: Mutex<Vec<v1::Erasure>>,
    holds: Mutex<Vec<v1::Hold>>,
    /// Who is linked, and why: what the house would be told.
    pub(crate) causes: Mutex<Vec<String>>,
}

fn failed(error: impl ToString) -> CustodianError {
    CustodianError::Failed(error.to_string())
}

impl Office {
    pub(crate) fn new(ledger: Ledger, vault: Vault) -> Self {
        Self {
            ledger,
            vault,
            erasures: Mutex::default(),
            holds: Mutex::default(),
            causes: Mutex::default(),
        }
    }

    fn say(&self, kind: Kind, record: HouseRecord) -> Result<v1::EntryPosition, CustodianError> {
        let house = ShardDescriptor::house().id();
        let sequence = self.ledger.head(house).map_or(0, |head| head.size);
        let mut entry = Entry::new(kind, START);
        entry.act = Act::House(record);
        let ruleset = Digest([7; 32]);
        let head = self.ledger.append_house(vec![entry], START, ruleset);
        head.map_err(failed)?;
        Ok(v1::EntryPosition {
            shard: house.to_string(),
            sequence,
            offset: None,
        })
    }

    fn finish(&self, mut erasure: v1::Erasure) -> Result<v1::Erasure, CustodianError> {
        let id = u128::from_str_radix(&erasure.id, 16).unwrap().to_be_bytes();
        let references: Vec<[u8; 16]> = erasure
            .references
            .iter()
            .map(|it| u128::from_str_radix(it, 16).unwrap().to_be_bytes())
            .collect();
        let erasing = self.vault.begin_erasing(&references).map_err(failed)?;
        let started = self.say(Kind::ErasureStarted, HouseRecord::ErasureStarted { id })?;
        let mark = erasure.mark.then(|| EraseMark {
            day: 20_089,
            scope: String::new(),
        });
        let erased = erasing.erase(mark).map_err(failed)?;
        let record = HouseRecord::ErasureDone {
            id,
            generation: erased.generation,
            commitment: Digest(erased.commitment),
            persons: erased.persons,
            started: EntryRef {
                shard: ShardDescriptor::house().id(),
                sequence: started.sequence,
            },
        };
        erasure.done = Some(self.say(Kind::ErasureDone, record)?);
        erasure.started = Some(started);
        erasure.persons = erased.persons;
        erasure.generation = erased.generation;
        erasure.root_commitment = erased.commitment.to_vec();
        erasure.state = "done".to_owned();
        Ok(erasure)
    }

    fn matters(&self, references: &[String]) -> Vec<String> {
        let holds = self.holds.lock();
        let stands = |hold: &&v1::Hold| {
            hold.references.is_empty() || hold.references.iter().any(|it| references.contains(it))
        };
        let standing = holds.iter().filter(stands);
        standing.map(|hold| hold.matter.clone()).collect()
    }
}

fn names(references: &[[u8; 16]]) -> Vec<String> {
    let names = references.iter();
    names.map(|it| SubjectReference(*it).to_string()).collect()
}

impl Custodian for Office {
    fn erase(&self, order: ErasureOrder) -> Result<v1::Erasure, CustodianError> {
        let id = [0x10 + self.erasures.lock().len() as u8; 16];
        let references = names(&order.subjects);
        let record = HouseRecord::ErasureRequested {
            id,
            subjects: order
                .subjects
                .iter()
                .copied()
                .map(SubjectReference)
                .collect(),
            recipients: order.recipients.clone(),
            entries: order.entries,
            reason: order.reason.clone(),
            ticket: order.ticket.clone(),
            mark: order.mark,
        };
        let matters = self.matters(&references);
        let mut erasure = v1::Erasure {
            id: SubjectReference(id).to_string(),
            state: "waiting".to_owned(),
            reason: order.reason,
            ticket: order.ticket,
            mark: order.mark,
            references,
            recipients: order.recipients,
            entries: order.entries,
            requested: Some(self.say(Kind::ErasureRequested, record)?),
            requested_at: Some(Timestamp::from_unix_nanos(START)),
            matters: matters.clone(),
            ..v1::Erasure::default()
        };
        if matters.is_empty() {
            erasure = self.finish(erasure)?;
        }
        self.erasures.lock().push(erasure.clone());
        Ok(erasure)
    }

    fn erasures(&self) -> Result<Vec<v1::Erasure>, CustodianError> {
        Ok(self.erasures.lock().clone())
    }

    fn withdraw(&self, id: [u8; 16]) -> Result<v1::Erasure, CustodianError> {
        let mut erasures = self.erasures.lock();
        let id = SubjectReference(id).to_string();
        let erasure = erasures
            .iter_mut()
            .find(|it| it.id == id)
            .ok_or(CustodianError::UnknownErasure)?;
        if erasure.state != "waiting" {
            return Err(CustodianError::Refused("it began".to_owned()));
        }
        erasure.state = "withdrawn".to_owned();
        Ok(erasure.clone())
    }

    fn place_hold(
        &self,
        matter: &str,
        subjects: Option<Vec<[u8; 16]>>,
        until_ns: Option<i64>,
    ) -> Result<v1::Hold, CustodianError> {
        let hold = v1::Hold {
            matter: matter.to_owned(),
            references: names(&subjects.unwrap_or_default()),
            until: until_ns.map(Timestamp::from_unix_nanos),
            ..v1::Hold::default()
        };
        self.holds.lock().push(hold.clone());
        Ok(hold)
    }

    fn lift_hold(
        &self,
        matter: &str,
        _subjects: Option<Vec<[u8; 16]>>,
    ) -> Result<(), CustodianError> {
        let mut holds = self.holds.lock();
        let before = holds.len();
        holds.retain(|hold| hold.matter != matter);
        if holds.len() == before {
            return Err(CustodianError::UnknownHold);
        }
        drop(holds);
        let mut erasures = self.erasures.lock();
        for erasure in erasures.iter_mut().filter(|it| it.state == "waiting") {
            if self.matters(&erasure.references).is_empty() {
                *erasure = self.finish(erasure.clone())?;
            }
        }
        Ok(())
    }

    fn holds(&self) -> Result<Vec<v1::Hold>, CustodianError> {
        Ok(self.holds.lock().clone())
    }

    fn link(&self, a: [u8; 16], b: [u8; 16], cause: &str) -> Result<bool, CustodianError> {
        self.causes.lock().push(cause.to_owned());
        self.vault.link(&a, &b).map_err(failed)
    }

    fn unlink(&self, a: [u8; 16], b: [u8; 16], cause: &str) -> Result<bool, CustodianError> {
        self.causes.lock().push(cause.to_owned());
        self.vault.unlink(&a, &b).map_err(failed)
    }

    fn release(
        &self,
        identifier: &str,
        from_ns: i64,
        cause: &str,
    ) -> Result<Option<[u8; 16]>, CustodianError> {
        self.causes.lock().push(cause.to_owned());
        self.vault.release(identifier, from_ns).map_err(failed)
    }
}
