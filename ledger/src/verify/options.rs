//! How a ledger is verified.

use std::fmt;
use std::num::NonZero;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;

use custody_proof::note::VerifyingKey;

use crate::verify::report::Progress;
use crate::verify::since::Since;

/// How a ledger is verified.
#[derive(Clone)]
pub struct VerifyOptions {
    /// The keys that sign for the ledger, under its origin. Without any,
    /// checkpoints are compared with what is there, and nobody outside vouches
    /// for them: who changes everything consistently is not found.
    pub keys: Vec<VerifyingKey>,
    /// Where the signed anchor lies; by default in the ledger's directory.
    pub signed_anchor_dir: Option<PathBuf>,
    /// An earlier checkpoint, which the ledger must continue.
    pub since: Option<Since>,
    /// Whether every entry is decoded as a whole, or only as far as it is tied
    /// to its place and its person. By default it is. Entries that an earlier
    /// checkpoint covers are not.
    pub deep: bool,
    /// Whether only what is sealed is looked at: the segments that the manifest
    /// names, and what the signed anchor says of them where `signed_anchor_dir`
    /// names one. So a copy of the segments alone can be verified, and those of
    /// a ledger that is open. What is not sealed may be anything. By default
    /// not.
    pub sealed_only: bool,
    /// Called after every block that has been checked, from several threads.
    pub progress: Option<Arc<dyn Fn(Progress) + Send + Sync>>,
    /// Where the databases are copied to; by default the system's directory
    /// for temporary files.
    pub scratch: Option<PathBuf>,
    /// How many segments are checked at a time; by default as many as there
    /// are processors.
    pub threads: Option<NonZero<usize>>,
    /// Whether to stop after the first stage that found a fault: the files
    /// against their stamp, then checkpoints and sealed blocks, then what is
    /// not sealed. By default all stages are run. A ledger that passes has been
    /// through all of them either way.
    pub stop_early: bool,
    /// The storage engine's cache, in bytes; by default 64 MiB.
    pub cache_bytes: u64,
}

impl Default for VerifyOptions {
    fn default() -> Self {
        Self {
            keys: Vec::new(),
            signed_anchor_dir: None,
            since: None,
            deep: true,
            sealed_only: false,
            progress: None,
            scratch: None,
            threads: None,
            stop_early: false,
            cache_bytes: 64 << 20,
        }
    }
}

impl VerifyOptions {
    pub(super) fn thread_count(&self) -> usize {
        self.threads
            .or_else(|| thread::available_parallelism().ok())
            .map_or(1, NonZero::get)
    }
}

impl fmt::Debug for VerifyOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifyOptions")
            .field("keys", &self.keys)
            .field("signed_anchor_dir", &self.signed_anchor_dir)
            .field("since", &self.since.is_some())
            .field("deep", &self.deep)
            .field("sealed_only", &self.sealed_only)
            .field("progress", &self.progress.is_some())
            .field("scratch", &self.scratch)
            .field("threads", &self.threads)
            .field("stop_early", &self.stop_early)
            .field("cache_bytes", &self.cache_bytes)
            .finish()
    }
}
