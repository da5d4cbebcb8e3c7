//! Between the writer, which gives full databases away, and the sealer, which
//! makes segments of them.

use parking_lot::{Condvar, Mutex};

/// How far sealing is.
#[derive(Debug, Default)]
pub(super) struct Sealing {
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
    pub(super) fn request(&self) {
        self.state.lock().requested = true;
        self.changed.notify_all();
    }

    pub(super) fn is_busy(&self) -> bool {
        let state = self.state.lock();
        state.requested || state.busy
    }

    /// Waits until nothing is being sealed. Returns why the last sealing
    /// failed.
    pub(super) fn wait(&self) -> Option<String> {
        let mut state = self.state.lock();
        while (state.requested || state.busy) && !state.closing {
            self.changed.wait(&mut state);
        }
        state.failed.clone()
    }

    pub(super) fn failed(&self) -> Option<String> {
        self.state.lock().failed.clone()
    }

    /// Notes why a rotation failed; `None` where one went well.
    pub(super) fn note(&self, failed: Option<String>) {
        self.state.lock().failed = failed;
    }

    /// For the sealer: waits for a request. `false` when the ledger is closed
    /// and nothing is requested.
    pub(super) fn next(&self) -> bool {
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
    pub(super) fn done(&self, failed: Option<String>) {
        let mut state = self.state.lock();
        state.busy = false;
        state.failed = failed;
        drop(state);
        self.changed.notify_all();
    }

    /// Takes no more requests; one that waits is still done.
    pub(super) fn close(&self) {
        self.state.lock().closing = true;
        self.changed.notify_all();
    }
}
