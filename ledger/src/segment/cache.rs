//! A few open segment files.

use std::sync::Arc;

use parking_lot::Mutex;

use crate::id::ShardId;
use crate::segment::read::Segment;

/// How many files are kept open. There may be many more segments than a
/// process may have files.
const OPEN_FILES: usize = 64;

type Entry = (ShardId, u64, Arc<Segment>);

/// The segments that were read last.
#[derive(Debug, Default)]
pub(super) struct Cache {
    /// The last used one at the end.
    entries: Mutex<Vec<Entry>>,
}

impl Cache {
    pub(super) fn get(&self, shard: ShardId, first_height: u64) -> Option<Arc<Segment>> {
        let mut entries = self.entries.lock();
        let at = entries
            .iter()
            .rposition(|entry| (entry.0, entry.1) == (shard, first_height))?;
        entries[at..].rotate_left(1);
        entries.last().map(|entry| Arc::clone(&entry.2))
    }

    pub(super) fn put(&self, shard: ShardId, first_height: u64, segment: Arc<Segment>) {
        let mut entries = self.entries.lock();
        if entries.len() >= OPEN_FILES {
            entries.remove(0);
        }
        entries.push((shard, first_height, segment));
    }
}
