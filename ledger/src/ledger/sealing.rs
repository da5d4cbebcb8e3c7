//! Between the writer, which gives full databases away, and the sealer, which
//! makes segments of them.

use parking_lot::{Condvar, Mutex};

/// How far sealing is.
#[derive(Debug, Default)]
pub(crate) struct Sealing {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// A database waits for the sealer.
    requested: bool,
    busy: bool,
    closing: bool,
    /// Why the last sealing failed.
    failed: Option<String>,
}

impl Sealing {
    /// Has the sealer seal what there is to seal.
    pub(crate) fn request(&self) {
        self.state.lock().requested = true;
        self.changed.notify_all();
    }

    pub(crate) fn is_busy(&self) -> bool {
        let state = self.state.lock();
        state.requested || state.busy
    }

    /// Waits until nothing is being sealed. Returns why the last sealing
    /// failed.
    pub(crate) fn wait(&self) -> Option<String> {
        let mut state = self.state.lock();
        while (state.requested || state.busy) && !state.closing {
            self.changed.wait(&mut state);
        }
        state.failed.clone()
    }

    pub(crate) fn failed(&self) -> Option<String> {
        self.state.lock().failed.clone()
    }

    /// Notes why a rotation failed; `None` where one went well.
    pub(crate) fn note(&self, failed: Option<String>) {
        self.state.lock().failed = failed;
    }

    /// For the sealer: waits for a request. `false` when the ledger is closed
    /// and nothing is requested.
    pub(crate) fn next(&self) -> bool {
        let mut state = self.state.lock();
        while !state.requested {
            if state.closing {
                return false;
            }
            self.changed.wait(&mut state);
        }
        state.requested = false;
        state.busy = true;
        true
    }

    /// For the sealer: it is done with the request.
    pub(crate) fn done(&self, failed: Option<String>) {
        let mut state = self.state.lock();
        state.busy = false;
        state.failed = failed;
        drop(state);
        self.changed.notify_all();
    }

    /// Takes no more requests; one that waits is still done.
    pub(crate) fn close(&self) {
        self.state.lock().closing = true;
        self.changed.notify_all();
    }
}
