//! What is on its way to the disk, so that whoever changes something for all can
//! wait until nothing is left that knows it as it was.
//!
//! A shard takes a [`Ticket`] before it admits anybody for a block, and the
//! ticket goes with the block until the states have it. Whoever wants what was
//! admitted before a moment to be done waits for the tickets of before.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use custody_ledger::ShardId;
use parking_lot::{Condvar, Mutex};

/// Counts what is on its way, by age.
#[derive(Clone, Default)]
pub(crate) struct Fence(Arc<Inner>);

#[derive(Default)]
struct Inner {
    open: Mutex<Open>,
    fell: Condvar,
}

#[derive(Default)]
struct Open {
    epoch: u64,
    next: u64,
    /// The epoch of each ticket, and whose it is.
    tickets: HashMap<u64, (u64, ShardId)>,
}

impl Open {
    fn older_than(&self, epoch: u64) -> Option<ShardId> {
        let mut tickets = self.tickets.values();
        tickets.find(|(of, _)| *of < epoch).map(|(_, shard)| *shard)
    }
}

/// Something on its way; it has arrived, or never will, when this is dropped.
pub(crate) struct Ticket {
    fence: Fence,
    epoch: u64,
    shard: ShardId,
    number: u64,
}

impl Fence {
    pub(crate) fn enter(&self, shard: ShardId) -> Ticket {
        let mut open = self.0.open.lock();
        let epoch = open.epoch;
        self.ticket(&mut open, epoch, shard)
    }

    fn ticket(&self, open: &mut Open, epoch: u64, shard: ShardId) -> Ticket {
        let number = open.next;
        open.next += 1;
        open.tickets.insert(number, (epoch, shard));
        Ticket {
            fence: self.clone(),
            epoch,
            shard,
            number,
        }
    }

    /// Tells what is on its way now from what sets out later.
    pub(crate) fn turn(&self) -> Age {
        let mut open = self.0.open.lock();
        open.epoch += 1;
        Age(open.epoch)
    }

    /// Waits until all that is older has arrived.
    ///
    /// # Errors
    /// A shard of which something has not, where it takes longer than `most`.
    pub(crate) fn wait(&self, age: Age, most: Duration) -> Result<(), ShardId> {
        let end = Instant::now() + most;
        let mut open = self.0.open.lock();
        while let Some(shard) = open.older_than(age.0) {
            if self.0.fell.wait_until(&mut open, end).timed_out() {
                return open.older_than(age.0).map_or(Ok(()), |_| Err(shard));
            }
        }
        Ok(())
    }
}

/// A moment, for the [`Fence`].
#[derive(Clone, Copy)]
pub(crate) struct Age(u64);

impl Ticket {
    /// Another one as old as this, for what was admitted under it and goes with
    /// the next block.
    pub(crate) fn again(&self) -> Self {
        let mut open = self.fence.0.open.lock();
        self.fence.ticket(&mut open, self.epoch, self.shard)
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.fence.0.open.lock().tickets.remove(&self.number);
        self.fence.0.fell.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: ShardId = ShardId([1; 16]);
    const B: ShardId = ShardId([2; 16]);

    #[test]
    fn waits_for_what_was_there_and_not_for_what_comes() {
        let fence = Fence::default();
        let soon = Duration::from_millis(5);
        assert_eq!(fence.wait(fence.turn(), Duration::ZERO), Ok(()));
        let first = fence.enter(A);
        assert_eq!(fence.wait(fence.turn(), soon), Err(A));
        let second = fence.enter(B);
        let age = fence.turn();
        let later = fence.enter(A);
        drop(first);
        assert_eq!(fence.wait(age, soon), Err(B));
        // What goes on with the next block is as old as it was.
        let rest = second.again();
        drop(second);
        assert_eq!(fence.wait(age, soon), Err(B));
        let waiting = {
            let fence = fence.clone();
            std::thread::spawn(move || fence.wait(age, Duration::from_secs(20)))
        };
        drop(rest);
        assert_eq!(waiting.join().unwrap(), Ok(()));
        assert_eq!(fence.wait(fence.turn(), soon), Err(A));
        drop(later);
        assert!(fence.0.open.lock().tickets.is_empty());
    }
}
