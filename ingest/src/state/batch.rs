//! What is written to the states' store, and taken from it, in one step.

use std::collections::HashSet;

use custody_ledger::{EntryRef, ShardId};
use fjall::OwnedWriteBatch;

use super::store::{JudgedRow, Position, ReviewRow, Store, decode_judged, encode_at, sortable};
use super::{Reference, StateError};

/// Rows that are written together.
pub(crate) struct Batch<'a> {
    store: &'a Store,
    rows: OwnedWriteBatch,
}

impl<'a> Batch<'a> {
    pub(super) fn of(store: &'a Store) -> Self {
        Self {
            store,
            rows: store.database.batch(),
        }
    }
    pub(crate) fn state(&mut self, subject: &Reference, sealed: Vec<u8>) {
        self.rows.insert(&self.store.states, *subject, sealed);
    }

    pub(crate) fn judged(&mut self, subject: &Reference, row: &JudgedRow) {
        let mut key = [0; 48];
        key[..16].copy_from_slice(subject);
        key[16..24].copy_from_slice(&sortable(row.time_ns));
        key[24..].copy_from_slice(&encode_at(row.at));
        self.rows
            .insert(&self.store.judged, key, row.height.to_be_bytes());
    }

    pub(crate) fn review(&mut self, row: &ReviewRow) {
        let mut value = [0; 24];
        value[..16].copy_from_slice(&row.subject);
        value[16..].copy_from_slice(&row.from_ns.to_be_bytes());
        self.rows
            .insert(&self.store.reviews, encode_at(row.cause), value);
    }

    pub(crate) fn rejudged(&mut self, at: EntryRef, height: u64, sequence: u64) {
        let mut value = [0; 16];
        value[..8].copy_from_slice(&height.to_be_bytes());
        value[8..].copy_from_slice(&sequence.to_be_bytes());
        self.rows.insert(&self.store.rejudged, encode_at(at), value);
    }

    pub(crate) fn duty(&mut self, key: &[u8], value: Vec<u8>) {
        self.rows.insert(&self.store.duties, key, value);
    }

    pub(crate) fn due(&mut self, key: &[u8]) {
        self.rows.insert(&self.store.due, key, []);
    }

    pub(crate) fn no_longer_due(&mut self, key: &[u8]) {
        self.rows.remove(&self.store.due, key);
    }

    pub(crate) fn found(&mut self, key: &[u8]) {
        self.rows.insert(&self.store.found, key, []);
    }

    pub(crate) fn marked(&mut self, subject: &Reference, day: i32) {
        self.rows
            .insert(&self.store.marked, *subject, day.to_be_bytes());
    }

    /// Two persons are linked, as the house shard says.
    pub(crate) fn link(&mut self, a: &Reference, b: &Reference) {
        for key in both_ways(a, b) {
            self.rows.insert(&self.store.links, key, []);
        }
    }

    pub(crate) fn unlink(&mut self, a: &Reference, b: &Reference) {
        for key in both_ways(a, b) {
            self.rows.remove(&self.store.links, key);
        }
    }

    /// Takes away all that is known of a person, but for duties, whose rows the
    /// overdue room knows.
    pub(crate) fn forget(&mut self, subject: &Reference) -> Result<(), StateError> {
        let store = self.store;
        self.rows.remove(&store.states, *subject);
        self.rows.remove(&store.marked, *subject);
        for row in store.judged.prefix(subject) {
            let key = row.key()?;
            let at = decode_judged(&key, 0)?.at;
            self.rows.remove(&store.rejudged, encode_at(at));
            self.rows.remove(&store.judged, key.to_vec());
        }
        for other in store.links(subject)? {
            self.unlink(subject, &other);
        }
        Ok(())
    }

    /// Takes away the reviews of these persons.
    pub(crate) fn forget_reviews(
        &mut self,
        subjects: &HashSet<Reference>,
    ) -> Result<(), StateError> {
        for review in self.store.reviews()? {
            if subjects.contains(&review.subject) {
                self.rows
                    .remove(&self.store.reviews, encode_at(review.cause));
            }
        }
        Ok(())
    }

    pub(crate) fn no_duty(&mut self, key: &[u8]) {
        self.rows.remove(&self.store.duties, key);
    }

    pub(crate) fn not_found(&mut self, key: &[u8]) {
        self.rows.remove(&self.store.found, key);
    }

    pub(crate) fn position(&mut self, shard: ShardId, position: &Position) {
        let mut value = [0; 48];
        value[..8].copy_from_slice(&position.blocks.to_be_bytes());
        value[8..16].copy_from_slice(&position.size.to_be_bytes());
        value[16..].copy_from_slice(&position.block.0);
        self.rows.insert(&self.store.positions, shard.0, value);
    }

    pub(crate) fn commit(self) -> Result<(), StateError> {
        Ok(self.rows.commit()?)
    }
}

fn both_ways(a: &Reference, b: &Reference) -> [[u8; 32]; 2] {
    [(a, b), (b, a)].map(|(one, other)| {
        let mut key = [0; 32];
        key[..16].copy_from_slice(one);
        key[16..].copy_from_slice(other);
        key
    })
}
