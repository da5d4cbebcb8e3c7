//! Everything that the ledger holds about a person, in short.

use std::collections::HashMap;
use std::io::{self, Write};

use custody_policy::Field;
use custody_proto::v1::{GetSubjectResponse, LedgerHead};

use super::Sheet;
use super::answer::{Answer, Rendering, rfc3339};
use super::labels::{count, country, terms, words};

impl Answer for GetSubjectResponse {
    fn head(&self) -> Option<&LedgerHead> {
        self.head.as_ref()
    }

    fn write_people(&self, out: &mut dyn Write, rendering: &Rendering) -> io::Result<()> {
        let zone = &rendering.zone;
        let mut list = Sheet::default();
        let mut say = |name: &str, value: String| {
            if !value.is_empty() {
                list.push([name.to_owned(), value]);
            }
        };
        say("Known as", self.identifiers.join(", "));
        let looks = match self.consultations {
            0 => String::new(),
            looks => format!(", {} of them that somebody looked", count(looks)),
        };
        say("Entries", format!("{}{looks}", count(self.entries)));
        say("By kind", counts(&self.entries_by_kind));
        say("Judged", counts(&self.entries_by_judgement));
        if self.retracted > 0 {
            say("Taken back", count(self.retracted));
        }
        say(
            "First",
            with_zone(zone.second(self.first_event_time), zone.name()),
        );
        say(
            "Last",
            with_zone(zone.second(self.last_event_time), zone.name()),
        );
        say("Recipients", count(self.recipients));
        let countries: Vec<_> = self.countries.iter().map(|code| country(code)).collect();
        say("Countries", countries.join(", "));
        say("Services", self.services.join(", "));
        say("Controllers", self.controllers.join(", "));
        say("Data", terms(Field::Category, &self.categories));
        say("Purposes", terms(Field::Purpose, &self.purposes));
        list.write_list(out, rendering.look)
    }

    fn records(&self) -> Sheet {
        let mut sheet = Sheet::new(["name", "value"]);
        let mut say = |name: String, value: String| sheet.push([name, value]);
        for identifier in &self.identifiers {
            say("identifier".to_owned(), identifier.clone());
        }
        for reference in &self.references {
            say("reference".to_owned(), reference.clone());
        }
        say("entries".to_owned(), self.entries.to_string());
        for (kind, number) in sorted(&self.entries_by_kind) {
            say(format!("entries_by_kind.{kind}"), number.to_string());
        }
        for (judgement, number) in sorted(&self.entries_by_judgement) {
            say(
                format!("entries_by_judgement.{judgement}"),
                number.to_string(),
            );
        }
        say("consultations".to_owned(), self.consultations.to_string());
        say("retracted".to_owned(), self.retracted.to_string());
        say(
            "first_event_time".to_owned(),
            rfc3339(self.first_event_time),
        );
        say("last_event_time".to_owned(), rfc3339(self.last_event_time));
        say("recipients".to_owned(), self.recipients.to_string());
        for (name, values) in [
            ("country", &self.countries),
            ("controller", &self.controllers),
            ("service", &self.services),
            ("category", &self.categories),
            ("purpose", &self.purposes),
        ] {
            for value in values {
                say(name.to_owned(), value.clone());
            }
        }
        sheet
    }
}

fn with_zone(moment: String, zone: &str) -> String {
    if moment.is_empty() {
        moment
    } else {
        format!("{moment} {zone}")
    }
}

fn sorted(counts: &HashMap<String, u64>) -> Vec<(&str, u64)> {
    let mut list: Vec<_> = counts.iter().map(|(name, n)| (name.as_str(), *n)).collect();
    list.sort();
    list
}

/// `disclosure 12, use 3`, the most frequent first.
fn counts(by_name: &HashMap<String, u64>) -> String {
    let mut list = sorted(by_name);
    list.sort_by_key(|(_, number)| std::cmp::Reverse(*number));
    let shown: Vec<_> = list
        .into_iter()
        .map(|(name, number)| format!("{} {}", words(name), count(number)))
        .collect();
    shown.join(", ")
}
