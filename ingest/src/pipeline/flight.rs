//! Blocks on their way to the disk.

use std::sync::Arc;

use parking_lot::{Condvar, Mutex};

use crate::erase::Ticket;

/// Counts the blocks on their way to the disk.
#[derive(Default)]
pub(super) struct InFlight {
    count: Mutex<usize>,
    fell: Condvar,
}

/// One block on its way; counted off however its way ends.
pub(super) struct Flight {
    in_flight: Arc<InFlight>,
    _ticket: Option<Ticket>,
}

impl Flight {
    pub(super) fn start(in_flight: &Arc<InFlight>, ticket: Option<Ticket>) -> Self {
        *in_flight.count.lock() += 1;
        Self {
            in_flight: Arc::clone(in_flight),
            _ticket: ticket,
        }
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        *self.in_flight.count.lock() -= 1;
        self.in_flight.fell.notify_all();
    }
}

impl InFlight {
    pub(super) fn wait_until_at_most(&self, most: usize) {
        let mut count = self.count.lock();
        while *count > most {
            self.fell.wait(&mut count);
        }
    }
}
