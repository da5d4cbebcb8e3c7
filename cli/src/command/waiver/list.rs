//! The waivers of a ledger.

use std::io;

use custody_ledger::{Act, HouseRecord, Ledger, LedgerError, ShardDescriptor};
use custody_policy::{VerifyingKey, Waiver, Waivers};
use tracing::warn;

use super::Where;
use super::draft::{Shown, sheet};
use crate::args::Global;
use crate::config::Config;
use crate::data_dir::DataDir;
use crate::error::{CommandError, Exit};
use crate::output::{Format, Look, write_json};

/// Bytes of blocks read at a time.
const READ_BYTES: usize = 4 << 20;

/// Lists the waivers of a ledger, with what became of them
#[derive(clap::Args)]
#[command(after_long_help = "\
Examples:
  custody waiver list --data /var/lib/custody
  custody waiver list --data /var/lib/custody --in-force --format csv

No server may have the data directory open.")]
pub(super) struct List {
    #[command(flatten)]
    place: Where,
    /// Only those that let something pass now
    #[arg(long)]
    in_force: bool,
    /// table (on a terminal), json (elsewhere), csv
    #[arg(long, value_enum)]
    format: Option<Format>,
}

impl List {
    pub(super) fn run(self, global: &Global) -> Result<Exit, CommandError> {
        let config = self.place.config(global)?;
        let now_ns = (custody_ingest::pipeline::system_clock())();
        let mut all: Vec<Shown> = waivers(&config)?
            .iter()
            .map(|(waiver, revoked_ns)| {
                let mut shown = Shown::of(waiver, *revoked_ns);
                shown.state = Some(state(waiver, *revoked_ns, now_ns));
                shown
            })
            .collect();
        if self.in_force {
            all.retain(|shown| shown.state == Some("in force"));
        }
        let mut out = io::stdout().lock();
        match Format::or_detected(self.format) {
            Format::Json => write_json(&mut out, &all)?,
            Format::Csv => sheet(&all).write_csv(&mut out)?,
            Format::Table if all.is_empty() => io::Write::write_all(&mut out, b"No waivers.\n")?,
            Format::Table => sheet(&all).write_table(&mut out, Look::detected())?,
        }
        Ok(Exit::Done)
    }
}

fn state(waiver: &Waiver, revoked_ns: Option<i64>, now_ns: i64) -> &'static str {
    match revoked_ns {
        _ if waiver.signer.is_empty() => "not trusted",
        Some(at) if at <= now_ns => "revoked",
        _ if now_ns < waiver.from_ns => "not yet",
        _ if now_ns >= waiver.until_ns => "over",
        _ => "in force",
    }
}

/// The waivers of a data directory, each with since when it is revoked. One
/// that no key of the configuration has signed has no signer.
pub(super) fn waivers(config: &Config) -> Result<Vec<(Waiver, Option<i64>)>, CommandError> {
    let keys = config.policy.verifying_keys().unwrap_or_default();
    let data = DataDir::open_existing(config)?;
    let read = read(&data.ledger, &keys).map_err(CommandError::store("the ledger", data.path()));
    let waivers = read?;
    data.close()?;
    Ok(waivers
        .iter()
        .map(|(waiver, revoked)| (waiver.clone(), revoked))
        .collect())
}

/// The waivers of an open ledger.
pub(in crate::command) fn read(
    ledger: &Ledger,
    keys: &[VerifyingKey],
) -> Result<Waivers, LedgerError> {
    let mut waivers = Waivers::default();
    let house = ShardDescriptor::house().id();
    let mut height = 0;
    loop {
        let blocks = ledger.read_blocks(house, height, READ_BYTES)?;
        if blocks.is_empty() {
            return Ok(waivers);
        }
        for block in &blocks {
            height = block.header.height + 1;
            for entry in block.entries() {
                let (_, entry) = entry.map_err(LedgerError::Malformed)?;
                match &entry.act {
                    Act::House(HouseRecord::WaiverGiven { id, note }) => match opened(note, keys) {
                        Some(waiver) => {
                            waivers.add(waiver);
                        }
                        None => warn!(waiver = id, "a waiver cannot be read"),
                    },
                    Act::House(HouseRecord::WaiverRevoked { id, .. }) => {
                        waivers.revoke(id, block.header.recorded_time_ns);
                    }
                    _ => {}
                }
            }
        }
    }
}

/// With its signer where the signature counts, else without.
fn opened(note: &str, keys: &[VerifyingKey]) -> Option<Waiver> {
    Waiver::open(note, keys).ok().or_else(|| {
        let (text, _) = note.split_once("\n\n")?;
        Waiver::draft(&format!("{text}\n")).ok()
    })
}

#[cfg(test)]
mod tests;
