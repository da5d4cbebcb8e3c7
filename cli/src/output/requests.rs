//! Requests of persons, as people and programs read them.

use std::io::{self, Write};

use custody_policy::Field;
use custody_proto::v1::{LedgerHead, ListRequestsResponse, RightsRequestRow};

use super::answer::rfc3339;
use super::labels::{count, counted, country, term, words};
use super::{Answer, Rendering, Sheet, Zone};

impl Answer for ListRequestsResponse {
    fn head(&self) -> Option<&LedgerHead> {
        self.head.as_ref()
    }

    fn write_people(&self, out: &mut dyn Write, rendering: &Rendering) -> io::Result<()> {
        if self.requests.is_empty() {
            return writeln!(out, "No requests.");
        }
        requests(&self.requests, &rendering.zone).write_table(out, rendering.look)?;
        let is = |state: &str| {
            let rows = self.requests.iter().filter(|row| row.state == state);
            count(rows.count() as u64)
        };
        writeln!(
            out,
            "\n{}: {} overdue, {} open, {} extended.",
            counted(self.requests.len() as u64, "request"),
            is("overdue"),
            is("open"),
            is("extended"),
        )
    }

    fn records(&self) -> Sheet {
        let mut sheet = Sheet::new([
            "due_at",
            "state",
            "late",
            "request_id",
            "right",
            "requested_at",
            "answered_at",
            "jurisdiction",
            "source",
            "extended",
            "service",
            "controller",
            "reference",
            "shard",
            "sequence",
        ]);
        for row in &self.requests {
            let entry = row.entry.clone().unwrap_or_default();
            sheet.push([
                rfc3339(row.due_at),
                row.state.clone(),
                row.late.to_string(),
                row.request_id.clone(),
                row.right.clone(),
                rfc3339(row.requested_at),
                rfc3339(row.answered_at),
                row.jurisdiction.clone(),
                row.source.clone(),
                row.extended.to_string(),
                row.service.clone(),
                row.controller.clone(),
                row.reference.clone(),
                entry.shard,
                entry.sequence.to_string(),
            ]);
        }
        sheet
    }
}

/// Requests, the earliest deadline first.
pub(super) fn requests(rows: &[RightsRequestRow], zone: &Zone) -> Sheet {
    let mut sheet = Sheet::new([
        "Due before",
        "State",
        "Request",
        "Right",
        "Made",
        "Answered",
        "Place",
    ]);
    for row in rows {
        let state = match (row.state.as_str(), row.late) {
            ("overdue", _) | (_, false) => words(&row.state),
            (_, true) => format!("{}, too late", words(&row.state)),
        };
        sheet.push([
            match row.due_at {
                Some(_) => zone.second(row.due_at),
                None => "no deadline known".to_owned(),
            },
            state,
            row.request_id.clone(),
            term(Field::Right, &row.right),
            zone.day(row.requested_at),
            zone.day(row.answered_at),
            country(&row.jurisdiction),
        ]);
    }
    sheet
}
