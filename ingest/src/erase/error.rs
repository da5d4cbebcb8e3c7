//! Why something was not done.

use std::io;

use custody_ledger::ShardId;
use custody_vault::VaultError;

use super::order::MAX_SUBJECTS;
use super::{ErasureId, ErasureState, RegisterError, Step};
use crate::duplicates::DuplicatesError;
use crate::pipeline::PipelineError;
use crate::state::StateError;

/// Why an erasure, a hold or a change of identity was not done. Names no person.
#[derive(Debug, thiserror::Error)]
pub enum EraseError {
    /// An order of nobody.
    #[error("nobody is named")]
    Nobody,
    /// An order of too many.
    #[error("{count} persons in one order, the limit is {MAX_SUBJECTS}")]
    TooMany {
        /// How many.
        count: usize,
    },
    /// Not `[a-z0-9._-]{1,64}`.
    #[error("`{field}` is no code: 1 to 64 of a-z, 0-9, `.`, `_` and `-`")]
    NotACode {
        /// Which field.
        field: &'static str,
    },
    /// No erasure's id.
    #[error("an erasure is named by 32 hexadecimal digits")]
    NotAnId,
    /// The vault has nobody of this reference.
    #[error("a person who is named is not known, or was erased")]
    UnknownPerson,
    /// An end before the beginning.
    #[error("the hold would have run out already")]
    RunOut,
    /// There is no such erasure.
    #[error("there is no erasure {id}")]
    UnknownErasure {
        /// Its id.
        id: ErasureId,
    },
    /// It began, or is over.
    #[error("the erasure {id} is {}, and can no longer be withdrawn", state.name())]
    NotWaiting {
        /// Its id.
        id: ErasureId,
        /// How far it is.
        state: ErasureState,
    },
    /// There is no such hold.
    #[error("there is no such hold for `{matter}`")]
    NoSuchHold {
        /// What for.
        matter: String,
    },
    /// What was on its way did not become durable in time.
    #[error(
        "the erasure {id} waits for shard {shard}, which did not get what it was working on onto \
         the disk; it is tried again"
    )]
    Stuck {
        /// The erasure.
        id: ErasureId,
        /// The shard.
        shard: ShardId,
    },
    /// Persons were linked again and again while it was to begin.
    #[error("the persons of the erasure {id} are being linked with others; it is tried again")]
    Restless {
        /// The erasure.
        id: ErasureId,
    },
    /// The pipeline is about to end.
    #[error("the pipeline is about to end; what is open goes on with the next start")]
    Stopping,
    /// A test made it fail.
    #[error("stopped after {step:?}: {reason}")]
    Point {
        /// What was done before.
        step: Step,
        /// Why.
        reason: io::Error,
    },
    /// No random bytes.
    #[error("no random bytes: {0}")]
    Randomness(io::Error),
    /// The vault refused or failed.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The vault could not make something durable.
    #[error("the vault cannot make durable what was changed: {0}")]
    Flush(io::Error),
    /// The register failed.
    #[error(transparent)]
    Register(#[from] RegisterError),
    /// The ledger refused or failed.
    #[error(transparent)]
    Ledger(#[from] custody_ledger::LedgerError),
    /// The subject states failed.
    #[error(transparent)]
    States(#[from] StateError),
    /// The duplicates index failed.
    #[error(transparent)]
    Duplicates(#[from] DuplicatesError),
    /// The pipeline has failed, or could not be brought up to the ledger.
    #[error(transparent)]
    Pipeline(#[from] Box<PipelineError>),
}

impl From<PipelineError> for EraseError {
    fn from(error: PipelineError) -> Self {
        Self::Pipeline(Box::new(error))
    }
}

impl EraseError {
    /// Whether whoever asked is to blame: the same call fails again.
    pub fn is_input(&self) -> bool {
        match self {
            Self::Nobody
            | Self::TooMany { .. }
            | Self::NotACode { .. }
            | Self::NotAnId
            | Self::UnknownPerson
            | Self::RunOut
            | Self::UnknownErasure { .. }
            | Self::NotWaiting { .. }
            | Self::NoSuchHold { .. } => true,
            Self::Vault(error) => error.is_input() || matches!(error, VaultError::UnknownPerson),
            _ => false,
        }
    }

    /// Whether nothing more can be done in this process.
    pub(crate) fn is_fatal(&self) -> bool {
        matches!(
            self,
            Self::Ledger(_) | Self::Pipeline(_) | Self::Vault(VaultError::Interrupted)
        )
    }
}
