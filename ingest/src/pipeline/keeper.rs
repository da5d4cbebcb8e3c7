//! The thread that writes what became durable into the states' store.
//!
//! The ledger's writer only hands over; sealing and writing are done here, for
//! all blocks that wait at once, so that a person with many events is sealed
//! once. A shard's blocks count as on their way until they are written, so what
//! waits here is bounded as they are.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender, unbounded};
use custody_ledger::Head;

use super::PipelineError;
use super::flight::Flight;
use super::shared::Shared;
use crate::overdue::Duties;
use crate::state::{Effect, Settled};

/// Blocks written as one batch at most.
const BATCH_BLOCKS: usize = 256;

/// A durable block for the keeper.
pub(super) struct Kept {
    pub(super) head: Head,
    pub(super) effects: Vec<Effect>,
    /// The block's way ends when this is dropped.
    pub(super) flight: Flight,
}

/// The way to the keeper.
pub(super) struct Keeper {
    blocks: Sender<Kept>,
    /// Blocks handed over that are not written.
    waiting: Arc<AtomicUsize>,
    /// The pipeline ends, and the keeper with it.
    ending: AtomicBool,
}

/// The keeper's end of the way.
pub(super) struct KeeperQueue(Receiver<Kept>, Arc<AtomicUsize>);

impl Keeper {
    pub(super) fn new() -> (Self, KeeperQueue) {
        let (blocks, queue) = unbounded();
        let waiting = Arc::new(AtomicUsize::new(0));
        let ours = Self {
            blocks,
            waiting: Arc::clone(&waiting),
            ending: AtomicBool::new(false),
        };
        (ours, KeeperQueue(queue, waiting))
    }

    /// Whether everything that was handed over is written, and its reviews are
    /// queued.
    pub(super) fn is_idle(&self) -> bool {
        self.waiting.load(Ordering::Acquire) == 0
    }

    /// Hands a block over. Never waits. After [`end`](Self::end) nothing is
    /// taken any more, and is read from the ledger on the next start.
    ///
    /// # Errors
    /// [`PipelineError::Failed`] where the keeper has ended before.
    pub(super) fn keep(&self, block: Kept) -> Result<(), PipelineError> {
        self.waiting.fetch_add(1, Ordering::AcqRel);
        if self.blocks.send(block).is_err() && !self.ending.load(Ordering::Acquire) {
            let reason = "the state-keeper has ended".to_owned();
            return Err(PipelineError::Failed(reason));
        }
        Ok(())
    }

    /// Says that the keeper is about to end.
    pub(super) fn end(&self) {
        self.ending.store(true, Ordering::Release);
    }
}

/// Starts the thread, which ends when `stop` does.
pub(super) fn start(
    shared: Arc<Shared>,
    queue: KeeperQueue,
    stop: Receiver<()>,
) -> std::io::Result<JoinHandle<()>> {
    shared.clone().helper("state-keeper", move || {
        loop {
            crossbeam_channel::select! {
                recv(queue.0) -> block => {
                    let Ok(block) = block else { return Ok(()) };
                    let written = write(&shared, &queue.0, block)?;
                    queue.1.fetch_sub(written, Ordering::AcqRel);
                }
                recv(stop) -> _ => return Ok(()),
            }
        }
    })
}

fn write(shared: &Shared, queue: &Receiver<Kept>, first: Kept) -> Result<usize, PipelineError> {
    let mut blocks = Vec::new();
    let mut flights = Vec::new();
    for block in std::iter::once(first).chain(queue.try_iter().take(BATCH_BLOCKS - 1)) {
        let Kept {
            head,
            effects,
            flight,
        } = block;
        blocks.push(Settled::block(head, effects));
        flights.push(flight);
    }
    let duties = Duties::new(shared.states.store(), &*shared.options.deadlines);
    let reviews = shared
        .states
        .settle(blocks, |batch, blocks| duties.take(batch, blocks))?;
    shared.reviews.add(reviews);
    Ok(flights.len())
}
