//! From an event to an entry: what is public of it, and the record that is
//! sealed.

use custody_ledger::{
    Act as Projected, Entry, EntryRef, EventTag, Finding, Judgement, Outcome, PartyPart, ShardId,
    SubjectReference,
};
use custody_policy as policy;
use custody_proto::Timestamp;
use custody_proto::event::{Event, EventReference, Party, event::Act};
use custody_proto::sealed::{SealedHeader, SealedMessage};

use crate::message::RawMessage;
use crate::normalise::NormalisedEvent;

/// The public part of an event, not yet judged and without a sealed part.
///
/// `tag` gives the tag of an event by its `source` and `id`, under the key of
/// whoever the event is about. Nothing of the person is in the result but
/// `subject` and tags, and of a recipient who is a person no id.
pub fn project(
    event: &NormalisedEvent,
    message: &RawMessage,
    subject: Option<SubjectReference>,
    tag: &dyn Fn(&str, &str) -> EventTag,
) -> Entry {
    let data = event.data();
    let mut entry = Entry::new(event.kind(), event.time_ns());
    entry.offset = Some(message.offset);
    entry.kafka_time_ms = message.timestamp_ms;
    entry.subject = subject;
    entry.event_tag = Some(tag(event.source(), event.id()));
    entry.parent_tags = parent_tags(&data.derived_from, tag);
    entry.service.clone_from(&data.service);
    entry.controller.clone_from(&data.controller);
    entry.acting_as = number(data.acting_as);
    entry.purposes = each_once(&data.purposes);
    entry.categories = categories(data);
    entry.legal_basis.clone_from(&data.legal_basis);
    if let Some(subject) = &data.subject {
        entry.jurisdiction.clone_from(&subject.jurisdiction);
        entry.role = number(subject.role);
    }
    entry.location.clone_from(&data.location);
    entry.policy.clone_from(&data.policy);
    entry.anonymised = data.anonymised;
    entry.key_mismatch = event
        .ids()
        .first()
        .is_some_and(|primary| message.key.as_deref() != Some(primary.as_bytes()));
    entry.act = act(data.act.as_ref(), tag);
    entry
}

/// The record of a message that is sealed: all of it, as it came. See
/// [`custody_proto::sealed`] for the way back.
pub fn seal_record(message: &RawMessage) -> Vec<u8> {
    SealedMessage {
        key: message.key.clone(),
        headers: message
            .headers
            .iter()
            .map(|(name, value)| SealedHeader {
                name: name.clone(),
                value: value.clone(),
            })
            .collect(),
        payload: message.payload.clone().unwrap_or_default(),
    }
    .to_bytes()
}

/// What the judge said, as it is stored.
pub fn judgement(verdict: policy::StoredVerdict) -> Judgement {
    let outcome = match verdict.outcome {
        policy::Outcome::NotJudged => Outcome::NotJudged,
        policy::Outcome::Conforms => Outcome::Conforms,
        policy::Outcome::Suppressed => Outcome::Suppressed,
        policy::Outcome::Gap => Outcome::Gap,
        policy::Outcome::Violation => Outcome::Violation,
    };
    let findings = verdict.findings.into_iter().map(|finding| Finding {
        code: finding.code.name().to_owned(),
        clauses: finding.clauses,
        arguments: finding.arguments,
        suppressed: finding.waiver.is_some(),
        decided_by: finding.decided_by.into_iter().map(place).collect(),
        waiver: finding.waiver.unwrap_or_default(),
    });
    Judgement {
        outcome_code: outcome as u8,
        findings: findings.collect(),
        policy: verdict.policy,
        clauses: verdict.clauses,
        late: false,
    }
}

fn place(at: policy::EntryRef) -> EntryRef {
    EntryRef {
        shard: ShardId(at.shard),
        sequence: at.sequence,
    }
}

/// The number of an enumeration that [`normalise`](crate::normalise) has
/// checked; all of them are small.
fn number(value: i32) -> u8 {
    u8::try_from(value).unwrap_or_default()
}

fn each_once(terms: &[String]) -> Vec<String> {
    let mut kept: Vec<String> = Vec::with_capacity(terms.len());
    for term in terms {
        if !kept.contains(term) {
            kept.push(term.clone());
        }
    }
    kept
}

/// Every category that the event names, in its block too: what was erased, or
/// what a breach laid open.
fn categories(data: &Event) -> Vec<String> {
    let of_block: &[String] = match &data.act {
        Some(Act::Erasure(block)) => &block.scope,
        Some(Act::Breach(block)) => &block.categories,
        _ => &[],
    };
    let mut kept: Vec<String> = Vec::with_capacity(data.categories.len() + of_block.len());
    for term in data.categories.iter().map(|c| &c.term).chain(of_block) {
        if !kept.contains(term) {
            kept.push(term.clone());
        }
    }
    kept
}

fn parent_tags(parents: &[EventReference], tag: &dyn Fn(&str, &str) -> EventTag) -> Vec<EventTag> {
    let mut tags: Vec<EventTag> = Vec::with_capacity(parents.len());
    for parent in parents {
        let tag = tag(&parent.source, &parent.id);
        if !tags.contains(&tag) {
            tags.push(tag);
        }
    }
    tags
}

/// What of a block is public. Consents, objections and consultations are
/// sealed whole; of the rest, reasons, names and requests' ids are.
fn act(act: Option<&Act>, tag: &dyn Fn(&str, &str) -> EventTag) -> Projected {
    match act {
        Some(Act::Collection(block)) => Projected::Collection {
            origin: number(block.origin),
            from: block.from.as_ref().map(party),
        },
        Some(Act::Use(block)) => Projected::Use {
            operation: block.operation.clone(),
            system: block.system.clone(),
        },
        Some(Act::Disclosure(block)) => Projected::Disclosure {
            recipient: block.recipient.as_ref().map(party).unwrap_or_default(),
            means: number(block.means),
            sale: block.sale,
            safeguard: block.safeguard.clone(),
        },
        Some(Act::Transfer(block)) => Projected::Transfer {
            recipient: block.recipient.as_ref().map(party),
            from_country: block.from_country.clone(),
            to_country: block.to_country.clone(),
            safeguard: block.safeguard.clone(),
        },
        Some(Act::Retraction(block)) => match &block.of {
            Some(of) => Projected::Retraction {
                of: tag(&of.source, &of.id),
            },
            None => Projected::None,
        },
        Some(Act::RightsRequest(block)) => Projected::RightsRequest {
            right: block.right.clone(),
        },
        Some(Act::RightsResponse(block)) => Projected::RightsResponse {
            outcome: number(block.outcome),
        },
        Some(Act::Breach(block)) => Projected::Breach {
            breach_id: block.breach_id.clone(),
            recipients: each_once(&block.recipients),
            from_ns: nanos(block.from),
            to_ns: nanos(block.to),
            notified: block.notified.iter().map(|n| number(*n)).collect(),
        },
        Some(Act::Notice(block)) => Projected::Notice {
            clause: block.clause.clone(),
        },
        Some(Act::PolicyPublished(block)) => Projected::PolicyPublished {
            policy: block.policy.clone(),
            version: block.version.clone(),
            effective_at_ns: nanos(block.effective_at).unwrap_or_default(),
            addendum: block.addendum.clone(),
        },
        Some(
            Act::Consent(_)
            | Act::Objection(_)
            | Act::Restriction(_)
            | Act::RestrictionLifted(_)
            | Act::Rectification(_)
            | Act::Erasure(_)
            | Act::Anonymisation(_)
            | Act::AccountClosed(_)
            | Act::Consultation(_),
        )
        | None => Projected::None,
    }
}

fn party(party: &Party) -> PartyPart {
    PartyPart {
        id: if party.person {
            String::new()
        } else {
            party.id.clone()
        },
        category: party.category.clone(),
        country: party.country.clone(),
        person: party.person,
    }
}

fn nanos(time: Option<Timestamp>) -> Option<i64> {
    time.and_then(|time| time.unix_nanos())
}
