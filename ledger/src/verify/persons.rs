//! What a shard has of each person, as far as it was read: the records of its
//! maps.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher, RandomState};

use custody_proof::map::{self, Record};
use custody_proof::tree::Hash;

use crate::id::{Digest, SubjectReference};

/// An entry of a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Touch {
    pub(super) reference: SubjectReference,
    pub(super) sequence: u64,
    /// h of the entry.
    pub(super) link: Digest,
}

#[derive(Clone, Copy, Debug)]
struct Total {
    reference: SubjectReference,
    count: u64,
    digest: Digest,
    /// The sequence of the last entry.
    last: u64,
}

/// How many persons are looked up before their digests are made: lookups do not
/// wait for each other, so that most of the waiting for memory is shared.
const AT_ONCE: usize = 32;

/// Every person that a shard has entries of, up to some size.
#[derive(Debug, Default)]
pub(super) struct Persons {
    /// Where in `totals` each is.
    places: HashMap<SubjectReference, usize, ReferenceHashing>,
    totals: Vec<Total>,
}

impl Persons {
    /// Takes in the next entries that have a person, in order.
    pub(super) fn touch_all(&mut self, touches: &[Touch]) {
        let mut places = [0; AT_ONCE];
        for touches in touches.chunks(AT_ONCE) {
            for (place, touch) in places.iter_mut().zip(touches) {
                *place = *self.places.entry(touch.reference).or_insert_with(|| {
                    self.totals.push(Total {
                        reference: touch.reference,
                        count: 0,
                        digest: map::NO_ENTRIES,
                        last: 0,
                    });
                    self.totals.len() - 1
                });
                if let Some(total) = self.totals.get_mut(*place) {
                    total.count += 1;
                    total.last = touch.sequence;
                }
            }
            for (place, touch) in places.iter().zip(touches) {
                if let Some(total) = self.totals.get_mut(*place) {
                    total.digest = map::extend(&total.digest, touch.sequence, &touch.link);
                }
            }
        }
    }

    pub(super) fn len(&self) -> u64 {
        self.totals.len() as u64
    }

    /// The root of the map of all persons that were touched from a sequence
    /// on, with their totals. From 0 it is the map of all.
    pub(super) fn root_from(&self, sequence: u64) -> Hash {
        let mut records: Vec<Record> = self
            .totals
            .iter()
            .filter(|total| total.last >= sequence)
            .map(|total| Record {
                reference: total.reference,
                count: total.count,
                digest: total.digest,
            })
            .collect();
        records.sort_unstable_by_key(|record| record.reference);
        map::root_of_sorted(&records)
    }
}

/// Hashes references, which are random already: two multiplications with keys
/// that nobody knows beforehand, so that nobody can choose references that
/// collide.
#[derive(Clone, Copy, Debug)]
struct ReferenceHashing {
    keys: [u64; 2],
}

impl Default for ReferenceHashing {
    fn default() -> Self {
        let random = RandomState::new();
        Self {
            keys: [random.hash_one(0), random.hash_one(1)],
        }
    }
}

impl BuildHasher for ReferenceHashing {
    type Hasher = ReferenceHasher;

    fn build_hasher(&self) -> ReferenceHasher {
        ReferenceHasher {
            keys: self.keys,
            hash: 0,
        }
    }
}

struct ReferenceHasher {
    keys: [u64; 2],
    hash: u64,
}

impl Hasher for ReferenceHasher {
    fn finish(&self) -> u64 {
        self.hash
    }

    fn write(&mut self, bytes: &[u8]) {
        let (chunks, _) = bytes.as_chunks::<16>();
        for chunk in chunks {
            let number = u128::from_le_bytes(*chunk);
            let low = (number as u64) ^ self.keys[0] ^ self.hash;
            let high = ((number >> 64) as u64) ^ self.keys[1];
            let product = u128::from(low) * u128::from(high);
            self.hash = (product as u64) ^ ((product >> 64) as u64);
        }
    }

    /// The length, which is the same for all.
    fn write_usize(&mut self, _: usize) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    fn touch(person: u8, sequence: u64) -> Touch {
        Touch {
            reference: SubjectReference([person; 16]),
            sequence,
            link: Digest([sequence as u8; 32]),
        }
    }

    fn record(person: u8, sequences: &[u64]) -> Record {
        Record {
            reference: SubjectReference([person; 16]),
            count: sequences.len() as u64,
            digest: sequences.iter().fold(map::NO_ENTRIES, |digest, sequence| {
                map::extend(&digest, *sequence, &Digest([*sequence as u8; 32]))
            }),
        }
    }

    #[test]
    fn roots_are_those_of_the_records() {
        let mut persons = Persons::default();
        assert_eq!(persons.root_from(0), map::EMPTY);
        let touches: Vec<Touch> = (0..)
            .zip([9, 2, 9, 200, 2, 9])
            .map(|(sequence, person)| touch(person, sequence))
            .collect();
        persons.touch_all(&touches[..2]);
        persons.touch_all(&touches[2..]);
        let all = [record(2, &[1, 4]), record(9, &[0, 2, 5]), record(200, &[3])];
        assert_eq!(persons.len(), 3);
        assert_eq!(persons.root_from(0), map::root_of_sorted(&all));
        assert_eq!(persons.root_from(4), map::root_of_sorted(&all[..2]));
        assert_eq!(persons.root_from(5), map::root_of_sorted(&all[1..2]));
        assert_eq!(persons.root_from(6), map::EMPTY);
    }
}
