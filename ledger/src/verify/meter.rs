//! How far verifying has come.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::verify::report::Progress;

/// Counts what all threads have checked.
pub(super) struct Meter<'a> {
    blocks: AtomicU64,
    total_blocks: u64,
    bytes: AtomicU64,
    total_bytes: u64,
    progress: Option<&'a (dyn Fn(Progress) + Send + Sync)>,
}

impl<'a> Meter<'a> {
    pub(super) fn new(
        total_blocks: u64,
        total_bytes: u64,
        progress: Option<&'a (dyn Fn(Progress) + Send + Sync)>,
    ) -> Self {
        Self {
            blocks: AtomicU64::new(0),
            total_blocks,
            bytes: AtomicU64::new(0),
            total_bytes,
            progress,
        }
    }

    /// Counts a block, which took this many bytes of a file.
    pub(super) fn block(&self, stored_bytes: u64) {
        self.count(1, stored_bytes);
    }

    /// Counts bytes of a file beside its blocks.
    pub(super) fn file(&self, bytes: u64) {
        self.count(0, bytes);
    }

    fn count(&self, blocks: u64, bytes: u64) {
        let blocks = self.blocks.fetch_add(blocks, Ordering::Relaxed) + blocks;
        let bytes = self.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes;
        if let Some(progress) = self.progress {
            progress(Progress {
                blocks,
                total_blocks: self.total_blocks,
                // A database's file may be smaller than the blocks in it were.
                bytes: bytes.min(self.total_bytes),
                total_bytes: self.total_bytes,
            });
        }
    }
}
