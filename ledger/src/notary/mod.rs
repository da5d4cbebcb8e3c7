//! The notary: reads again what was committed, computes it anew, and signs it.
//!
//! It follows the writer. Every block is read from the file by a descriptor of
//! its own, not through the storage engine, and everything in it is computed
//! from these bytes: so a bit that flipped between the hash and the disk is
//! found before anything is signed. When it fails, the ledger takes no more
//! blocks.

mod error;
mod options;
mod published;
mod signed;

mod leaves;
mod log;
mod logs;

mod publish;
mod recover;
mod sign;

mod proofs;

use std::collections::BTreeMap;
use std::panic::{self, AssertUnwindSafe};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use custody_proof::checkpoint::ledger_log_origin;

use crate::error::Step;
use crate::id::ShardId;
use crate::ledger::{Rereader, Shared, Steps, Subscription};
use crate::map::MergePolicy;
use crate::notary::log::{LedgerLog, ShardLog};
use crate::notary::sign::SignedHead;
use crate::store::message;

pub use error::{NotaryError, ProveError};
pub use options::{NotaryOptions, OnSigned};
pub use proofs::{Completeness, CompletenessPart};
pub use published::{Published, PublishedShard};

pub(crate) use logs::Logs;
pub(crate) use published::Board;
pub(crate) use recover::{has_signed, ledger_tiles};
pub(crate) use signed::{FILES as SIGNED_FILES, GivenUp, SignedAnchor, SignedState};

/// How much is read again before it is looked whether a checkpoint is due, in
/// bytes.
const STRIDE_BYTES: usize = 4 << 20;

/// The thread that signs.
pub(crate) struct Notary {
    dir: PathBuf,
    shared: Arc<Shared>,
    options: NotaryOptions,
    steps: Steps,
    anchor: SignedAnchor,
    commits: Subscription,
    reread: Rereader,
    /// The ledger's origin in the epoch of its own log.
    origin: String,
    /// The epoch of the ledger's own log.
    epoch: u32,
    logs: BTreeMap<ShardId, ShardLog>,
    ledger_log: Option<LedgerLog>,
    signed_ledger: Option<SignedHead>,
}

impl Notary {
    /// A notary of an open ledger. It does nothing before it is run.
    pub(crate) fn new(
        shared: Arc<Shared>,
        anchor: SignedAnchor,
        options: NotaryOptions,
        steps: Steps,
    ) -> Self {
        Self {
            dir: shared.dir.clone(),
            commits: shared.commits.subscribe(),
            reread: Rereader::new(Arc::clone(&shared)),
            origin: ledger_log_origin(options.origin().unwrap_or_default(), anchor.state().epoch),
            epoch: anchor.state().epoch,
            shared,
            options,
            steps,
            anchor,
            logs: BTreeMap::new(),
            ledger_log: None,
            signed_ledger: None,
        }
    }

    /// Follows the ledger until it is closed or stopped.
    pub(crate) fn run(mut self) {
        let shared = Arc::clone(&self.shared);
        let run = AssertUnwindSafe(|| self.recover().and_then(|()| self.follow()));
        let failed = match panic::catch_unwind(run) {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(error.to_string()),
            Err(payload) => Some(format!("it panicked: {}", message(&*payload))),
        };
        if let Some(error) = failed {
            tracing::error!(%error, "nothing more is signed, and the ledger takes no more blocks");
            shared.poison(format!("signing failed: {error}"));
        }
        shared.board.close();
    }

    fn follow(&mut self) -> Result<(), NotaryError> {
        let mut due = Instant::now();
        loop {
            // Asked before reading, so that the last round sees everything.
            let closing = self.shared.board.is_ending();
            let caught_up = self.advance()?;
            if self.shared.is_poisoned() {
                // Nobody knows what is on disk.
                return Ok(());
            }
            if closing && !self.has_all_that_was_signed() {
                // Trees or maps are being made again, which may take long: the
                // next opening goes on with it.
                return Ok(());
            }
            if closing && caught_up {
                self.sign()?;
                return self.save(true);
            }
            if !self.has_all_that_was_signed() {
                // Made again from far back: what is read goes into base maps
                // by and by.
                self.seal_maps()?;
                self.merge()?;
            } else if Instant::now() >= due {
                self.sign()?;
                self.merge()?;
                self.save(false)?;
                due = Instant::now() + self.options.interval;
            }
            if caught_up && !closing {
                self.commits
                    .wait(due.saturating_duration_since(Instant::now()));
            }
        }
    }

    /// Reads again what was committed since, up to a stride. Returns whether
    /// nothing is left.
    fn advance(&mut self) -> Result<bool, NotaryError> {
        let mut bytes = 0;
        for (descriptor, durable) in self.shared.heads() {
            let shard = durable.shard;
            if !self.logs.contains_key(&shard) {
                self.open_log(&descriptor, &durable)?;
            }
            let Some(log) = self.logs.get_mut(&shard) else {
                continue;
            };
            while log.head.blocks < durable.blocks {
                if bytes >= STRIDE_BYTES {
                    return Ok(false);
                }
                self.steps
                    .take(Step::Recompute, || Ok(()))
                    .map_err(NotaryError::step(Step::Recompute))?;
                let block = self.reread.block(shard, log.head.blocks)?;
                bytes += block.as_bytes().len();
                log.advance(self.shared.id, &block)?;
            }
            if log.head != durable && log.head.blocks == durable.blocks {
                return Err(NotaryError::inconsistent(
                    shard,
                    "what is on disk is not what was committed".to_owned(),
                ));
            }
        }
        Ok(true)
    }

    /// Whether everything was read again that was signed before. Nothing is
    /// signed until then.
    fn has_all_that_was_signed(&self) -> bool {
        self.logs.values().all(|log| {
            log.signed
                .is_none_or(|signed| log.head.blocks >= signed.blocks)
        })
    }

    fn seal_maps(&mut self) -> Result<(), NotaryError> {
        for (shard, log) in &mut self.logs {
            log.map
                .roots(log.head.size, log.head.chain_head)
                .map_err(|error| NotaryError::map(*shard, &error))?;
        }
        Ok(())
    }

    /// Puts recent maps into base maps where that is due. The checkpoint that
    /// was signed last stays as it is.
    fn merge(&mut self) -> Result<(), NotaryError> {
        let policy = MergePolicy {
            cap: self.options.max_recent_persons,
            ..MergePolicy::default()
        };
        for (shard, log) in &mut self.logs {
            if log.map.merge_due(&policy) {
                log.map
                    .merge()
                    .map_err(|error| NotaryError::map(*shard, &error))?;
                log.unsaved = 0;
            }
        }
        Ok(())
    }

    /// Saves the maps, so that opening need not read everything again.
    fn save(&mut self, closing: bool) -> Result<(), NotaryError> {
        for (shard, log) in &mut self.logs {
            let due = log.unsaved >= self.options.save_every_entries;
            if due || (closing && log.unsaved > 0) {
                log.map
                    .save_recent()
                    .map_err(|error| NotaryError::map(*shard, &error))?;
                log.unsaved = 0;
            }
        }
        Ok(())
    }
}
