//! Touches that no sealed version has yet.
//!
//! A touch is put at the end of a list. Only when the list is full, or a
//! version is sealed, are the persons looked up who are new in it, once each
//! and in the order of the base map, and no lock is held.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use custody_proof::map::{NO_ENTRIES, Record, extend};

use super::MapError;
use super::base::Base;
use super::trie::Trie;
use crate::id::{Digest, SubjectReference};

/// How many touches are listed before they are folded: 3.5 MiB.
const LISTED: usize = 1 << 16;

#[derive(Debug, Clone, Copy)]
struct Touch {
    reference: SubjectReference,
    sequence: u64,
    entry: Digest,
}

/// Touches in the order of their sequence, and the records of those persons
/// whose touches are folded already.
#[derive(Debug, Default)]
pub(super) struct Pending {
    listed: Vec<Touch>,
    folded: HashMap<SubjectReference, Record, BuildHasherDefault<ReferenceHasher>>,
}

/// A reference looks random already, so its first bytes are its hash. Whoever
/// could choose references could slow the map down, and nothing else; they are
/// derived from keys that nobody outside the vault has.
#[derive(Debug, Default)]
struct ReferenceHasher(u64);

impl Hasher for ReferenceHasher {
    fn write(&mut self, bytes: &[u8]) {
        // The length of an array comes first, which says nothing.
        if let Some(first) = bytes.first_chunk() {
            self.0 = u64::from_le_bytes(*first);
        }
    }

    fn write_usize(&mut self, _: usize) {}

    fn finish(&self) -> u64 {
        self.0
    }
}

impl Pending {
    pub(super) fn push(&mut self, reference: SubjectReference, sequence: u64, entry: Digest) {
        self.listed.push(Touch {
            reference,
            sequence,
            entry,
        });
    }

    pub(super) fn is_full(&self) -> bool {
        self.listed.len() >= LISTED
    }

    /// Extends the records of all persons that are listed. They go on from
    /// what was folded before, else from the recent map, else from the base.
    /// After an error all are still listed.
    pub(super) fn fold(&mut self, recent: Option<&Trie>, base: &Base) -> Result<(), MapError> {
        let folded = &mut self.folded;
        let new = self.listed.iter().map(|touch| touch.reference);
        let mut new: Vec<_> = new.filter(|new| !folded.contains_key(new)).collect();
        new.sort_unstable();
        new.dedup();
        let mut lookup = base.lookup();
        for reference in new {
            let known = match recent.and_then(|recent| recent.get(&reference)) {
                Some(record) => Some(*record),
                None => lookup.get(&reference)?,
            };
            let record = known.unwrap_or(Record {
                reference,
                count: 0,
                digest: NO_ENTRIES,
            });
            folded.insert(reference, record);
        }
        for touch in self.listed.drain(..) {
            if let Some(record) = folded.get_mut(&touch.reference) {
                record.digest = extend(&record.digest, touch.sequence, &touch.entry);
                record.count += 1;
            }
        }
        Ok(())
    }

    /// How many persons are folded.
    pub(super) fn persons(&self) -> usize {
        self.folded.len()
    }

    /// Takes the records that were folded, in ascending order of their
    /// references.
    pub(super) fn take(&mut self) -> Vec<Record> {
        let mut records: Vec<Record> = self.folded.drain().map(|(_, record)| record).collect();
        records.sort_unstable_by_key(|record| record.reference);
        records
    }
}
