//! What one map has under a reference.

use super::encoding::{Reader, put_path};
use super::{
    EMPTY, MAX_DEPTH, Record, bit, common_bits, halves, leaf_hash, node_hash, subtree_of_sorted,
};
use crate::error::{DecodeError, ProofError};
use crate::id::SubjectReference;
use crate::tree::Hash;

/// Where a path ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Terminal {
    /// In an empty subtree: the reference is absent.
    Empty,
    /// At a subtree of one record. The reference is present if it is that
    /// record's, else absent.
    Leaf(Record),
}

/// That a map has a record under a reference, or that it has none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MapProof {
    siblings: Vec<Hash>,
    terminal: Terminal,
}

impl MapProof {
    /// A proof from the siblings along the path of a reference, from the root
    /// down, empty ones included, and from where it ends.
    ///
    /// # Errors
    ///
    /// [`ProofError::Shape`] where no map has such a path: there are more
    /// siblings than bits, the deepest is empty though a subtree of one record
    /// would end the path above it, or the path ends empty below the last bit.
    pub fn new(siblings: Vec<Hash>, terminal: Terminal) -> Result<Self, ProofError> {
        let no_map = siblings.len() > MAX_DEPTH
            || siblings.last() == Some(&EMPTY)
            || (siblings.len() == MAX_DEPTH && terminal == Terminal::Empty);
        if no_map {
            return Err(ProofError::Shape);
        }
        Ok(Self { siblings, terminal })
    }

    /// The proof for a reference in a map of these records, in strictly
    /// ascending order of their references. It hashes every record: for small
    /// maps.
    pub fn of_sorted(records: &[Record], reference: &SubjectReference) -> Self {
        let mut siblings = Vec::new();
        let terminal = descend_sorted(records, reference, 0, &mut siblings);
        Self { siblings, terminal }
    }

    /// The siblings along the path, from the root down, empty ones included.
    pub fn siblings(&self) -> &[Hash] {
        &self.siblings
    }

    /// Where the path ends.
    pub const fn terminal(&self) -> &Terminal {
        &self.terminal
    }

    /// What the map with a root has under a reference: its record, or `None`,
    /// proved.
    ///
    /// # Errors
    ///
    /// [`ProofError::Path`] where the record at the end is not on the path of
    /// the reference, [`ProofError::Root`] where the path leads to another
    /// root.
    pub fn verify(
        &self,
        root: &Hash,
        reference: &SubjectReference,
    ) -> Result<Option<Record>, ProofError> {
        let end = match &self.terminal {
            Terminal::Empty => EMPTY,
            Terminal::Leaf(record) => {
                // Two references may share a path only as far as their bits
                // are the same.
                if common_bits(&record.reference, reference) < self.siblings.len() {
                    return Err(ProofError::Path);
                }
                leaf_hash(record)
            }
        };
        let hash = (self.siblings.iter().enumerate().rev()).fold(end, |hash, (depth, sibling)| {
            if bit(reference, depth) {
                node_hash(sibling, &hash)
            } else {
                node_hash(&hash, sibling)
            }
        });
        if hash != *root {
            return Err(ProofError::Root);
        }
        Ok(match self.terminal {
            Terminal::Leaf(record) if record.reference == *reference => Some(record),
            _ => None,
        })
    }

    /// The stored bytes: depth u8; a bit for each sibling, from the root down,
    /// most significant first, set where it is not empty, filled up with zeros
    /// to whole bytes; those siblings that are not empty; 0 for an empty end,
    /// or 1 and the record.
    ///
    /// At most 4170 bytes; about 700 in a map of a million persons.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.encode_to(&mut bytes);
        bytes
    }

    pub(super) fn encode_to(&self, bytes: &mut Vec<u8>) {
        put_path(bytes, &self.siblings, &self.terminal);
    }

    /// Reads [`MapProof::encode`]: exactly its bytes, and no others for the
    /// same proof.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] where the bytes are no proof that it could have made.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let proof = Self::decode_from(&mut reader)?;
        reader.finish()?;
        Ok(proof)
    }

    pub(super) fn decode_from(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let (siblings, terminal) = reader.path()?;
        Self::new(siblings, terminal).map_err(|_| super::malformed("no map has such a path"))
    }
}

/// Goes down the path of a reference in the subtree at a depth that these
/// records make up, puts the siblings, from the top down, and returns where
/// the path ends.
pub fn descend_sorted(
    records: &[Record],
    reference: &SubjectReference,
    depth: usize,
    siblings: &mut Vec<Hash>,
) -> Terminal {
    let mut records = records;
    for depth in depth..MAX_DEPTH {
        if records.len() < 2 {
            break;
        }
        let (left, right) = halves(records, depth);
        let (next, sibling) = if bit(reference, depth) {
            (right, left)
        } else {
            (left, right)
        };
        siblings.push(subtree_of_sorted(sibling, depth + 1));
        records = next;
    }
    records
        .first()
        .map_or(Terminal::Empty, |record| Terminal::Leaf(*record))
}
