//! Following the ledger: reading blocks from the position on, taking them in,
//! publishing what became visible.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use custody_ledger::{Head, Ledger};

use super::apply::Rows;
use super::visible::{Following, VisibleShard};
use super::{ReadModel, ReadModelError, origin};
use crate::service::metric;

/// At most so many bytes of blocks are read from one shard before the next
/// shard gets its turn.
const TURN_BYTES: usize = 8 << 20;

/// Rows are written once they come to so many bytes.
const ROUND_BYTES: usize = 32 << 20;

/// How often the thread looks up without being woken, to see that it should
/// stop or that the ledger failed.
const LOOK_UP: Duration = Duration::from_millis(200);

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
        let _writer = self.inner.writer.lock();
        loop {
            let reached = self.round(ledger)?;
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
        let _writer = self.inner.writer.lock();
        // Subscribed before the first look, so that no commit falls between.
        let mut commits = ledger.subscribe();
        while !stop.load(Ordering::Acquire) {
            let reached = match self.round(ledger) {
                Ok(reached) => reached,
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

    /// Takes in the next rows of every shard that has some, up to a bound,
    /// writes them and publishes.
    fn round(&self, ledger: &Ledger) -> Result<CatchUp, ReadModelError> {
        let before = self.visible();
        let mut rows = Rows::default();
        let mut shards = before.shards.clone();
        let mut changed = false;
        let in_ledger = ledger.shards();
        for (descriptor, head) in &in_ledger {
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
        // Turn by turn until all is in or the rows are many: the more rows are
        // sorted at once, the fewer tables they leave.
        let mut moved = true;
        while moved && rows.bytes < ROUND_BYTES {
            moved = false;
            for (_, head) in &in_ledger {
                if let Some(shard) = shards.get_mut(&head.shard)
                    && shard.head.blocks < head.blocks
                    && rows.bytes < ROUND_BYTES
                {
                    shard.head = turn(ledger, &shard.head, &mut rows)?;
                    moved = true;
                }
            }
        }
        if !rows.heads.is_empty() {
            let has_parties = !rows.parties.is_empty();
            self.inner.store.write(&self.inner.touched, rows)?;
            if has_parties {
                self.inner.parties.forget();
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
        Ok(CatchUp {
            taken_in: self.visible().entries(),
            in_ledger: in_ledger.iter().map(|(_, head)| head.size).sum(),
        })
    }
}

/// Takes in the next blocks of one shard and returns where it stands then.
fn turn(ledger: &Ledger, from: &Head, rows: &mut Rows) -> Result<Head, ReadModelError> {
    let mut head = *from;
    let missing = |height| ReadModelError::MissingBlock {
        shard: from.shard,
        height,
    };
    let blocks = ledger
        .read_blocks(from.shard, from.blocks, TURN_BYTES)
        .map_err(ledger_error)?;
    for block in &blocks {
        if block.header.height != head.blocks {
            return Err(missing(head.blocks));
        }
        rows.take(block)?;
        head = block.head_after();
    }
    if blocks.is_empty() {
        return Err(missing(from.blocks));
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
