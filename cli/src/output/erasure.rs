//! What an erasure would do and what it did, as people and programs read it.

use std::io::{self, Write};

use custody_proto::v1::{
    Counterparty, EraseSubjectResponse, Erasure, ErasurePreview, Hold, LedgerHead,
    ListErasuresResponse, ListHoldsResponse,
};

use super::answer::rfc3339;
use super::labels::{count, counted, party, words};
use super::requests::requests;
use super::words::write_words;
use super::{Answer, Rendering, Sheet, Zone};

/// So many recipients or references are named; the rest is counted.
const NAMED: usize = 12;

impl Answer for EraseSubjectResponse {
    fn head(&self) -> Option<&LedgerHead> {
        self.erasure_preview.as_ref()?.head.as_ref()
    }

    fn write_people(&self, out: &mut dyn Write, rendering: &Rendering) -> io::Result<()> {
        if let Some(preview) = &self.erasure_preview {
            return write_preview(preview, self.entries, out, rendering);
        }
        match &self.erasure {
            Some(erasure) => write_erasure(erasure, out, rendering),
            None => Ok(()),
        }
    }

    /// The recipients to be told, or else the erasure.
    fn records(&self) -> Sheet {
        let Some(preview) = &self.erasure_preview else {
            return erasures(self.erasure.as_slice());
        };
        let mut sheet = Sheet::new([
            "recipient",
            "name",
            "country",
            "count",
            "last_disclosure",
            "erased_at",
            "done",
        ]);
        for row in &preview.recipients {
            let party = row.recipient.clone().unwrap_or_default();
            sheet.push([
                party.id,
                party.name,
                party.country,
                row.count.to_string(),
                rfc3339(row.last_disclosure),
                rfc3339(row.erased_at),
                row.done.to_string(),
            ]);
        }
        sheet
    }
}

fn write_preview(
    preview: &ErasurePreview,
    sealed: u64,
    out: &mut dyn Write,
    rendering: &Rendering,
) -> io::Result<()> {
    let (look, zone) = (rendering.look, &rendering.zone);
    let entries: u64 = preview.entries_by_kind.iter().map(|kind| kind.count).sum();
    let listed = |pairs: &mut dyn Iterator<Item = (String, u64)>| {
        let pairs: Vec<String> = pairs
            .map(|(name, n)| format!("{} {name}", count(n)))
            .collect();
        pairs.join(", ")
    };
    let mut sheet = Sheet::new(["", ""]);
    sheet.push([
        "Persons".to_owned(),
        format!(
            "{} under {}, with {}",
            counted(preview.persons, "person"),
            counted(preview.references.len() as u64, "reference"),
            listed(
                &mut preview
                    .identifiers
                    .iter()
                    .map(|it| (it.scheme.clone(), it.count))
            ),
        ),
    ]);
    sheet.push([
        "Goes".to_owned(),
        format!(
            "their keys, their identifiers, and what was sealed of {} of {} entries",
            count(sealed),
            count(entries)
        ),
    ]);
    sheet.push([
        "Entries".to_owned(),
        listed(
            &mut preview
                .entries_by_kind
                .iter()
                .map(|it| (words(&it.kind), it.count)),
        ),
    ]);
    sheet.push([
        "For good".to_owned(),
        match preview.irreversible_from {
            Some(_) => format!(
                "from {} {} on, when the last shares of a root key are too old to be kept",
                zone.second(preview.irreversible_from),
                zone.name()
            ),
            None => "from the moment that it is done: no share of a root key was made".to_owned(),
        },
    ]);
    sheet.write_list(out, look)?;

    if preview.recipients.is_empty() {
        writeln!(
            out,
            "\nNobody is to be told: no organisation got their data."
        )?;
    } else {
        writeln!(out, "\nTo be told (GDPR Art. 19):")?;
        recipients(preview, zone).write_table(out, look)?;
    }
    if preview.disclosures_to_persons > 0 {
        writeln!(
            out,
            "{} to natural persons: look them up now, who they are goes too.",
            counted(preview.disclosures_to_persons, "disclosure")
        )?;
    }
    if !preview.services.is_empty() {
        writeln!(out, "\nServices that had their data:")?;
        services(preview, zone).write_table(out, look)?;
    }
    if !preview.open_requests.is_empty() {
        writeln!(out, "\nRequests that nobody has answered:")?;
        requests(&preview.open_requests, zone).write_table(out, look)?;
    }
    if !preview.holds.is_empty() {
        writeln!(out, "\nHolds stand against it, and it would wait for them:")?;
        holds(&preview.holds, zone).write_table(out, look)?;
    }
    write_words(out, "Stays", &preview.stays)?;
    write_out_of_reach(preview, out)
}

/// What Custody does not reach, and what to do there.
pub(crate) fn write_out_of_reach(preview: &ErasurePreview, out: &mut dyn Write) -> io::Result<()> {
    let places: Vec<String> = preview
        .out_of_reach
        .iter()
        .map(|place| format!("{}: {}", place.what, place.advice))
        .collect();
    write_words(out, "Not reached from here", &places)
}

fn recipients(preview: &ErasurePreview, zone: &Zone) -> Sheet {
    let mut sheet =
        Sheet::new(["Recipient", "Country", "Times", "Last", "Says it erased"]).number(2);
    for row in &preview.recipients {
        let who = row.recipient.as_ref();
        sheet.push([
            party(who),
            who.map(|party: &Counterparty| party.country.clone())
                .unwrap_or_default(),
            count(row.count),
            zone.day(row.last_disclosure),
            claim(zone, row.erased_at, row.done),
        ]);
    }
    sheet
}

fn services(preview: &ErasurePreview, zone: &Zone) -> Sheet {
    let mut sheet = Sheet::new(["Service", "Times", "Last", "Says it erased"]).number(1);
    for row in &preview.services {
        sheet.push([
            row.service.clone(),
            count(row.count),
            zone.day(row.last_time),
            claim(zone, row.erased_at, row.done),
        ]);
    }
    sheet
}

fn claim(zone: &Zone, at: Option<custody_proto::Timestamp>, done: bool) -> String {
    match (at, done) {
        (None, _) => "no".to_owned(),
        (Some(_), true) => zone.day(at),
        (Some(_), false) => format!("{}, not all", zone.day(at)),
    }
}

/// One erasure in full.
pub(crate) fn write_erasure(
    erasure: &Erasure,
    out: &mut dyn Write,
    rendering: &Rendering,
) -> io::Result<()> {
    let zone = &rendering.zone;
    let mut sheet = Sheet::new(["", ""]);
    let mut row = |name: &str, value: String| {
        if !value.is_empty() {
            sheet.push([name.to_owned(), value]);
        }
    };
    row("Erasure", erasure.id.clone());
    row("State", state(erasure));
    row("Reason", erasure.reason.clone());
    row("Ticket", erasure.ticket.clone());
    row("Requested", zone.second(erasure.requested_at));
    row("Began", zone.second(erasure.started_at));
    row("Done", zone.second(erasure.done_at));
    row("Withdrawn", zone.second(erasure.withdrawn_at));
    if erasure.done.is_some() {
        row(
            "Destroyed",
            format!(
                "the keys of {}; {} entries about them stay",
                counted(erasure.persons, "person"),
                count(erasure.entries)
            ),
        );
        row(
            "Root key",
            format!(
                "generation {}, commitment {}",
                erasure.generation,
                hex::encode(&erasure.root_commitment)
            ),
        );
    }
    row("Marked", if erasure.mark { "yes" } else { "no" }.to_owned());
    row("References", some(&erasure.references));
    row("To be told", some(&erasure.recipients));
    row("In the way", erasure.trouble.clone());
    sheet.write_list(out, rendering.look)
}

fn state(erasure: &Erasure) -> String {
    match erasure.state.as_str() {
        "waiting" => format!("waiting for {}", erasure.matters.join(", ")),
        state => state.to_owned(),
    }
}

fn some(names: &[String]) -> String {
    let mut shown = names[..names.len().min(NAMED)].join(", ");
    if names.len() > NAMED {
        let more = count((names.len() - NAMED) as u64);
        shown.push_str(&format!(" and {more} more; --format json has them all"));
    }
    shown
}

impl Answer for ListErasuresResponse {
    fn head(&self) -> Option<&LedgerHead> {
        None
    }

    fn write_people(&self, out: &mut dyn Write, rendering: &Rendering) -> io::Result<()> {
        if self.erasures.is_empty() {
            return writeln!(out, "No erasures.");
        }
        let zone = &rendering.zone;
        let mut sheet = Sheet::new([
            "Erasure",
            "State",
            "Requested",
            "Done",
            "Persons",
            "Reason",
            "Ticket",
        ])
        .number(4);
        for erasure in &self.erasures {
            let persons = match erasure.done {
                Some(_) => erasure.persons,
                None => erasure.references.len() as u64,
            };
            sheet.push([
                erasure.id.clone(),
                state(erasure),
                zone.second(erasure.requested_at),
                zone.second(erasure.done_at),
                count(persons),
                erasure.reason.clone(),
                erasure.ticket.clone(),
            ]);
        }
        sheet.write_table(out, rendering.look)
    }

    fn records(&self) -> Sheet {
        erasures(&self.erasures)
    }
}

fn erasures(erasures: &[Erasure]) -> Sheet {
    let mut sheet = Sheet::new([
        "id",
        "state",
        "reason",
        "ticket",
        "mark",
        "persons",
        "entries",
        "recipients",
        "matters",
        "requested_at",
        "started_at",
        "done_at",
        "generation",
        "root_commitment",
    ]);
    for erasure in erasures {
        sheet.push([
            erasure.id.clone(),
            erasure.state.clone(),
            erasure.reason.clone(),
            erasure.ticket.clone(),
            erasure.mark.to_string(),
            erasure.persons.to_string(),
            erasure.entries.to_string(),
            erasure.recipients.join(" "),
            erasure.matters.join(" "),
            rfc3339(erasure.requested_at),
            rfc3339(erasure.started_at),
            rfc3339(erasure.done_at),
            erasure.generation.to_string(),
            hex::encode(&erasure.root_commitment),
        ]);
    }
    sheet
}

impl Answer for ListHoldsResponse {
    fn head(&self) -> Option<&LedgerHead> {
        None
    }

    fn write_people(&self, out: &mut dyn Write, rendering: &Rendering) -> io::Result<()> {
        if self.holds.is_empty() {
            return writeln!(out, "No holds.");
        }
        holds(&self.holds, &rendering.zone).write_table(out, rendering.look)
    }

    fn records(&self) -> Sheet {
        let mut sheet = Sheet::new(["matter", "references", "placed_at", "until"]);
        for hold in &self.holds {
            sheet.push([
                hold.matter.clone(),
                hold.references.join(" "),
                rfc3339(hold.placed_at),
                rfc3339(hold.until),
            ]);
        }
        sheet
    }
}

fn holds(holds: &[Hold], zone: &Zone) -> Sheet {
    let mut sheet = Sheet::new(["Matter", "Holds", "Since", "Until"]);
    for hold in holds {
        sheet.push([
            hold.matter.clone(),
            match hold.references.as_slice() {
                [] => "everybody".to_owned(),
                references => some(references),
            },
            zone.second(hold.placed_at),
            match hold.until {
                Some(_) => zone.second(hold.until),
                None => "it is lifted".to_owned(),
            },
        ]);
    }
    sheet
}
