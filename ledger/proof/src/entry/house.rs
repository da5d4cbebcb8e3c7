//! What Custody itself has to say.

use bincode::{Decode, Encode};

use crate::entry::{EntryRef, Judgement};
use crate::id::{Digest, ShardId, SubjectReference};

/// What Custody itself says, in the house shard.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum HouseRecord {
    /// A shard was opened.
    ShardOpened {
        /// Which.
        shard: ShardId,
    },
    /// An organisation was named for the first time.
    PartyRegistered {
        /// Its id.
        id: String,
        /// Its name; may be empty.
        name: String,
        /// Its recipient category; may be empty.
        category: String,
        /// Where it is established; may be empty.
        country: String,
    },
    /// An organisation was named otherwise than it is registered. What was
    /// said is in the entry.
    PartyContradicted {
        /// Its id.
        id: String,
        /// The shard of the entry that said so.
        shard: ShardId,
        /// The Kafka offset of the entry that said so.
        offset: i64,
        /// `name`, `category` or `country`.
        field: String,
    },
    /// Two persons turned out to be one.
    IdentityLinked {
        /// One.
        a: SubjectReference,
        /// The other.
        b: SubjectReference,
        /// The shard of the entry that said so.
        shard: ShardId,
        /// The Kafka offset of the entry that said so.
        offset: i64,
    },
    /// Two persons turned out not to be one.
    IdentityUnlinked {
        /// One.
        a: SubjectReference,
        /// The other.
        b: SubjectReference,
    },
    /// Kafka had dropped messages before they could be read.
    OffsetsLost {
        /// Where.
        shard: ShardId,
        /// The first offset lost.
        first: i64,
        /// The last offset lost.
        last: i64,
    },
    /// An entry was judged again, because something became known that had
    /// happened before it, and the judgement is another one. It takes the place
    /// of the one in the entry and of every `Rejudged` before. The entry's
    /// subject is that of this one. Since version 2, as all that follow.
    Rejudged {
        /// The shard of the entry that was judged.
        shard: ShardId,
        /// Its sequence number.
        sequence: u64,
        /// The entry that brought what was not known.
        cause: EntryRef,
        /// What the judge says now.
        judgement: Judgement,
    },
    /// The operator waived findings.
    WaiverGiven {
        /// The waiver's id.
        id: String,
        /// The waiver, a signed note.
        note: String,
    },
    /// The operator took a waiver back.
    WaiverRevoked {
        /// The waiver's id.
        id: String,
        /// The revocation, a signed note.
        note: String,
    },
    /// A duty was not done by its deadline. Said once of each; the subject is
    /// that of the entry that began it, where that has one.
    OverdueFound {
        /// The finding's code, such as `response_overdue`.
        code: String,
        /// The entry that began the time: a request, a breach, the closing of
        /// an account.
        of: EntryRef,
        /// The clauses that promise it.
        clauses: Vec<String>,
        /// When it was due, nanoseconds since 1970 UTC.
        due_ns: i64,
        /// Where the deadline comes from, such as `eu-gdpr:A12-3`.
        source: String,
    },
    /// From here on, events are judged by these rules.
    RulesetAdopted {
        /// The digest that stands in blocks.
        digest: Digest,
        /// The judge's version.
        judge_version: u32,
        /// The id and the digest of each policy pack.
        packs: Vec<(String, Digest)>,
        /// The digest of the vocabulary.
        vocabulary: Digest,
    },
    /// A shard lost its end, and the operator had it go on from what is left.
    ShardResumed {
        /// Which.
        shard: ShardId,
        /// The epoch that it goes on in.
        epoch: u32,
        /// What was given up.
        abandoned: AbandonedHead,
        /// What it goes on from.
        surviving: SurvivingHead,
    },
    /// Persons are to be erased. Written before anything is destroyed, and with
    /// whom their data was disclosed to (GDPR Art. 19), because afterwards
    /// nobody could tell from names. Since version 3, as all that follow.
    ErasureRequested {
        /// Names the erasure; random.
        id: [u8; 16],
        /// The persons, all references of each.
        subjects: Vec<SubjectReference>,
        /// Ids of the organisations that had been given their data.
        recipients: Vec<String>,
        /// How many entries are about them.
        entries: u64,
        /// Why, as a code: `[a-z0-9._-]{1,64}`.
        reason: String,
        /// The operator's ticket, in the same alphabet; may be empty.
        ticket: String,
        /// Whether their identifiers are marked, so that a person who comes with
        /// one of them later is known to have been erased.
        mark: bool,
    },
    /// Holds stand against an erasure; it goes on by itself when there is none.
    ErasureWaiting {
        /// Which erasure.
        id: [u8; 16],
        /// What they are for.
        matters: Vec<String>,
    },
    /// Everything of the persons that was on its way is in the ledger, and from
    /// here on what is known of them is destroyed.
    ErasureStarted {
        /// Which erasure.
        id: [u8; 16],
    },
    /// The vault no longer has the keys of these persons.
    ErasureDone {
        /// Which erasure.
        id: [u8; 16],
        /// The generation of the root key since then.
        generation: u64,
        /// What commits to that root key.
        commitment: Digest,
        /// How many persons the vault forgot.
        persons: u64,
        /// The entry that says that it began.
        started: EntryRef,
    },
    /// An erasure that was waiting is not to be done.
    ErasureWithdrawn {
        /// Which erasure.
        id: [u8; 16],
    },
    /// The law or a dispute wants data kept: nothing of these persons is erased.
    HoldPlaced {
        /// What for, as a code: `[a-z0-9._-]{1,64}`.
        matter: String,
        /// Of whom; empty for everybody.
        subjects: Vec<SubjectReference>,
        /// The first moment at which it no longer holds, nanoseconds since 1970
        /// UTC; `None`: until it is lifted.
        until_ns: Option<i64>,
    },
    /// Data need not be kept for this any more.
    HoldLifted {
        /// What for.
        matter: String,
        /// Of whom; empty for everybody of this matter.
        subjects: Vec<SubjectReference>,
    },
    /// A person came with an identifier of somebody who was erased, and starts
    /// as erased on that day. Says nothing of who that was.
    SuppressionApplied {
        /// The person who came.
        subject: SubjectReference,
        /// The day of the erasure, days since 1970-01-01 UTC.
        day: i32,
    },
    /// The operator says that two persons are one.
    IdentityJoined {
        /// One.
        a: SubjectReference,
        /// The other.
        b: SubjectReference,
        /// Why, as a code: `[a-z0-9._-]{1,64}`.
        cause: String,
    },
    /// The operator says that two persons who were linked are not one.
    IdentityParted {
        /// One.
        a: SubjectReference,
        /// The other.
        b: SubjectReference,
        /// Why, as a code: `[a-z0-9._-]{1,64}`.
        cause: String,
    },
    /// An identifier is no longer this person's, and may be another's.
    IdentifierReleased {
        /// Whose it was.
        subject: SubjectReference,
        /// Its scheme, such as `email`; the rest of it is in the vault alone.
        scheme: String,
        /// From when on, nanoseconds since 1970 UTC.
        from_ns: i64,
        /// Why, as a code: `[a-z0-9._-]{1,64}`.
        cause: String,
    },
    /// The root key was split into shares and handed out.
    RootEscrowed {
        /// The generation of the key.
        generation: u64,
        /// How many shares make it again.
        threshold: u8,
        /// How many there are.
        shares: u8,
    },
}

impl HouseRecord {
    /// Whether version 2 of entries did not have it.
    pub(super) const fn is_since_version_3(&self) -> bool {
        matches!(
            self,
            Self::ErasureRequested { .. }
                | Self::ErasureWaiting { .. }
                | Self::ErasureStarted { .. }
                | Self::ErasureDone { .. }
                | Self::ErasureWithdrawn { .. }
                | Self::HoldPlaced { .. }
                | Self::HoldLifted { .. }
                | Self::SuppressionApplied { .. }
                | Self::IdentityJoined { .. }
                | Self::IdentityParted { .. }
                | Self::IdentifierReleased { .. }
                | Self::RootEscrowed { .. }
        )
    }
}

/// The head of a shard that lost its end: the last one that was vouched for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct AbandonedHead {
    /// How many entries there were.
    pub size: u64,
    /// The root of the tree over them; zeros where none was signed.
    pub root: Digest,
    /// How many blocks there were.
    pub blocks: u64,
    /// The chain over the entries.
    pub chain_head: Digest,
    /// The digest of the last block.
    pub block_digest: Digest,
}

/// How much of a shard was left when it lost its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct SurvivingHead {
    /// How many entries.
    pub size: u64,
    /// How many blocks.
    pub blocks: u64,
}
