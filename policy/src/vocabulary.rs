//! From text to term, and what is broader than what.

use std::collections::HashMap;
use std::sync::LazyLock;

use foldhash::fast::FixedState;

use crate::field::Field;
use crate::term::Term;

/// Prefixes that a term without one is looked up in, in this order.
const IMPLIED_PREFIXES: [&str; 3] = ["custody:", "dpv:", "pd:"];

/// Prefixes of the compiled terms.
const PREFIXES: [&str; 5] = ["custody:", "dpv:", "pd:", "eu-gdpr:", "just:"];

/// A longer text is no term, and is not repeated in an error.
const MAX_TERM_BYTES: usize = 64;

static BUILTIN: LazyLock<Vocabulary> = LazyLock::new(Vocabulary::compile);

/// The terms that an event may use, by field.
#[derive(Debug)]
pub struct Vocabulary {
    /// By `Field as usize`.
    fields: [FieldTerms; Field::ALL.len()],
}

/// What may stand in one field.
#[derive(Debug)]
struct FieldTerms {
    /// As in the files.
    terms: Vec<Term>,
    /// By CURIE and by implied name. The keys are ours, so a fixed hash does:
    /// nobody can add one that collides.
    by_text: HashMap<&'static str, Term, FixedState>,
}

/// A text that names no term of its field.
///
/// It repeats the text only where that looks like a term that was meant, so
/// that an identifier in the wrong place is not carried into a log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown {field}{}{}", quoted(.text.as_deref()), meant(*.suggestion))]
pub struct UnknownTerm {
    /// Where it stood.
    pub field: Field,
    /// What it said, where it may be repeated.
    pub text: Option<String>,
    /// The CURIE of the nearest known term, where one is near.
    pub suggestion: Option<&'static str>,
}

impl Vocabulary {
    /// The compiled vocabulary: DPV 2.3 and the local codes.
    pub fn builtin() -> &'static Self {
        &BUILTIN
    }

    fn compile() -> Self {
        Self {
            fields: Field::ALL.map(FieldTerms::compile),
        }
    }

    /// The term of this text in this field: a CURIE, or a name that is looked
    /// up in `custody:`, then `dpv:`, then `pd:`. Case matters.
    ///
    /// # Errors
    /// [`UnknownTerm`] where the field has no such term.
    pub fn resolve(&self, field: Field, text: &str) -> Result<Term, UnknownTerm> {
        match self.fields[field as usize].by_text.get(text) {
            Some(term) => Ok(*term),
            None => Err(self.unknown(field, text)),
        }
    }

    /// The same where it does not matter why a text means nothing.
    pub(crate) fn resolve_quietly(&self, field: Field, text: &str) -> Option<Term> {
        self.fields[field as usize].by_text.get(text).copied()
    }

    /// The terms directly above this one. Parents that DPV names but that are
    /// not in the vocabulary are left out.
    pub fn broader(&self, term: Term) -> &'static [Term] {
        term.broader()
    }

    /// Whether `narrow` is `broad` or, over any number of steps, a kind of it.
    pub fn covers(&self, broad: Term, narrow: Term) -> bool {
        broad == narrow || narrow.ancestors().binary_search(&broad).is_ok()
    }

    /// The terms of a field, ordered as in the files.
    pub fn terms(&self, field: Field) -> impl Iterator<Item = Term> {
        self.fields[field as usize].terms.iter().copied()
    }

    #[cold]
    fn unknown(&self, field: Field, text: &str) -> UnknownTerm {
        let plausible = (1..=MAX_TERM_BYTES).contains(&text.len())
            && text
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b':' | b'.' | b'_' | b'-'));
        let suggestion = if plausible {
            self.nearest(field, text)
        } else {
            None
        };
        let prefixed = PREFIXES.iter().any(|prefix| text.starts_with(prefix));
        UnknownTerm {
            field,
            text: (plausible && (prefixed || suggestion.is_some())).then(|| text.to_owned()),
            suggestion,
        }
    }

    /// The term whose name is at most a quarter of the text away, and at most
    /// three edits. Equal distances go to the first in the alphabet.
    fn nearest(&self, field: Field, text: &str) -> Option<&'static str> {
        let name = text.split_once(':').map_or(text, |(_, name)| name);
        let limit = (name.len() / 4).min(3);
        let letters = letters(name);
        self.terms(field)
            .filter(|term| term.local_name().len().abs_diff(name.len()) <= limit)
            // An edit adds or removes one letter at most: most terms are ruled
            // out before the costly comparison.
            .filter(|term| {
                let other = self::letters(term.local_name());
                let apart = (letters & !other)
                    .count_ones()
                    .max((other & !letters).count_ones());
                apart as usize <= limit
            })
            .map(|term| (strsim::osa_distance(term.local_name(), name), term.curie()))
            .filter(|(distance, _)| *distance <= limit)
            .min()
            .map(|(_, curie)| curie)
    }
}

impl FieldTerms {
    fn compile(field: Field) -> Self {
        let mut by_text = HashMap::default();
        for part in field.parts() {
            let admitted = || Term::all().filter(|term| part.admits(*term));
            for term in admitted() {
                by_text.entry(term.curie()).or_insert(term);
            }
            for prefix in IMPLIED_PREFIXES {
                for term in admitted().filter(|t| t.curie().starts_with(prefix)) {
                    by_text.entry(term.local_name()).or_insert(term);
                }
            }
        }
        Self {
            terms: Term::all().filter(|term| field.admits(*term)).collect(),
            by_text,
        }
    }
}

/// The set of ASCII characters that occur.
fn letters(text: &str) -> u128 {
    text.bytes()
        .filter(u8::is_ascii)
        .fold(0, |set, byte| set | 1 << byte)
}

fn quoted(text: Option<&str>) -> String {
    text.map_or_else(String::new, |text| format!(" {text:?}"))
}

fn meant(suggestion: Option<&str>) -> String {
    suggestion.map_or_else(String::new, |curie| format!(", did you mean {curie}?"))
}

mod known;

#[cfg(test)]
mod tests;
