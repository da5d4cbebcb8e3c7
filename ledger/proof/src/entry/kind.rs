//! The kinds of entries and their stored numbers.

use std::fmt;

/// What an entry says that happened.
///
/// The numbers are stored; they are never given to another kind. Kinds from
/// 128 on are Custody's own, in the house shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
#[allow(missing_docs)] // The contract's own names; see `custody.event.v1`.
pub enum Kind {
    Collection = 1,
    Use = 2,
    Disclosure = 3,
    Transfer = 4,
    ConsentGiven = 5,
    ConsentWithdrawn = 6,
    Objection = 7,
    Restriction = 8,
    RestrictionLifted = 9,
    Rectification = 10,
    Erasure = 11,
    Anonymisation = 12,
    Retraction = 13,
    RightsRequest = 14,
    RightsResponse = 15,
    Breach = 16,
    Notice = 17,
    PolicyPublished = 18,
    AccountClosed = 19,
    Consultation = 20,
    /// A shard was opened.
    ShardOpened = 128,
    /// An organisation was named for the first time.
    PartyRegistered = 129,
    /// An organisation was named otherwise than it is registered.
    PartyContradicted = 130,
    /// Two persons turned out to be one.
    IdentityLinked = 131,
    /// Two persons turned out not to be one.
    IdentityUnlinked = 132,
    /// Kafka had dropped messages before they could be read.
    OffsetsLost = 133,
    /// An entry was judged again, and otherwise than at ingest.
    Rejudged = 134,
    /// The operator waived findings.
    WaiverGiven = 135,
    /// The operator took a waiver back.
    WaiverRevoked = 136,
    /// A duty was not done by its deadline.
    OverdueFound = 137,
    /// Events are judged by these rules from here on.
    RulesetAdopted = 138,
    /// A shard goes on although it lost its end.
    ShardResumed = 139,
}

impl Kind {
    /// Every kind, in the order of the stored numbers.
    pub const ALL: [Self; 32] = [
        Self::Collection,
        Self::Use,
        Self::Disclosure,
        Self::Transfer,
        Self::ConsentGiven,
        Self::ConsentWithdrawn,
        Self::Objection,
        Self::Restriction,
        Self::RestrictionLifted,
        Self::Rectification,
        Self::Erasure,
        Self::Anonymisation,
        Self::Retraction,
        Self::RightsRequest,
        Self::RightsResponse,
        Self::Breach,
        Self::Notice,
        Self::PolicyPublished,
        Self::AccountClosed,
        Self::Consultation,
        Self::ShardOpened,
        Self::PartyRegistered,
        Self::PartyContradicted,
        Self::IdentityLinked,
        Self::IdentityUnlinked,
        Self::OffsetsLost,
        Self::Rejudged,
        Self::WaiverGiven,
        Self::WaiverRevoked,
        Self::OverdueFound,
        Self::RulesetAdopted,
        Self::ShardResumed,
    ];

    /// The stored number.
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The kind of a stored number.
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.code() == code)
    }

    /// The contract's name, such as `consent_given`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Collection => "collection",
            Self::Use => "use",
            Self::Disclosure => "disclosure",
            Self::Transfer => "transfer",
            Self::ConsentGiven => "consent_given",
            Self::ConsentWithdrawn => "consent_withdrawn",
            Self::Objection => "objection",
            Self::Restriction => "restriction",
            Self::RestrictionLifted => "restriction_lifted",
            Self::Rectification => "rectification",
            Self::Erasure => "erasure",
            Self::Anonymisation => "anonymisation",
            Self::Retraction => "retraction",
            Self::RightsRequest => "rights_request",
            Self::RightsResponse => "rights_response",
            Self::Breach => "breach",
            Self::Notice => "notice",
            Self::PolicyPublished => "policy_published",
            Self::AccountClosed => "account_closed",
            Self::Consultation => "consultation",
            Self::ShardOpened => "shard_opened",
            Self::PartyRegistered => "party_registered",
            Self::PartyContradicted => "party_contradicted",
            Self::IdentityLinked => "identity_linked",
            Self::IdentityUnlinked => "identity_unlinked",
            Self::OffsetsLost => "offsets_lost",
            Self::Rejudged => "rejudged",
            Self::WaiverGiven => "waiver_given",
            Self::WaiverRevoked => "waiver_revoked",
            Self::OverdueFound => "overdue_found",
            Self::RulesetAdopted => "ruleset_adopted",
            Self::ShardResumed => "shard_resumed",
        }
    }

    /// The kind of a contract's name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Whether Custody itself writes it, in the house shard.
    pub const fn is_house(self) -> bool {
        self.code() >= 128
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
