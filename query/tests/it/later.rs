//! What later entries say of earlier ones.

use std::collections::HashMap;

use custody_ledger::{Act, EventTag, HouseRecord, ShardId};

use crate::world::Fact;

/// What is said of entries by others, gathered in one walk over all facts.
#[derive(Default)]
pub(crate) struct Later {
    /// When an event was first taken back.
    pub(crate) retracted: HashMap<EventTag, i64>,
    /// The numbers of the facts that judge an entry again, in order.
    pub(crate) rejudged: HashMap<(ShardId, u64), Vec<usize>>,
    /// The number of the fact at a place.
    pub(crate) places: HashMap<(ShardId, u64), usize>,
}

impl Later {
    pub(crate) fn of(facts: &[Fact]) -> Self {
        let mut later = Self::default();
        for (number, fact) in facts.iter().enumerate() {
            later.places.insert((fact.shard, fact.sequence), number);
            match &fact.entry.act {
                Act::Retraction { of } => {
                    let first = later.retracted.entry(*of).or_insert(i64::MAX);
                    *first = fact.recorded_ns.min(*first);
                }
                Act::House(HouseRecord::Rejudged {
                    shard, sequence, ..
                }) => {
                    let of = later.rejudged.entry((*shard, *sequence));
                    of.or_default().push(number);
                }
                _ => {}
            }
        }
        later
    }
}
