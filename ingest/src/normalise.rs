//! From what was said to what is meant: terms are resolved, and what the kind
//! needs is there.
//!
//! After this an event's public part holds terms of the vocabulary, ids of a
//! plain alphabet, ISO codes and numbers, and nothing else.

mod act;
mod checks;
mod terms;

use std::fmt;

use custody_ledger::Kind;
use custody_policy::{Facts, Field, UnknownTerm, Vocabulary};
use custody_proto::cloudevent::TraceParent;
use custody_proto::event::{ActingAs, Event, Party, event::Act, subject::Role};

use crate::decode::DecodedEvent;
use crate::rejection::{Rejection, RejectionCode};

use checks::{country, enumeration, identifier, plain_id, policy_id};
use terms::{at, resolve, resolve_optional};

pub use terms::Terms;

/// An event whose terms are resolved and that lacks nothing.
#[derive(Clone, PartialEq)]
pub struct NormalisedEvent {
    event: DecodedEvent,
    terms: Terms,
    content_digest: [u8; 32],
}

/// A party that an event names, its category resolved.
#[derive(Clone, Copy)]
pub struct NamedParty<'a> {
    /// The party.
    pub party: &'a Party,
    /// The recipient category as a CURIE; empty where none was said.
    pub category: &'a str,
}

impl NormalisedEvent {
    /// The CloudEvents `id`.
    pub fn id(&self) -> &str {
        &self.event.id
    }

    /// The CloudEvents `source`.
    pub fn source(&self) -> &str {
        &self.event.source
    }

    /// What happened.
    pub fn kind(&self) -> Kind {
        self.event.kind
    }

    /// When it happened, nanoseconds since 1970 UTC.
    pub fn time_ns(&self) -> i64 {
        self.event.time_ns
    }

    /// The W3C trace context, where there is a well-formed one.
    pub fn traceparent(&self) -> Option<TraceParent> {
        self.event.trace_parent
    }

    /// The person's identifiers, each once, the primary one first. Empty
    /// where the event is nobody's in particular.
    pub fn ids(&self) -> &[String] {
        self.event.data.subject.as_ref().map_or(&[], |s| &s.ids)
    }

    /// The data, every term a CURIE and every identifier once.
    pub fn data(&self) -> &Event {
        &self.event.data
    }

    /// The terms.
    pub fn terms(&self) -> &Terms {
        &self.terms
    }

    /// The digest of what was said, before terms were resolved. See
    /// [`DecodedEvent::content_digest`].
    pub fn content_digest(&self) -> [u8; 32] {
        self.content_digest
    }

    /// The parties that the event names in full.
    pub fn parties(&self) -> impl Iterator<Item = NamedParty<'_>> {
        let party = match &self.event.data.act {
            Some(Act::Collection(block)) => block.from.as_ref(),
            Some(Act::Disclosure(block)) => block.recipient.as_ref(),
            Some(Act::Transfer(block)) => block.recipient.as_ref(),
            _ => None,
        };
        party.into_iter().map(|party| NamedParty {
            party,
            category: &party.category,
        })
    }

    /// The event as the judge sees it.
    ///
    /// # Errors
    /// None: its terms were resolved before.
    pub fn facts(&self) -> Result<Facts<'_>, UnknownTerm> {
        Facts::new(self.event.kind.name(), self.event.time_ns, &self.event.data)
    }
}

impl fmt::Debug for NormalisedEvent {
    /// Shows the kind, nothing of what was said.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NormalisedEvent")
            .field("kind", &self.event.kind)
            .finish_non_exhaustive()
    }
}

/// Resolves the terms of an event and checks that it has what its kind needs.
///
/// # Errors
/// [`Rejection`] with the field that is wrong. The first one counts, in the
/// order of `event.proto`.
pub fn normalise(mut event: DecodedEvent) -> Result<NormalisedEvent, Rejection> {
    let content_digest = event.content_digest();
    let vocabulary = Vocabulary::builtin();
    let mut terms = Terms::default();
    let data = &mut event.data;

    subject(event.kind, data)?;
    plain_id(&data.service, "service")?;
    plain_id(&data.controller, "controller")?;
    enumeration::<ActingAs>(data.acting_as, "acting_as")?;
    for (index, text) in data.purposes.iter_mut().enumerate() {
        let term = resolve(vocabulary, Field::Purpose, text, at("purposes", index))?;
        terms.purposes.push(term);
    }
    for (index, category) in data.categories.iter_mut().enumerate() {
        let place = || format!("categories[{index}].term");
        let term = resolve(vocabulary, Field::Category, &mut category.term, place)?;
        terms.categories.push(term);
    }
    terms.legal_basis = resolve_optional(
        vocabulary,
        Field::LegalBasis,
        &mut data.legal_basis,
        "legal_basis",
    )?;
    policy_id(&data.policy, "policy")?;
    country(&data.location, "location")?;
    for (index, reference) in data.derived_from.iter().enumerate() {
        if reference.source.is_empty() || reference.id.is_empty() {
            return Err(Rejection::at(
                RejectionCode::BadReference,
                format!("derived_from[{index}]"),
                "source or id is absent or empty",
            ));
        }
    }
    act::normalise(event.kind, data.act.as_mut(), vocabulary, &mut terms)?;

    Ok(NormalisedEvent {
        event,
        terms,
        content_digest,
    })
}

/// Checks the person, and leaves each identifier once.
fn subject(kind: Kind, data: &mut Event) -> Result<(), Rejection> {
    let nobodys = matches!(kind, Kind::Breach | Kind::PolicyPublished);
    let said = data.subject.as_ref().is_some_and(|s| !s.ids.is_empty());
    match (nobodys, said) {
        (true, true) => {
            return Err(Rejection::at(
                RejectionCode::UnexpectedSubject,
                "subject",
                "this kind of event is about no person in particular",
            ));
        }
        (false, false) => {
            return Err(Rejection::at(
                RejectionCode::MissingSubject,
                "subject.ids",
                "absent or empty",
            ));
        }
        _ => {}
    }
    let Some(subject) = &mut data.subject else {
        return Ok(());
    };
    for (index, id) in subject.ids.iter().enumerate() {
        identifier(id, at("subject.ids", index))?;
    }
    keep_first_of_each(&mut subject.ids);
    country(&subject.jurisdiction, "subject.jurisdiction")?;
    enumeration::<Role>(subject.role, "subject.role")
}

/// Lists are short ([`crate::DecodeLimits::max_list`]), so the square is.
fn keep_first_of_each(ids: &mut Vec<String>) {
    let mut kept = 0;
    for index in 0..ids.len() {
        if !ids[..kept].contains(&ids[index]) {
            ids.swap(kept, index);
            kept += 1;
        }
    }
    ids.truncate(kept);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_each_identifier_stays_in_its_place() {
        let mut ids = ["a:1", "b:1", "a:1", "c:1", "b:1", "d:1"]
            .map(str::to_owned)
            .to_vec();
        keep_first_of_each(&mut ids);
        assert_eq!(ids, ["a:1", "b:1", "c:1", "d:1"]);
    }
}
