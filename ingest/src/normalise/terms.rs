//! Terms of an event, from text.

use custody_policy::{Field, Term, UnknownTerm, Vocabulary};

use crate::rejection::{Rejection, RejectionCode};

/// The resolved terms of an event. In its data they stand as CURIEs, in the
/// same order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// Why.
    pub purposes: Vec<Term>,
    /// Which data.
    pub categories: Vec<Term>,
    /// On which basis.
    pub legal_basis: Option<Term>,
    /// What was done, of a use.
    pub operation: Option<Term>,
    /// What kind of party is at the other end.
    pub party_category: Option<Term>,
    /// What a disclosure or transfer abroad rests on.
    pub safeguard: Option<Term>,
    /// Which right was claimed.
    pub right: Option<Term>,
    /// The scope of a consent, an objection or an erasure, or the categories
    /// of a breach.
    pub scope: Vec<Term>,
}

/// A place in a list, made only where it is needed.
pub(super) fn at(list: &'static str, index: usize) -> impl Fn() -> String {
    move || format!("{list}[{index}]")
}

/// Resolves a term and writes its CURIE in the text's place.
pub(super) fn resolve(
    vocabulary: &Vocabulary,
    field: Field,
    text: &mut String,
    place: impl Fn() -> String,
) -> Result<Term, Rejection> {
    if text.is_empty() {
        return Err(Rejection::at(
            RejectionCode::MissingTerm,
            place(),
            "absent or empty",
        ));
    }
    let term = vocabulary
        .resolve(field, text)
        .map_err(|error| unknown(&error, place()))?;
    if text != term.curie() {
        term.curie().clone_into(text);
    }
    Ok(term)
}

/// The same where an empty text says nothing.
pub(super) fn resolve_optional(
    vocabulary: &Vocabulary,
    field: Field,
    text: &mut String,
    place: &'static str,
) -> Result<Option<Term>, Rejection> {
    if text.is_empty() {
        return Ok(None);
    }
    resolve(vocabulary, field, text, || place.to_owned()).map(Some)
}

/// Says what may be meant, not what was said: what stands where a term should
/// may be anything.
fn unknown(error: &UnknownTerm, place: String) -> Rejection {
    let field = error.field;
    let message = match error.suggestion {
        Some(curie) => format!("unknown {field}; is {curie} meant?"),
        None => format!("unknown {field}"),
    };
    Rejection::at(RejectionCode::UnknownTerm, place, message)
}
