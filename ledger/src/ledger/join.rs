//! Joining what is sealed with the databases that follow, and comparing the
//! ends with the anchor.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::anchor::AnchorState;
use crate::block::Block;
use crate::error::{LedgerError, OpenError};
use crate::fault::{Fault, Place};
use crate::id::{LedgerId, ShardId};
use crate::ledger::open::store_error;
use crate::ledger::shared::OpenShard;
use crate::notary::SignedState;
use crate::segment::{Catalogue, DatabaseInfo};
use crate::shard::{Head, ShardDescriptor};
use crate::store::Store;
use crate::succession::{self, Epochs};

/// What is joined.
pub(super) struct Join<'a> {
    pub(super) dir: &'a Path,
    pub(super) ledger: LedgerId,
    pub(super) catalogue: &'a Catalogue,
    pub(super) anchor: &'a AnchorState,
    /// What was signed last.
    pub(super) signed: &'a SignedState,
    /// Shards that may have lost their end.
    pub(super) accept_lost: &'a BTreeSet<ShardId>,
}

/// A whole ledger.
pub(super) struct Joined {
    pub(super) shards: BTreeMap<ShardId, OpenShard>,
    /// Of each database, every shard and its head at the end of it; of the
    /// last one nothing.
    pub(super) ends: Vec<BTreeMap<ShardId, OpenShard>>,
}

type Stores = [(DatabaseInfo, Store)];

impl Join<'_> {
    /// Joins all shards. `thorough` checks every block of the databases, else
    /// those beyond the anchor are checked: blocks of a commit that was cut
    /// short after they were durable, which are kept.
    pub(super) fn all(&self, stores: &Stores, thorough: bool) -> Result<Joined, OpenError> {
        let mut joined = Joined {
            shards: BTreeMap::new(),
            ends: vec![BTreeMap::new(); stores.len()],
        };
        for (shard, descriptor) in self.descriptors(stores)? {
            let ends = self.shard(stores, &descriptor, thorough)?;
            let mut head = self.sealed(&descriptor);
            let earlier = ends.len().saturating_sub(1);
            for (index, end) in ends.into_iter().enumerate() {
                head = end;
                if index < earlier {
                    let descriptor = descriptor.clone();
                    joined.ends[index].insert(shard, OpenShard { descriptor, head });
                }
            }
            joined.shards.insert(shard, OpenShard { descriptor, head });
        }
        let lost = self
            .anchor
            .heads
            .values()
            .find(|head| !joined.shards.contains_key(&head.shard));
        match lost {
            Some(head) if head.blocks > 0 => Err(OpenError::LostTail {
                shard: head.shard,
                anchored: head.blocks,
                found: 0,
            }),
            Some(head) => Err(damaged(head.shard, "its descriptor is missing")),
            None => self.has_all_that_was_signed(&joined).map(|()| joined),
        }
    }

    /// The signed anchor may lie elsewhere, and know more than this ledger,
    /// which was put back to an older state then.
    fn has_all_that_was_signed(&self, joined: &Joined) -> Result<(), OpenError> {
        for given_up in &self.signed.abandoned {
            let shard = given_up
                .shard
                .filter(|shard| !self.accept_lost.contains(shard));
            let epoch = shard.and_then(|shard| Some(joined.shards.get(&shard)?.head.epoch));
            if let (Some(shard), Some(epoch)) = (shard, epoch)
                && epoch <= given_up.head.epoch
            {
                return Err(OpenError::Unresumed { shard });
            }
        }
        for shard in self.signed.shards.keys() {
            let signed = self.signed.shard_checkpoint(*shard).map_err(|what| {
                damaged(
                    *shard,
                    &format!("its signed checkpoint cannot be read: {what}"),
                )
            })?;
            let Some(signed) = signed.filter(|_| !self.accept_lost.contains(shard)) else {
                continue;
            };
            let found = joined.shards.get(shard).map_or(0, |open| open.head.blocks);
            if found < signed.blocks {
                return Err(OpenError::LostTail {
                    shard: *shard,
                    anchored: signed.blocks,
                    found,
                });
            }
        }
        Ok(())
    }

    fn descriptors(
        &self,
        stores: &Stores,
    ) -> Result<BTreeMap<ShardId, ShardDescriptor>, OpenError> {
        let mut descriptors: BTreeMap<ShardId, ShardDescriptor> = self
            .catalogue
            .shards()
            .iter()
            .map(|(shard, sealed)| (*shard, sealed.descriptor.clone()))
            .collect();
        for (_, store) in stores {
            for (id, bytes) in store
                .shards()
                .map_err(|error| store_error(self.dir, error))?
            {
                let descriptor = ShardDescriptor::decode(&bytes)
                    .map_err(|error| damaged(id, &error.to_string()))?;
                if descriptor.id() != id {
                    return Err(damaged(id, "its descriptor is another shard's"));
                }
                descriptors.insert(id, descriptor);
            }
        }
        Ok(descriptors)
    }

    fn sealed(&self, descriptor: &ShardDescriptor) -> Head {
        let sealed = self.catalogue.head(descriptor.id());
        sealed.unwrap_or_else(|| descriptor.origin(self.ledger))
    }

    /// The heads of a shard at the end of each database.
    fn shard(
        &self,
        stores: &Stores,
        descriptor: &ShardDescriptor,
        thorough: bool,
    ) -> Result<Vec<Head>, OpenError> {
        let shard = descriptor.id();
        let origin = descriptor.origin(self.ledger);
        let mut head = self.sealed(descriptor);
        let mut ends = Vec::with_capacity(stores.len());
        for (info, store) in stores {
            let end = self.range(info, store, &head)?;
            let next = if thorough {
                self.check_blocks(stores, head, end)?
            } else if end > head.blocks {
                self.read(stores, shard, end - 1)?.head_after()
            } else {
                head
            };
            head = next;
            ends.push(head);
        }
        let anchored = self.anchor.heads.get(&shard).copied().unwrap_or(origin);
        if head.blocks < anchored.blocks {
            if self.accept_lost.contains(&shard) {
                return Ok(ends);
            }
            return Err(OpenError::LostTail {
                shard,
                anchored: anchored.blocks,
                found: head.blocks,
            });
        }
        let at_anchor = match anchored.blocks.checked_sub(1) {
            Some(last) => self.read(stores, shard, last)?.head_after(),
            None => origin,
        };
        if at_anchor != anchored && !self.accept_lost.contains(&shard) {
            return Err(damaged_block(
                shard,
                anchored.blocks.saturating_sub(1),
                "it is not the block that the anchor names".to_owned(),
            ));
        }
        if !thorough && self.check_blocks(stores, at_anchor, head.blocks)? != head {
            return Err(damaged(shard, "its last block does not follow"));
        }
        Ok(ends)
    }

    /// One height after the last block of a shard in a database, which must
    /// begin where `head` ends.
    fn range(&self, info: &DatabaseInfo, store: &Store, head: &Head) -> Result<u64, OpenError> {
        let shard = head.shard;
        let heights = store
            .heights(shard)
            .map_err(|error| store_error(self.dir, error))?;
        let first = info.first(shard);
        let (begin, end) = match heights {
            Some((first, last)) => (first, last.saturating_add(1)),
            None => (first, first),
        };
        for begin in [first, begin] {
            if begin != head.blocks {
                return Err(OpenError::Unjoined {
                    shard,
                    sealed: head.blocks,
                    database: info.generation,
                    begin,
                });
            }
        }
        Ok(end)
    }

    /// Checks the blocks that follow `head`, up to the height `end`.
    fn check_blocks(&self, stores: &Stores, mut head: Head, end: u64) -> Result<Head, OpenError> {
        for height in head.blocks..end {
            let block = self.read(stores, head.shard, height)?;
            succession::check_header(self.ledger, Epochs::SameOrResumed, &head, &block.header)
                .and_then(|()| succession::check_chain(&head, &block))
                .map_err(|error| damaged_block(head.shard, height, error.to_string()))?;
            head = block.head_after();
        }
        Ok(head)
    }

    fn read(&self, stores: &Stores, shard: ShardId, height: u64) -> Result<Block, OpenError> {
        let sealed = self.catalogue.block(shard, height);
        let sealed = sealed.map_err(|error| match error {
            LedgerError::Damaged { fault } => OpenError::Damaged { fault },
            error => OpenError::Store {
                reason: error.to_string(),
            },
        })?;
        if let Some(block) = sealed {
            return Ok(block);
        }
        let missing = || damaged_block(shard, height, "it is missing".to_owned());
        let mut databases = stores.iter().rev();
        let (_, store) = databases
            .find(|(info, _)| info.first(shard) <= height)
            .ok_or_else(missing)?;
        let bytes = store
            .block(shard, height)
            .map_err(|error| store_error(self.dir, error))?;
        Block::from_stored(bytes.ok_or_else(missing)?)
            .map_err(|error| damaged_block(shard, height, error.to_string()))
    }
}

fn damaged(shard: ShardId, what: &str) -> OpenError {
    OpenError::Damaged {
        fault: Fault {
            place: Place::Shard { shard },
            what: what.to_owned(),
        },
    }
}

fn damaged_block(shard: ShardId, height: u64, what: String) -> OpenError {
    OpenError::Damaged {
        fault: Fault {
            place: Place::Block { shard, height },
            what,
        },
    }
}
