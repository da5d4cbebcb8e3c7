//! How erasures and holds stand.

use custody_ledger::{Digest, EntryRef};

use super::ErasureId;
use crate::state::Reference;

/// When something was said, and where in the house shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Said {
    /// The entry.
    pub at: EntryRef,
    /// When it was recorded, nanoseconds since 1970 UTC.
    pub recorded_ns: i64,
}

/// How far an erasure is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErasureState {
    /// It is asked for, and is done as soon as it can be.
    Requested,
    /// Holds stand against it.
    Waiting,
    /// It began, and will be done whatever happens.
    Started,
    /// The keys are gone.
    Done,
    /// It is not to be done.
    Withdrawn,
}

impl ErasureState {
    /// `requested`, `waiting`, `started`, `done` or `withdrawn`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Waiting => "waiting",
            Self::Started => "started",
            Self::Done => "done",
            Self::Withdrawn => "withdrawn",
        }
    }

    /// Whether there is something left to do.
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Requested | Self::Waiting | Self::Started)
    }
}

/// That it was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Erased {
    /// The entry that says so.
    pub said: Said,
    /// The generation of the root key since then.
    pub generation: u64,
    /// What commits to that root key.
    pub commitment: Digest,
    /// How many persons the vault forgot.
    pub persons: u64,
    /// The entry that says that it began.
    pub started: EntryRef,
}

/// An erasure, as the house shard has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErasureStatus {
    /// Names it.
    pub id: ErasureId,
    /// How far it is.
    pub state: ErasureState,
    /// The persons' references, with those who were linked until it began.
    pub subjects: Vec<Reference>,
    /// Ids of the organisations that had been given their data.
    pub recipients: Vec<String>,
    /// How many entries are about them, as the order said.
    pub entries: u64,
    /// Why, as a code.
    pub reason: String,
    /// The operator's ticket; may be empty.
    pub ticket: String,
    /// Whether identifiers are marked.
    pub mark: bool,
    /// That it was asked for.
    pub requested: Said,
    /// That persons or recipients came to be known later, in this order.
    pub added: Vec<Said>,
    /// That it waits, as it was said last.
    pub waiting: Option<Said>,
    /// What it waits for, or waited for last.
    pub matters: Vec<String>,
    /// That it began, as it was said last.
    pub started: Option<Said>,
    /// That it is done.
    pub done: Option<Erased>,
    /// That it is not to be done.
    pub withdrawn: Option<Said>,
    /// Why it is not done yet, where something is in its way other than a hold.
    /// Known to the process that tried, and not recorded.
    pub trouble: Option<String>,
}

/// The law or a dispute wants data kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// What for, as a code.
    pub matter: String,
    /// Of whom; `None`: of everybody.
    pub subjects: Option<Vec<Reference>>,
    /// The first moment at which it no longer holds, nanoseconds since 1970 UTC.
    pub until_ns: Option<i64>,
    /// That it was placed.
    pub placed: Said,
}

impl Hold {
    /// Whether it has not run out.
    pub fn stands(&self, now_ns: i64) -> bool {
        self.until_ns.is_none_or(|until_ns| now_ns < until_ns)
    }
}
