//! A set of terms.

use crate::field::Field;
use crate::term::Term;
use crate::vocabulary::Vocabulary;

/// A set of terms of one field: a bit a term.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct TermSet(Box<[u64]>);

impl TermSet {
    /// Terms and everything narrower.
    pub(crate) fn covering(field: Field, broad: &[Term]) -> Self {
        if broad.is_empty() {
            return Self::default();
        }
        let vocabulary = Vocabulary::builtin();
        let mut words = vec![0u64; Term::count().div_ceil(64)];
        for term in vocabulary.terms(field) {
            if broad.iter().any(|broad| vocabulary.covers(*broad, term)) {
                words[term.index() / 64] |= 1 << (term.index() % 64);
            }
        }
        Self(words.into())
    }

    /// Whether a term is in it.
    pub(crate) fn contains(&self, term: Term) -> bool {
        self.0
            .get(term.index() / 64)
            .is_some_and(|word| word >> (term.index() % 64) & 1 == 1)
    }

    /// Whether nothing is in it.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Its terms.
    pub(crate) fn terms(&self) -> impl Iterator<Item = Term> + '_ {
        Term::all().filter(|term| self.contains(*term))
    }
}
