//! What went from one country to another.

use std::io::{self, Write};

use custody_policy::Field;
use custody_proto::v1::{LedgerHead, ListTransfersResponse};

use super::Sheet;
use super::answer::{Answer, Rendering, days, rfc3339};
use super::labels::{count, country, party, term, terms, words};
use super::recipients::or_none;

impl Answer for ListTransfersResponse {
    fn head(&self) -> Option<&LedgerHead> {
        self.head.as_ref()
    }

    fn write_people(&self, out: &mut dyn Write, rendering: &Rendering) -> io::Result<()> {
        if self.transfers.is_empty() {
            return writeln!(out, "Nothing is recorded to have gone abroad.");
        }
        let mut sheet = Sheet::new([
            "From",
            "To",
            "Recipient",
            "Safeguard",
            "Data",
            "Purposes",
            "Events",
            "When",
            "Judgement",
        ])
        .number(6);
        for row in &self.transfers {
            sheet.push([
                country(&row.from_country),
                country(&row.to_country),
                or_none(party(row.recipient.as_ref()), "the controller itself"),
                or_none(term(Field::Safeguard, &row.safeguard), "none named"),
                terms(Field::Category, &row.categories),
                terms(Field::Purpose, &row.purposes),
                count(row.count),
                days(&rendering.zone, row.first_time, row.last_time),
                words(&row.judgement),
            ]);
        }
        sheet.write_table(out, rendering.look)
    }

    fn records(&self) -> Sheet {
        let mut sheet = Sheet::new([
            "from_country",
            "to_country",
            "recipient_id",
            "recipient_name",
            "recipient_category",
            "person",
            "safeguard",
            "categories",
            "purposes",
            "count",
            "first_time",
            "last_time",
            "judgement",
        ]);
        for row in &self.transfers {
            let party = row.recipient.clone().unwrap_or_default();
            sheet.push([
                row.from_country.clone(),
                row.to_country.clone(),
                party.id,
                party.name,
                party.category,
                party.person.to_string(),
                row.safeguard.clone(),
                row.categories.join(" "),
                row.purposes.join(" "),
                row.count.to_string(),
                rfc3339(row.first_time),
                rfc3339(row.last_time),
                row.judgement.clone(),
            ]);
        }
        sheet
    }
}
