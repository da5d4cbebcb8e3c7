//! How far the read model has come, for those who answer and those who wait.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use custody_ledger::id::{ShardId, SubjectReference};
use custody_ledger::{Head, ShardDescriptor};
use parking_lot::{Condvar, Mutex};
use tokio::sync::watch;

use super::ReadModelError;
use super::cell::Cell;
use super::cell_view::StoredCell;
use super::kept::{AbroadKey, ActivityKey, ReceivedKey, Recipient, RowKey, Table};
use super::store::View;

/// What the follower is doing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Following {
    /// It has not yet reached the ledger's head since it was opened.
    #[default]
    CatchingUp,
    /// It has reached the head and follows.
    Live,
    /// It stopped. Answers stay as old as its position.
    Failed(String),
}

/// A shard and how far it has been taken in.
#[derive(Clone, Debug)]
pub struct VisibleShard {
    /// What the shard is.
    pub descriptor: ShardDescriptor,
    /// The head up to which every entry has been taken in.
    pub head: Head,
}

/// Everything that has been taken in. An answer rests on one of these and sees
/// nothing beyond it.
#[derive(Clone, Debug, Default)]
pub struct Visible {
    /// Every shard of the ledger, ordered by id.
    pub shards: BTreeMap<ShardId, VisibleShard>,
    /// What the follower is doing.
    pub following: Following,
    /// Kept rows as they stand at these heads; `None` where these are heads of
    /// another day.
    pub(super) view: Option<View>,
}

impl Visible {
    /// These heads, of which no kept rows are known.
    pub(crate) fn bare(shards: BTreeMap<ShardId, VisibleShard>, following: Following) -> Self {
        Self {
            shards,
            following,
            view: None,
        }
    }

    /// Whether it is known how kept rows stand at these heads.
    pub fn has_kept(&self) -> bool {
        self.view.is_some()
    }

    /// What of a person's data was received, by recipient, at these heads.
    /// Nothing where [`Visible::has_kept`] is false, as all of the following.
    pub fn received(
        &self,
        subject: &SubjectReference,
    ) -> impl Iterator<Item = Result<(ReceivedKey, Cell), ReadModelError>> {
        self.rows(Table::Received(subject), &[])
    }

    /// The same, each row as it is stored.
    pub fn received_stored(
        &self,
        subject: &SubjectReference,
    ) -> impl Iterator<Item = Result<(ReceivedKey, StoredCell), ReadModelError>> + use<> {
        self.stored_rows(Table::Received(subject), &[])
    }

    /// What of a person went abroad.
    pub fn abroad(
        &self,
        subject: &SubjectReference,
    ) -> impl Iterator<Item = Result<(AbroadKey, Cell), ReadModelError>> {
        self.rows(Table::Abroad(subject), &[])
    }

    /// What of everybody was received, in the order of recipients, from one on;
    /// each row as it is stored.
    pub fn all_received(
        &self,
        from: Option<&Recipient>,
    ) -> impl Iterator<Item = Result<(ReceivedKey, StoredCell), ReadModelError>> + use<> {
        let from = from.map(Recipient::encode).unwrap_or_default();
        self.stored_rows(Table::AllReceived, &from)
    }

    /// What of everybody went abroad.
    pub fn all_abroad(&self) -> impl Iterator<Item = Result<(AbroadKey, Cell), ReadModelError>> {
        self.rows(Table::AllAbroad, &[])
    }

    /// The register of processing, each row as it is stored.
    pub fn activities(
        &self,
    ) -> impl Iterator<Item = Result<(ActivityKey, StoredCell), ReadModelError>> + use<> {
        self.stored_rows(Table::Activities, &[])
    }

    /// Entries by the number of their kind.
    pub fn kinds(&self) -> impl Iterator<Item = Result<(u8, Cell), ReadModelError>> {
        self.rows(Table::Kinds, &[])
    }

    /// How many entries were taken back.
    ///
    /// # Errors
    /// What the store says.
    pub fn taken_back(&self) -> Result<u64, ReadModelError> {
        let view = self.view.as_ref();
        view.map_or(Ok(0), |view| Ok(view.row(Table::TakenBack)?.count))
    }

    fn rows<K: RowKey>(
        &self,
        table: Table<'_>,
        from: &[u8],
    ) -> impl Iterator<Item = Result<(K, Cell), ReadModelError>> + use<K> {
        let stored = self.stored_rows(table, from);
        stored.map(|row| row.and_then(|(key, cell)| Ok((key, cell.decode()?))))
    }

    fn stored_rows<K: RowKey>(
        &self,
        table: Table<'_>,
        from: &[u8],
    ) -> impl Iterator<Item = Result<(K, StoredCell), ReadModelError>> + use<K> {
        let rows = self.view.as_ref().map(|view| view.rows(table, from));
        rows.into_iter().flatten()
    }

    /// How many entries of the shard have been taken in; 0 of an unknown one.
    pub fn size(&self, shard: &ShardId) -> u64 {
        self.shards.get(shard).map_or(0, |shard| shard.head.size)
    }

    /// How many entries have been taken in of all shards.
    pub fn entries(&self) -> u64 {
        self.shards.values().map(|shard| shard.head.size).sum()
    }
}

/// Publishes what is visible, to threads and to tasks.
pub(super) struct Publisher {
    current: Mutex<Arc<Visible>>,
    changed: Condvar,
    watch: watch::Sender<Arc<Visible>>,
}

impl Publisher {
    pub(super) fn new(visible: Visible) -> Self {
        let visible = Arc::new(visible);
        Self {
            current: Mutex::new(Arc::clone(&visible)),
            changed: Condvar::new(),
            watch: watch::Sender::new(visible),
        }
    }

    pub(super) fn current(&self) -> Arc<Visible> {
        Arc::clone(&self.current.lock())
    }

    pub(super) fn subscribe(&self) -> watch::Receiver<Arc<Visible>> {
        self.watch.subscribe()
    }

    /// Changes what is visible and wakes everybody who waits.
    pub(super) fn update(&self, change: impl FnOnce(&mut Visible)) {
        let mut current = self.current.lock();
        let mut next = Visible::clone(&current);
        change(&mut next);
        *current = Arc::new(next);
        self.watch.send_replace(Arc::clone(&current));
        self.changed.notify_all();
    }

    /// Waits on this thread until `enough` says so. Returns what is visible
    /// then, and whether it is enough.
    pub(super) fn wait_until(
        &self,
        deadline: Instant,
        mut enough: impl FnMut(&Visible) -> bool,
    ) -> (Arc<Visible>, bool) {
        let mut current = self.current.lock();
        loop {
            if enough(&current) {
                return (Arc::clone(&current), true);
            }
            if self.changed.wait_until(&mut current, deadline).timed_out() {
                let ok = enough(&current);
                return (Arc::clone(&current), ok);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn waiting_ends_with_the_update_or_at_the_deadline() {
        let publisher = Arc::new(Publisher::new(Visible::default()));
        let live = |visible: &Visible| visible.following == Following::Live;
        let soon = Instant::now() + Duration::from_millis(20);
        assert!(!publisher.wait_until(soon, live).1);

        let other = Arc::clone(&publisher);
        let waiter = std::thread::spawn(move || {
            other
                .wait_until(Instant::now() + Duration::from_secs(30), live)
                .1
        });
        publisher.update(|visible| visible.following = Following::Live);
        assert!(waiter.join().unwrap());
        assert_eq!(publisher.subscribe().borrow().following, Following::Live);
    }
}
