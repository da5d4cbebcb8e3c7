//! Why a question gets no answer. Nothing here repeats what was asked: neither
//! an identifier nor a value that may be one.

use custody_ledger::id::ShardId;
use custody_ledger::{DecodeError, LedgerError};
use custody_vault::VaultError;

use crate::backup::BackupError;
use crate::custodian::CustodianError;
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
    /// Nothing of this ledger is signed yet.
    #[error(
        "nothing of this ledger is signed yet: the first checkpoint comes within a second of \
         the start of a node that has a signing key; `custody help keys` says how to make one"
    )]
    NoCheckpoint,
    /// The last signed checkpoint does not reach so far.
    #[error(
        "{asked} is asked for, and the last signed checkpoint covers {signed} entries: what is \
         newer is signed within a second"
    )]
    NotCovered {
        /// The sequence or size that was asked for.
        asked: u64,
        /// The size that is signed.
        signed: u64,
    },
    /// What was asked for was not signed in time.
    #[error("what was asked for is not signed yet: {} of the shards named", .0.len())]
    NotSigned(Vec<Behind>),
    /// The size that a proof was to begin with is beyond the one it ends with.
    #[error("the earlier tree, of {from}, is larger than the later one, of {to}")]
    NotEarlier {
        /// The earlier size.
        from: u64,
        /// The later one.
        to: u64,
    },
    /// The read model knows fewer or more entries of a person than the signed
    /// map counts.
    #[error(
        "shard {shard}: {found} entries of this person were found where {counted} are signed; \
         `custody rebuild` makes the read model anew"
    )]
    EvidenceIncomplete {
        /// The shard.
        shard: ShardId,
        /// How many the read model has.
        found: u64,
        /// How many the signed map counts.
        counted: u64,
    },
    /// A proof could not be made of what the ledger holds.
    #[error("a proof could not be made: {0}")]
    Proof(String),
    /// This node has no directory for backups.
    #[error("this node makes no backups: set `backup.dir` and start it again")]
    BackupsOff,
    /// There is a backup of this name.
    #[error("there is a backup of this name already")]
    BackupExists,
    /// A backup is being made.
    #[error("a backup is being made; one at a time")]
    BackupRunning,
    /// A backup was not made.
    #[error(transparent)]
    Backup(BackupError),
    /// This node takes no events in, and so changes nothing either.
    #[error(
        "this node does not take events in, and only one that does erases, holds and links: ask \
         there"
    )]
    NoPipeline,
    /// An erasure without its preview.
    #[error("ask with `preview` first, and confirm with the token that it gives")]
    NotPreviewed,
    /// Something is otherwise than in the preview.
    #[error(
        "what would be erased has changed since the preview, or something else is asked for: \
         look again"
    )]
    PreviewOutdated,
    /// What was to be done was not done.
    #[error(transparent)]
    Custodian(#[from] CustodianError),
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
    /// Where a trace was to start there is no event of this person, or none
    /// that others could have come from.
    #[error("there is no event of this person where the trace is to start")]
    StartNotFound,
    /// The question needs more rows to be read than one may.
    #[error(
        "more than {rows} rows would have to be read; ask for less: a shorter time, a recipient"
    )]
    TooMuch {
        /// How many may be read.
        rows: u64,
    },
    /// The deadline came before the answer.
    #[error("the deadline came before the answer; ask for less, or wait longer")]
    Late,
    /// The deadline came before the end of a stream.
    #[error("the deadline came before the end; go on behind the resume token")]
    LateOnTheWay {
        /// Where it goes on: behind what was looked at.
        resume_token: String,
    },
    /// That somebody looked could not be written down, and this node gives no
    /// answer without that.
    #[error("the consultation could not be kept, and there is no answer without it")]
    NotConsulted,
    /// The token to go on with is damaged, or of another request or ledger.
    #[error("the resume token does not belong to this request")]
    ResumeToken,
    /// As many watch already as this node lets.
    #[error("{limit} watch already, and this node lets no more")]
    TooManyWatchers {
        /// How many.
        limit: usize,
    },
    /// A watcher took nothing for too long.
    #[error("the watcher took nothing for too long; its last resume token goes on from there")]
    WatcherTooSlow,
    /// The server is being stopped.
    #[error("the server is being stopped; the last resume token goes on with another")]
    Stopping,
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
