//! The notary: reads again what was committed, computes it anew, and signs it.
//!
//! It follows the writer. Every block is read from the file by a descriptor of
//! its own, not through the storage engine, and everything in it is computed
//! from these bytes: so a bit that flipped between the hash and the disk is
//! found before anything is signed. When it fails, the ledger takes no more
//! blocks.

mod error;
mod leaves;
mod log;
mod logs;
mod options;
mod proofs;
mod publish;
mod published;
mod recover;
mod sign;
mod signed;

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use crate::error::Step;
use crate::id::ShardId;
use crate::ledger::{FaultInjector, Shared, Subscription};
use crate::notary::sign::SignedHead;
use crate::store::Rereader;

pub use error::{NotaryError, ProveError};
pub use options::{NotaryOptions, OnSigned};
pub use proofs::{Completeness, CompletenessPart};
pub use published::{Published, PublishedShard};

pub(crate) use logs::Logs;
pub(crate) use published::Board;
pub(crate) use signed::{FILES as SIGNED_FILES, GivenUp, SignedAnchor, SignedState};

/// How much is read again before it is looked whether a checkpoint is due, in
/// bytes.
const STRIDE_BYTES: usize = 4 << 20;

/// The thread that signs.
pub(crate) struct Notary {
    pub(crate) dir: PathBuf,
    pub(crate) shared: Arc<Shared>,
    pub(crate) logs: Arc<Logs>,
    pub(crate) options: NotaryOptions,
    pub(crate) faults: Option<Arc<dyn FaultInjector>>,
    pub(crate) anchor: SignedAnchor,
    pub(crate) commits: Subscription,
    reread: Rereader,
    origin: String,
    /// The epoch of the ledger's own log.
    epoch: u32,
    signed: BTreeMap<ShardId, SignedHead>,
    signed_ledger: Option<SignedHead>,
}

impl Notary {
    /// Follows the ledger until it is closed or stopped.
    pub(crate) fn run(mut self) {
        if let Err(error) = self.recover().and_then(|()| self.follow()) {
            tracing::error!(%error, "nothing more is signed, and the ledger takes no more blocks");
            self.shared.poison(&format!("signing failed: {error}"));
        }
        self.shared.board.close();
    }

    fn follow(&mut self) -> Result<(), NotaryError> {
        let mut due = Instant::now();
        loop {
            // Asked before reading, so that the last round sees everything.
            let closing = self.shared.is_closing();
            let caught_up = self.advance()?;
            if self.shared.is_poisoned() {
                // Nobody knows what is on disk.
                return Ok(());
            }
            if closing && caught_up {
                self.sign()?;
                return self.save(true);
            }
            if Instant::now() >= due {
                self.sign()?;
                self.save(false)?;
                due = Instant::now() + self.options.interval;
            }
            if caught_up && !closing {
                self.commits.wait(due.saturating_duration_since(Instant::now()));
            }
        }
    }

    /// Reads again what was committed since, up to a stride. Returns whether
    /// nothing is left.
    fn advance(&mut self) -> Result<bool, NotaryError> {
        let mut bytes = 0;
        for (descriptor, durable) in self.shared.heads() {
            let log = self.logs.of(&descriptor, || self.open_log(&descriptor))?;
            let mut log = log.lock();
            while log.head.blocks < durable.blocks {
                if bytes >= STRIDE_BYTES {
                    return Ok(false);
                }
                let (shard, height) = (durable.shard, log.head.blocks);
                let block = self.take(Step::Reread, || Ok(()))
                    .and_then(|()| Ok(self.reread.read(shard, height)?))?;
                bytes += block.as_bytes().len();
                log.advance(self.shared.id, &block)?;
            }
            if log.head.blocks == durable.blocks && log.head != durable {
                return Err(NotaryError::inconsistent(
                    durable.shard,
                    "what is on disk is not what was committed".to_owned(),
                ));
            }
        }
        Ok(true)
    }

    /// One durable step, which a test may make fail.
    fn take(
        &self,
        step: Step,
        mut action: impl FnMut() -> io::Result<()>,
    ) -> Result<(), NotaryError> {
        let faults = self.faults.as_deref();
        faults
            .map_or(Ok(()), |faults| faults.before(step))
            .and_then(|()| action())
            .and_then(|()| faults.map_or(Ok(()), |faults| faults.after(step)))
            .map_err(|source| NotaryError::Step {
                step,
                source: Arc::new(source),
            })
    }
}
