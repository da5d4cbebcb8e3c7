//! What Custody itself has to say.

use bincode::{Decode, Encode};

use crate::id::{ShardId, SubjectReference};

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
}
