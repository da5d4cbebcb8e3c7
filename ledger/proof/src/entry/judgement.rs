//! What the judge said of an entry.

use bincode::{Decode, Encode};
use serde::Serialize;

use crate::id::ShardId;

/// The place of an entry in the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
pub struct EntryRef {
    /// The shard.
    pub shard: ShardId,
    /// The sequence number within it.
    pub sequence: u64,
}

/// What the judge said at ingest.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Judgement {
    /// The stored number of the [`Outcome`].
    pub outcome_code: u8,
    /// The policy version judged by; empty where none.
    pub policy: String,
    /// The clauses that declare what was done.
    pub clauses: Vec<String>,
    /// What was found.
    pub findings: Vec<Finding>,
    /// Whether the event came after a later event of the same person had been
    /// judged. Since version 2; `false` of an entry of version 1.
    pub late: bool,
}

/// One thing that the judge found.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Finding {
    /// The code, such as `consent_missing`.
    pub code: String,
    /// The clauses that it rests on.
    pub clauses: Vec<String>,
    /// Terms, ids and countries.
    pub arguments: Vec<String>,
    /// Whether a waiver suppresses it.
    pub suppressed: bool,
    /// The entries that decided it, such as the withdrawal of a consent. Since
    /// version 2; none in an entry of version 1.
    pub decided_by: Vec<EntryRef>,
    /// The id of the waiver that suppresses it; empty where none does. Since
    /// version 2.
    pub waiver: String,
}

/// The worst of a judgement's findings. The numbers are stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[repr(u8)]
pub enum Outcome {
    /// No policy pack was loaded, or the kind is not judged.
    #[default]
    NotJudged = 0,
    /// Every term is declared.
    Conforms = 1,
    /// There were findings, and a waiver suppresses each.
    Suppressed = 2,
    /// Nothing declares this.
    Gap = 3,
    /// Contrary to what was promised.
    Violation = 4,
}

impl Outcome {
    /// Every outcome, from the mildest.
    pub const ALL: [Self; 5] = [
        Self::NotJudged,
        Self::Conforms,
        Self::Suppressed,
        Self::Gap,
        Self::Violation,
    ];

    /// The outcome of a stored number.
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|o| *o as u8 == code)
    }

    /// The contract's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NotJudged => "not_judged",
            Self::Conforms => "conforms",
            Self::Suppressed => "suppressed",
            Self::Gap => "gap",
            Self::Violation => "violation",
        }
    }
}
