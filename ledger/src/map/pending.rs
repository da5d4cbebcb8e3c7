//! Touches that no sealed version has yet.
//!
//! A touch is put at the end of a list. Only when the list is full, or a
//! version is sealed, are the touches sorted by person, so that persons are
//! looked up once each, in the order of the base map, and no lock is held.

use std::collections::HashMap;

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
    folded: HashMap<SubjectReference, Record>,
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
    /// After an error those that were not reached are still listed.
    pub(super) fn fold(&mut self, recent: Option<&Trie>, base: &Base) -> Result<(), MapError> {
        // Stable: a person's touches stay in the order of their sequence.
        self.listed.sort_by_key(|touch| touch.reference);
        let mut lookup = base.lookup();
        let mut done = 0;
        let mut result = Ok(());
        for touches in self.listed.chunk_by(|a, b| a.reference == b.reference) {
            let reference = touches[0].reference;
            let known = self.folded.get(&reference);
            let known = known.or_else(|| recent.and_then(|recent| recent.get(&reference)));
            let known = match known {
                Some(record) => Ok(Some(*record)),
                None => lookup.get(&reference),
            };
            let mut record = match known {
                Ok(record) => record.unwrap_or(Record {
                    reference,
                    count: 0,
                    digest: NO_ENTRIES,
                }),
                Err(error) => {
                    result = Err(error);
                    break;
                }
            };
            for touch in touches {
                record.digest = extend(&record.digest, touch.sequence, &touch.entry);
            }
            record.count += touches.len() as u64;
            self.folded.insert(reference, record);
            done += touches.len();
        }
        self.listed.drain(..done);
        result
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
