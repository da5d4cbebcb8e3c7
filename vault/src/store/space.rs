//! Kinds of rows, and where a row lies in the key tree.

use crate::derive::{self, Name};
use crate::key::Key;

/// A kind of row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Space {
    /// Identifier → the persons whose it is and was.
    Directory = 1,
    /// Person → data key.
    Persons = 2,
    /// Person → its identifiers.
    Identifiers = 3,
    /// Shared identifier → persons.
    Pointers = 4,
    /// Person → linked persons.
    Links = 5,
    /// House key, keys of windows, settings that must not change.
    Secrets = 6,
    /// Identifier → the day on which its person was erased.
    Marks = 7,
}

impl Space {
    const ALL: [Self; 7] = [
        Self::Directory,
        Self::Persons,
        Self::Identifiers,
        Self::Pointers,
        Self::Links,
        Self::Secrets,
        Self::Marks,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Directory => "directory",
            Self::Persons => "persons",
            Self::Identifiers => "identifiers",
            Self::Pointers => "pointers",
            Self::Links => "links",
            Self::Secrets => "secrets",
            Self::Marks => "marks",
        }
    }

    pub(super) const fn byte(self) -> u8 {
        self as u8
    }

    pub(super) fn from_byte(byte: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|space| space.byte() == byte)
    }
}

/// Steps of a path: half-bytes.
pub(super) const PATH_STEPS: usize = 64;

/// Where a row lies in the tree: its position, and for rows of which a
/// position has many a second part, which is zero for the others.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Path(pub(super) [u8; 32]);

impl Path {
    /// `row` is 16 bytes or 32, or of secrets a name in plain words.
    pub(super) fn new(space: Space, row: &[u8], secrets: &Key) -> Option<Self> {
        if space == Space::Secrets {
            return Some(Self::at(&derive::secret_position(secrets, row)));
        }
        if let Ok(position) = <&Name>::try_from(row) {
            return Some(Self::at(position));
        }
        row.try_into().ok().map(Self)
    }

    fn at(position: &Name) -> Self {
        let mut path = [0; 32];
        path[..16].copy_from_slice(position);
        Self(path)
    }

    pub(crate) fn position(&self) -> Name {
        let mut position = [0; 16];
        position.copy_from_slice(&self.0[..16]);
        position
    }

    pub(crate) const fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The half-byte at a depth.
    pub(super) fn step(&self, depth: usize) -> usize {
        step(&self.0, depth)
    }

    /// Every sixteenth path or so, whoever chose what it was made from.
    pub(super) fn is_sampled(&self) -> bool {
        let last = if self.0[16..] == [0; 16] { 15 } else { 31 };
        self.0[last].is_multiple_of(16)
    }
}

pub(super) fn step(path: &[u8; 32], depth: usize) -> usize {
    let byte = path.get(depth / 2).copied().unwrap_or(0);
    usize::from(if depth.is_multiple_of(2) {
        byte >> 4
    } else {
        byte & 15
    })
}

/// How many steps two paths have in common from their beginning.
pub(super) fn common_steps(a: &[u8; 32], b: &[u8; 32]) -> usize {
    match a.iter().zip(b).position(|(a, b)| a != b) {
        None => PATH_STEPS,
        Some(at) => 2 * at + usize::from(a[at] >> 4 == b[at] >> 4),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_steps_count_half_bytes() {
        let a = [0xab; 32];
        let mut b = a;
        assert_eq!(common_steps(&a, &b), 64);
        b[31] = 0xac;
        assert_eq!(common_steps(&a, &b), 63);
        b[31] = 0xcb;
        assert_eq!(common_steps(&a, &b), 62);
        b[0] = 0;
        assert_eq!(common_steps(&a, &b), 0);
        assert_eq!(
            (step(&b, 0), step(&b, 2), step(&b, 3), step(&b, 99)),
            (0, 10, 11, 0)
        );
    }

    #[test]
    fn every_space_has_its_byte() {
        for byte in 0..=255 {
            if let Some(space) = Space::from_byte(byte) {
                assert_eq!(space.byte(), byte);
            }
        }
        assert_eq!((1..=7).filter_map(Space::from_byte).count(), 7);
    }
}
