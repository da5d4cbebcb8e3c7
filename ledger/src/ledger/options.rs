//! How a ledger is opened.

use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::error::Step;
use crate::id::{LedgerId, ShardId};
use crate::notary::NotaryOptions;
use crate::segment::Compression;

/// What runs once a commit group, before its blocks are written.
pub type Barrier = Arc<dyn Fn() -> io::Result<()> + Send + Sync>;

/// How a ledger is opened.
#[derive(Clone)]
pub struct LedgerOptions {
    /// The storage engine's segment size, in bytes: a power of two from 64 KiB
    /// to 16 MiB, by default 8 MiB. Counts when a ledger is created; an
    /// existing one keeps its own.
    pub segment_bytes: usize,
    /// The storage engine's cache, in bytes; by default 64 MiB. It grows
    /// beyond it with what is read.
    pub cache_bytes: u64,
    /// How many bytes of blocks may wait for the writer before
    /// [`crate::Ledger::submit`] blocks; by default 16 MiB.
    pub queue_bytes: usize,
    /// How many bytes of blocks are committed as one group at most, unless one
    /// block is longer; by default 2 MiB. Much less than a segment, so that the
    /// storage engine does not free and reuse a segment between two syncs.
    pub group_bytes: usize,
    /// How many bytes of blocks a database takes before it is sealed into
    /// segment files; by default 16 MiB. A database may become four times as
    /// large while the one before is still being sealed; then appends wait.
    /// The ledger's memory follows it: about 230 MiB where blocks come faster
    /// than they can be sealed, with 64 MiB about 350.
    pub rotate_bytes: u64,
    /// How old a database with blocks becomes before it is sealed; by default
    /// an hour.
    pub rotate_age: Duration,
    /// How the blocks of segments are compressed; by default zstd, level 1.
    pub compression: Compression,
    /// Shards that may have lost their end: they are opened with what is left.
    /// For [`crate::Ledger::resume`]; by default none.
    pub accept_lost: BTreeSet<ShardId>,
    /// Signs checkpoints; by default none.
    pub notary: Option<NotaryOptions>,
    /// Where the last signed checkpoints are kept; by default in the ledger's
    /// directory. On another disk it tells a ledger that was put back to an
    /// older state.
    pub signed_anchor_dir: Option<PathBuf>,
    /// Runs once a commit group, before its blocks are written, so that what
    /// they need, such as keys, is durable before they are.
    pub before_commit: Option<Barrier>,
    /// The name of a ledger that is created; by default a random one.
    pub ledger_id: Option<LedgerId>,
    /// Makes steps of a commit or a rotation fail, for tests.
    pub faults: Option<Arc<dyn FaultInjector>>,
}

impl Default for LedgerOptions {
    fn default() -> Self {
        Self {
            segment_bytes: 8 << 20,
            cache_bytes: 64 << 20,
            queue_bytes: 16 << 20,
            group_bytes: 2 << 20,
            rotate_bytes: 16 << 20,
            rotate_age: Duration::from_secs(3600),
            compression: Compression::Zstd(1),
            accept_lost: BTreeSet::new(),
            notary: None,
            signed_anchor_dir: None,
            before_commit: None,
            ledger_id: None,
            faults: None,
        }
    }
}

impl fmt::Debug for LedgerOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LedgerOptions")
            .field("segment_bytes", &self.segment_bytes)
            .field("cache_bytes", &self.cache_bytes)
            .field("queue_bytes", &self.queue_bytes)
            .field("group_bytes", &self.group_bytes)
            .field("rotate_bytes", &self.rotate_bytes)
            .field("rotate_age", &self.rotate_age)
            .field("notary", &self.notary)
            .field("signed_anchor_dir", &self.signed_anchor_dir)
            .field("compression", &self.compression)
            .field("accept_lost", &self.accept_lost)
            .field("before_commit", &self.before_commit.is_some())
            .field("ledger_id", &self.ledger_id)
            .field("faults", &self.faults.is_some())
            .finish()
    }
}

/// Makes steps of a commit or a rotation fail, for tests.
pub trait FaultInjector: Send + Sync {
    /// Called before a step; an error stands for one that did nothing.
    ///
    /// # Errors
    /// What the step is to fail with.
    fn before(&self, step: Step) -> io::Result<()> {
        let _ = step;
        Ok(())
    }

    /// Asked at a step that writes a file or a directory: whether only a part
    /// of it is to be written, and the step to fail.
    fn tears(&self, step: Step) -> bool {
        let _ = step;
        false
    }

    /// Called after a step; an error stands for one that was done and yet
    /// reported as failed.
    ///
    /// # Errors
    /// What the step is to fail with.
    fn after(&self, step: Step) -> io::Result<()> {
        let _ = step;
        Ok(())
    }
}
