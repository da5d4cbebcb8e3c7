//! To whom persons' data was disclosed (GDPR Art. 19): found in the ledger, by
//! the rows that the states keep of each entry that is judged, which disclosures
//! and transfers are.
//!
//! A block that cannot be read is passed over and told: if it were in the way, the
//! person could never be erased.

use std::collections::{BTreeSet, HashSet};

use custody_ledger::{Entry, EntryRef, LedgerError};
use tracing::error;

use super::order::check_code;
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
            match self.block(desk, rows) {
                // It stays as it is, and so would the person if it were in the way.
                Err(LedgerError::Damaged { .. } | LedgerError::Malformed(_)) => self.unread(rows),
                read => read?,
            }
        }
        Ok(())
    }

    /// Says that a recipient may be missing.
    fn unread(&self, rows: &[JudgedRow]) {
        if let Some(first) = rows.first() {
            error!(
                shard = %first.at.shard,
                height = first.height,
                entries = rows.len(),
                "a block cannot be read: recipients of persons who are to be erased may be \
                 missing from what is said; `custody verify` tells more"
            );
        }
    }

    /// `rows` are of one block, in order.
    fn block(&mut self, desk: &Desk, rows: &[JudgedRow]) -> Result<(), LedgerError> {
        let Some(first) = rows.first() else {
            return Ok(());
        };
        let Some(block) = desk.ledger.read_block(first.at.shard, first.height)? else {
            return Ok(());
        };
        let malformed = LedgerError::Malformed;
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

    /// Those that were found and these, in order, and how many of these are left
    /// out: they are neither codes nor ids that the ledger has, and could say
    /// anything of anybody.
    pub(super) fn with(&self, given: &[String]) -> (Vec<String>, usize) {
        let is_taken = |id: &&String| self.ids.contains(*id) || check_code("", id).is_ok();
        let (taken, left): (Vec<&String>, Vec<_>) = given.iter().partition(is_taken);
        let all: BTreeSet<&String> = self.ids.iter().chain(taken).collect();
        (all.into_iter().cloned().collect(), left.len())
    }

    /// Those that are not in `known`, in order.
    pub(super) fn beyond(&self, known: &[String]) -> Vec<String> {
        let known: HashSet<&String> = known.iter().collect();
        let beyond = self.ids.iter().filter(|id| !known.contains(id));
        beyond.cloned().collect()
    }
}
