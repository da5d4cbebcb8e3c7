//! The house shard and the register, where one of them is older than the other: as
//! after a backup was restored, or where the register is not the one it was.

use std::collections::{BTreeSet, HashMap, HashSet};

use custody_ledger::{HouseRecord, Kind, SubjectReference};
use tracing::{info, warn};

use super::carry::day_of;
use super::register::{Line, Register};
use super::{EraseError, ErasureId, ErasureState, ErasureStatus, Registrar};
use crate::state::Reference;

/// An erasure in the register, all its lines taken together: persons may have been
/// linked with more between two tries.
struct Registered {
    id: ErasureId,
    mark: bool,
    subjects: BTreeSet<Reference>,
}

impl Registrar {
    /// Makes each of the two know what the other does.
    pub(super) fn take_register(
        &self,
        register: &Register,
        lines: &[Line],
    ) -> Result<(), EraseError> {
        let mut registered: Vec<Registered> = Vec::new();
        let mut places: HashMap<ErasureId, usize> = HashMap::new();
        for line in lines {
            let place = *places.entry(line.id).or_insert(registered.len());
            match registered.get_mut(place) {
                Some(one) => one.subjects.extend(&line.subjects),
                None => registered.push(Registered {
                    id: line.id,
                    mark: line.mark,
                    subjects: line.subjects.iter().copied().collect(),
                }),
            }
        }
        for one in &registered {
            self.begin_again(one)?;
        }
        let of = |id: &ErasureId| places.get(id).and_then(|place| registered.get(*place));
        let lines: Vec<Line> = {
            let records = self.records.lock();
            let done = records.erasures().iter();
            done.filter_map(|status| {
                let has =
                    |subject| of(&status.id).is_some_and(|one| one.subjects.contains(subject));
                let is_there = status.subjects.iter().all(has);
                line(status).filter(|_| !is_there)
            })
            .collect()
        };
        if !lines.is_empty() {
            warn!(
                erasures = lines.len(),
                "the register lacks erasures that the ledger has, and gets them: a backup that \
                 was restored by this register alone has brought these persons back"
            );
            register.append(&lines)?;
        }
        Ok(())
    }

    /// Says that an erasure began which the register has: no hold stands against what
    /// was done before. In one step, so that none can come in between.
    fn begin_again(&self, one: &Registered) -> Result<(), EraseError> {
        let known = self.erasure(one.id);
        if let Some(status) = &known {
            match status.state {
                ErasureState::Done => return Ok(()),
                ErasureState::Withdrawn => {
                    warn!(erasure = %one.id,
                        "the register has an erasure that was withdrawn since; it stays so");
                    return Ok(());
                }
                _ => {}
            }
        }
        let known_subjects: HashSet<&Reference> =
            known.iter().flat_map(|status| &status.subjects).collect();
        let lacking = one.subjects.iter();
        let lacking: Vec<SubjectReference> = lacking
            .filter(|subject| !known_subjects.contains(subject))
            .map(|subject| SubjectReference(*subject))
            .collect();
        let is_begun = matches!(&known, Some(status) if status.state == ErasureState::Started);
        let mut records = Vec::new();
        if !lacking.is_empty() {
            let (reason, ticket) = match &known {
                Some(status) => (status.reason.clone(), status.ticket.clone()),
                None => ("restored".to_owned(), String::new()),
            };
            let record = HouseRecord::ErasureRequested {
                id: one.id.0,
                subjects: lacking,
                recipients: Vec::new(),
                entries: 0,
                reason,
                ticket,
                mark: one.mark,
            };
            records.push((Kind::ErasureRequested, record));
        }
        if !is_begun || !records.is_empty() {
            let record = HouseRecord::ErasureStarted { id: one.id.0 };
            records.push((Kind::ErasureStarted, record));
        }
        if records.is_empty() {
            return Ok(());
        }
        info!(erasure = %one.id, "the register has an erasure that the ledger lacks");
        self.say_all(records)
    }
}

/// What the register is to have of an erasure that is done.
fn line(status: &ErasureStatus) -> Option<Line> {
    let (done, started) = (status.done.as_ref()?, status.started.as_ref()?);
    Some(Line {
        id: status.id,
        generation: done.generation.saturating_sub(1),
        day: day_of(started.recorded_ns),
        mark: status.mark,
        subjects: status.subjects.clone(),
    })
}
