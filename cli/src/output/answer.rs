//! What every answer about a person has in common.

use std::io::{self, Write};

use custody_proto::v1::LedgerHead;

use super::labels::count;
use super::{Format, Look, Sheet, Zone, write_json};

/// Shards that the foot of a table names one by one.
const SHARDS_NAMED: usize = 4;

/// In which form an answer is written.
#[derive(Clone, Debug)]
pub struct Rendering {
    /// Table, JSON or CSV.
    pub format: Format,
    /// Width and colours of tables.
    pub look: Look,
    /// The zone of the times in tables. JSON and CSV are in UTC.
    pub zone: Zone,
}

/// An answer of the lineage service.
pub trait Answer: serde::Serialize {
    /// The ledger head that it rests on.
    fn head(&self) -> Option<&LedgerHead>;

    /// Writes it for people.
    ///
    /// # Errors
    /// Where `out` cannot be written.
    fn write_people(&self, out: &mut dyn Write, rendering: &Rendering) -> io::Result<()>;

    /// As rows for spreadsheets: terms, codes and times as in JSON.
    fn records(&self) -> Sheet;
}

/// Writes an answer, and under a table the ledger head that it rests on.
///
/// # Errors
/// Where `out` cannot be written.
pub fn write_answer(
    answer: &impl Answer,
    out: &mut dyn Write,
    rendering: &Rendering,
) -> io::Result<()> {
    match rendering.format {
        Format::Json => write_json(out, answer),
        Format::Csv => answer.records().write_csv(out),
        Format::Table => {
            answer.write_people(out, rendering)?;
            write_foot(answer.head(), out, &rendering.zone)
        }
    }
}

fn write_foot(head: Option<&LedgerHead>, out: &mut dyn Write, zone: &Zone) -> io::Result<()> {
    let Some(head) = head else {
        return Ok(());
    };
    let entries: u64 = head.shards.iter().map(|shard| shard.size).sum();
    let last = head
        .shards
        .iter()
        .filter_map(|shard| shard.recorded_time)
        .max_by_key(|at| (at.seconds, at.nanos));
    writeln!(
        out,
        "\nRests on {} ledger entries in {} shard{}, recorded until {} {}:",
        count(entries),
        head.shards.len(),
        if head.shards.len() == 1 { "" } else { "s" },
        zone.second(last),
        zone.name(),
    )?;
    let mut largest: Vec<_> = head.shards.iter().filter(|shard| shard.size > 0).collect();
    largest.sort_by_key(|shard| std::cmp::Reverse(shard.size));
    for shard in largest.iter().take(SHARDS_NAMED) {
        let epoch = match shard.epoch {
            0 => String::new(),
            epoch => format!(", epoch {epoch}"),
        };
        writeln!(
            out,
            "  {}/{}{epoch}: {} entries, chain head {}…",
            shard.topic,
            shard.partition,
            count(shard.size),
            hex::encode(shard.chain_head.get(..8).unwrap_or(&shard.chain_head)),
        )?;
    }
    if largest.len() > SHARDS_NAMED {
        let more = largest.len() - SHARDS_NAMED;
        writeln!(out, "  and {more} more; --format json has them all")?;
    }
    Ok(())
}

/// `from – to`, or one day where both are the same.
pub(super) fn days(
    zone: &Zone,
    first: Option<custody_proto::Timestamp>,
    last: Option<custody_proto::Timestamp>,
) -> String {
    let (first, last) = (zone.day(first), zone.day(last));
    if first == last {
        first
    } else {
        format!("{first} – {last}")
    }
}

/// A time of a CSV record.
pub(super) fn rfc3339(moment: Option<custody_proto::Timestamp>) -> String {
    moment.map(|at| at.to_string()).unwrap_or_default()
}
