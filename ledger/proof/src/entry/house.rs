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
