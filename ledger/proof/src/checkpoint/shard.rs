//! The checkpoint of a shard's log.

use super::{Checkpoint, CheckpointError, Lines, shard_origin};
use crate::field;
use crate::id::{Digest, ShardId};
use crate::note::{SigningKey, VerifyingKey};
use crate::tree::Hash;

const SHARD: &str = "shard";
const CHAIN: &str = "chain";
const BLOCK: &str = "block";
const MAP: &str = "map";
const KAFKA: &str = "kafka";
const COUNTS: &str = "counts";
const ABANDONED: &str = "abandoned";

/// The checkpoint of a shard's log. Its extension lines, in this order:
///
/// ```text
/// shard <id> epoch <n>
/// chain <hex, the digest of the last entry>
/// block <number of blocks> <hex, the digest of the last one>
/// map <size covered> <size that the base map covers> <root of the base map> <root of the recent map>
/// kafka <cluster|-> <topic> <topic id|-> <partition> <next offset>
/// counts <entries> <duplicates> <rejected> <gaps: control records or compaction> <lost to retention> <unknown>
/// abandoned <epoch> <size> <root>
/// ```
///
/// The house shard has no `kafka`; `abandoned` stands only where the shard was
/// resumed after it had lost its end. Lines that follow are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShardCheckpoint {
    /// Origin, size, root, and the extension lines after ours.
    pub checkpoint: Checkpoint,
    /// Which shard.
    pub shard: ShardId,
    /// Which epoch of it; the origin says so too.
    pub epoch: u32,
    /// The digest of the last entry, the shard's genesis where there is none.
    pub chain: Digest,
    /// How many blocks.
    pub blocks: u64,
    /// The digest of the last block.
    pub last_block: Digest,
    /// The maps of persons.
    pub map: MapRoots,
    /// Where in Kafka it stands; `None` in the house shard.
    pub kafka: Option<Kafka>,
    /// What became of every offset.
    pub counts: Counts,
    /// The head that was given up when this epoch began.
    pub abandoned: Option<Abandoned>,
}

/// The roots of a shard's two maps of persons.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MapRoots {
    /// How many entries they cover, from the first; at most the log's size.
    pub size: u64,
    /// How many entries the base map covers, from the first; at most `size`.
    /// The recent map is of the persons of the entries after these.
    pub base_size: u64,
    /// Of the map of all persons up to `base_size`.
    pub base: Hash,
    /// Of the map of those that have changed since, which goes before.
    pub recent: Hash,
}

/// A position in Kafka.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kafka {
    /// The cluster's id; empty where it is not known.
    pub cluster: String,
    /// The topic's name; not empty.
    pub topic: String,
    /// The topic's id; empty where it is not known.
    pub topic_id: String,
    /// The partition, from 0.
    pub partition: i32,
    /// The offset after the last that is accounted for, from 0.
    pub next_offset: i64,
}

/// What became of the offsets of a partition, from offset 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Entries.
    pub entries: u64,
    /// Messages that were there already.
    pub duplicates: u64,
    /// Messages that went to the dead letters.
    pub rejected: u64,
    /// Offsets of control records, and of what Kafka had compacted away.
    pub control_or_compacted: u64,
    /// Offsets that Kafka had dropped before they could be read.
    pub lost_to_retention: u64,
    /// Offsets that were not there for another reason.
    pub unknown: u64,
}

/// A head that was given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Abandoned {
    /// In which epoch it was signed.
    pub epoch: u32,
    /// How many leaves it had.
    pub size: u64,
    /// Its root.
    pub root: Hash,
}

impl Counts {
    /// All of them together; `None` beyond what a number can hold.
    pub fn total(&self) -> Option<u64> {
        [
            self.entries,
            self.duplicates,
            self.rejected,
            self.control_or_compacted,
            self.lost_to_retention,
            self.unknown,
        ]
        .into_iter()
        .try_fold(0_u64, u64::checked_add)
    }
}

impl ShardCheckpoint {
    /// Whether every offset of the partition is accounted for: the counts
    /// together are the next offset, and entries are the leaves of the log. In
    /// the house shard only the latter.
    pub fn accounts_for_every_offset(&self) -> bool {
        self.counts.entries == self.checkpoint.size
            && self
                .kafka
                .as_ref()
                .is_none_or(|kafka| u64::try_from(kafka.next_offset).ok() == self.counts.total())
    }

    /// The origin of its ledger: its own, without shard and epoch.
    pub fn ledger_origin(&self) -> &str {
        let origin = &self.checkpoint.origin;
        let end = shard_origin("", &self.shard, self.epoch);
        origin.strip_suffix(&end).unwrap_or(origin)
    }

    /// With its own lines before the others.
    pub fn to_checkpoint(&self) -> Checkpoint {
        let mut lines = vec![
            format!("{SHARD} {} epoch {}", self.shard, self.epoch),
            format!("{CHAIN} {}", self.chain),
            format!("{BLOCK} {} {}", self.blocks, self.last_block),
            format!(
                "{MAP} {} {} {} {}",
                self.map.size,
                self.map.base_size,
                field::hash_text(&self.map.base),
                field::hash_text(&self.map.recent)
            ),
        ];
        if let Some(kafka) = &self.kafka {
            lines.push(format!(
                "{KAFKA} {} {} {} {} {}",
                field::name_or_absent_text(&kafka.cluster),
                field::name_text(&kafka.topic),
                field::name_or_absent_text(&kafka.topic_id),
                kafka.partition,
                kafka.next_offset
            ));
        }
        lines.push(format!(
            "{COUNTS} {} {} {} {} {} {}",
            self.counts.entries,
            self.counts.duplicates,
            self.counts.rejected,
            self.counts.control_or_compacted,
            self.counts.lost_to_retention,
            self.counts.unknown
        ));
        if let Some(Abandoned { epoch, size, root }) = &self.abandoned {
            let root = field::hash_text(root);
            lines.push(format!("{ABANDONED} {epoch} {size} {root}"));
        }
        let mut checkpoint = self.checkpoint.clone();
        checkpoint.extensions.splice(0..0, lines);
        checkpoint
    }

    /// The text of the note.
    pub fn to_text(&self) -> String {
        self.to_checkpoint().to_text()
    }

    /// Reads the text of a note, which is not to be believed before a signature
    /// was verified.
    ///
    /// # Errors
    /// [`CheckpointError`], with the line.
    pub fn parse(text: &str) -> Result<Self, CheckpointError> {
        Self::try_from(Checkpoint::parse(text)?)
    }

    /// The checkpoint as a note with a signature by each key.
    ///
    /// # Errors
    /// [`CheckpointError::Unsayable`] where a field holds what a line cannot
    /// say, or the origin is not that of the shard and epoch.
    pub fn sign(&self, keys: &[&SigningKey]) -> Result<String, CheckpointError> {
        if Self::parse(&self.to_text()).as_ref() != Ok(self) {
            return Err(CheckpointError::Unsayable);
        }
        self.to_checkpoint().sign(keys)
    }

    /// Opens a signed checkpoint, as [`Checkpoint::open`]. The keys are those
    /// for the shard's origin: see [`verifying_keys`](super::verifying_keys).
    ///
    /// # Errors
    /// As [`Checkpoint::open`] and [`parse`](Self::parse).
    pub fn open(note: &str, keys: &[VerifyingKey]) -> Result<Self, CheckpointError> {
        Self::try_from(Checkpoint::open(note, keys)?)
    }
}

impl TryFrom<Checkpoint> for ShardCheckpoint {
    type Error = CheckpointError;

    fn try_from(mut checkpoint: Checkpoint) -> Result<Self, CheckpointError> {
        let malformed = |line| CheckpointError::Malformed { line };
        let mut lines = Lines {
            rest: &checkpoint.extensions,
        };
        let (shard, epoch) = shard(&lines.required(SHARD)?).ok_or(malformed(SHARD))?;
        let chain = chain(&lines.required(CHAIN)?).ok_or(malformed(CHAIN))?;
        let (blocks, last_block) = block(&lines.required(BLOCK)?).ok_or(malformed(BLOCK))?;
        let map = map(&lines.required(MAP)?)
            .filter(|map| map.size <= checkpoint.size)
            .ok_or(malformed(MAP))?;
        let kafka = lines
            .optional(KAFKA)
            .map(|fields| kafka(&fields).ok_or(malformed(KAFKA)))
            .transpose()?;
        let counts = counts(&lines.required(COUNTS)?).ok_or(malformed(COUNTS))?;
        let abandoned = lines
            .optional(ABANDONED)
            .map(|fields| {
                abandoned(&fields)
                    .filter(|abandoned| abandoned.epoch < epoch)
                    .ok_or(malformed(ABANDONED))
            })
            .transpose()?;
        let others = lines.others(&[SHARD, CHAIN, BLOCK, MAP, KAFKA, COUNTS, ABANDONED])?;
        let end = shard_origin("", &shard, epoch);
        let ledger = checkpoint.origin.strip_suffix(&end);
        if ledger.is_none_or(str::is_empty) {
            return Err(malformed("origin"));
        }
        checkpoint.extensions = others;
        Ok(Self {
            checkpoint,
            shard,
            epoch,
            chain,
            blocks,
            last_block,
            map,
            kafka,
            counts,
            abandoned,
        })
    }
}

fn shard(fields: &[&str]) -> Option<(ShardId, u32)> {
    match fields {
        [shard, "epoch", epoch] => Some((field::canonical(shard)?, field::canonical(epoch)?)),
        _ => None,
    }
}

fn chain(fields: &[&str]) -> Option<Digest> {
    match fields {
        [chain] => field::canonical(chain),
        _ => None,
    }
}

fn block(fields: &[&str]) -> Option<(u64, Digest)> {
    match fields {
        [blocks, last] => Some((field::canonical(blocks)?, field::canonical(last)?)),
        _ => None,
    }
}

fn map(fields: &[&str]) -> Option<MapRoots> {
    match fields {
        [size, base_size, base, recent] => Some(MapRoots {
            size: field::canonical(size)?,
            base_size: field::canonical(base_size)?,
            base: field::hash(base)?,
            recent: field::hash(recent)?,
        }),
        _ => None,
    }
    .filter(|map| map.base_size <= map.size)
}

fn kafka(fields: &[&str]) -> Option<Kafka> {
    match fields {
        [cluster, topic, topic_id, partition, next_offset] => Some(Kafka {
            cluster: field::name_or_absent(cluster)?,
            topic: field::name(topic)?,
            topic_id: field::name_or_absent(topic_id)?,
            partition: field::canonical(partition).filter(|partition| *partition >= 0)?,
            next_offset: field::canonical(next_offset).filter(|offset| *offset >= 0)?,
        }),
        _ => None,
    }
}

fn counts(fields: &[&str]) -> Option<Counts> {
    match fields {
        [entries, duplicates, rejected, control, lost, unknown] => Some(Counts {
            entries: field::canonical(entries)?,
            duplicates: field::canonical(duplicates)?,
            rejected: field::canonical(rejected)?,
            control_or_compacted: field::canonical(control)?,
            lost_to_retention: field::canonical(lost)?,
            unknown: field::canonical(unknown)?,
        }),
        _ => None,
    }
}

fn abandoned(fields: &[&str]) -> Option<Abandoned> {
    match fields {
        [epoch, size, root] => Some(Abandoned {
            epoch: field::canonical(epoch)?,
            size: field::canonical(size)?,
            root: field::hash(root)?,
        }),
        _ => None,
    }
}
