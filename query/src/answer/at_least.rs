//! Reading what one has written: how far the read model must have come before
//! a question is answered.

use custody_ledger::Published;
use custody_ledger::id::ShardId;
use custody_proto::v1;

use super::error::{Behind, Faults, Mark, QueryError};
use crate::read_model::Visible;

/// The marks that the read model must have reached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted(Vec<(ShardId, Mark)>);

impl Wanted {
    /// From a request. Of each shard `shard` and `size` or `next_offset` are
    /// looked at.
    pub(crate) fn read(at_least: Option<&v1::AtLeast>, faults: &mut Faults) -> Self {
        let mut wanted = Self::default();
        let shards = at_least.map_or(&[][..], |at_least| &at_least.shards);
        for (index, shard) in shards.iter().enumerate() {
            let Ok(id) = shard.shard.parse::<ShardId>() else {
                faults.push(
                    format!("at_least.shards[{index}].shard"),
                    "must be a shard's id: 32 hexadecimal digits",
                );
                continue;
            };
            if shard.size > 0 {
                wanted.size(id, shard.size);
            }
            if let Some(offset) = shard.next_offset {
                wanted.0.push((id, Mark::NextOffset(offset)));
            }
        }
        wanted
    }

    /// Wants a size of a shard too.
    pub(crate) fn size(&mut self, shard: ShardId, size: u64) {
        self.0.push((shard, Mark::Size(size)));
    }

    /// Whether it is reached.
    pub fn is_reached(&self, visible: &Visible) -> bool {
        self.0
            .iter()
            .all(|(shard, mark)| reached(visible, shard, *mark).1)
    }

    /// Whether the last signed checkpoint reaches so far. What is not there
    /// yet is an error only where something of it is wanted.
    pub(crate) fn check_signed(&self, signed: Option<&Published>) -> Result<(), QueryError> {
        let Some(signed) = signed else {
            return if self.0.is_empty() {
                Ok(())
            } else {
                Err(QueryError::NoCheckpoint)
            };
        };
        let behind = self.0.iter().filter_map(|&(shard, wanted)| {
            let (reached, is_reached) = covered(signed, &shard, wanted);
            (!is_reached).then_some(Behind {
                shard,
                wanted,
                reached,
                known: true,
            })
        });
        let behind: Vec<Behind> = behind.collect();
        if behind.is_empty() {
            Ok(())
        } else {
            Err(QueryError::NotSigned(behind))
        }
    }

    /// What is still missing.
    pub(crate) fn missing(&self, visible: &Visible) -> Vec<Behind> {
        let behind = self.0.iter().filter_map(|&(shard, wanted)| {
            let (at, is_reached) = reached(visible, &shard, wanted);
            (!is_reached).then(|| Behind {
                shard,
                wanted,
                reached: at,
                known: visible.shards.contains_key(&shard),
            })
        });
        behind.collect()
    }
}

fn reached(visible: &Visible, shard: &ShardId, mark: Mark) -> (Mark, bool) {
    let head = visible.shards.get(shard).map(|shard| &shard.head);
    match mark {
        Mark::Size(wanted) => {
            let size = head.map_or(0, |head| head.size);
            (Mark::Size(size), size >= wanted)
        }
        Mark::NextOffset(wanted) => {
            let next = head.and_then(|head| head.next_offset);
            (
                Mark::NextOffset(next.unwrap_or(0)),
                // A shard without offsets has none that could be missing.
                head.is_some() && next.is_none_or(|next| next >= wanted),
            )
        }
    }
}

fn covered(signed: &Published, shard: &ShardId, mark: Mark) -> (Mark, bool) {
    let checkpoint = signed.shards.get(shard).map(|shard| &shard.checkpoint);
    match mark {
        Mark::Size(wanted) => {
            let size = checkpoint.map_or(0, |shard| shard.checkpoint.size);
            (Mark::Size(size), size >= wanted)
        }
        Mark::NextOffset(wanted) => {
            let kafka = checkpoint.map(|shard| shard.kafka.as_ref());
            let next = kafka.flatten().map(|kafka| kafka.next_offset);
            (
                Mark::NextOffset(next.unwrap_or(0)),
                // As with what is visible: a shard without offsets has none
                // that could be missing.
                kafka.is_some() && next.is_none_or(|next| next >= wanted),
            )
        }
    }
}
