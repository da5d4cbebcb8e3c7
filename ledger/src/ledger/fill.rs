//! How full and how old the open database is.

use std::time::{Duration, Instant};

/// How much larger than wanted a database may become while the one before is
/// being sealed.
const MAX_EXCESS: u64 = 4;

/// How long to wait before looking again, where a rotation was due and could
/// not be.
const RETRY_AFTER: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct Fill {
    rotate_bytes: u64,
    rotate_age: Duration,
    bytes: u64,
    /// When it is old; `None` while it is empty.
    old_at: Option<Instant>,
    /// From how many bytes on it is full.
    full_at: u64,
}

impl Fill {
    /// Of a database with so many bytes.
    pub(super) fn new(rotate_bytes: u64, rotate_age: Duration, bytes: u64) -> Self {
        let mut fill = Self {
            rotate_bytes,
            rotate_age,
            bytes: 0,
            old_at: None,
            full_at: rotate_bytes,
        };
        fill.add(bytes);
        fill
    }

    pub(super) fn add(&mut self, bytes: u64) {
        if bytes > 0 && self.old_at.is_none() {
            // Far enough ahead it is never.
            self.old_at = Instant::now().checked_add(self.rotate_age);
        }
        self.bytes += bytes;
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    /// Whether it is full or old.
    pub(super) fn is_due(&self) -> bool {
        let old = self.old_at.is_some_and(|at| at <= Instant::now());
        self.bytes > 0 && (old || self.bytes >= self.full_at)
    }

    /// Whether appends have to wait for the sealer.
    pub(super) fn is_over(&self) -> bool {
        self.bytes >= self.rotate_bytes.saturating_mul(MAX_EXCESS)
    }

    /// When to look again at the latest.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.old_at
    }

    /// A rotation is due and cannot be yet.
    pub(super) fn postpone(&mut self) {
        self.old_at = Instant::now().checked_add(self.rotate_age.min(RETRY_AFTER));
    }

    /// A rotation failed: again after as much more.
    pub(super) fn postpone_far(&mut self) {
        self.old_at = Instant::now().checked_add(self.rotate_age.max(RETRY_AFTER));
        self.full_at = self.bytes.saturating_add(self.rotate_bytes);
    }
}
