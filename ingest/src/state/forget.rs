//! Persons who were erased: nothing of them stays.

use std::collections::HashSet;

use super::{Batch, Reference, StateError, SubjectStates};

impl SubjectStates {
    /// Drops all that is known of these persons, from memory and from the store,
    /// durably. Nothing of theirs may be on its way. `more` takes away rows of its
    /// own in the same batch.
    pub(crate) fn forget(
        &self,
        subjects: &[Reference],
        more: impl FnOnce(&mut Batch<'_>) -> Result<(), StateError>,
    ) -> Result<(), StateError> {
        let _settling = self.settling.lock();
        for subject in subjects {
            let mut part = self.part(subject).lock();
            part.remove(subject);
            self.idle.remove(subject);
            drop(part);
            self.lost.lock().remove(subject);
        }
        let mut batch = self.store.batch();
        for subject in subjects {
            batch.forget(subject)?;
        }
        batch.forget_reviews(&subjects.iter().copied().collect::<HashSet<_>>())?;
        more(&mut batch)?;
        batch.commit()?;
        self.store.persist()
    }
}
