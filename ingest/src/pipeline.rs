//! From raw messages to durable blocks.
//!
//! Each shard has one thread, which takes its messages in order through
//! decode, normalise, judge, seal and append. The ledger's writer commits the
//! blocks of all shards in groups. Whoever feeds a shard (Kafka, a file) sees
//! how much is queued and holds back.

mod dead_letter;
mod options;
mod waivers;

mod house;
mod parties;
mod ruleset;
mod states;

mod flight;
mod shard;
mod shared;
mod stage;

mod keeper;
mod review;
mod reviews;

mod erasures;

mod feed;
mod oversight;

pub use dead_letter::{DeadLetter, DeadLetters, StopSignal, Undelivered};
pub use feed::{Lost, Pipeline, PipelineParts, ShardFeed};
pub use options::{Clock, MAX_MESSAGE_BYTES, PipelineOptions, SourceRules, system_clock};
pub use states::rebuild_states;
pub use waivers::SharedWaivers;

pub(crate) use house::HouseLog;
pub(crate) use parties::house as house_entry;
pub(crate) use reviews::Reviews;
pub(crate) use states::open as open_states;

/// What can go wrong with the pipeline as a whole. Input never does.
#[derive(Debug, thiserror::Error)]
pub enum PipelineError {
    /// The ledger refused or failed.
    #[error(transparent)]
    Ledger(#[from] custody_ledger::LedgerError),
    /// A block could not be built.
    #[error(transparent)]
    Build(#[from] custody_ledger::BuildError),
    /// The vault refused or failed.
    #[error(transparent)]
    Vault(#[from] custody_vault::VaultError),
    /// A message could not be sealed.
    #[error(transparent)]
    Seal(#[from] custody_vault::SealError),
    /// The duplicates index failed.
    #[error(transparent)]
    Duplicates(#[from] crate::duplicates::DuplicatesError),
    /// The subject states failed.
    #[error(transparent)]
    States(#[from] crate::state::StateError),
    /// A waiver cannot be taken.
    #[error("waiver: {0}")]
    Waiver(#[from] custody_policy::WaiverError),
    /// There is a waiver of that id already; entries may cite it.
    #[error("there is a waiver {id} already")]
    WaiverKnown {
        /// The id.
        id: String,
    },
    /// A waiver of a finding that a passed deadline makes and no judgement: there
    /// is nothing in its record that could say so.
    #[error("{code} cannot be waived: what is overdue is recorded without waivers")]
    WaiverOfDuty {
        /// The finding.
        code: &'static str,
    },
    /// A revocation is of another waiver than was said.
    #[error("the note revokes the waiver {id}")]
    OtherWaiver {
        /// The id in the note.
        id: String,
    },
    /// The subject states could not be deleted.
    #[error("cannot delete the subject states: {0}")]
    StateDirectory(std::io::Error),
    /// Dead letters could not be handed over before the stop.
    #[error(transparent)]
    DeadLetters(#[from] Undelivered),
    /// An entry could not be encoded.
    #[error("entry: {0}")]
    Entry(#[from] custody_ledger::DecodeError),
    /// A thread could not be started.
    #[error("cannot start a shard's thread: {0}")]
    Thread(#[from] std::io::Error),
    /// The shard's former thread is still at work; try again later.
    #[error("the shard still works off what it was given before; trying again")]
    Busy,
    /// What was cut short of an erasure could not be looked at.
    #[error(transparent)]
    Erase(#[from] crate::erase::EraseError),
    /// It has failed before, and takes nothing more until it is reopened.
    #[error("stopped after a failure: {0}")]
    Failed(String),
}
