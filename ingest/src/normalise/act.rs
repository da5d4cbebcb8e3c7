//! What each kind of event needs.

use custody_ledger::Kind;
use custody_policy::{Field, Vocabulary};
use custody_proto::event::{
    Breach, Collection, Consent, Disclosure, Erasure, EventReference, Notice, Objection, Party,
    PolicyPublished, RightsRequest, RightsResponse, Transfer, Use, breach, collection, consent,
    disclosure, event::Act, objection, rights_request, rights_response,
};

use super::checks::{country, enumeration, is_plain_id, moment, party_id, plain_id, policy_id};
use super::terms::{Terms, at, resolve, resolve_optional};
use crate::rejection::{Rejection, RejectionCode};

type Checked = Result<(), Rejection>;

fn missing(code: RejectionCode, place: &'static str) -> Rejection {
    Rejection::at(code, place, "absent or empty")
}

/// Checks that the block is the kind's and has what it needs.
pub(super) fn normalise(
    kind: Kind,
    act: Option<&mut Act>,
    vocabulary: &Vocabulary,
    terms: &mut Terms,
) -> Checked {
    let Some(act) = act else {
        return if may_be_absent(kind) {
            Ok(())
        } else {
            Err(Rejection::new(
                RejectionCode::MissingBlock,
                format!("an event of the kind {kind} has a block that says what happened"),
            ))
        };
    };
    if !belongs_to(kind, act) {
        return Err(Rejection::new(
            RejectionCode::WrongBlock,
            format!("the block does not belong to an event of the kind {kind}"),
        ));
    }
    match act {
        Act::Collection(block) => collected(block, vocabulary, terms),
        Act::Use(block) => used(block, vocabulary, terms),
        Act::Disclosure(block) => disclosed(block, vocabulary, terms),
        Act::Transfer(block) => transferred(block, vocabulary, terms),
        Act::Consent(block) => consented(block, vocabulary, terms),
        Act::Objection(block) => objected(block, vocabulary, terms),
        Act::Erasure(block) => erased(block, vocabulary, terms),
        Act::Retraction(block) => retracted(block.of.as_ref()),
        Act::RightsRequest(block) => claimed(block, vocabulary, terms),
        Act::RightsResponse(block) => answered(block),
        Act::Breach(block) => breached(block, vocabulary, terms),
        Act::Notice(block) => told(block),
        Act::PolicyPublished(block) => published(block),
        Act::Restriction(_)
        | Act::RestrictionLifted(_)
        | Act::Rectification(_)
        | Act::Anonymisation(_)
        | Act::AccountClosed(_)
        | Act::Consultation(_) => Ok(()),
    }
}

/// Kinds that say it all by themselves.
fn may_be_absent(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Restriction
            | Kind::RestrictionLifted
            | Kind::Rectification
            | Kind::Anonymisation
            | Kind::AccountClosed
    )
}

fn belongs_to(kind: Kind, act: &Act) -> bool {
    match act {
        Act::Collection(_) => kind == Kind::Collection,
        Act::Use(_) => kind == Kind::Use,
        Act::Disclosure(_) => kind == Kind::Disclosure,
        Act::Transfer(_) => kind == Kind::Transfer,
        Act::Consent(_) => matches!(kind, Kind::ConsentGiven | Kind::ConsentWithdrawn),
        Act::Objection(_) => kind == Kind::Objection,
        Act::Restriction(_) => kind == Kind::Restriction,
        Act::RestrictionLifted(_) => kind == Kind::RestrictionLifted,
        Act::Rectification(_) => kind == Kind::Rectification,
        Act::Erasure(_) => kind == Kind::Erasure,
        Act::Anonymisation(_) => kind == Kind::Anonymisation,
        Act::Retraction(_) => kind == Kind::Retraction,
        Act::RightsRequest(_) => kind == Kind::RightsRequest,
        Act::RightsResponse(_) => kind == Kind::RightsResponse,
        Act::Breach(_) => kind == Kind::Breach,
        Act::Notice(_) => kind == Kind::Notice,
        Act::PolicyPublished(_) => kind == Kind::PolicyPublished,
        Act::AccountClosed(_) => kind == Kind::AccountClosed,
        Act::Consultation(_) => kind == Kind::Consultation,
    }
}

fn collected(block: &mut Collection, vocabulary: &Vocabulary, terms: &mut Terms) -> Checked {
    enumeration::<collection::Origin>(block.origin, "collection.origin")?;
    if block.origin() == collection::Origin::Unspecified {
        return Err(missing(RejectionCode::MissingOrigin, "collection.origin"));
    }
    match &mut block.from {
        Some(from) => party(from, "collection.from", vocabulary, terms),
        None => Ok(()),
    }
}

fn used(block: &mut Use, vocabulary: &Vocabulary, terms: &mut Terms) -> Checked {
    let place = "use.operation";
    terms.operation = resolve_optional(vocabulary, Field::Operation, &mut block.operation, place)?;
    if terms.operation.is_none() {
        return Err(missing(RejectionCode::MissingOperation, place));
    }
    plain_id(&block.system, "use.system")
}

fn disclosed(block: &mut Disclosure, vocabulary: &Vocabulary, terms: &mut Terms) -> Checked {
    let place = "disclosure.recipient";
    let recipient = block
        .recipient
        .as_mut()
        .ok_or_else(|| missing(RejectionCode::MissingParty, place))?;
    party(recipient, place, vocabulary, terms)?;
    enumeration::<disclosure::Means>(block.means, "disclosure.means")?;
    let place = "disclosure.safeguard";
    terms.safeguard = resolve_optional(vocabulary, Field::Safeguard, &mut block.safeguard, place)?;
    Ok(())
}

fn transferred(block: &mut Transfer, vocabulary: &Vocabulary, terms: &mut Terms) -> Checked {
    if let Some(recipient) = &mut block.recipient {
        party(recipient, "transfer.recipient", vocabulary, terms)?;
    }
    for (code, place) in [
        (&block.from_country, "transfer.from_country"),
        (&block.to_country, "transfer.to_country"),
    ] {
        if code.is_empty() {
            return Err(missing(RejectionCode::MissingCountry, place));
        }
        country(code, place)?;
    }
    let place = "transfer.safeguard";
    terms.safeguard = resolve_optional(vocabulary, Field::Safeguard, &mut block.safeguard, place)?;
    Ok(())
}

fn consented(block: &mut Consent, vocabulary: &Vocabulary, terms: &mut Terms) -> Checked {
    if block.scope.is_empty() {
        return Err(missing(RejectionCode::MissingScope, "consent.scope"));
    }
    scope(
        &mut block.scope,
        "consent.scope",
        Field::Any,
        vocabulary,
        terms,
    )?;
    for (index, id) in block.recipients.iter().enumerate() {
        party_id(id, at("consent.recipients", index))?;
    }
    enumeration::<consent::Method>(block.method, "consent.method")?;
    enumeration::<consent::GivenBy>(block.given_by, "consent.given_by")?;
    moment(block.expires_at, "consent.expires_at")?;
    Ok(())
}

fn objected(block: &mut Objection, vocabulary: &Vocabulary, terms: &mut Terms) -> Checked {
    enumeration::<objection::Kind>(block.kind, "objection.kind")?;
    if block.kind() == objection::Kind::Unspecified {
        return Err(missing(
            RejectionCode::MissingObjectionKind,
            "objection.kind",
        ));
    }
    if block.scope.is_empty() {
        return Err(missing(RejectionCode::MissingScope, "objection.scope"));
    }
    scope(
        &mut block.scope,
        "objection.scope",
        Field::Any,
        vocabulary,
        terms,
    )?;
    enumeration::<objection::By>(block.by, "objection.by")
}

fn erased(block: &mut Erasure, vocabulary: &Vocabulary, terms: &mut Terms) -> Checked {
    let place = "erasure.scope";
    scope(&mut block.scope, place, Field::Category, vocabulary, terms)
}

fn retracted(of: Option<&EventReference>) -> Checked {
    match of {
        Some(of) if !of.source.is_empty() && !of.id.is_empty() => Ok(()),
        _ => Err(Rejection::at(
            RejectionCode::MissingRetractionTarget,
            "retraction.of",
            "absent, or without source or id",
        )),
    }
}

fn claimed(block: &mut RightsRequest, vocabulary: &Vocabulary, terms: &mut Terms) -> Checked {
    let place = "rights_request.right";
    terms.right = resolve_optional(vocabulary, Field::Right, &mut block.right, place)?;
    if terms.right.is_none() {
        return Err(missing(RejectionCode::MissingRight, place));
    }
    if block.request_id.is_empty() {
        let place = "rights_request.request_id";
        return Err(missing(RejectionCode::MissingRequestId, place));
    }
    let place = "rights_request.requested_by";
    enumeration::<rights_request::RequestedBy>(block.requested_by, place)
}

fn answered(block: &RightsResponse) -> Checked {
    if block.request_id.is_empty() {
        let place = "rights_response.request_id";
        return Err(missing(RejectionCode::MissingRequestId, place));
    }
    let place = "rights_response.outcome";
    enumeration::<rights_response::Outcome>(block.outcome, place)?;
    if block.outcome() == rights_response::Outcome::Unspecified {
        return Err(missing(RejectionCode::MissingOutcome, place));
    }
    Ok(())
}

fn breached(block: &mut Breach, vocabulary: &Vocabulary, terms: &mut Terms) -> Checked {
    if block.breach_id.is_empty() {
        return Err(missing(RejectionCode::MissingBreachId, "breach.breach_id"));
    }
    plain_id(&block.breach_id, "breach.breach_id")?;
    for (index, id) in block.recipients.iter().enumerate() {
        party_id(id, at("breach.recipients", index))?;
    }
    let from = moment(block.from, "breach.from")?;
    let to = moment(block.to, "breach.to")?;
    if from.zip(to).is_some_and(|(from, to)| from > to) {
        return Err(Rejection::at(
            RejectionCode::BadPeriod,
            "breach.to",
            "before breach.from",
        ));
    }
    let place = "breach.categories";
    scope(
        &mut block.categories,
        place,
        Field::Category,
        vocabulary,
        terms,
    )?;
    for (index, number) in block.notified.iter().enumerate() {
        let known = breach::Notified::try_from(*number);
        if !matches!(known, Ok(notified) if notified != breach::Notified::Unspecified) {
            return Err(Rejection::at(
                RejectionCode::BadEnum,
                format!("breach.notified[{index}]"),
                "neither authority nor subjects",
            ));
        }
    }
    Ok(())
}

fn told(block: &Notice) -> Checked {
    policy_id(&block.clause, "notice.clause")
}

fn published(block: &PolicyPublished) -> Checked {
    for (name, place) in [
        (&block.policy, "policy_published.policy"),
        (&block.version, "policy_published.version"),
    ] {
        if name.is_empty() {
            return Err(missing(RejectionCode::MissingPolicyVersion, place));
        }
        policy_id(name, place)?;
    }
    let place = "policy_published.effective_at";
    if moment(block.effective_at, place)?.is_none() {
        return Err(missing(RejectionCode::MissingPolicyVersion, place));
    }
    policy_id(&block.addendum, "policy_published.addendum")
}

fn scope(
    list: &mut [String],
    place: &'static str,
    field: Field,
    vocabulary: &Vocabulary,
    terms: &mut Terms,
) -> Checked {
    for (index, text) in list.iter_mut().enumerate() {
        let term = resolve(vocabulary, field, text, at(place, index))?;
        terms.scope.push(term);
    }
    Ok(())
}

fn party(
    party: &mut Party,
    place: &'static str,
    vocabulary: &Vocabulary,
    terms: &mut Terms,
) -> Checked {
    let below = |field: &str| format!("{place}.{field}");
    if party.id.is_empty() {
        return Err(Rejection::at(
            RejectionCode::MissingPartyId,
            below("id"),
            "absent or empty",
        ));
    }
    // A person's id is sealed, so it may be any text.
    if !party.person && !is_plain_id(&party.id) {
        return Err(Rejection::at(
            RejectionCode::BadPartyId,
            below("id"),
            "not [a-z0-9._-]{1,64}",
        ));
    }
    if !party.category.is_empty() {
        let place = || below("category");
        let term = resolve(vocabulary, Field::Recipient, &mut party.category, place)?;
        terms.party_category = Some(term);
    }
    country(&party.country, "country").map_err(|_| {
        Rejection::at(
            RejectionCode::BadCountry,
            below("country"),
            "not a code of ISO 3166-1 alpha-2 or ISO 3166-2, in upper case",
        )
    })
}
