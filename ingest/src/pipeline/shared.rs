//! What all shards share, and how it fails as a whole.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::JoinHandle;

use custody_ledger::Ledger;
use custody_vault::Vault;
use parking_lot::Mutex;
use tracing::error;

use super::PipelineError;
use super::dead_letter::{DeadLetters, StopSignal};
use super::keeper::Keeper;
use super::options::{Clock, PipelineOptions};
use super::parties::Parties;
use super::reviews::Reviews;
use crate::duplicates::DuplicateIndex;
use crate::erase::Registrar;
use crate::state::SubjectStates;

/// What all shards share.
pub(super) struct Shared {
    pub(super) ledger: Ledger,
    pub(super) vault: Vault,
    pub(super) states: Arc<SubjectStates>,
    pub(super) duplicates: Arc<DuplicateIndex>,
    pub(super) dead_letters: Arc<dyn DeadLetters>,
    pub(super) clock: Clock,
    pub(super) options: PipelineOptions,
    pub(super) parties: Parties,
    pub(super) keeper: Keeper,
    pub(super) reviews: Arc<Reviews>,
    pub(super) registrar: Arc<Registrar>,
    /// The house shard's entries on start.
    pub(super) house_size: u64,
    /// Ends long waits once the deadline of a stop has passed.
    pub(super) abort: StopSignal,
    pub(super) failure: Mutex<Option<String>>,
}

impl Shared {
    /// Keeps the first failure and ends every wait: one failed shard stops
    /// the whole, because all shards share the ledger.
    pub(super) fn fail(&self, error: &PipelineError) {
        let mut failure = self.failure.lock();
        if failure.is_none() {
            error!(%error, "ingest stops");
            *failure = Some(error.to_string());
            self.abort.stop();
            self.registrar.close();
        }
    }

    pub(super) fn failure(&self) -> Option<String> {
        self.failure.lock().clone()
    }

    /// Starts a thread that works for all shards. Where it fails or panics the
    /// pipeline does.
    pub(super) fn helper(
        self: Arc<Self>,
        name: &'static str,
        work: impl FnOnce() -> Result<(), PipelineError> + Send + 'static,
    ) -> std::io::Result<JoinHandle<()>> {
        std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || match catch_unwind(AssertUnwindSafe(work)) {
                Ok(Ok(())) => {}
                Ok(Err(error)) => self.fail(&error),
                Err(_) => {
                    let reason = format!("the {name} thread panicked");
                    self.fail(&PipelineError::Failed(reason));
                }
            })
    }
}
