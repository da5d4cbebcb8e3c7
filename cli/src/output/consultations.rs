//! Who looked at data about a person, when, and why.

use std::io::{self, Write};

use custody_proto::event::{Consultation, event::Act};
use custody_proto::v1::{Entry, LedgerHead, ListEventsResponse};
use serde::{Serialize, Serializer};

use super::Sheet;
use super::answer::{Answer, Rendering, rfc3339};

/// Entries of the kind `consultation`, in full view.
pub struct Consultations(pub ListEventsResponse);

impl Serialize for Consultations {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl Answer for Consultations {
    fn head(&self) -> Option<&LedgerHead> {
        self.0.head.as_ref()
    }

    fn write_people(&self, out: &mut dyn Write, rendering: &Rendering) -> io::Result<()> {
        if self.0.entries.is_empty() {
            return writeln!(out, "Nobody has looked, as far as is recorded.");
        }
        let when = format!("When ({})", rendering.zone.name());
        let headers = [
            when.as_str(),
            "Who",
            "Role",
            "Why",
            "What was asked",
            "Rows",
        ];
        let mut sheet = Sheet::new(headers).number(5);
        for entry in &self.0.entries {
            let said = said(entry);
            let rows = match said.count {
                0 => String::new(),
                rows => rows.to_string(),
            };
            sheet.push([
                rendering.zone.second(entry.event_time),
                or_not_said(said.by),
                said.role,
                or_not_said(said.reason),
                asked(&said.query),
                rows,
            ]);
        }
        sheet.write_table(out, rendering.look)
    }

    fn records(&self) -> Sheet {
        let mut sheet = Sheet::new([
            "event_time",
            "by",
            "role",
            "reason",
            "query",
            "count",
            "source",
            "shard",
            "sequence",
        ]);
        for entry in &self.0.entries {
            let said = said(entry);
            let position = entry.position.clone().unwrap_or_default();
            let sealed = entry.sealed.as_ref();
            sheet.push([
                rfc3339(entry.event_time),
                said.by,
                said.role,
                said.reason,
                said.query,
                said.count.to_string(),
                sealed.map(|it| it.source.clone()).unwrap_or_default(),
                position.shard,
                position.sequence.to_string(),
            ]);
        }
        sheet
    }
}

fn said(entry: &Entry) -> Consultation {
    let event = entry.sealed.as_ref().and_then(|it| it.data.as_ref());
    match event.and_then(|event| event.act.clone()) {
        Some(Act::Consultation(said)) => said,
        _ => Consultation::default(),
    }
}

fn or_not_said(said: String) -> String {
    if said.is_empty() {
        "(not said)".to_owned()
    } else {
        said
    }
}

/// The method without its package. What other systems say is shown as it is.
fn asked(query: &str) -> String {
    let Some(ours) = query.strip_prefix("custody.v1.") else {
        return query.to_owned();
    };
    match ours.split_once('/') {
        Some((_, method)) => method.to_owned(),
        None => query.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use custody_proto::event::Event;
    use custody_proto::v1::SealedPart;

    use super::*;
    use crate::output::{Look, Zone};

    #[test]
    fn who_looked_is_a_table_and_a_record() {
        let said = Consultation {
            by: "li.wei".to_owned(),
            query: "custody.v1.LineageService/ListEvents {\"view\":\"FULL\"}".to_owned(),
            count: 3,
            ..Consultation::default()
        };
        let event = Event {
            act: Some(Act::Consultation(said)),
            ..Event::default()
        };
        let entry = Entry {
            sealed: Some(SealedPart {
                data: Some(event),
                ..SealedPart::default()
            }),
            ..Entry::default()
        };
        let answer = Consultations(ListEventsResponse {
            entries: vec![entry, Entry::default()],
            ..ListEventsResponse::default()
        });
        let mut out = Vec::new();
        let rendering = Rendering {
            format: crate::output::Format::Table,
            look: Look {
                width: None,
                colour: false,
            },
            zone: Zone::utc(),
        };
        answer.write_people(&mut out, &rendering).unwrap();
        let shown = String::from_utf8(out).unwrap();
        assert!(shown.contains("li.wei") && shown.contains("ListEvents {\"view\":\"FULL\"}"));
        assert!(
            shown.contains("(not said)") && !shown.contains("custody.v1"),
            "{shown}"
        );
        let mut out = Vec::new();
        answer.records().write_csv(&mut out).unwrap();
        let csv = String::from_utf8(out).unwrap();
        assert!(csv.lines().count() == 3 && csv.contains("custody.v1.LineageService"));
    }
}
