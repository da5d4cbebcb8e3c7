//! The subject states, brought up to the ledger.

use std::io;
use std::path::Path;

use custody_ledger::{Digest, Ledger};
use custody_vault::Vault;

use super::house::{self, HouseLog};
use super::{PipelineError, PipelineOptions};
use crate::erase::Records;
use crate::overdue::Duties;
use crate::state::SubjectStates;

/// Opens the states and takes in what the ledger has beyond them. `records` say
/// who was erased.
pub(crate) fn open(
    dir: &Path,
    ledger: &Ledger,
    vault: &Vault,
    records: &Records,
    options: &PipelineOptions,
) -> Result<SubjectStates, PipelineError> {
    let states = SubjectStates::open(dir, ledger, vault.clone(), options.cache_states)?;
    // The house shard first: whoever starts as erased does so before the first of
    // their events.
    house::follow(&states, ledger, |_, _, _| {})?;
    let duties = Duties::new(states.store(), &*options.deadlines);
    let ruleset = Digest(options.ruleset.digest());
    let is_gone = |reference: &_| records.is_gone(reference);
    states.catch_up(ledger, ruleset, &is_gone, |batch, blocks| {
        duties.take(batch, blocks)
    })?;
    Ok(states)
}

/// Deletes the subject states in `dir` and makes them again from the ledger.
/// No pipeline may have them open.
///
/// # Errors
/// [`PipelineError`] where the directory cannot be deleted, or the ledger, the
/// vault or the store fails.
pub fn rebuild_states(
    dir: &Path,
    ledger: &Ledger,
    vault: &Vault,
    options: &PipelineOptions,
) -> Result<(), PipelineError> {
    match std::fs::remove_dir_all(dir) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(PipelineError::StateDirectory(error));
        }
        _ => {}
    }
    let records = HouseLog::load(ledger, options.erase.register.as_deref())?.records;
    Ok(open(dir, ledger, vault, &records, options)?.persist()?)
}
