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
    /// Persons are to be erased.
    ErasureRequested = 140,
    /// Holds stand against an erasure.
    ErasureWaiting = 141,
    /// An erasure began.
    ErasureStarted = 142,
    /// The keys of the persons are gone.
    ErasureDone = 143,
    /// An erasure that was waiting is not to be done.
    ErasureWithdrawn = 144,
    /// Data is to be kept.
    HoldPlaced = 145,
    /// Data need not be kept any more.
    HoldLifted = 146,
    /// A person came with an identifier of somebody who was erased.
    SuppressionApplied = 147,
    /// The operator says that two persons are one.
    IdentityJoined = 148,
    /// The operator says that two persons are not one.
    IdentityParted = 149,
    /// An identifier is no longer a person's.
    IdentifierReleased = 150,
    /// The root key was split into shares.
    RootEscrowed = 151,
}

impl Kind {
    /// Every kind, in the order of the stored numbers.
    pub const ALL: [Self; 44] = [
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
        Self::ErasureRequested,
        Self::ErasureWaiting,
        Self::ErasureStarted,
        Self::ErasureDone,
        Self::ErasureWithdrawn,
        Self::HoldPlaced,
        Self::HoldLifted,
        Self::SuppressionApplied,
        Self::IdentityJoined,
        Self::IdentityParted,
        Self::IdentifierReleased,
        Self::RootEscrowed,
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
            Self::ErasureRequested => "erasure_requested",
            Self::ErasureWaiting => "erasure_waiting",
            Self::ErasureStarted => "erasure_started",
            Self::ErasureDone => "erasure_done",
            Self::ErasureWithdrawn => "erasure_withdrawn",
            Self::HoldPlaced => "hold_placed",
            Self::HoldLifted => "hold_lifted",
            Self::SuppressionApplied => "suppression_applied",
            Self::IdentityJoined => "identity_joined",
            Self::IdentityParted => "identity_parted",
            Self::IdentifierReleased => "identifier_released",
            Self::RootEscrowed => "root_escrowed",
        }
    }

    /// The kind of a contract's name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Whether version 2 of entries did not have it.
    pub(super) const fn is_since_version_3(self) -> bool {
        self.code() > Self::ShardResumed.code()
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
