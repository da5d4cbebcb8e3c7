//! Where the notary leaves what it has signed.

use std::sync::Arc;
use std::time::Instant;

use custody_ledger::{OnSigned, Published};
use parking_lot::{Condvar, Mutex};

/// Holds the last checkpoint for the thread that sends it. The notary only
/// puts it down.
#[derive(Clone, Default)]
pub struct Post {
    inner: Arc<Inner>,
}

#[derive(Default)]
struct Inner {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    latest: Option<Arc<Published>>,
    stopped: bool,
}

impl Post {
    /// For [`NotaryOptions::on_signed`](custody_ledger::NotaryOptions).
    pub fn on_signed(&self) -> OnSigned {
        let post = self.clone();
        Arc::new(move |published| post.put(published))
    }

    /// Leaves a checkpoint. One that is older than what lies here is dropped.
    pub fn put(&self, published: &Arc<Published>) {
        let mut state = self.inner.state.lock();
        let newer = |latest: &Arc<Published>| latest.sequence < published.sequence;
        if state.latest.as_ref().is_none_or(newer) {
            state.latest = Some(Arc::clone(published));
            self.inner.changed.notify_all();
        }
    }

    /// Tells the thread to end.
    pub(super) fn stop(&self) {
        self.inner.state.lock().stopped = true;
        self.inner.changed.notify_all();
    }

    /// The last checkpoint, once there is one after `seen`, or at `until`.
    /// `None`: the thread is to end.
    pub(super) fn wait(
        &self,
        seen: Option<u64>,
        until: Option<Instant>,
    ) -> Option<Option<Arc<Published>>> {
        let mut state = self.inner.state.lock();
        loop {
            if state.stopped {
                return None;
            }
            let sequence = state.latest.as_ref().map(|latest| latest.sequence);
            if sequence > seen {
                return Some(state.latest.clone());
            }
            match until {
                Some(until) if self.inner.changed.wait_until(&mut state, until).timed_out() => {
                    return (!state.stopped).then(|| state.latest.clone());
                }
                Some(_) => {}
                None => self.inner.changed.wait(&mut state),
            }
        }
    }
}
