//! What keeps the notary from signing, and what cannot be proved.

use std::fmt;
use std::io;
use std::sync::Arc;

use crate::error::{LedgerError, Step};
use crate::fault::{Fault, Place};
use crate::id::ShardId;

/// Why nothing more is signed. It stops the ledger.
#[derive(Debug, Clone, thiserror::Error)]
pub enum NotaryError {
    /// What was read again is not what was committed, or does not continue what
    /// was signed.
    #[error("{0}")]
    Damaged(Fault),
    /// A block cannot be read again.
    #[error(transparent)]
    Read(#[from] LedgerError),
    /// A durable step failed.
    #[error("{step} failed: {source}")]
    Step {
        /// Which.
        step: Step,
        /// Why.
        source: Arc<io::Error>,
    },
    /// The ledger's own log is at fault.
    #[error("{reason}")]
    Ledger {
        /// How.
        reason: String,
    },
}

impl NotaryError {
    pub(super) fn inconsistent(shard: ShardId, what: String) -> Self {
        Self::Damaged(Fault {
            place: Place::Shard { shard },
            what,
        })
    }

    pub(super) fn tree(shard: ShardId, error: &impl fmt::Display) -> Self {
        Self::inconsistent(shard, format!("its tree: {error}"))
    }

    pub(super) fn map(shard: ShardId, error: &impl fmt::Display) -> Self {
        Self::inconsistent(shard, format!("its map of persons: {error}"))
    }

    pub(super) fn ledger_tree(error: &impl fmt::Display) -> Self {
        Self::Ledger {
            reason: format!("the log of manifests: {error}"),
        }
    }

    pub(super) fn unsayable(error: impl fmt::Display) -> Self {
        Self::Ledger {
            reason: format!("a checkpoint cannot be written down: {error}"),
        }
    }

    pub(super) fn step(step: Step) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Step {
            step,
            source: Arc::new(source),
        }
    }
}

impl From<Fault> for NotaryError {
    fn from(fault: Fault) -> Self {
        Self::Damaged(fault)
    }
}

/// Why something cannot be proved.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ProveError {
    /// Nothing is signed: the ledger has no notary, or it is still reading what
    /// was there when it was opened.
    #[error("nothing is signed yet")]
    NoCheckpoint,
    /// The ledger has no such shard.
    #[error("there is no shard {shard} in the ledger's last checkpoint")]
    UnknownShard {
        /// Which.
        shard: ShardId,
    },
    /// It is not, or not yet, covered by the last checkpoint.
    #[error("{asked} is asked for, and the last checkpoint covers {signed} entries")]
    NotCovered {
        /// The sequence or size that is asked for.
        asked: u64,
        /// The size of the last checkpoint.
        signed: u64,
    },
    /// The earlier of two sizes is the greater one.
    #[error("a tree of {from} does not become one of {to}")]
    Order {
        /// The earlier size.
        from: u64,
        /// The later size.
        to: u64,
    },
    /// The tree or the map cannot be read.
    #[error("the proof cannot be made: {reason}")]
    Derived {
        /// Why.
        reason: String,
    },
    /// A block cannot be read.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}
