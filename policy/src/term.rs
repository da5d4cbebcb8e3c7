//! One term of the vocabulary.

use std::fmt;

/// One row of the compiled table.
pub(crate) struct TermRow {
    curie: &'static str,
    label: &'static str,
    group: &'static str,
    broader: &'static [Term],
    /// Ascending.
    ancestors: &'static [Term],
}

include!(concat!(env!("OUT_DIR"), "/terms.rs"));

/// A term of the vocabulary: a number into the compiled table.
///
/// Terms are made by [`Vocabulary::resolve`](crate::Vocabulary::resolve) only.
/// The number is not stable from one version of the vocabulary to the next:
/// store the [`curie`](Self::curie).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Term(u16);

impl Term {
    /// Every term, DPV's first.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        (0u16..).take(TERMS.len()).map(Self)
    }

    /// How many there are.
    pub(crate) fn count() -> usize {
        TERMS.len()
    }

    /// Its number, below [`count`](Self::count).
    pub(crate) fn index(self) -> usize {
        usize::from(self.0)
    }

    fn row(self) -> &'static TermRow {
        &TERMS[usize::from(self.0)]
    }

    /// The term as it is stored, such as `pd:EmailAddress`. Two local terms of
    /// different fields may share it.
    pub fn curie(self) -> &'static str {
        self.row().curie
    }

    /// The part of the CURIE after the prefix.
    pub(crate) fn local_name(self) -> &'static str {
        let curie = self.curie();
        curie.split_once(':').map_or(curie, |(_, name)| name)
    }

    /// What it is called, in English.
    pub fn label(self) -> &'static str {
        self.row().label
    }

    /// The group of DPV, or the kind of the local table.
    pub(crate) fn group(self) -> &'static str {
        self.row().group
    }

    /// Whether it is of the local table, not of DPV.
    pub(crate) fn is_local(self) -> bool {
        self.curie().starts_with("custody:")
    }

    /// The terms directly above.
    pub(crate) fn broader(self) -> &'static [Self] {
        self.row().broader
    }

    /// Every term above, ascending by number.
    pub(crate) fn ancestors(self) -> &'static [Self] {
        self.row().ancestors
    }
}

impl fmt::Debug for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}[{}]", self.curie(), self.group())
    }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.curie())
    }
}
