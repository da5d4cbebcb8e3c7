//! Following the ledger: reading blocks from the position on, taking them in,
//! publishing what became visible.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use custody_ledger::id::ShardId;
use custody_ledger::{Block, Head, Ledger};

use super::apply::Rows;
use super::counts::Everybody;
use super::visible::{Following, VisibleShard};
use super::write::Writing;
use super::{ReadModel, ReadModelError, origin};
use crate::service::metric;

/// At most so many bytes of blocks are read from one shard before the next
/// shard gets its turn.
const TURN_BYTES: usize = 1 << 20;

/// Rows of a round are written once entries come to so many bytes: what comes
/// in after them waits for them.
const ROUND_BYTES: u64 = 2 << 20;

/// Of many at once, so many are sorted: there must be room for them on the
/// disk.
const SORT_BYTES: u64 = 64 << 30;

/// How many times more entries must be waiting for that where it has reached the
/// head before.
const LIVE_BULK: u64 = 10;

/// And so many stay in memory until all are sorted.
const KEPT_BYTES: usize = 32 << 20;

/// How often the thread looks up without being woken, to see that it should
/// stop or that the ledger failed.
const LOOK_UP: Duration = Duration::from_millis(200);

/// Rounds begin so far apart at least while entries come in: what comes in
/// together is written together, and most rows over everybody only once.
const APART: Duration = Duration::from_millis(10);

/// How far the read model has come, in entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CatchUp {
    /// Taken in so far, of all shards.
    pub taken_in: u64,
    /// In the ledger when it was last looked at.
    pub in_ledger: u64,
}

impl CatchUp {
    /// What is still to come, in entries.
    pub const fn lag(&self) -> u64 {
        self.in_ledger.saturating_sub(self.taken_in)
    }
}

/// Whether every position is one that the ledger has been at: the same block
/// stands below it.
pub(super) fn is_known_to(ledger: &Ledger, positions: &[Head]) -> Result<bool, ReadModelError> {
    for position in positions {
        let Some(head) = ledger.head(position.shard) else {
            return Ok(false);
        };
        let Some(last) = position.blocks.checked_sub(1) else {
            continue;
        };
        if position.blocks > head.blocks {
            return Ok(false);
        }
        let block = ledger
            .read_block(position.shard, last)
            .map_err(ledger_error)?;
        if block.is_none_or(|block| block.head_after() != *position) {
            return Ok(false);
        }
    }
    Ok(true)
}

impl ReadModel {
    /// Takes in everything that the ledger holds now, on this thread.
    ///
    /// # Errors
    /// What the ledger or the store says. What was taken in before stays.
    pub fn catch_up(
        &self,
        ledger: &Ledger,
        progress: &mut dyn FnMut(CatchUp),
    ) -> Result<CatchUp, ReadModelError> {
        let mut everybody = self.inner.writer.lock();
        let enough = self.inner.options.bulk_events;
        let go_on = AtomicBool::new(false);
        loop {
            let reached = self.round(ledger, &mut everybody, enough, &go_on, progress)?;
            progress(reached);
            if reached.lag() == 0 {
                self.inner
                    .publisher
                    .update(|visible| visible.following = Following::Live);
                return Ok(reached);
            }
        }
    }

    /// Starts a thread that takes in what the ledger gets, until the returned
    /// handle is stopped or dropped.
    ///
    /// # Errors
    /// [`ReadModelError::Thread`].
    pub fn follow(&self, ledger: &Ledger) -> Result<Follower, ReadModelError> {
        let stop = Arc::new(AtomicBool::new(false));
        let (model, ledger, stopped) = (self.clone(), ledger.clone(), Arc::clone(&stop));
        let thread = std::thread::Builder::new()
            .name("read-model".to_owned())
            .spawn(move || model.run(&ledger, &stopped))
            .map_err(ReadModelError::Thread)?;
        Ok(Follower {
            stop,
            thread: Some(thread),
        })
    }

    fn run(&self, ledger: &Ledger, stop: &AtomicBool) {
        let mut everybody = self.inner.writer.lock();
        // Subscribed before the first look, so that no commit falls between.
        let mut commits = ledger.subscribe();
        while !stop.load(Ordering::Acquire) {
            let begun = Instant::now();
            let before = self.visible();
            // Once it follows, tables are only for who is far behind: before they
            // are there nothing of the round is visible.
            let mut enough = self.inner.options.bulk_events;
            if before.following == Following::Live {
                enough = enough.saturating_mul(LIVE_BULK);
            }
            let before = before.entries();
            let reached = match self.round(ledger, &mut everybody, enough, stop, &mut |_| {}) {
                Ok(reached) => reached,
                Err(ReadModelError::Stopped) => return,
                // Closed under way: what is missing comes at the next opening.
                Err(_) if commits.is_closed() => return,
                Err(error) => {
                    tracing::error!(%error, "the read model stopped following the ledger");
                    let reason = error.to_string();
                    self.inner
                        .publisher
                        .update(|visible| visible.following = Following::Failed(reason));
                    return;
                }
            };
            let in_ledger: u64 = ledger.shards().iter().map(|(_, head)| head.size).sum();
            let lag = in_ledger.saturating_sub(reached.taken_in);
            metrics::gauge!(metric::READ_MODEL_LAG).set(lag as f64);
            metrics::gauge!(metric::READ_MODEL_ENTRIES).set(reached.taken_in as f64);
            if reached.lag() > 0 {
                continue;
            }
            if reached.taken_in > before {
                std::thread::sleep(APART.saturating_sub(begun.elapsed()));
            }
            if self.visible().following == Following::CatchingUp {
                tracing::info!(entries = reached.taken_in, "the read model has caught up");
                self.inner
                    .publisher
                    .update(|visible| visible.following = Following::Live);
            }
            if !commits.wait(LOOK_UP) && commits.is_closed() {
                return;
            }
        }
    }

    /// Takes in the next rows of every shard that has some, up to a bound, or
    /// where there are `enough` all at once; writes them and publishes.
    fn round(
        &self,
        ledger: &Ledger,
        everybody: &mut Everybody,
        enough: u64,
        stop: &AtomicBool,
        progress: &mut dyn FnMut(CatchUp),
    ) -> Result<CatchUp, ReadModelError> {
        let before = self.visible();
        let mut shards = before.shards.clone();
        let mut changed = false;
        let heads = ledger.shards();
        for (descriptor, head) in &heads {
            let shard = shards.entry(head.shard).or_insert_with(|| {
                changed = true;
                VisibleShard {
                    descriptor: descriptor.clone(),
                    head: origin(descriptor, ledger.id()),
                }
            });
            if shard.head.blocks == 0 && head.blocks == 0 && shard.head != *head {
                // A shard may start at an offset that is not 0.
                shard.head = *head;
                changed = true;
            }
        }
        let mut reached = CatchUp {
            taken_in: before.entries(),
            in_ledger: heads.iter().map(|(_, head)| head.size).sum(),
        };
        let options = &self.inner.options;
        let much = reached.lag() >= enough;
        let sizes = shards.iter().map(|(id, shard)| (*id, shard.head.size));
        let sizes: HashMap<_, _> = sizes.collect();
        let to: Vec<Head> = heads.iter().map(|(_, head)| *head).collect();
        let mut rows = Rows::new(self.inner.store.directory(), options.sort_bytes);
        if much {
            read_much(ledger, &to, &mut shards, &mut rows, stop)?;
        } else {
            read_few(ledger, &to, &mut shards, &mut rows)?;
        }
        if !rows.heads.is_empty() {
            let has_parties = !rows.parties.is_empty();
            let step = reached;
            let writing = Writing {
                as_tables: much,
                sort_bytes: options.sort_bytes,
                before: &sizes,
                stop,
                progress: &mut |done| {
                    progress(CatchUp {
                        taken_in: step.taken_in + done,
                        ..step
                    });
                },
            };
            let inner = &self.inner;
            // Empty where this fails: nobody knows then what was written.
            let known = std::mem::take(everybody);
            *everybody = inner.store.write(&inner.touched, rows, known, writing)?;
            if has_parties {
                inner.parties.forget();
            }
            changed = true;
        }
        if changed {
            // Published after the write: whoever sees a size finds its rows,
            // and kept rows as they stand now, before anything else is written.
            let view = self.inner.store.view();
            self.inner.publisher.update(|visible| {
                visible.shards = shards;
                visible.view = Some(view);
            });
        }
        reached.taken_in = self.visible().entries();
        Ok(reached)
    }
}

type Shards = BTreeMap<ShardId, VisibleShard>;

/// Takes in what there is, turn by turn, up to [`ROUND_BYTES`].
fn read_few(
    ledger: &Ledger,
    to: &[Head],
    shards: &mut Shards,
    rows: &mut Rows,
) -> Result<(), ReadModelError> {
    let mut moved = true;
    while moved {
        moved = false;
        for end in to {
            if let Some(shard) = shards.get_mut(&end.shard)
                && shard.head.blocks < end.blocks
            {
                let blocks = read(ledger, &shard.head)?;
                shard.head = take(&shard.head, &blocks, rows)?;
                moved = true;
                if rows.bytes >= ROUND_BYTES {
                    return Ok(());
                }
            }
        }
    }
    Ok(())
}

/// Takes in all there is, up to what a sort may take: the more rows are sorted
/// at once, the fewer tables they leave. Blocks are read ahead by a thread.
fn read_much(
    ledger: &Ledger,
    to: &[Head],
    shards: &mut Shards,
    rows: &mut Rows,
    stop: &AtomicBool,
) -> Result<(), ReadModelError> {
    let from: Vec<(Head, u64)> = to
        .iter()
        .filter_map(|end| Some((shards.get(&end.shard)?.head, end.blocks)))
        .collect();
    std::thread::scope(|scope| {
        let (send, blocks) = sync_channel(2);
        scope.spawn(move || read_ahead(ledger, from, &send));
        for turn in blocks {
            let blocks: Vec<Block> = turn?;
            let Some(shard) = blocks.first().map(|block| block.header.shard) else {
                continue;
            };
            if let Some(shard) = shards.get_mut(&shard) {
                shard.head = take(&shard.head, &blocks, rows)?;
            }
            if stop.load(Ordering::Acquire) {
                return Err(ReadModelError::Stopped);
            }
            if rows.bytes >= SORT_BYTES || rows.kept_bytes >= KEPT_BYTES {
                break;
            }
        }
        Ok(())
    })
}

/// Sends the blocks of all shards, turn by turn, until nobody wants more.
fn read_ahead(
    ledger: &Ledger,
    mut shards: Vec<(Head, u64)>,
    send: &SyncSender<Result<Vec<Block>, ReadModelError>>,
) {
    while !shards.is_empty() {
        shards.retain(|(head, end)| head.blocks < *end);
        for (head, _) in &mut shards {
            let turn = read(ledger, head);
            if let Ok(blocks) = &turn {
                head.blocks += blocks.len() as u64;
            }
            let failed = turn.is_err();
            if send.send(turn).is_err() || failed {
                return;
            }
        }
    }
}

/// The next blocks of one shard.
fn read(ledger: &Ledger, from: &Head) -> Result<Vec<Block>, ReadModelError> {
    let blocks = ledger
        .read_blocks(from.shard, from.blocks, TURN_BYTES)
        .map_err(ledger_error)?;
    if blocks.is_empty() {
        return Err(missing(from));
    }
    Ok(blocks)
}

fn missing(from: &Head) -> ReadModelError {
    ReadModelError::MissingBlock {
        shard: from.shard,
        height: from.blocks,
    }
}

/// Takes in the next blocks of one shard and returns where it stands then.
fn take(from: &Head, blocks: &[Block], rows: &mut Rows) -> Result<Head, ReadModelError> {
    let mut head = *from;
    for block in blocks {
        if block.header.height != head.blocks {
            return Err(missing(&head));
        }
        rows.take(block)?;
        head = block.head_after();
    }
    Ok(head)
}

fn ledger_error(error: custody_ledger::LedgerError) -> ReadModelError {
    ReadModelError::Ledger(Box::new(error))
}

/// The thread that follows the ledger. Stops where it is dropped.
pub struct Follower {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Follower {
    /// Stops the thread and waits for it.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        self.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that follows the ledger panicked");
        }
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.end();
    }
}
