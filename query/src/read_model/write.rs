//! Writing a round: its rows, and the position that they end at not before
//! them.
//!
//! Most rows follow from their block alone, so that writing them twice changes
//! nothing. Kept rows do not: an entry that came in twice would count twice.
//! They stand in the same batch as the position; where they are too many for
//! one, a mark goes before them and goes away with the position, and a store
//! that is opened with the mark in it is made anew.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use custody_ledger::id::ShardId;
use fjall::{Keyspace, OwnedWriteBatch};

use super::ReadModelError;
use super::apply::Rows;
use super::counts::Everybody;
use super::row::{self, PositionRow};
use super::settle::{Settler, Sink, To};
use super::sorter::Sorter;
use super::standing::Ground;
use super::store::Store;
use super::touched::Touched;

/// There while rows are written that are not in one batch with their position.
const INTERRUPTED: &str = "interrupted";

/// How a round is written.
pub(super) struct Writing<'a> {
    /// As tables of their own, past the journal: for many rows at once. Few
    /// would leave too many tables.
    pub(super) as_tables: bool,
    /// Memory for what is sorted, in bytes.
    pub(super) sort_bytes: usize,
    /// How many entries of each shard were there before.
    pub(super) before: &'a HashMap<ShardId, u64>,
    /// Ends it before anything of it is in the store.
    pub(super) stop: &'a AtomicBool,
    /// Hears of how many entries rows were made.
    pub(super) progress: &'a mut dyn FnMut(u64),
}

/// How often progress is told and a stop is seen, in entries.
const STEP: u64 = 1 << 18;

impl Store {
    /// Whether the last write was interrupted where it may have left kept rows
    /// without their position.
    pub(super) fn was_interrupted(&self) -> Result<bool, ReadModelError> {
        Ok(self.meta.contains_key(INTERRUPTED)?)
    }

    /// Writes rows, and the position that they end at not before them: in the
    /// same batch, or after tables that are already on disk. Takes and gives
    /// back kept rows over everybody, which stand in the store as they are.
    pub(super) fn write(
        &self,
        touched: &Touched,
        mut rows: Rows,
        everybody: Everybody,
        writing: Writing<'_>,
    ) -> Result<Everybody, ReadModelError> {
        if self.torn.load(Ordering::Acquire) {
            return Err(ReadModelError::Store(
                "a write was interrupted before; it must be opened again".into(),
            ));
        }
        // Before anybody sees the rows: who asks whether an event may have been
        // taken back must not hear no.
        touched.add(
            rows.round.retracted.iter().copied(),
            rows.round.rejudged.keys().copied(),
        );
        if !writing.as_tables {
            let sink = Batch {
                store: self,
                batch: self.database.batch(),
            };
            let (mut batch, everybody) =
                self.settle(touched, &mut rows, everybody, writing, sink)?;
            self.put(&mut batch.batch, &rows)?;
            batch.batch.commit()?;
            self.torn.store(false, Ordering::Release);
            self.rotate()?;
            return Ok(everybody);
        }
        let (mut batch, everybody) = std::thread::scope(|scope| {
            let (send, receive) = sync_channel(CHUNKS);
            let tables = scope.spawn(move || self.write_tables(&receive));
            let sink = Tables::new(self, send);
            let settled = self.settle(touched, &mut rows, everybody, writing, sink);
            let settled = settled.and_then(|(tables, all)| Ok((tables.end()?, all)));
            let written = tables.join();
            written.map_err(|_| ReadModelError::Store("writing tables panicked".into()))??;
            settled
        })?;
        batch.remove(&self.meta, INTERRUPTED);
        self.put(&mut batch, &rows)?;
        batch.commit()?;
        self.torn.store(false, Ordering::Release);
        self.rotate()?;
        Ok(everybody)
    }

    /// Marks that rows are written before their position, durably.
    fn interrupt(&self) -> Result<(), ReadModelError> {
        self.torn.store(true, Ordering::Release);
        self.meta.insert(INTERRUPTED, "")?;
        self.persist()
    }

    fn settle<S: Sink>(
        &self,
        touched: &Touched,
        rows: &mut Rows,
        everybody: Everybody,
        writing: Writing<'_>,
        sink: S,
    ) -> Result<(S, Everybody), ReadModelError> {
        let ground = Ground {
            store: self,
            touched,
            round: &rows.round,
            before: writing.before,
        };
        let sorter = |share| Sorter::new(self.directory(), writing.sort_bytes / share);
        let mut settler = Settler::new(ground, sink, everybody, [sorter(4), sorter(2)]);
        let mut done = 0;
        rows.events.drain(|key, value| {
            settler.entry(key, value)?;
            done += 1;
            if done % STEP == 0 {
                (writing.progress)(done);
                if writing.stop.load(Ordering::Acquire) {
                    return Err(ReadModelError::Stopped);
                }
            }
            Ok(())
        })?;
        let (mut sink, everybody) = settler.end()?;
        rows.findings
            .drain(|key, value| sink.put(To::Findings, key, Some(value)))?;
        Ok((sink, everybody))
    }

    /// Rows that there are few of, and the positions.
    fn put(&self, batch: &mut OwnedWriteBatch, rows: &Rows) -> Result<(), ReadModelError> {
        for (key, value) in &rows.retractions {
            batch.insert(&self.retractions, *key, *value);
        }
        for (key, value) in &rows.parties {
            batch.insert(&self.parties, key.as_slice(), value.as_slice());
        }
        for (key, value) in &rows.rejudgements {
            batch.insert(&self.rejudgements, *key, value.as_slice());
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

    const fn keyspace(&self, to: To) -> &Keyspace {
        match to {
            To::Events => &self.events,
            To::Ties => &self.ties,
            To::About => &self.about,
            To::Rights => &self.rights,
            To::Held => &self.held,
            To::Findings => &self.findings,
            To::Received | To::Abroad | To::Everybody => &self.kept,
        }
    }

    /// Writes what comes as tables, and registers them when all has come.
    fn write_tables(&self, rows: &Receiver<Message>) -> Result<(), ReadModelError> {
        let mut is_whole = false;
        let mut ingestions: [Option<(_, Vec<u8>)>; TABLES] = [const { None }; TABLES];
        for message in rows {
            let Message::Rows(to, chunk) = message else {
                is_whole = true;
                break;
            };
            let table = &mut ingestions[to as usize];
            let (ingestion, last) = match table {
                Some(open) => open,
                None => table.insert((self.keyspace(to).start_ingestion()?, Vec::new())),
            };
            let mut rest = chunk.as_slice();
            while let Some((key, value)) = take_row(&mut rest) {
                // A key that is there twice, which no two entries make, is
                // written once.
                if *last == key {
                    continue;
                }
                match value {
                    Some(value) => ingestion.write(key, value)?,
                    None => ingestion.write_tombstone(key)?,
                }
                last.clear();
                last.extend_from_slice(key);
            }
        }
        if is_whole {
            // Durable before the first table is: tables are, once they are there.
            self.interrupt()?;
            for (ingestion, _) in ingestions.into_iter().flatten() {
                ingestion.finish()?;
            }
        }
        Ok(())
    }
}

/// Rows into a batch.
struct Batch<'a> {
    store: &'a Store,
    batch: OwnedWriteBatch,
}

impl Sink for Batch<'_> {
    fn put(&mut self, to: To, key: &[u8], value: Option<&[u8]>) -> Result<(), ReadModelError> {
        let keyspace = self.store.keyspace(to);
        match value {
            Some(value) => self.batch.insert(keyspace, key, value),
            None => self.batch.remove(keyspace, key),
        }
        Ok(())
    }

    fn flush_everybody(&mut self) -> Result<(), ReadModelError> {
        self.store.interrupt()?;
        let next = self.store.database.batch();
        std::mem::replace(&mut self.batch, next).commit()?;
        self.batch.remove(&self.store.meta, INTERRUPTED);
        Ok(())
    }
}

/// Tables that are written at once; not those over everybody.
const TABLES: usize = To::Everybody as usize;

/// Rows are handed over by so many bytes.
const CHUNK_BYTES: usize = 256 << 10;

/// So many times that many wait to be written.
const CHUNKS: usize = 16;

/// What is handed to who writes the tables.
enum Message {
    Rows(To, Vec<u8>),
    /// There are no more rows.
    End,
}

/// Rows into tables of their own, which another thread writes.
struct Tables<'a> {
    store: &'a Store,
    send: SyncSender<Message>,
    chunks: [Vec<u8>; TABLES],
    everybody: OwnedWriteBatch,
}

/// The length of a row that there is not to be.
const NONE: u32 = u32::MAX;

fn take_row<'a>(bytes: &mut &'a [u8]) -> Option<(&'a [u8], Option<&'a [u8]>)> {
    let (key, rest) = bytes.split_first_chunk::<4>()?;
    let (value, rest) = rest.split_first_chunk::<4>()?;
    let (key, rest) = rest.split_at_checked(u32::from_le_bytes(*key) as usize)?;
    let (value, rest) = match u32::from_le_bytes(*value) {
        NONE => (None, rest),
        length => {
            let (value, rest) = rest.split_at_checked(length as usize)?;
            (Some(value), rest)
        }
    };
    *bytes = rest;
    Some((key, value))
}

impl<'a> Tables<'a> {
    fn new(store: &'a Store, send: SyncSender<Message>) -> Self {
        Self {
            store,
            send,
            chunks: Default::default(),
            everybody: store.database.batch(),
        }
    }

    /// Whoever writes has ended where this fails, and says why.
    fn send(&self, message: Message) -> Result<(), ReadModelError> {
        let sent = self.send.send(message);
        sent.map_err(|_| ReadModelError::Store("writing tables ended".into()))
    }

    /// Has the tables registered; the rows over everybody are left.
    fn end(mut self) -> Result<OwnedWriteBatch, ReadModelError> {
        for (to, chunk) in ALL.into_iter().zip(std::mem::take(&mut self.chunks)) {
            if !chunk.is_empty() {
                self.send(Message::Rows(to, chunk))?;
            }
        }
        self.send(Message::End)?;
        Ok(self.everybody)
    }
}

/// In the order of their numbers.
const ALL: [To; TABLES] = [
    To::Events,
    To::Ties,
    To::About,
    To::Rights,
    To::Held,
    To::Findings,
    To::Received,
    To::Abroad,
];

impl Sink for Tables<'_> {
    fn put(&mut self, to: To, key: &[u8], value: Option<&[u8]>) -> Result<(), ReadModelError> {
        let Some(chunk) = self.chunks.get_mut(to as usize) else {
            match value {
                Some(value) => self.everybody.insert(&self.store.kept, key, value),
                None => self.everybody.remove(&self.store.kept, key),
            }
            return Ok(());
        };
        let length = value.map_or(NONE, |value| value.len() as u32);
        chunk.extend_from_slice(&(key.len() as u32).to_le_bytes());
        chunk.extend_from_slice(&length.to_le_bytes());
        chunk.extend_from_slice(key);
        chunk.extend_from_slice(value.unwrap_or_default());
        if chunk.len() < CHUNK_BYTES {
            return Ok(());
        }
        let next = Vec::with_capacity(CHUNK_BYTES + (4 << 10));
        let full = std::mem::replace(chunk, next);
        self.send(Message::Rows(to, full))
    }

    fn flush_everybody(&mut self) -> Result<(), ReadModelError> {
        self.store.interrupt()?;
        let next = self.store.database.batch();
        std::mem::replace(&mut self.everybody, next).commit()?;
        Ok(())
    }
}
