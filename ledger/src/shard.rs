//! What a shard is, and how far it has come.

use bincode::{Decode, Encode};

use crate::chain;
use crate::error::DecodeError;
use crate::id::{Digest, LedgerId, ShardId};

/// The version byte of a stored descriptor.
const DESCRIPTOR_VERSION: u8 = 1;

/// The longest descriptor that is read, in bytes. Kafka's topic names have at
/// most 249 characters.
pub(crate) const MAX_DESCRIPTOR_BYTES: usize = 4096;

/// The topic name of the house shard. A slash cannot be in a Kafka topic name.
const HOUSE_TOPIC: &str = "custody/house";

/// What a shard holds: one Kafka topic-partition, or what Custody itself has
/// to say.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Encode, Decode)]
pub struct ShardDescriptor {
    /// Kafka's cluster id; empty for the house shard.
    pub cluster_id: String,
    /// The topic's name.
    pub topic: String,
    /// Kafka's id of the topic (KIP-516); empty where it is not known.
    pub topic_id: String,
    /// The partition.
    pub partition: i32,
    /// Starts at 0; a shard that lost its end goes on in the next epoch.
    pub epoch: u32,
}

impl ShardDescriptor {
    /// The shard of Custody's own entries. It has no Kafka offsets.
    pub fn house() -> Self {
        Self {
            cluster_id: String::new(),
            topic: HOUSE_TOPIC.to_owned(),
            topic_id: String::new(),
            partition: 0,
            epoch: 0,
        }
    }

    /// Whether this is the house shard.
    pub fn is_house(&self) -> bool {
        self.topic == HOUSE_TOPIC
    }

    /// The shard's name: the first 16 bytes of `BLAKE3("custody shard v1" ‖
    /// identity bytes)`.
    pub fn id(&self) -> ShardId {
        let digest = chain::digest(b"custody shard v1", &[&self.identity()]);
        let mut id = [0; 16];
        id.copy_from_slice(&digest.as_bytes()[..16]);
        ShardId(id)
    }

    /// The digest that stands before the shard's first entry and first block.
    pub fn genesis(&self, ledger: LedgerId) -> Digest {
        chain::genesis(ledger, &self.identity())
    }

    /// Where the shard stands before its first block.
    pub(crate) fn origin(&self, ledger: LedgerId) -> Head {
        let genesis = self.genesis(ledger);
        Head {
            shard: self.id(),
            blocks: 0,
            size: 0,
            next_offset: (!self.is_house()).then_some(0),
            chain_head: genesis,
            block_digest: genesis,
            recorded_time_ns: 0,
            epoch: self.epoch,
        }
    }

    /// What makes it this shard: the topic id where it is known, else the
    /// name, since a topic that is deleted and made again is another one. Each
    /// text has its length before it, so that no two shards share the bytes.
    fn identity(&self) -> Vec<u8> {
        let by_id = !self.topic_id.is_empty();
        let topic = if by_id { &self.topic_id } else { &self.topic };
        let mut bytes = Vec::with_capacity(self.cluster_id.len() + topic.len() + 25);
        for text in [&self.cluster_id, topic] {
            bytes.extend_from_slice(&(text.len() as u64).to_le_bytes());
            bytes.extend_from_slice(text.as_bytes());
        }
        bytes.push(u8::from(by_id));
        bytes.extend_from_slice(&self.partition.to_le_bytes());
        bytes.extend_from_slice(&self.epoch.to_le_bytes());
        bytes
    }

    /// The bytes to be stored.
    ///
    /// # Errors
    /// [`DecodeError::TooLong`] beyond 4 KiB.
    pub fn encode(&self) -> Result<Vec<u8>, DecodeError> {
        let mut bytes = vec![DESCRIPTOR_VERSION];
        bincode::encode_into_std_write(self, &mut bytes, bincode::config::legacy())
            .map_err(|error| DecodeError::Malformed(error.to_string()))?;
        check_length(&bytes)?;
        Ok(bytes)
    }

    /// Reads stored bytes, which may come from anybody.
    ///
    /// # Errors
    /// [`DecodeError`] where they are no descriptor.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        check_length(bytes)?;
        let (&version, rest) = bytes.split_first().ok_or(DecodeError::Truncated)?;
        check_version(u16::from(version), u16::from(DESCRIPTOR_VERSION))?;
        let config = bincode::config::legacy().with_limit::<MAX_DESCRIPTOR_BYTES>();
        let (descriptor, read): (Self, usize) = bincode::decode_from_slice(rest, config)
            .map_err(|error| DecodeError::Malformed(error.to_string()))?;
        if read != rest.len() {
            return Err(DecodeError::TrailingBytes {
                count: rest.len() - read,
            });
        }
        Ok(descriptor)
    }
}

fn check_length(bytes: &[u8]) -> Result<(), DecodeError> {
    if bytes.len() > MAX_DESCRIPTOR_BYTES {
        return Err(DecodeError::TooLong {
            length: bytes.len(),
            limit: MAX_DESCRIPTOR_BYTES,
        });
    }
    Ok(())
}

/// Tells too old from too new, where exactly one version is known.
pub(crate) fn check_version(version: u16, known: u16) -> Result<(), DecodeError> {
    match version.cmp(&known) {
        std::cmp::Ordering::Less => Err(DecodeError::TooOld {
            version,
            oldest: known,
        }),
        std::cmp::Ordering::Equal => Ok(()),
        std::cmp::Ordering::Greater => Err(DecodeError::TooNew {
            version,
            newest: known,
        }),
    }
}

/// How far a shard has come. The next block is built on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Whose head it is.
    pub shard: ShardId,
    /// How many blocks there are; the next block's height.
    pub blocks: u64,
    /// How many entries there are; the next entry's sequence.
    pub size: u64,
    /// The first Kafka offset that is not accounted for; `None` in the house
    /// shard.
    pub next_offset: Option<i64>,
    /// The chain over all entries so far; the genesis digest where there are
    /// none.
    pub chain_head: Digest,
    /// The last block's digest; the genesis digest where there is none.
    pub block_digest: Digest,
    /// The last block's recorded time, nanoseconds since 1970 UTC; 0 where
    /// there is none.
    pub recorded_time_ns: i64,
    /// The epoch: that of the descriptor, or of the last resumption after the
    /// shard had lost its end.
    pub epoch: u32,
}
