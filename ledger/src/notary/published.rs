//! What was signed last, for those who ask.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use custody_proof::checkpoint::ShardCheckpoint;
use custody_proof::manifest::Manifest;
use parking_lot::{Condvar, Mutex};

use crate::id::ShardId;
use crate::ledger::Ledger;

/// A signed checkpoint of the whole ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// The place of its manifest in the ledger's own log.
    pub sequence: u64,
    /// The origin that the ledger's checkpoint is signed under.
    pub origin: String,
    /// The signed checkpoint of the ledger's log, cosignatures included.
    pub note: String,
    /// The manifest of all shards.
    pub manifest: Manifest,
    /// The same as text, which is what is signed.
    pub manifest_text: String,
    /// The signed checkpoint of each shard.
    pub shards: BTreeMap<ShardId, PublishedShard>,
}

/// A signed checkpoint of one shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishedShard {
    /// What it says.
    pub checkpoint: ShardCheckpoint,
    /// The signed note.
    pub note: String,
}

impl Published {
    /// Whether each of these shards is covered up to this size at least.
    pub fn covers(&self, sizes: &[(ShardId, u64)]) -> bool {
        sizes.iter().all(|(shard, size)| {
            *size == 0
                || self
                    .shards
                    .get(shard)
                    .is_some_and(|signed| signed.checkpoint.checkpoint.size >= *size)
        })
    }
}

/// Holds what was published last.
#[derive(Debug, Default)]
pub(crate) struct Board {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    published: Option<Arc<Published>>,
    /// The last checkpoint is to be made.
    ending: bool,
    closed: bool,
    /// Why nothing more is to be signed.
    halted: Option<String>,
}

impl Board {
    pub(crate) fn published(&self) -> Option<Arc<Published>> {
        self.state.lock().published.clone()
    }

    pub(crate) fn publish(&self, published: Arc<Published>) {
        self.state.lock().published = Some(published);
        self.changed.notify_all();
    }

    /// Replaces the ledger's note, where this checkpoint is still the last one.
    pub(crate) fn amend(&self, sequence: u64, note: String) -> Option<Arc<Published>> {
        let mut state = self.state.lock();
        let last = state.published.as_mut()?;
        if last.sequence != sequence {
            return None;
        }
        Arc::make_mut(last).note = note;
        let amended = Arc::clone(last);
        drop(state);
        self.changed.notify_all();
        Some(amended)
    }

    /// Asks for a last checkpoint of all that was committed.
    pub(crate) fn end(&self) {
        self.state.lock().ending = true;
    }

    pub(crate) fn is_ending(&self) -> bool {
        self.state.lock().ending
    }

    pub(crate) fn is_halted(&self) -> bool {
        self.state.lock().halted.is_some()
    }

    pub(crate) fn close(&self) {
        self.state.lock().closed = true;
        self.changed.notify_all();
    }

    /// Waits for a checkpoint that covers these sizes, for at most `timeout`.
    pub(crate) fn wait(
        &self,
        sizes: &[(ShardId, u64)],
        timeout: Duration,
    ) -> Option<Arc<Published>> {
        let deadline = Instant::now().checked_add(timeout)?;
        let mut state = self.state.lock();
        loop {
            if let Some(published) = &state.published
                && published.covers(sizes)
            {
                return Some(Arc::clone(published));
            }
            if state.closed || self.changed.wait_until(&mut state, deadline).timed_out() {
                let published = state.published.clone();
                return published.filter(|published| published.covers(sizes));
            }
        }
    }
}

impl Ledger {
    /// Ends signing until the ledger is opened again, for a reason from
    /// outside, such as a witness that has seen another history. Blocks are
    /// taken as before; proofs go on against the last checkpoint. The first
    /// reason holds.
    pub fn stop_signing(&self, reason: &str) {
        let mut state = self.shared().board.state.lock();
        state.halted.get_or_insert_with(|| reason.to_owned());
    }

    /// Why nothing more is signed, where [`Ledger::stop_signing`] was called.
    pub fn signing_stopped(&self) -> Option<String> {
        self.shared().board.state.lock().halted.clone()
    }
}
