//! How keyspaces are kept, and when their rows are written out of memory.

use fjall::config::{BlockSizePolicy, CompressionPolicy, FilterPolicy};
use fjall::{AbstractTree as _, CompressionType, KeyspaceCreateOptions};

use super::ReadModelError;
use super::store::Store;

/// A keyspace's rows in memory are written out from so many bytes on: of what
/// there is most of, and of the others. The less often, the less is merged
/// again and again.
const LARGE_MEMTABLE_BYTES: u64 = 32 << 20;
const MEMTABLE_BYTES: u64 = 16 << 20;

/// How a keyspace is kept.
pub(super) fn options_of(name: &str) -> KeyspaceCreateOptions {
    // What was just written out is soon merged with more.
    let compression = [CompressionType::None, CompressionType::Lz4];
    let options = KeyspaceCreateOptions::default()
        // See `Store::rotate`.
        .max_memtable_size(u64::MAX)
        .data_block_compression_policy(CompressionPolicy::new(compression))
        .data_block_size_policy(BlockSizePolicy::all(8 << 10));
    match name {
        // Looked up by whole keys, which are there as a rule.
        "events" => options.expect_point_read_hits(true),
        // Read by what keys begin with.
        "ties" | "about" | "held" | "findings" | "rights" => {
            options.filter_policy(FilterPolicy::disabled())
        }
        _ => options,
    }
}

impl Store {
    /// Has keyspaces written out of which much is in memory.
    ///
    /// fjall would ask its worker to, by a message that nobody waits for; but
    /// the worker, when it does, sends itself another message and waits for
    /// room in the same queue, of which it is the only reader. While it
    /// compacts, a writer could fill the queue, and it would wait for ever. So
    /// keyspaces have no limit of their own here, and the one writer that there
    /// is does it: then it is this thread that waits.
    pub(super) fn rotate(&self) -> Result<(), ReadModelError> {
        for keyspace in [
            &self.events,
            &self.retractions,
            &self.parties,
            &self.findings,
            &self.rejudgements,
            &self.rights,
            &self.ties,
            &self.about,
            &self.held,
            &self.kept,
            &self.positions,
            &self.meta,
        ] {
            let is_large = keyspace == &self.events || keyspace == &self.kept;
            let limit = if is_large {
                LARGE_MEMTABLE_BYTES
            } else {
                MEMTABLE_BYTES
            };
            if keyspace.tree.active_memtable().size() >= limit {
                keyspace.rotate_memtable()?;
            }
        }
        Ok(())
    }
}
