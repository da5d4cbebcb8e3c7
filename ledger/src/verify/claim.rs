//! What a checkpoint says of a shard, and whether it is so.

use custody_proof::checkpoint::{Counts, Kafka, MapRoots, ShardCheckpoint};
use custody_proof::manifest::ShardLine;
use custody_proof::tree::Hash;

use crate::fault::{Fault, Place};
use crate::id::ShardId;
use crate::shard::ShardDescriptor;
use crate::verify::fold::Computed;
use crate::verify::span::{Mark, Tally};

/// Whose checkpoint it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// The ledger's last one, which its signed anchor holds.
    Signed,
    /// An earlier one, which somebody outside kept.
    Earlier,
    /// One that was published, and is not the last one.
    Published,
}

impl Origin {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Signed => "the signed checkpoint",
            Self::Earlier => "the earlier checkpoint",
            Self::Published => "the published checkpoint",
        }
    }
}

/// What a checkpoint says of a shard.
#[derive(Clone, Debug)]
pub(super) struct Claim {
    pub(super) origin: Origin,
    pub(super) shard: ShardId,
    pub(super) epoch: u32,
    pub(super) size: u64,
    pub(super) root: Hash,
    /// Everything else, where more than the manifest's line is known.
    pub(super) checkpoint: Option<ShardCheckpoint>,
}

impl Claim {
    pub(super) fn of_checkpoint(origin: Origin, checkpoint: ShardCheckpoint) -> Self {
        Self {
            origin,
            shard: checkpoint.shard,
            epoch: checkpoint.epoch,
            size: checkpoint.checkpoint.size,
            root: checkpoint.checkpoint.root,
            checkpoint: Some(checkpoint),
        }
    }

    pub(super) fn of_line(origin: Origin, line: &ShardLine) -> Self {
        Self {
            origin,
            shard: line.shard,
            epoch: line.epoch,
            size: line.size,
            root: line.root,
            checkpoint: None,
        }
    }

    pub(super) fn blocks(&self) -> Option<u64> {
        Some(self.checkpoint.as_ref()?.blocks)
    }

    pub(super) fn maps(&self) -> Option<MapRoots> {
        Some(self.checkpoint.as_ref()?.map)
    }

    /// What was computed is not what the checkpoint says.
    pub(super) fn wrong(&self, what: &str) -> Fault {
        let shard = self.shard;
        Fault {
            place: Place::Shard { shard },
            what: format!("{what} {} says", self.origin.name()),
        }
    }

    /// The shard ends before what the checkpoint covers.
    pub(super) fn lost_end(&self, found: u64) -> Fault {
        let shard = self.shard;
        Fault {
            place: Place::Shard { shard },
            what: format!(
                "it has lost its end, or is an older copy: {} covers {} entries, {found} are there",
                self.origin.name(),
                self.size
            ),
        }
    }

    /// The shard is not there at all.
    pub(super) fn lost_shard(&self) -> Fault {
        let shard = self.shard;
        Fault {
            place: Place::Shard { shard },
            what: format!(
                "it is missing: {} covers {} entries of it",
                self.origin.name(),
                self.size
            ),
        }
    }

    /// How many entries an outsider knows already, and need not have decoded
    /// again.
    pub(super) fn verified_before(claims: &[Self]) -> u64 {
        let earlier = claims
            .iter()
            .filter(|claim| claim.origin == Origin::Earlier);
        earlier.map(|claim| claim.size).max().unwrap_or(0)
    }

    /// Compares with what was computed from the stored bytes, which reach as
    /// far as the checkpoint.
    pub(super) fn compare(
        &self,
        descriptor: &ShardDescriptor,
        computed: &Computed,
    ) -> Result<(), Fault> {
        let size = self.size;
        if computed.roots.get(&size) != Some(&self.root) {
            return Err(self.wrong(&format!(
                "the root of the tree of its first {size} entries is not what"
            )));
        }
        let Some(checkpoint) = &self.checkpoint else {
            return Ok(());
        };
        let blocks = checkpoint.blocks;
        let mark = computed
            .marks
            .get(&blocks)
            .filter(|mark| mark.head.size == size);
        let Some(mark) = mark else {
            return Err(self.wrong(&format!(
                "its first {size} entries are not in as many blocks as"
            )));
        };
        let head = &mark.head;
        let differs = if head.chain_head != checkpoint.chain {
            Some("the chain")
        } else if head.block_digest != checkpoint.last_block {
            Some("the digest of the last block")
        } else if counts(&mark.tally) != checkpoint.counts {
            Some("what was counted")
        } else if kafka(descriptor, mark) != checkpoint.kafka {
            Some("the place in Kafka")
        } else {
            None
        };
        if let Some(differs) = differs {
            return Err(self.wrong(&format!("{differs} after {size} entries is not what")));
        }
        self.compare_maps(&checkpoint.map, computed)
    }

    fn compare_maps(&self, maps: &MapRoots, computed: &Computed) -> Result<(), Fault> {
        let base = computed.maps.get(&(0, maps.base_size));
        let recent = computed.maps.get(&(maps.base_size, maps.size));
        if base != Some(&maps.base) {
            return Err(self.wrong(&format!(
                "the map of its persons up to entry {} is not what",
                maps.base_size
            )));
        }
        if recent != Some(&maps.recent) {
            return Err(self.wrong(&format!(
                "the map of its persons from entry {} to {} is not what",
                maps.base_size, maps.size
            )));
        }
        Ok(())
    }
}

fn counts(tally: &Tally) -> Counts {
    let [control_or_compacted, lost_to_retention, unknown] = tally.gaps;
    Counts {
        entries: tally.entries,
        duplicates: tally.duplicates,
        rejected: tally.rejected,
        control_or_compacted,
        lost_to_retention,
        unknown,
    }
}

fn kafka(descriptor: &ShardDescriptor, mark: &Mark) -> Option<Kafka> {
    Some(Kafka {
        cluster: descriptor.cluster_id.clone(),
        topic: descriptor.topic.clone(),
        topic_id: descriptor.topic_id.clone(),
        partition: descriptor.partition,
        next_offset: mark.head.next_offset?,
    })
}
