//! Waiting for commits.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

/// Counts the commit groups of a ledger.
#[derive(Debug, Default)]
pub(crate) struct Commits {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    groups: u64,
    closed: bool,
}

impl Commits {
    pub(crate) fn committed(&self) {
        self.state.lock().groups += 1;
        self.changed.notify_all();
    }

    pub(crate) fn close(&self) {
        self.state.lock().closed = true;
        self.changed.notify_all();
    }

    pub(crate) fn subscribe(self: &Arc<Self>) -> Subscription {
        Subscription {
            seen: self.state.lock().groups,
            commits: Arc::clone(self),
        }
    }
}

/// Tells that something was committed. It does not keep the ledger open.
#[derive(Debug)]
pub struct Subscription {
    commits: Arc<Commits>,
    seen: u64,
}

impl Subscription {
    /// Waits for a commit after the last one that this subscription told of,
    /// for at most `timeout`. Returns whether there was one; at once `false`
    /// when the ledger is closed.
    pub fn wait(&mut self, timeout: Duration) -> bool {
        let deadline = Instant::now().checked_add(timeout);
        let mut state = self.commits.state.lock();
        while state.groups == self.seen {
            let timed_out = !state.closed
                && match deadline {
                    Some(deadline) => self
                        .commits
                        .changed
                        .wait_until(&mut state, deadline)
                        .timed_out(),
                    None => {
                        self.commits.changed.wait(&mut state);
                        false
                    }
                };
            if state.groups == self.seen && (state.closed || timed_out) {
                return false;
            }
        }
        self.seen = state.groups;
        true
    }

    /// Whether the ledger is closed, so that nothing more will be committed.
    pub fn is_closed(&self) -> bool {
        self.commits.state.lock().closed
    }
}
