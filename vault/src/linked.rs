//! Who is linked with anybody, in memory.
//!
//! Almost nobody is, and to find that of one person takes a walk down the key
//! tree. Who asks it of everybody whose data a recipient had has the links read
//! once, in the background, and from then on the answer for who has none is a
//! look into memory.
//!
//! What is kept may have persons too many (who were parted since, or erased),
//! never one too few: a link is added here before it is committed, and the store
//! is read after it was begun to add.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use parking_lot::{Mutex, RwLock};

use crate::derive::Name;
use crate::directory::{Relation, decode_relation};
use crate::store::{Space, Store, StoreError};

/// The row of a link, without what seals it: what it says, and whom it names.
const ROW_BYTES: usize = 17;

/// More linked persons than that are not kept: about 36 MB.
const MOST: usize = 1_000_000;

/// Positions of persons who have a link.
#[derive(Default)]
pub(crate) struct Linked {
    known: Arc<RwLock<Known>>,
    stop: Arc<AtomicBool>,
    reader: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Default)]
enum Known {
    /// Nobody asked.
    #[default]
    Nothing,
    /// The store is being read; these were linked meanwhile.
    Reading(HashSet<Name>),
    All(HashSet<Name>),
    /// There are too many, or the store cannot be read.
    TooMuch,
}

impl Linked {
    /// `false` where the person has no link for certain.
    pub(crate) fn may_have(&self, position: impl FnOnce() -> Name) -> bool {
        match &*self.known.read() {
            Known::All(linked) => !linked.is_empty() && linked.contains(&position()),
            _ => true,
        }
    }

    pub(crate) fn is_known(&self) -> bool {
        matches!(*self.known.read(), Known::All(_))
    }

    pub(crate) fn is_asked_for(&self) -> bool {
        !matches!(*self.known.read(), Known::Nothing)
    }

    /// Two persons are about to be linked. The caller holds the vault's lock of
    /// who changes it until they are.
    pub(crate) fn add(&self, positions: [Name; 2]) {
        let mut known = self.known.write();
        if let Known::Reading(linked) | Known::All(linked) = &mut *known {
            linked.extend(positions);
            if linked.len() > MOST {
                *known = Known::TooMuch;
            }
        }
    }

    /// Begins to read, once. The caller holds the same lock: nobody is between
    /// [`Linked::add`] and the commit.
    pub(crate) fn begin(&self, store: &Arc<Store>) {
        {
            let mut known = self.known.write();
            if !matches!(*known, Known::Nothing) {
                return;
            }
            *known = Known::Reading(HashSet::new());
        }
        let (known, stop) = (Arc::clone(&self.known), Arc::clone(&self.stop));
        let store = Arc::clone(store);
        let read = move || {
            let read = read(&store, &stop);
            // The files are let go before anybody hears of it.
            drop(store);
            let mut known = known.write();
            let before = std::mem::replace(&mut *known, Known::TooMuch);
            if let (Ok(Some(mut linked)), Known::Reading(since)) = (read, before) {
                linked.extend(since);
                if linked.len() <= MOST {
                    *known = Known::All(linked);
                }
            }
        };
        let thread = std::thread::Builder::new().name("vault-links".to_owned());
        match thread.spawn(read) {
            Ok(reader) => *self.reader.lock() = Some(reader),
            Err(_) => *self.known.write() = Known::TooMuch,
        }
    }
}

/// The reader has the store open: it ends with the vault.
impl Drop for Linked {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        if let Some(reader) = self.reader.lock().take() {
            // One that panicked has said so.
            let _ = reader.join();
        }
    }
}

/// Who has a link; `None` where there are too many or it was stopped.
fn read(store: &Store, stop: &AtomicBool) -> Result<Option<HashSet<Name>>, StoreError> {
    let mut linked = HashSet::new();
    store
        .view_of_now()
        .rows_of(Space::Links, ROW_BYTES, &mut |row| {
            if let Some((position, row)) = row
                && let (_, Relation::Linked) = decode_relation(row)?
            {
                linked.insert(position);
            }
            Ok(linked.len() <= MOST && !stop.load(Ordering::Acquire))
        })
        .map(|whole| whole.then_some(linked))
}
