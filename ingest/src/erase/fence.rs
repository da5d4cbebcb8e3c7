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
    number: u64,
}

impl Fence {
    pub(crate) fn enter(&self, shard: ShardId) -> Ticket {
        let mut open = self.0.open.lock();
        let number = open.next;
        open.next += 1;
        let epoch = open.epoch;
        open.tickets.insert(number, (epoch, shard));
        Ticket {
            fence: self.clone(),
            number,
        }
    }

    /// Waits until all that is on its way now has arrived, and not for what sets
    /// out meanwhile.
    ///
    /// # Errors
    /// A shard that has not, where it takes longer than `most`.
    pub(crate) fn drain(&self, most: Duration) -> Result<(), ShardId> {
        let end = Instant::now() + most;
        let mut open = self.0.open.lock();
        open.epoch += 1;
        let epoch = open.epoch;
        while let Some(shard) = open.older_than(epoch) {
            if self.0.fell.wait_until(&mut open, end).timed_out() {
                return open.older_than(epoch).map_or(Ok(()), |_| Err(shard));
            }
        }
        Ok(())
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
        assert_eq!(fence.drain(Duration::ZERO), Ok(()));
        let first = fence.enter(A);
        assert_eq!(fence.drain(Duration::from_millis(5)), Err(A));
        let second = fence.enter(B);
        drop(first);
        assert_eq!(fence.drain(Duration::from_millis(5)), Err(B));
        let waiting = {
            let fence = fence.clone();
            std::thread::spawn(move || fence.drain(Duration::from_secs(20)))
        };
        // Until it has begun to wait, a ticket may be one of before.
        let mut later = Vec::new();
        while fence.0.open.lock().epoch < 4 {
            std::thread::yield_now();
        }
        later.push(fence.enter(A));
        drop(second);
        assert_eq!(waiting.join().unwrap(), Ok(()));
        assert_eq!(later.len(), fence.0.open.lock().tickets.len());
    }
}
