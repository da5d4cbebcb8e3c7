//! Where requests of persons, their answers, and what was found overdue of them
//! stand, by person. A row has no value: what it says is in the entry's row.

use custody_ledger::entry::{ActView, HouseRecord};
use custody_ledger::id::SubjectReference;

use super::ReadModelError;
use super::key::{self, Place};
use super::said::Said;

/// The finding of a request that was not answered in time.
const RESPONSE_OVERDUE: &str = "response_overdue";

/// Whether an entry has something to do with a request.
pub(super) fn is_of_request(said: &Said<'_>) -> bool {
    match (said.act, said.house) {
        (ActView::RightsRequest { .. } | ActView::RightsResponse { .. }, _) => true,
        (_, Some(HouseRecord::OverdueFound { code, .. })) => code == RESPONSE_OVERDUE,
        _ => false,
    }
}

/// Whose entries have something to do with a request, and where they stand: in
/// the order of references, then of events.
pub struct RightsRows {
    pub(super) rows: fjall::Iter,
}

impl Iterator for RightsRows {
    type Item = Result<(SubjectReference, Place), ReadModelError>;

    fn next(&mut self) -> Option<Self::Item> {
        let read = |guard: fjall::Guard| {
            let key = guard.key()?;
            key::read_event_key(&key).ok_or(ReadModelError::DamagedRow { rows: "rights" })
        };
        self.rows.next().map(read)
    }
}
