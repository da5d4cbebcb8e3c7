//! Persons who are being erased: nobody is admitted as one of them meanwhile.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use crate::derive::Name;
use crate::error::VaultError;

#[derive(Default)]
pub(crate) struct Fence {
    /// How many there are, so that the common case costs one read.
    count: AtomicUsize,
    persons: Mutex<BTreeSet<Name>>,
    lifted: Condvar,
}

impl Fence {
    /// Puts a fence around all of these, or around none where one of them has
    /// one.
    pub(crate) fn raise(&self, references: &BTreeSet<Name>) -> Result<(), VaultError> {
        let mut persons = self.persons.lock();
        if references.iter().any(|one| persons.contains(one)) {
            return Err(VaultError::Erasing);
        }
        persons.extend(references);
        self.count.store(persons.len(), Ordering::SeqCst);
        Ok(())
    }

    pub(crate) fn lift(&self, references: &BTreeSet<Name>) {
        let mut persons = self.persons.lock();
        persons.retain(|one| !references.contains(one));
        self.count.store(persons.len(), Ordering::SeqCst);
        self.lifted.notify_all();
    }

    pub(crate) fn check(&self, reference: &Name) -> Result<(), VaultError> {
        if self.count.load(Ordering::SeqCst) > 0 && self.persons.lock().contains(reference) {
            return Err(VaultError::Erasing);
        }
        Ok(())
    }

    /// Whether nobody is fenced any more.
    pub(crate) fn wait(&self, timeout: Duration) -> bool {
        let until = Instant::now() + timeout;
        let mut persons = self.persons.lock();
        while !persons.is_empty() {
            if self.lifted.wait_until(&mut persons, until).timed_out() {
                return persons.is_empty();
            }
        }
        true
    }
}
