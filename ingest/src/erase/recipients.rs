//! To whom persons' data was disclosed (GDPR Art. 19): found in the ledger, by
//! the rows that the states keep of each entry that is judged, which disclosures
//! and transfers are.

use std::collections::{BTreeSet, HashSet};

use custody_ledger::{Entry, EntryRef};

use super::{Desk, EraseError};
use crate::state::{JudgedRow, Reference};

/// Organisations that were given something, and the entries that were looked at.
#[derive(Default)]
pub(super) struct Recipients {
    seen: HashSet<EntryRef>,
    ids: BTreeSet<String>,
}

impl Recipients {
    /// Looks at the entries of these persons that were not looked at yet.
    pub(super) fn look(&mut self, desk: &Desk, subjects: &[Reference]) -> Result<(), EraseError> {
        let mut rows: Vec<JudgedRow> = Vec::new();
        for subject in subjects {
            for row in desk.states.store().judged_after(subject, i64::MIN) {
                let row = row?;
                if self.seen.insert(row.at) {
                    rows.push(row);
                }
            }
        }
        // A block is read once.
        rows.sort_unstable_by_key(|row| row.at);
        let of_block =
            |a: &JudgedRow, b: &JudgedRow| (a.at.shard, a.height) == (b.at.shard, b.height);
        for rows in rows.chunk_by(of_block) {
            self.block(desk, rows)?;
        }
        Ok(())
    }

    /// `rows` are of one block, in order.
    fn block(&mut self, desk: &Desk, rows: &[JudgedRow]) -> Result<(), EraseError> {
        let Some(first) = rows.first() else {
            return Ok(());
        };
        let Some(block) = desk.ledger.read_block(first.at.shard, first.height)? else {
            return Ok(());
        };
        let malformed = custody_ledger::LedgerError::Malformed;
        let mut rows = rows.iter().peekable();
        for stored in block.stored_entries() {
            let (sequence, bytes) = stored.map_err(malformed)?;
            if rows.next_if(|row| row.at.sequence == sequence).is_none() {
                continue;
            }
            let entry = Entry::decode(bytes).map_err(malformed)?;
            let id = entry.recipient().map(|recipient| &recipient.id);
            // A natural person has none, and is sealed.
            self.ids.extend(id.filter(|id| !id.is_empty()).cloned());
        }
        Ok(())
    }

    /// Those that are not in `known`, in order.
    pub(super) fn beyond(&self, known: &[String]) -> Vec<String> {
        let known: HashSet<&String> = known.iter().collect();
        let beyond = self.ids.iter().filter(|id| !known.contains(id));
        beyond.cloned().collect()
    }
}
