//! What a watcher hears, a line each.

use std::io::{self, Write};

use custody_policy::Field;
use custody_proto::v1::watch_response::What;
use custody_proto::v1::{FindingRow, WatchResponse, WatchedEntry};

use super::labels::{judgement, terms, words};
use super::timeline::{place, what};
use super::{Look, Sheet, Zone};

/// Digits of a person's reference that a line shows.
const REFERENCE_SHOWN: usize = 8;

/// How wide the text of what happened is at least, so that lines stand under
/// each other.
const WHAT_COLUMNS: usize = 36;

/// Writes a message for people: nothing of one that only says that the stream
/// stands.
///
/// # Errors
/// Where `out` cannot be written.
pub fn write_line(
    message: &WatchResponse,
    out: &mut dyn Write,
    look: Look,
    zone: &Zone,
) -> io::Result<()> {
    let cells = match &message.what {
        Some(What::Entry(entry)) => entry_cells(entry, zone),
        Some(What::Finding(row)) => finding_cells(row, zone),
        Some(What::Progress(_)) | None => return Ok(()),
    };
    let mut sheet = Sheet::default();
    sheet.push(cells);
    // A line is as long as it is; a terminal breaks it.
    sheet.write_list(
        out,
        Look {
            width: None,
            ..look
        },
    )
}

fn entry_cells(new: &WatchedEntry, zone: &Zone) -> [String; 5] {
    let entry = new.entry.clone().unwrap_or_default();
    let mut rest = Vec::new();
    for part in [
        place(&entry),
        terms(Field::Purpose, &entry.purposes),
        terms(Field::Category, &entry.categories),
    ] {
        if !part.is_empty() {
            rest.push(part);
        }
    }
    [
        zone.second(entry.event_time),
        person(&new.reference),
        format!("{:WHAT_COLUMNS$}", what(&entry)),
        format!("{:10}", judgement(&entry.judgement, &[])),
        rest.join("; "),
    ]
}

fn finding_cells(row: &FindingRow, zone: &Zone) -> [String; 5] {
    let finding = row.finding.clone().unwrap_or_default();
    let entry = row.entry.clone().unwrap_or_default();
    let found = format!("found: {}", words(&finding.code));
    let mut rest = vec![what(&entry)];
    rest.extend(finding.clauses);
    [
        zone.second(row.found_time),
        person(&row.reference),
        format!("{found:WHAT_COLUMNS$}"),
        format!("{:10}", finding.class),
        rest.join("; "),
    ]
}

/// The first digits of a reference, or as much space.
fn person(reference: &str) -> String {
    let digits = reference.get(..REFERENCE_SHOWN).unwrap_or(reference);
    format!("{digits:REFERENCE_SHOWN$}")
}

#[cfg(test)]
mod tests {
    use custody_proto::v1::{Entry, Finding};

    use super::*;

    fn line(what: What) -> String {
        let message = WatchResponse {
            what: Some(what),
            ..WatchResponse::default()
        };
        let look = Look {
            width: Some(20),
            colour: false,
        };
        let mut out = Vec::new();
        write_line(&message, &mut out, look, &Zone::utc()).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_message_is_one_line() {
        let entry = Entry {
            kind: "disclosure".to_owned(),
            judgement: "conforms".to_owned(),
            location: "DE".to_owned(),
            ..Entry::default()
        };
        let shown = line(What::Entry(WatchedEntry {
            entry: Some(entry.clone()),
            reference: "0123456789abcdef".to_owned(),
        }));
        assert_eq!(shown.lines().count(), 1, "{shown}");
        assert!(
            shown.contains("01234567 ") && shown.contains("conforms"),
            "{shown}"
        );
        assert!(shown.contains("Germany"), "{shown}");
        let shown = line(What::Finding(FindingRow {
            finding: Some(Finding {
                code: "consent_missing".to_owned(),
                class: "violation".to_owned(),
                ..Finding::default()
            }),
            entry: Some(entry),
            ..FindingRow::default()
        }));
        assert!(shown.contains("found: consent missing") && shown.contains("violation"));
        assert_eq!(line(What::Progress(Default::default())), "");
    }
}
