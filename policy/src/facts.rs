//! An event as the judge sees it: terms and places resolved, nothing of the
//! person but what the judgement needs.

use std::fmt;

use custody_proto::event::{
    Consent, Event, Objection, Party, RightsResponse, collection, consent, event::Act, objection,
    rights_response, subject,
};
use smallvec::SmallVec;

use crate::field::Field;
use crate::place::Place;
use crate::term::Term;
use crate::vocabulary::{UnknownTerm, Vocabulary};

/// What happened, as far as the judge cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // The contract's own names; see `custody.event.v1`.
pub enum EventKind {
    Collection,
    Use,
    Disclosure,
    Transfer,
    ConsentGiven,
    ConsentWithdrawn,
    Objection,
    Restriction,
    RestrictionLifted,
    Rectification,
    Erasure,
    Anonymisation,
    Retraction,
    RightsRequest,
    RightsResponse,
    AccountClosed,
    /// Any other kind: neither judged nor kept in mind.
    Other,
}

impl EventKind {
    /// The kind of a contract's name, such as `consent_given`.
    pub fn from_name(name: &str) -> Self {
        match name {
            "collection" => Self::Collection,
            "use" => Self::Use,
            "disclosure" => Self::Disclosure,
            "transfer" => Self::Transfer,
            "consent_given" => Self::ConsentGiven,
            "consent_withdrawn" => Self::ConsentWithdrawn,
            "objection" => Self::Objection,
            "restriction" => Self::Restriction,
            "restriction_lifted" => Self::RestrictionLifted,
            "rectification" => Self::Rectification,
            "erasure" => Self::Erasure,
            "anonymisation" => Self::Anonymisation,
            "retraction" => Self::Retraction,
            "rights_request" => Self::RightsRequest,
            "rights_response" => Self::RightsResponse,
            "account_closed" => Self::AccountClosed,
            _ => Self::Other,
        }
    }

    /// Whether it is one of the four kinds that are judged.
    pub const fn is_judged(self) -> bool {
        matches!(
            self,
            Self::Collection | Self::Use | Self::Disclosure | Self::Transfer
        )
    }
}

/// The other party of a disclosure or a transfer.
#[derive(Clone, Copy, Debug)]
pub struct RecipientFacts<'a> {
    /// The organisation's id; empty where it is a natural person.
    pub id: &'a str,
    /// What kind of recipient it is.
    pub category: Option<Term>,
    /// Where it is established.
    pub country: Option<Place>,
}

/// A term of a scope: what it means in each of the three fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScopeTerm {
    /// As a purpose.
    pub purpose: Option<Term>,
    /// As a data category.
    pub category: Option<Term>,
    /// As a kind of recipient.
    pub recipient: Option<Term>,
}

impl ScopeTerm {
    /// What a text means in each field; `None` where it means nothing.
    pub fn of(text: &str) -> Option<Self> {
        let vocabulary = Vocabulary::builtin();
        let scope = Self {
            purpose: vocabulary.resolve_quietly(Field::Purpose, text),
            category: vocabulary.resolve_quietly(Field::Category, text),
            recipient: vocabulary.resolve_quietly(Field::Recipient, text),
        };
        scope.any().map(|_| scope)
    }

    /// The term in the first field where it means something.
    pub fn any(&self) -> Option<Term> {
        self.purpose.or(self.category).or(self.recipient)
    }
}

/// An event as the judge sees it. Holds no identifier of a person.
#[derive(Clone)]
pub struct Facts<'a> {
    /// What happened.
    pub kind: EventKind,
    /// When, nanoseconds since 1970 UTC.
    pub time_ns: i64,
    /// What the person used.
    pub service: &'a str,
    /// The controller's id; may be empty.
    pub controller: &'a str,
    /// The policy that the event names; may be empty.
    pub policy: &'a str,
    /// Whether it was done on another's behalf.
    pub as_processor: bool,
    /// Where the person is.
    pub jurisdiction: Option<Place>,
    /// The person's part.
    pub role: subject::Role,
    /// Whether the person is said to be under 18.
    pub minor: bool,
    /// Why.
    pub purposes: SmallVec<[Term; 4]>,
    /// Which data.
    pub categories: SmallVec<[Term; 8]>,
    /// On which basis.
    pub legal_basis: Option<Term>,
    /// Where the data lies afterwards.
    pub location: Option<Place>,
    /// Whether it was anonymised before.
    pub anonymised: bool,
    /// Where collected data came from.
    pub origin: Option<collection::Origin>,
    /// What was done.
    pub operation: Option<Term>,
    /// Who got it.
    pub recipient: Option<RecipientFacts<'a>>,
    /// Whether it was for value.
    pub sale: bool,
    /// What sending it abroad rests on.
    pub safeguard: Option<Term>,
    /// From where it was transferred.
    pub from: Option<Place>,
    /// To where it was transferred.
    pub to: Option<Place>,
    /// The scope of a consent, an objection or an erasure.
    pub scope: SmallVec<[ScopeTerm; 4]>,
    /// A consent's particulars.
    pub consent: Option<&'a Consent>,
    /// An objection's kind.
    pub objection: Option<objection::Kind>,
    /// Which right was claimed.
    pub right: Option<Term>,
    /// How a claim was answered.
    pub outcome: Option<rights_response::Outcome>,
}

impl fmt::Debug for Facts<'_> {
    /// Shows the kind, nothing of what was said.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Facts")
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

impl<'a> Facts<'a> {
    /// Resolves what an event says. `kind` is the contract's name of the
    /// kind, `time_ns` the CloudEvents `time`. Allocates nothing for an event
    /// with up to four purposes, eight categories and four terms of scope.
    ///
    /// # Errors
    /// [`UnknownTerm`] where a term is not in the vocabulary. A place that is
    /// no ISO 3166 code counts as not said: ingest has refused it before.
    pub fn new(kind: &str, time_ns: i64, event: &'a Event) -> Result<Self, UnknownTerm> {
        let vocabulary = Vocabulary::builtin();
        let optional = |field: Field, text: &str| -> Result<Option<Term>, UnknownTerm> {
            if text.is_empty() {
                return Ok(None);
            }
            vocabulary.resolve(field, text).map(Some)
        };
        let mut facts = Self {
            kind: EventKind::from_name(kind),
            time_ns,
            service: &event.service,
            controller: &event.controller,
            policy: &event.policy,
            as_processor: event.acting_as() == custody_proto::event::ActingAs::Processor,
            jurisdiction: None,
            role: subject::Role::Unspecified,
            minor: false,
            purposes: SmallVec::new(),
            categories: SmallVec::new(),
            legal_basis: optional(Field::LegalBasis, &event.legal_basis)?,
            location: Place::of(&event.location),
            anonymised: event.anonymised,
            origin: None,
            operation: None,
            recipient: None,
            sale: false,
            safeguard: None,
            from: None,
            to: None,
            scope: SmallVec::new(),
            consent: None,
            objection: None,
            right: None,
            outcome: None,
        };
        if let Some(subject) = &event.subject {
            facts.jurisdiction = Place::of(&subject.jurisdiction);
            facts.role = subject.role();
            facts.minor = subject.minor;
        }
        for text in &event.purposes {
            let term = vocabulary.resolve(Field::Purpose, text)?;
            if !facts.purposes.contains(&term) {
                facts.purposes.push(term);
            }
        }
        for category in &event.categories {
            let term = vocabulary.resolve(Field::Category, &category.term)?;
            if !facts.categories.contains(&term) {
                facts.categories.push(term);
            }
        }
        match &event.act {
            Some(Act::Collection(act)) => facts.origin = Some(act.origin()),
            Some(Act::Use(act)) => facts.operation = optional(Field::Operation, &act.operation)?,
            Some(Act::Disclosure(act)) => {
                facts.recipient = recipient(act.recipient.as_ref(), &optional)?;
                facts.sale = act.sale;
                facts.safeguard = optional(Field::Safeguard, &act.safeguard)?;
            }
            Some(Act::Transfer(act)) => {
                facts.recipient = recipient(act.recipient.as_ref(), &optional)?;
                facts.safeguard = optional(Field::Safeguard, &act.safeguard)?;
                facts.from = Place::of(&act.from_country);
                facts.to = Place::of(&act.to_country);
            }
            Some(Act::Consent(act)) => {
                facts.scope = scope(&act.scope)?;
                facts.consent = Some(act);
            }
            Some(Act::Objection(act)) => facts.objected(act)?,
            Some(Act::Erasure(act)) => facts.scope = scope(&act.scope)?,
            Some(Act::RightsRequest(act)) => facts.right = optional(Field::Right, &act.right)?,
            Some(Act::RightsResponse(act)) => facts.answered(act),
            _ => {}
        }
        Ok(facts)
    }

    fn objected(&mut self, act: &Objection) -> Result<(), UnknownTerm> {
        self.scope = scope(&act.scope)?;
        self.objection = Some(act.kind());
        Ok(())
    }

    fn answered(&mut self, act: &RightsResponse) {
        self.outcome = Some(act.outcome());
    }

    /// Whether a consent was given by a clear act for its scope: where nothing
    /// is said of how, it was.
    pub(crate) fn is_explicit(&self) -> bool {
        self.consent
            .is_some_and(|consent| consent.method() != consent::Method::Implied)
    }
}

fn recipient<'a>(
    party: Option<&'a Party>,
    optional: &impl Fn(Field, &str) -> Result<Option<Term>, UnknownTerm>,
) -> Result<Option<RecipientFacts<'a>>, UnknownTerm> {
    let Some(party) = party else { return Ok(None) };
    Ok(Some(RecipientFacts {
        id: if party.person { "" } else { &party.id },
        category: optional(Field::Recipient, &party.category)?,
        country: Place::of(&party.country),
    }))
}

fn scope(texts: &[String]) -> Result<SmallVec<[ScopeTerm; 4]>, UnknownTerm> {
    let mut terms = SmallVec::new();
    for text in texts {
        match ScopeTerm::of(text) {
            Some(term) => terms.push(term),
            // Says what was wrong.
            None => {
                Vocabulary::builtin().resolve(Field::Any, text)?;
            }
        }
    }
    Ok(terms)
}
