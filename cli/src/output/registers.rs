//! Registers over everybody: the record of processing, numbers of entries, and
//! whose data a recipient or a system had.

use std::collections::HashMap;
use std::io::{self, Write};

use custody_policy::Field;
use custody_proto::v1::{
    FindAffectedSubjectsResponse, GetProcessingRecordResponse, GetStatisticsResponse, LedgerHead,
};
use serde::Serialize;

use super::Sheet;
use super::answer::{Answer, Rendering, days, rfc3339};
use super::labels::{count, counted, country, term, terms, words};
use super::recipients::or_none;

impl Answer for GetProcessingRecordResponse {
    fn head(&self) -> Option<&LedgerHead> {
        self.head.as_ref()
    }

    fn write_people(&self, out: &mut dyn Write, rendering: &Rendering) -> io::Result<()> {
        if self.activities.is_empty() {
            return writeln!(out, "No processing is recorded.");
        }
        let mut sheet = Sheet::new([
            "Controller",
            "Purpose",
            "Data",
            "Recipients",
            "Countries",
            "Safeguards",
            "Events",
            "When",
        ])
        .number(6);
        for row in &self.activities {
            let countries: Vec<String> = row.countries.iter().map(|code| country(code)).collect();
            sheet.push([
                or_none(row.controller.clone(), "none said"),
                or_none(term(Field::Purpose, &row.purpose), "none said"),
                terms(Field::Category, &row.categories),
                row.recipients.join(", "),
                countries.join(", "),
                terms(Field::Safeguard, &row.safeguards),
                count(row.count),
                days(&rendering.zone, row.first_time, row.last_time),
            ]);
        }
        sheet.write_table(out, rendering.look)
    }

    fn records(&self) -> Sheet {
        let mut sheet = Sheet::new([
            "controller",
            "purpose",
            "categories",
            "recipients",
            "countries",
            "safeguards",
            "count",
            "first_time",
            "last_time",
        ]);
        for row in &self.activities {
            sheet.push([
                row.controller.clone(),
                row.purpose.clone(),
                row.categories.join(" "),
                row.recipients.join(" "),
                row.countries.join(" "),
                row.safeguards.join(" "),
                row.count.to_string(),
                rfc3339(row.first_time),
                rfc3339(row.last_time),
            ]);
        }
        sheet
    }
}

/// Numbers by name, the largest first.
fn sorted(numbers: &HashMap<String, u64>) -> Vec<(&String, u64)> {
    let mut sorted: Vec<_> = numbers.iter().map(|(name, count)| (name, *count)).collect();
    sorted.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(b.0)));
    sorted
}

impl Answer for GetStatisticsResponse {
    fn head(&self) -> Option<&LedgerHead> {
        self.head.as_ref()
    }

    fn write_people(&self, out: &mut dyn Write, rendering: &Rendering) -> io::Result<()> {
        for (title, numbers) in [
            ("Kind", &self.entries_by_kind),
            ("Judgement", &self.entries_by_judgement),
        ] {
            let mut sheet = Sheet::new([title, "Entries"]).number(1);
            for (name, number) in sorted(numbers) {
                sheet.push([words(name), count(number)]);
            }
            sheet.write_table(out, rendering.look)?;
            writeln!(out)?;
        }
        writeln!(
            out,
            "{} entries stand; {} were taken back.",
            count(self.entries),
            count(self.retracted)
        )
    }

    fn records(&self) -> Sheet {
        let mut sheet = Sheet::new(["of", "name", "entries"]);
        for (of, numbers) in [
            ("kind", &self.entries_by_kind),
            ("judgement", &self.entries_by_judgement),
        ] {
            for (name, number) in sorted(numbers) {
                sheet.push([of.to_owned(), name.clone(), number.to_string()]);
            }
        }
        sheet.push([
            "retracted".to_owned(),
            String::new(),
            self.retracted.to_string(),
        ]);
        sheet
    }
}

/// Whose data a recipient or a system had.
#[derive(Serialize)]
#[serde(transparent)]
pub struct Affected(pub Vec<FindAffectedSubjectsResponse>);

impl Answer for Affected {
    /// A stream names none.
    fn head(&self) -> Option<&LedgerHead> {
        None
    }

    fn write_people(&self, out: &mut dyn Write, rendering: &Rendering) -> io::Result<()> {
        if self.0.is_empty() {
            return writeln!(out, "Nobody's data is recorded to have been there.");
        }
        let mut sheet = Sheet::new(["Person", "Data", "Events", "When"]).number(2);
        let mut events = 0;
        for row in &self.0 {
            events += row.count;
            let person = if row.identifiers.is_empty() {
                row.reference.clone()
            } else {
                row.identifiers.join(", ")
            };
            sheet.push([
                person,
                terms(Field::Category, &row.categories),
                count(row.count),
                days(&rendering.zone, row.first_time, row.last_time),
            ]);
        }
        sheet.write_table(out, rendering.look)?;
        writeln!(
            out,
            "\n{} affected, by {}.",
            counted(self.0.len() as u64, "person"),
            counted(events, "event")
        )
    }

    fn records(&self) -> Sheet {
        let mut sheet = Sheet::new([
            "reference",
            "identifiers",
            "categories",
            "count",
            "first_time",
            "last_time",
        ]);
        for row in &self.0 {
            sheet.push([
                row.reference.clone(),
                row.identifiers.join(" "),
                row.categories.join(" "),
                row.count.to_string(),
                rfc3339(row.first_time),
                rfc3339(row.last_time),
            ]);
        }
        sheet
    }
}
