//! A person's entries in order of time.

use std::io::{self, Write};

use custody_policy::Field;
use custody_proto::v1::{Entry, LedgerHead, ListEventsResponse, SealedPart};

use super::Sheet;
use super::answer::{Answer, Rendering, rfc3339};
use super::labels::{country, judgement, party, term, terms, words};

impl Answer for ListEventsResponse {
    fn head(&self) -> Option<&LedgerHead> {
        self.head.as_ref()
    }

    fn write_people(&self, out: &mut dyn Write, rendering: &Rendering) -> io::Result<()> {
        if self.entries.is_empty() {
            return writeln!(out, "Nothing is recorded.");
        }
        let full = self.entries.iter().any(|entry| entry.sealed.is_some());
        let when = format!("When ({})", rendering.zone.name());
        let mut headers = vec![
            when.as_str(),
            "What",
            "Where",
            "Purposes",
            "Data",
            "Basis",
            "Judgement",
        ];
        if full {
            headers.push("As it was said");
        }
        let mut sheet = Sheet::new(headers);
        for entry in &self.entries {
            let mut row = vec![
                rendering.zone.second(entry.event_time),
                what(entry),
                place(entry),
                terms(Field::Purpose, &entry.purposes),
                terms(Field::Category, &entry.categories),
                term(Field::LegalBasis, &entry.legal_basis),
                judged(entry),
            ];
            if full {
                row.push(entry.sealed.as_ref().map(said).unwrap_or_default());
            }
            sheet.push(row);
        }
        sheet.write_table(out, rendering.look)
    }

    fn records(&self) -> Sheet {
        let mut sheet = Sheet::new([
            "event_time",
            "recorded_time",
            "kind",
            "service",
            "controller",
            "purposes",
            "categories",
            "legal_basis",
            "jurisdiction",
            "location",
            "party_id",
            "party_name",
            "party_category",
            "party_country",
            "person",
            "from_country",
            "to_country",
            "safeguard",
            "origin",
            "operation",
            "system",
            "means",
            "sale",
            "anonymised",
            "policy",
            "judgement",
            "findings",
            "retracted",
            "shard",
            "sequence",
            "offset",
            "event_id",
            "event_source",
            "note",
        ]);
        for entry in &self.entries {
            sheet.push(record(entry));
        }
        sheet
    }
}

/// What happened, with whom.
pub(crate) fn what(entry: &Entry) -> String {
    let other = party(entry.counterparty.as_ref());
    let mut shown = match entry.kind.as_str() {
        "collection" => match (entry.origin.as_str(), other.as_str()) {
            ("", _) => "collected".to_owned(),
            ("third_party", "") => "collected from a third party".to_owned(),
            (origin, "") => format!("collected: {}", words(origin)),
            (_, from) => format!("collected from {from}"),
        },
        "use" => {
            let operation = term(Field::Operation, &entry.operation);
            match entry.system.as_str() {
                "" => format!("used: {operation}"),
                system => format!("used: {operation} by {system}"),
            }
        }
        "disclosure" if entry.sale => format!("sold to {other}"),
        "disclosure" => format!("disclosed to {other}"),
        "transfer" if other.is_empty() => "transferred".to_owned(),
        "transfer" => format!("transferred to {other}"),
        kind => words(kind),
    };
    if entry.anonymised {
        shown.push_str(" (anonymised)");
    }
    if entry.retracted {
        shown.push_str(" (taken back)");
    }
    shown
}

/// The judgement in force, and what was found with its clauses.
fn judged(entry: &Entry) -> String {
    let mut lines = vec![judgement(&entry.judgement, &entry.findings)];
    let mut clauses: Vec<String> = Vec::new();
    for finding in &entry.findings {
        for id in &finding.clauses {
            let cited = finding.cited.iter().find(|clause| clause.id == *id);
            let shown = match cited.map(|clause| clause.section.as_str()) {
                None | Some("") => id.clone(),
                Some(section) => format!("{id} (section {section})"),
            };
            if !clauses.contains(&shown) {
                clauses.push(shown);
            }
        }
    }
    lines.append(&mut clauses);
    if entry.superseded_by.is_some() && entry.judgement_at_ingest != entry.judgement {
        lines.push(format!("at first {}", words(&entry.judgement_at_ingest)));
    }
    if entry.late {
        lines.push("came late".to_owned());
    }
    lines.join("\n")
}

/// Where data went, or lies.
pub(super) fn place(entry: &Entry) -> String {
    match (entry.from_country.as_str(), entry.to_country.as_str()) {
        ("", "") if !entry.location.is_empty() => country(&entry.location),
        // Of a disclosure that does not say: where the recipient is.
        ("", "") => match (&entry.counterparty, entry.kind.as_str()) {
            (Some(party), "disclosure") => country(&party.country),
            _ => String::new(),
        },
        ("", to) => country(to),
        (from, to) => format!("{} → {}", country(from), country(to)),
    }
}

/// The sealed part, on a few lines.
fn said(sealed: &SealedPart) -> String {
    let mut lines = vec![format!("{} {}", sealed.source, sealed.id)];
    if let Some(event) = &sealed.data {
        let fields: Vec<&str> = event
            .categories
            .iter()
            .flat_map(|category| category.fields.iter().map(String::as_str))
            .collect();
        if !fields.is_empty() {
            lines.push(format!("fields: {}", fields.join(", ")));
        }
        if !event.note.is_empty() {
            lines.push(format!("note: {}", event.note));
        }
    }
    lines.join("\n")
}

fn record(entry: &Entry) -> Vec<String> {
    let party = entry.counterparty.clone().unwrap_or_default();
    let position = entry.position.clone().unwrap_or_default();
    let sealed = entry.sealed.clone().unwrap_or_default();
    let findings: Vec<&str> = entry.findings.iter().map(|f| f.code.as_str()).collect();
    vec![
        rfc3339(entry.event_time),
        rfc3339(entry.recorded_time),
        entry.kind.clone(),
        entry.service.clone(),
        entry.controller.clone(),
        entry.purposes.join(" "),
        entry.categories.join(" "),
        entry.legal_basis.clone(),
        entry.jurisdiction.clone(),
        entry.location.clone(),
        party.id,
        party.name,
        party.category,
        party.country,
        party.person.to_string(),
        entry.from_country.clone(),
        entry.to_country.clone(),
        entry.safeguard.clone(),
        entry.origin.clone(),
        entry.operation.clone(),
        entry.system.clone(),
        entry.means.clone(),
        entry.sale.to_string(),
        entry.anonymised.to_string(),
        entry.policy.clone(),
        entry.judgement.clone(),
        findings.join(" "),
        entry.retracted.to_string(),
        position.shard,
        position.sequence.to_string(),
        position
            .offset
            .map(|offset| offset.to_string())
            .unwrap_or_default(),
        sealed.id,
        sealed.source,
        sealed.data.map(|event| event.note).unwrap_or_default(),
    ]
}

#[cfg(test)]
mod tests {
    use custody_proto::v1::Counterparty;

    use super::*;

    #[test]
    fn a_judgement_names_its_clauses() {
        let finding = custody_proto::v1::Finding {
            code: "sale".to_owned(),
            clauses: vec!["A-1.2".to_owned(), "A-1.3".to_owned()],
            cited: vec![custody_proto::v1::CitedClause {
                id: "A-1.2".to_owned(),
                section: "4".to_owned(),
                ..Default::default()
            }],
            ..Default::default()
        };
        let entry = Entry {
            judgement: "violation".to_owned(),
            judgement_at_ingest: "conforms".to_owned(),
            superseded_by: Some(custody_proto::v1::EntryPosition::default()),
            findings: vec![finding.clone(), finding],
            ..Entry::default()
        };
        assert_eq!(
            judged(&entry),
            "violation: sale\nA-1.2 (section 4)\nA-1.3\nat first conforms"
        );
    }

    #[test]
    fn what_happened_reads_as_a_sentence() {
        let party = |name: &str| {
            Some(Counterparty {
                name: name.to_owned(),
                ..Default::default()
            })
        };
        let entry = |kind: &str| Entry {
            kind: kind.to_owned(),
            ..Entry::default()
        };
        let cases = [
            (entry("consent_withdrawn"), "consent withdrawn"),
            (
                Entry {
                    counterparty: party("DHL"),
                    retracted: true,
                    ..entry("disclosure")
                },
                "disclosed to DHL (taken back)",
            ),
            (
                Entry {
                    counterparty: party("A broker"),
                    sale: true,
                    ..entry("disclosure")
                },
                "sold to A broker",
            ),
            (
                Entry {
                    origin: "third_party".into(),
                    ..entry("collection")
                },
                "collected from a third party",
            ),
            (
                Entry {
                    anonymised: true,
                    ..entry("transfer")
                },
                "transferred (anonymised)",
            ),
        ];
        for (entry, expected) in cases {
            assert_eq!(what(&entry), expected);
        }
    }

    #[test]
    fn a_record_has_a_cell_for_every_header() {
        let answer = ListEventsResponse {
            entries: vec![Entry::default()],
            ..Default::default()
        };
        let mut out = Vec::new();
        answer.records().write_csv(&mut out).unwrap();
        let lines = String::from_utf8(out).unwrap();
        let cells = |line: &str| line.split(',').count();
        let mut lines = lines.lines().map(cells);
        assert_eq!(lines.next(), lines.next());
    }
}
