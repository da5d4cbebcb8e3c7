//! An event as the ledger keeps it: what ingest would have made of it.

use anyhow::Result;
use custody_ledger::{Act, Entry, EventTag, Judgement, Kind, Outcome, PartyPart, SubjectReference};
use custody_proto::event::{SealedHeader, SealedMessage};
use custody_vault::Person;

use super::population::Told;
use crate::workload;

/// Who says the events.
const SOURCE: &str = "//bench.example";

/// The public part. What the judge would say is the same of every event.
pub(crate) fn entry(told: &Told, person: &Person) -> Result<Entry> {
    let event = &told.event;
    let time: jiff::Timestamp = event.time.parse()?;
    let mut entry = Entry::new(Kind::Use, i64::try_from(time.as_nanosecond())?);
    entry.kafka_time_ms = Some(time.as_millisecond());
    entry.subject = Some(SubjectReference(person.reference()));
    entry.event_tag = Some(EventTag(person.tag(SOURCE, &event.id)));
    let parents = told.parents.iter();
    entry.parent_tags = parents.map(|id| EventTag(person.tag(SOURCE, id))).collect();
    entry.service.clone_from(&event.service);
    entry.controller = told.controller.to_owned();
    entry.purposes = vec![event.purpose.clone()];
    entry.categories.clone_from(&event.categories);
    entry.legal_basis = told.legal_basis.to_owned();
    entry.jurisdiction = "DE".to_owned();
    entry.judgement = Judgement {
        outcome_code: Outcome::Conforms as u8,
        policy: "ALB-2025".to_owned(),
        clauses: vec!["ALB-2025.012".to_owned(), "ALB-2025.034".to_owned()],
        findings: Vec::new(),
        late: false,
    };
    let party = || PartyPart {
        id: event.recipient.clone(),
        category: String::new(),
        country: event.country.clone(),
        person: false,
    };
    let (kind, act) = match event.kind {
        workload::Kind::Collection => {
            let (origin, from) = (1, None);
            (Kind::Collection, Act::Collection { origin, from })
        }
        workload::Kind::Use => {
            let operation = "dpv:Use".to_owned();
            let system = event.recipient.clone();
            (Kind::Use, Act::Use { operation, system })
        }
        workload::Kind::Disclosure => (
            Kind::Disclosure,
            Act::Disclosure {
                recipient: party(),
                means: 1,
                sale: false,
                safeguard: String::new(),
            },
        ),
        workload::Kind::Transfer => (
            Kind::Transfer,
            Act::Transfer {
                recipient: Some(party()),
                from_country: "SG".to_owned(),
                to_country: event.country.clone(),
                safeguard: String::new(),
            },
        ),
    };
    (entry.kind_code, entry.act) = (kind.code(), act);
    Ok(entry)
}

/// The message as Kafka would have given it: what is sealed.
pub(crate) fn message(told: &Told) -> Result<Vec<u8>> {
    let event = &told.event;
    let header = |name: &str, value: &str| SealedHeader {
        name: name.to_owned(),
        value: Some(value.as_bytes().to_vec()),
    };
    let categories: Vec<_> = event.categories.iter().collect();
    let categories = categories
        .iter()
        .map(|term| serde_json::json!({ "term": term }));
    let party = serde_json::json!({ "id": event.recipient, "country": event.country });
    let (kind, act) = match event.kind {
        workload::Kind::Collection => ("collection", serde_json::json!({ "origin": "subject" })),
        workload::Kind::Use => (
            "use",
            serde_json::json!({ "operation": "dpv:Use", "system": event.recipient }),
        ),
        workload::Kind::Disclosure => ("disclosure", serde_json::json!({ "recipient": party })),
        workload::Kind::Transfer => (
            "transfer",
            serde_json::json!({ "recipient": party, "from_country": "SG", "to_country": event.country }),
        ),
    };
    let mut data = serde_json::json!({
        "subject": { "ids": [event.subject], "jurisdiction": "DE" },
        "service": event.service,
        "controller": told.controller,
        "purposes": [event.purpose],
        "categories": categories.collect::<Vec<_>>(),
        "legal_basis": told.legal_basis,
    });
    data[kind] = act;
    let message = SealedMessage {
        key: Some(event.subject.clone().into_bytes()),
        headers: vec![
            header("ce_specversion", "1.0"),
            header("ce_id", &event.id),
            header("ce_source", SOURCE),
            header("ce_type", &format!("custody.{kind}.v1")),
            header("ce_time", &event.time),
            header("content-type", "application/json"),
        ],
        payload: serde_json::to_vec(&data)?,
    };
    Ok(message.to_bytes())
}
