//! Why a question gets no answer. Nothing here repeats what was asked: neither
//! an identifier nor a value that may be one.

use custody_ledger::id::ShardId;
use custody_ledger::{DecodeError, LedgerError};
use custody_vault::VaultError;

use crate::read_model::ReadModelError;

/// A field of a request that is not as it must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldFault {
    /// The field's path, such as `filter.kinds[0]`.
    pub field: String,
    /// What is wrong, without the value.
    pub description: String,
}

/// A shard that has not come as far as was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Behind {
    /// Which.
    pub shard: ShardId,
    /// The size or the next offset that was asked for.
    pub wanted: Mark,
    /// The same of what the read model has taken in.
    pub reached: Mark,
    /// Whether the ledger knows the shard.
    pub known: bool,
}

/// How far a shard is, by its entries or by its Kafka offsets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// Number of entries.
    Size(u64),
    /// The next offset to be read.
    NextOffset(i64),
}

/// Why a question gets no answer.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// The request is not well-formed.
    #[error("the request is not valid")]
    Invalid(Vec<FieldFault>),
    /// The page token is damaged, of another request or of another ledger.
    #[error("the page token does not belong to this request")]
    PageToken,
    /// Nobody has this identifier.
    #[error("no person is known by this identifier")]
    SubjectNotFound,
    /// Several persons share this identifier.
    #[error("{count} persons share this identifier; ask by one that is theirs alone")]
    SubjectAmbiguous {
        /// How many.
        count: usize,
    },
    /// There is no such policy version.
    #[error("no such policy version is known")]
    PolicyNotFound,
    /// The read model did not come that far in time.
    #[error("the read model has not come as far as was asked for: {} of the shards named", .0.len())]
    Behind(Vec<Behind>),
    /// No such shard came up in time.
    #[error("no such shard: {0}")]
    ShardUnknown(ShardId),
    /// The read model has not reached the ledger's head since it was opened,
    /// and an answer would be incomplete.
    #[error("the read model is still catching up with the ledger")]
    CatchingUp,
    /// The read model stopped following the ledger, and an answer would be
    /// incomplete.
    #[error("the read model stopped following the ledger")]
    NotFollowing,
    /// The method does not exist yet.
    #[error("{0} is not implemented yet")]
    Unimplemented(&'static str),
    /// A sealed part does not open, or is not what was sealed.
    #[error("the sealed part of shard {shard}, entry {sequence} cannot be read")]
    Sealed {
        /// The shard.
        shard: ShardId,
        /// The entry.
        sequence: u64,
    },
    /// An entry that the read model points to is not in the ledger.
    #[error("shard {shard}, entry {sequence} is not where the read model says")]
    EntryMissing {
        /// The shard.
        shard: ShardId,
        /// The entry.
        sequence: u64,
    },
    /// The read model failed.
    #[error(transparent)]
    ReadModel(#[from] ReadModelError),
    /// The ledger failed.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// A block of the ledger cannot be read.
    #[error(transparent)]
    Block(#[from] DecodeError),
    /// The vault failed.
    #[error(transparent)]
    Vault(VaultError),
    /// The answer was not worked out to its end.
    #[error("the answer was interrupted")]
    Interrupted,
}

/// Gathers what is wrong with a request, so that all of it is said at once.
#[derive(Debug, Default)]
pub(crate) struct Faults(Vec<FieldFault>);

impl Faults {
    pub(crate) fn push(&mut self, field: impl Into<String>, description: impl Into<String>) {
        self.0.push(FieldFault {
            field: field.into(),
            description: description.into(),
        });
    }

    /// The value, unless something was wrong.
    pub(crate) fn or<T>(self, value: T) -> Result<T, QueryError> {
        if self.0.is_empty() {
            Ok(value)
        } else {
            Err(QueryError::Invalid(self.0))
        }
    }
}
