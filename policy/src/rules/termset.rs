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
        let vocabulary = Vocabulary::builtin();
        Self::of(field, broad, |broad, term| vocabulary.covers(broad, term))
    }

    /// What a clause with these terms declares. Local codes decide: one that
    /// the clause does not name is not declared because DPV knows a broader
    /// word for it, or a new version could add credit scoring and nobody would
    /// see it.
    pub(crate) fn declaring(field: Field, broad: &[Term]) -> Self {
        let vocabulary = Vocabulary::builtin();
        Self::of(field, broad, |broad, term| {
            vocabulary.covers(broad, term) && (broad.is_local() || !term.is_local())
        })
    }

    fn of(field: Field, broad: &[Term], covers: impl Fn(Term, Term) -> bool) -> Self {
        if broad.is_empty() {
            return Self::default();
        }
        let vocabulary = Vocabulary::builtin();
        let mut words = vec![0u64; Term::count().div_ceil(64)];
        for term in vocabulary.terms(field) {
            if broad.iter().any(|broad| covers(*broad, term)) {
                words[term.index() / 64] |= 1 << (term.index() % 64);
            }
        }
        Self(words.into())
    }

    /// The set without another one's terms.
    pub(crate) fn without(mut self, other: &Self) -> Self {
        for (word, out) in self.0.iter_mut().zip(&other.0) {
            *word &= !out;
        }
        self
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
}
