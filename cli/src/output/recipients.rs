//! Who received what, for which purpose, in which country.

use std::io::{self, Write};

use custody_policy::Field;
use custody_proto::v1::{LedgerHead, ListRecipientsResponse, RecipientRow};

use super::Sheet;
use super::answer::{Answer, Rendering, days, rfc3339};
use super::labels::{count, country, party, term, terms, words};

impl Answer for ListRecipientsResponse {
    fn head(&self) -> Option<&LedgerHead> {
        self.head.as_ref()
    }

    fn write_people(&self, out: &mut dyn Write, rendering: &Rendering) -> io::Result<()> {
        if self.recipients.is_empty() {
            return writeln!(out, "No recipient is recorded.");
        }
        let mut sheet = Sheet::new([
            "Recipient",
            "Country",
            "Purpose",
            "Basis",
            "Data",
            "Events",
            "When",
            "Judgement",
        ])
        .number(5);
        for row in &self.recipients {
            sheet.push([
                recipient(row),
                country(&row.country),
                or_none(term(Field::Purpose, &row.purpose), "none named"),
                or_none(term(Field::LegalBasis, &row.legal_basis), "none named"),
                terms(Field::Category, &row.categories),
                count(row.count),
                days(&rendering.zone, row.first_time, row.last_time),
                words(&row.judgement),
            ]);
        }
        sheet.write_table(out, rendering.look)
    }

    fn records(&self) -> Sheet {
        let mut sheet = Sheet::new([
            "recipient_id",
            "recipient_name",
            "recipient_category",
            "recipient_country",
            "person",
            "purpose",
            "legal_basis",
            "country",
            "categories",
            "count",
            "first_time",
            "last_time",
            "controllers",
            "judgement",
            "sale",
        ]);
        for row in &self.recipients {
            let party = row.recipient.clone().unwrap_or_default();
            sheet.push([
                party.id,
                party.name,
                party.category,
                party.country,
                party.person.to_string(),
                row.purpose.clone(),
                row.legal_basis.clone(),
                row.country.clone(),
                row.categories.join(" "),
                row.count.to_string(),
                rfc3339(row.first_time),
                rfc3339(row.last_time),
                row.controllers.join(" "),
                row.judgement.clone(),
                row.sale.to_string(),
            ]);
        }
        sheet
    }
}

fn recipient(row: &RecipientRow) -> String {
    let name = party(row.recipient.as_ref());
    if row.sale {
        format!("{name} (sold)")
    } else {
        name
    }
}

pub(super) fn or_none(text: String, none: &str) -> String {
    if text.is_empty() {
        none.to_owned()
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use custody_proto::v1::{Counterparty, ShardHead};

    use super::*;
    use crate::output::{Format, Look, Zone, write_answer};

    fn answer() -> ListRecipientsResponse {
        let time = |text: &str| Some(text.parse().unwrap());
        ListRecipientsResponse {
            recipients: vec![
                RecipientRow {
                    recipient: Some(Counterparty {
                        id: "dhl".into(),
                        name: "DHL".into(),
                        category: "custody:logistics".into(),
                        country: "DE".into(),
                        person: false,
                    }),
                    purpose: "custody:purchase_delivery".into(),
                    country: "DE".into(),
                    categories: vec!["custody:contact".into()],
                    count: 1_200,
                    first_time: time("2025-03-01T09:30:00Z"),
                    last_time: time("2025-04-01T09:30:00Z"),
                    controllers: vec!["alibaba-com-singapore".into()],
                    judgement: "not_judged".into(),
                    sale: true,
                    ..Default::default()
                },
                RecipientRow {
                    recipient: Some(Counterparty {
                        person: true,
                        ..Default::default()
                    }),
                    count: 1,
                    first_time: time("2025-03-01T09:30:00Z"),
                    last_time: time("2025-03-01T19:30:00Z"),
                    judgement: "violation".into(),
                    ..Default::default()
                },
            ],
            head: Some(LedgerHead {
                shards: vec![ShardHead {
                    shard: "00".into(),
                    topic: "custody.events".into(),
                    partition: 3,
                    size: 1_201,
                    chain_head: vec![0xAB; 32],
                    recorded_time: time("2025-04-01T09:30:01Z"),
                    ..Default::default()
                }],
                ..Default::default()
            }),
            ..Default::default()
        }
    }

    fn shown(format: Format) -> String {
        let rendering = Rendering {
            format,
            look: Look {
                width: Some(120),
                colour: false,
            },
            zone: Zone::utc(),
        };
        let mut out = Vec::new();
        write_answer(&answer(), &mut out, &rendering).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_table_is_for_people() {
        same(
            &shown(Format::Table),
            include_str!("snapshots/recipients.txt"),
        );
    }

    #[test]
    fn csv_is_for_spreadsheets() {
        same(
            &shown(Format::Csv),
            include_str!("snapshots/recipients.csv"),
        );
    }

    #[test]
    fn json_is_the_answer_itself() {
        let read: ListRecipientsResponse = serde_json::from_str(&shown(Format::Json)).unwrap();
        assert!(read == answer());
    }

    fn same(shown: &str, expected: &str) {
        assert_eq!(shown, expected, "shown:\n{shown}");
    }
}
