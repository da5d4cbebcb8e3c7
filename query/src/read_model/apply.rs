//! From a block to rows: a pure function, so that a block taken in twice
//! leaves the same rows.

use std::collections::HashMap;

use custody_ledger::entry::{Act, Entry, HouseRecord};
use custody_ledger::id::ShardId;
use custody_ledger::{Block, Head};

use super::ReadModelError;
use super::key::{self, EVENT_KEY_BYTES, Place, RETRACTION_KEY_BYTES, RetractionKey};
use super::row::{self, PartyRow};

/// Rows on their way into the store, and the heads that they end at.
#[derive(Default)]
pub(super) struct Rows {
    pub(super) events: Vec<([u8; EVENT_KEY_BYTES], Vec<u8>)>,
    pub(super) retractions: Vec<([u8; RETRACTION_KEY_BYTES], [u8; 8])>,
    pub(super) parties: Vec<(Vec<u8>, Vec<u8>)>,
    /// The newest head of every shard that moved. One a shard: the store gives
    /// no order to two values of a key in a batch.
    pub(super) heads: HashMap<ShardId, Head>,
    /// Entries of the blocks taken in, with or without a row.
    pub(super) entries: u64,
    /// Bytes of keys and values so far.
    pub(super) bytes: usize,
}

impl Rows {
    /// Takes in a block.
    pub(super) fn take(&mut self, block: &Block) -> Result<(), ReadModelError> {
        let header = &block.header;
        for entry in block.entries() {
            let (sequence, entry) = entry.map_err(|source| ReadModelError::Block {
                shard: header.shard,
                height: header.height,
                source,
            })?;
            self.entry(
                header.shard,
                header.height,
                header.recorded_time_ns,
                sequence,
                entry,
            )?;
        }
        self.entries += u64::from(header.entries);
        self.heads.insert(header.shard, block.head_after());
        Ok(())
    }

    fn entry(
        &mut self,
        shard: ShardId,
        height: u64,
        recorded_time_ns: i64,
        sequence: u64,
        mut entry: Entry,
    ) -> Result<(), ReadModelError> {
        if let Act::House(HouseRecord::PartyRegistered {
            id,
            name,
            category,
            country,
        }) = &entry.act
        {
            let value = row::encode(&PartyRow {
                recorded_time_ns,
                name: name.clone(),
                category: category.clone(),
                country: country.clone(),
            })?;
            let key = key::party_key(id, sequence);
            self.bytes += key.len() + value.len();
            self.parties.push((key, value));
        }
        let Some(subject) = entry.subject else {
            return Ok(());
        };
        if let Act::Retraction { of } = &entry.act {
            let key = RetractionKey {
                subject,
                of: *of,
                shard,
                sequence,
            };
            self.bytes += RETRACTION_KEY_BYTES + 8;
            self.retractions
                .push((key.encode(), row::encode_recorded(recorded_time_ns)));
        }
        let place = Place {
            event_time_ns: entry.event_time_ns,
            shard,
            sequence,
        };
        // The sealed part stays in the ledger: erasing a key must not leave
        // another copy of what it opened, not even sealed.
        let has_sealed = !std::mem::take(&mut entry.sealed).is_empty();
        let value = row::encode_event(recorded_time_ns, height, has_sealed, &entry)?;
        self.bytes += EVENT_KEY_BYTES + value.len();
        self.events.push((key::event_key(&subject, &place), value));
        Ok(())
    }
}
