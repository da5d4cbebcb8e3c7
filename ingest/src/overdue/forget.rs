//! Duties to persons who were erased.

use super::deadline::Deadlines;
use super::duty::{Began, DueKey, Duty, DutyKey, Owed, found_key};
use crate::state::{Batch, Reference, StateError, Store};

/// Takes away every duty of a person who was erased: what is owed to nobody is
/// never overdue.
pub(crate) fn forget(
    store: &Store,
    deadlines: &dyn Deadlines,
    subject: &Reference,
    batch: &mut Batch<'_>,
) -> Result<(), StateError> {
    for owed in [Owed::Response, Owed::Notice, Owed::Erasure, Owed::Nothing] {
        let mut prefix = vec![owed as u8];
        prefix.extend_from_slice(subject);
        for (row, value) in store.duties_of(&prefix)? {
            let bad = StateError::Malformed { place: "duties" };
            let tag = row.get(17..).and_then(|tag| tag.try_into().ok());
            let Some(tag) = tag else { return Err(bad) };
            let subject = *subject;
            let key = DutyKey { owed, subject, tag };
            for began in Duty::decode(&value)?.began {
                for time_ns in looked_at(deadlines, owed, &began) {
                    batch.no_longer_due(&DueKey { key, time_ns }.to_bytes());
                }
                batch.not_found(&found_key(owed, began.of));
            }
            batch.no_duty(&row);
        }
    }
    Ok(())
}

/// The times at which there may be a row to look at a duty.
fn looked_at(deadlines: &dyn Deadlines, owed: Owed, began: &Began) -> Vec<i64> {
    let at = |extended| deadlines.response(&began.jurisdiction, began.time_ns, extended);
    let due = match owed {
        Owed::Response => vec![at(false), at(true)],
        Owed::Notice => vec![deadlines.breach(&began.jurisdiction, began.time_ns)],
        Owed::Erasure => return vec![began.time_ns],
        Owed::Nothing => Vec::new(),
    };
    due.into_iter().flatten().map(|due| due.due_ns).collect()
}
