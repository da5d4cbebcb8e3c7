//! How a ledger is opened.

use std::fmt;
use std::io;
use std::sync::Arc;

use crate::error::Step;
use crate::id::LedgerId;

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
    /// [`crate::Ledger::submit`] blocks; by default 64 MiB.
    pub queue_bytes: usize,
    /// How many bytes of blocks are committed as one group at most, unless one
    /// block is longer; by default 2 MiB. Much less than a segment, so that the
    /// storage engine does not free and reuse a segment between two syncs.
    pub group_bytes: usize,
    /// Runs once a commit group, before its blocks are written, so that what
    /// they need, such as keys, is durable before they are.
    pub before_commit: Option<Barrier>,
    /// The name of a ledger that is created; by default a random one.
    pub ledger_id: Option<LedgerId>,
    /// Makes steps of a commit fail, for tests.
    pub faults: Option<Arc<dyn FaultInjector>>,
}

impl Default for LedgerOptions {
    fn default() -> Self {
        Self {
            segment_bytes: 8 << 20,
            cache_bytes: 64 << 20,
            queue_bytes: 64 << 20,
            group_bytes: 2 << 20,
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
            .field("before_commit", &self.before_commit.is_some())
            .field("ledger_id", &self.ledger_id)
            .field("faults", &self.faults.is_some())
            .finish()
    }
}

/// Makes steps of a commit fail, for tests.
pub trait FaultInjector: Send + Sync {
    /// Called before a step; an error stands for one that did nothing.
    ///
    /// # Errors
    /// What the step is to fail with.
    fn before(&self, step: Step) -> io::Result<()> {
        let _ = step;
        Ok(())
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
