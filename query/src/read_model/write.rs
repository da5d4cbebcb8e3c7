//! Writing a round: its rows, and the position that they end at not before
//! them.
//!
//! Most rows follow from their block alone, so that writing them twice changes
//! nothing. Kept rows do not: an entry that came in twice would count twice.
//! They stand in the same batch as the position; where they are too many for
//! one, a mark goes before them and goes away with the position, and a store
//! that is opened with the mark in it is made anew.

use fjall::{Keyspace, OwnedWriteBatch};

use super::ReadModelError;
use super::apply::Rows;
use super::row::{self, PositionRow};
use super::settle::{self, Settled, Touched};
use super::store::Store;

/// From so many events on, rows are sorted and written as tables of their own
/// instead of through the journal. Smaller runs would leave too many tables.
pub(super) const BULK_EVENTS: usize = 30_000;

/// There while rows are written that are not in one batch with their position.
const INTERRUPTED: &str = "interrupted";

impl Store {
    /// Whether the last write was interrupted where it may have left kept rows
    /// without their position.
    pub(super) fn was_interrupted(&self) -> Result<bool, ReadModelError> {
        Ok(self.meta.contains_key(INTERRUPTED)?)
    }

    /// Writes rows, and the position that they end at not before them: in the
    /// same batch, or after tables that are already on disk.
    pub(super) fn write(&self, touched: &Touched, mut rows: Rows) -> Result<(), ReadModelError> {
        let round = std::mem::take(&mut rows.round);
        let mut kept = settle::settle(self, touched, &round)?;
        // Before anybody sees the rows: who asks whether an event may have been
        // taken back must not hear no.
        touched.add(
            round.retracted.iter().copied(),
            round.rejudged.keys().copied(),
        );
        drop(round);
        let mut batch = self.database.batch();
        if rows.events.len() >= BULK_EVENTS {
            self.ingest(&mut rows, &mut kept)?;
            batch.remove(&self.meta, INTERRUPTED);
        }
        self.put(&mut batch, rows, kept)?;
        batch.commit()?;
        Ok(())
    }

    /// Writes what there is most of as tables of their own.
    fn ingest(&self, rows: &mut Rows, kept: &mut Vec<Settled>) -> Result<(), ReadModelError> {
        // Durable before the first table is: tables are, once they are there.
        self.meta.insert(INTERRUPTED, "")?;
        self.persist()?;
        rows.events.sort_unstable_by_key(|row| row.0);
        rows.ties.sort_unstable();
        rows.held.sort_unstable();
        rows.findings.sort_unstable();
        ingest(
            &self.events,
            std::mem::take(&mut rows.events)
                .into_iter()
                .map(|(key, value)| (key.to_vec(), Some(value))),
        )?;
        ingest(
            &self.ties,
            std::mem::take(&mut rows.ties)
                .into_iter()
                .map(|key| (key, Some(Vec::new()))),
        )?;
        ingest(
            &self.held,
            std::mem::take(&mut rows.held)
                .into_iter()
                .map(|(key, value)| (key, Some(value))),
        )?;
        ingest(&self.kept, std::mem::take(kept).into_iter())?;
        if rows.findings.len() >= BULK_EVENTS {
            ingest(
                &self.findings,
                std::mem::take(&mut rows.findings)
                    .into_iter()
                    .map(|(key, value)| (key, Some(value))),
            )?;
        }
        Ok(())
    }

    fn put(
        &self,
        batch: &mut OwnedWriteBatch,
        rows: Rows,
        kept: Vec<Settled>,
    ) -> Result<(), ReadModelError> {
        for (key, value) in rows.events {
            batch.insert(&self.events, key, value);
        }
        for (key, value) in rows.retractions {
            batch.insert(&self.retractions, key, value);
        }
        for (key, value) in rows.parties {
            batch.insert(&self.parties, key, value);
        }
        for (key, value) in rows.findings {
            batch.insert(&self.findings, key, value);
        }
        for (key, value) in rows.rejudgements {
            batch.insert(&self.rejudgements, key, value);
        }
        for key in rows.rights {
            batch.insert(&self.rights, key, []);
        }
        for key in rows.ties {
            batch.insert(&self.ties, key, []);
        }
        for key in rows.about {
            batch.insert(&self.about, key, []);
        }
        for (key, value) in rows.held {
            batch.insert(&self.held, key, value);
        }
        for (key, value) in kept {
            match value {
                Some(value) => batch.insert(&self.kept, key, value),
                None => batch.remove(&self.kept, key),
            }
        }
        for head in rows.heads.values() {
            let position = PositionRow {
                blocks: head.blocks,
                size: head.size,
                next_offset: head.next_offset,
                chain_head: head.chain_head,
                block_digest: head.block_digest,
                recorded_time_ns: head.recorded_time_ns,
                epoch: head.epoch,
            };
            batch.insert(
                &self.positions,
                *head.shard.as_bytes(),
                row::encode(&position)?,
            );
        }
        Ok(())
    }
}

/// Writes rows, which are in the order of their keys, as tables of their own. A
/// key that is there twice, which no two entries make, is written once.
fn ingest(
    keyspace: &Keyspace,
    rows: impl Iterator<Item = (Vec<u8>, Option<Vec<u8>>)>,
) -> Result<(), ReadModelError> {
    let mut ingestion = keyspace.start_ingestion()?;
    let mut last: Option<Vec<u8>> = None;
    for (key, value) in rows {
        if last.as_ref() == Some(&key) {
            continue;
        }
        match value {
            Some(value) => ingestion.write(key.as_slice(), value)?,
            None => ingestion.write_tombstone(key.as_slice())?,
        }
        last = Some(key);
    }
    Ok(ingestion.finish()?)
}
