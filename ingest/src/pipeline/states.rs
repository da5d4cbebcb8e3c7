//! The subject states, brought up to the ledger.

use std::io;
use std::path::Path;

use custody_ledger::{Digest, Ledger};
use custody_vault::Vault;

use super::{PipelineError, PipelineOptions};
use crate::overdue::Duties;
use crate::state::SubjectStates;

/// Opens the states and takes in what the ledger has beyond them.
pub(super) fn open(
    dir: &Path,
    ledger: &Ledger,
    vault: &Vault,
    options: &PipelineOptions,
) -> Result<SubjectStates, PipelineError> {
    let states = SubjectStates::open(dir, ledger, vault.clone(), options.cache_states)?;
    let duties = Duties::new(states.store(), &*options.deadlines);
    let ruleset = Digest(options.ruleset.digest());
    states.catch_up(ledger, ruleset, |batch, blocks| duties.take(batch, blocks))?;
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
    Ok(open(dir, ledger, vault, options)?.persist()?)
}
