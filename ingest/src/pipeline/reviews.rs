//! Reviews that are to be done.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use custody_ledger::Block;
use parking_lot::{Condvar, Mutex};

use crate::state::{Reference, Review, StateError, Store};

/// How long something that is on its way to the disk may take.
const SOON: Duration = Duration::from_millis(5);
/// How often the thread looks without being told.
const IDLE: Duration = Duration::from_millis(200);

/// Reviews that are to be done.
#[derive(Default)]
pub(crate) struct Reviews {
    pub(super) queue: Mutex<Queue>,
    added: Condvar,
    /// Held by whoever works on reviews or on duties, or takes persons away.
    pub(crate) working: Mutex<()>,
    /// Blocks that were read last, the newest at the end.
    pub(super) recent: Mutex<Vec<Arc<Block>>>,
}

/// Of a person with many late events the entries are read once.
#[derive(Default)]
pub(super) struct Queue {
    /// Whoever has waited longest comes first.
    pub(super) subjects: VecDeque<Reference>,
    /// The causes of each of them.
    causes: HashMap<Reference, Vec<Review>>,
    /// Those above and those at work.
    pub(super) pending: usize,
}

impl Queue {
    fn add(&mut self, reviews: impl IntoIterator<Item = Review>) {
        for review in reviews {
            self.pending += 1;
            self.push(review);
        }
    }

    pub(super) fn push(&mut self, review: Review) {
        let causes = self.causes.entry(review.subject).or_default();
        if causes.is_empty() {
            self.subjects.push_back(review.subject);
        }
        causes.push(review);
    }

    /// Everything of one person. It counts as pending until it is done.
    pub(super) fn take(&mut self) -> Option<Vec<Review>> {
        let subject = self.subjects.pop_front()?;
        self.causes.remove(&subject)
    }
}

impl Reviews {
    /// Those that were not done when the process ended. All entries that were
    /// judged are in the store by now.
    pub(crate) fn load(store: &Store) -> Result<Self, StateError> {
        let rows = store.reviews()?.into_iter().map(|row| Review {
            cause: row.cause,
            subject: row.subject,
            from_ns: row.from_ns,
            wait: BTreeMap::new(),
        });
        let mut queue = Queue::default();
        queue.add(rows);
        Ok(Self {
            queue: Mutex::new(queue),
            ..Self::default()
        })
    }

    pub(super) fn add(&self, reviews: Vec<Review>) {
        if !reviews.is_empty() {
            self.queue.lock().add(reviews);
            self.added.notify_all();
        }
    }

    /// Drops those of persons who are gone. The caller holds `working`.
    pub(crate) fn forget(&self, subjects: &[Reference]) {
        let mut queue = self.queue.lock();
        for subject in subjects {
            if let Some(causes) = queue.causes.remove(subject) {
                queue.pending = queue.pending.saturating_sub(causes.len());
                queue.subjects.retain(|waiting| waiting != subject);
            }
        }
    }

    /// How many are not done yet.
    pub(super) fn pending(&self) -> usize {
        self.queue.lock().pending
    }

    /// Ends a wait early.
    pub(super) fn wake(&self) {
        self.added.notify_all();
    }

    pub(super) fn wait(&self) {
        let mut queue = self.queue.lock();
        // What is not ready will be in a moment.
        let most = if queue.pending == 0 { IDLE } else { SOON };
        self.added.wait_for(&mut queue, most);
    }
}
