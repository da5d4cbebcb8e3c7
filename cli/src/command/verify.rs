//! `custody verify`: the ledger recomputed from its stored bytes.

use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;

use custody_ledger::{Place, Progress, ShardReport, VerifyOptions, VerifyReport};
use custody_proof::note::VerifyingKey;

use crate::args::Global;
use crate::config::{Config, Flag};
use crate::data_dir::{ledger_dir, ledger_options};
use crate::error::{CommandError, Exit};
use crate::output::{Format, Look, Sheet, bytes, count, sized, write_json};
use crate::signing::{KeyFile, origin};

mod checkpoint;
mod json;
mod kafka;
mod vault;

use checkpoint::Checkpoints;
use json::ReportJson;
use kafka::Comparison;

/// Recomputes the ledger from its stored bytes and names what is wrong
///
/// The ledger's files are read, and none is changed. The vault is opened where
/// its root key is at hand, which finishes what an interrupted erasure left to
/// do. No server may have the data directory open; verify a copy where one must
/// go on running.
#[derive(clap::Args)]
#[command(after_long_help = "\
Examples:
  custody verify --data /var/lib/custody
  custody verify --data /backup/custody --format json
  custody verify --data /var/lib/custody --key \"$(cat custody.vkey)\" --since kept/
  custody verify --data /var/lib/custody --against-kafka --brokers kafka:9092

Exit status 1 where anything is wrong; each fault is named with its shard,
block and entry, or its file and bytes. Against Kafka, wrong is only what Kafka
contradicts: offsets beyond the end of a partition, or another topic of the
name. What was not read yet is told as \"behind\", and is not wrong.")]
pub struct Args {
    /// The data directory
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Holds the ledger against what the brokers have, too. Asks only: no
    /// group is joined and nothing is read
    #[arg(long)]
    against_kafka: bool,
    /// Kafka's bootstrap brokers, `host:port` with commas
    #[arg(long, value_name = "BROKERS", requires = "against_kafka")]
    brokers: Option<String>,
    /// The topics that should be in the ledger: a regular expression of whole
    /// names
    #[arg(long, value_name = "PATTERN", requires = "against_kafka")]
    topics: Option<String>,
    /// Leaves the vault out
    #[arg(long)]
    no_vault: bool,
    /// table (on a terminal), json (elsewhere), csv
    #[arg(long, value_enum)]
    format: Option<Format>,
    #[command(flatten)]
    checkpoints: Checkpoints,
}

impl Args {
    pub(crate) fn run(self, global: &Global) -> Result<Exit, CommandError> {
        global.start_quiet_logs()?;
        let flag = |flag, key, value| Flag { flag, key, value };
        let config = global
            .load(&[
                flag(
                    "--data",
                    "data_dir",
                    self.data.as_ref().map(|dir| dir.display().to_string()),
                ),
                flag("--brokers", "kafka.brokers", self.brokers),
                flag("--topics", "kafka.topics", self.topics),
            ])?
            .config;
        let dir = config.data_dir.clone();
        let ledger = ledger_dir(&dir);
        if !ledger.is_dir() {
            return Err(CommandError::NoLedger { dir });
        }
        let bar = sized(0, "verifying");
        let shown = bar.clone();
        let mut options = VerifyOptions {
            signed_anchor_dir: ledger_options(&config).signed_anchor_dir,
            progress: Some(Arc::new(move |progress: Progress| {
                shown.set_length(progress.total_bytes);
                shown.set_position(progress.bytes);
            })),
            // Beside the ledger: the system's directory for temporary files
            // may be too small, or memory.
            scratch: writable(&dir).then(|| dir.clone()),
            ..VerifyOptions::default()
        };
        self.checkpoints.apply(&mut options)?;
        if options.keys.is_empty() {
            options.keys = own_keys(&config);
        }
        let report = custody_ledger::verify(&ledger, &options)
            .map_err(CommandError::store("the ledger", &dir))?;
        bar.finish_and_clear();
        let kafka = self
            .against_kafka
            .then(|| kafka::compare_with_brokers(&config, &report))
            .transpose()?;
        let vault = (!self.no_vault)
            .then(|| vault::check(&config))
            .transpose()?;
        let vault_ok = vault.as_ref().is_none_or(|vault| vault.ok);
        let ok = report.ok() && vault_ok && kafka.as_ref().is_none_or(Comparison::ok);
        let mut out = io::stdout().lock();
        match Format::or_detected(self.format) {
            Format::Table => {
                write_report(&report, &mut out, Look::detected())?;
                if let Some(vault) = &vault {
                    vault.write(&mut out)?;
                }
                if let Some(kafka) = &kafka {
                    kafka.write(&mut out, Look::detected())?;
                }
            }
            Format::Json => write_json(
                &mut out,
                &ReportJson::of(&report, vault.as_ref(), kafka.as_ref()),
            )?,
            Format::Csv => match &kafka {
                Some(kafka) => kafka.sheet().write_csv(&mut out)?,
                None => shards(&report).write_csv(&mut out)?,
            },
        }
        Ok(if ok { Exit::Done } else { Exit::Bad })
    }
}

/// What the node itself signs with: enough to find what others changed, and
/// nothing for whoever does not trust the node. A copy may be verified without
/// the configuration that has its origin, so that the names in the file count
/// too.
/// The node's own keys, where it has any.
pub(crate) fn own_keys(config: &Config) -> Vec<VerifyingKey> {
    let Ok(file) = KeyFile::read(&config.signing_key_path()) else {
        return Vec::new();
    };
    let mut keys = origin(config)
        .and_then(|origin| file.verifying_keys(&origin))
        .unwrap_or_default();
    for named in file.named_keys() {
        if !keys.contains(&named) {
            keys.push(named);
        }
    }
    keys
}

fn writable(dir: &std::path::Path) -> bool {
    rustix::fs::access(dir, rustix::fs::Access::WRITE_OK).is_ok()
}

/// Writes a report for people.
///
/// # Errors
/// Where `out` cannot be written.
pub fn write_report(report: &VerifyReport, out: &mut dyn Write, look: Look) -> io::Result<()> {
    if !report.shards.is_empty() {
        shards(report).write_table(out, look)?;
        writeln!(out)?;
    }
    for warning in &report.warnings {
        writeln!(out, "note: {warning}")?;
    }
    for fault in &report.faults {
        writeln!(out, "FAULT {fault}")?;
        if let Some(descriptor) = shard_of(report, &fault.place) {
            writeln!(out, "      which is {descriptor}")?;
        }
    }
    checkpoint::write(report, out)?;
    let (entries, blocks) = (count(report.entries()), count(report.blocks()));
    let name = report.ledger.map(|id| id.to_string()).unwrap_or_default();
    if report.ok() {
        writeln!(
            out,
            "Ledger {name}: {entries} entries in {blocks} blocks, nothing is wrong."
        )
    } else {
        let faults = report.faults.len();
        let are = if faults == 1 {
            "1 fault".to_owned()
        } else {
            format!("{faults} faults")
        };
        writeln!(
            out,
            "Ledger {name}: {are}; {entries} entries in {blocks} blocks are well."
        )
    }
}

/// The topic and partition of the shard that a fault is in.
fn shard_of(report: &VerifyReport, place: &Place) -> Option<String> {
    let (Place::Shard { shard } | Place::Block { shard, .. } | Place::Entry { shard, .. }) = place
    else {
        return None;
    };
    report
        .shards
        .iter()
        .find(|found| found.head.shard == *shard)
        .map(|found| format!("{}/{}", found.descriptor.topic, found.descriptor.partition))
}

fn shards(report: &VerifyReport) -> Sheet {
    let mut sheet = Sheet::new([
        "Shard",
        "Epoch",
        "Entries",
        "Duplicates",
        "Rejected",
        "Gaps",
        "Offsets",
        "Blocks",
        "Size",
        "Chain head",
    ]);
    for column in [1, 2, 3, 4, 5, 7, 8] {
        sheet = sheet.number(column);
    }
    for shard in &report.shards {
        sheet.push([
            format!("{}/{}", shard.descriptor.topic, shard.descriptor.partition),
            shard.head.epoch.to_string(),
            count(shard.entries),
            count(shard.duplicates),
            count(shard.rejected),
            count(shard.gaps.iter().sum()),
            offsets(shard),
            count(shard.head.blocks),
            bytes(shard.bytes),
            shard.head.chain_head.to_string()[..16].to_owned(),
        ]);
    }
    sheet
}

fn offsets(shard: &ShardReport) -> String {
    match (shard.first_offset, shard.last_offset) {
        (Some(first), Some(last)) => format!("{first}–{last}"),
        _ => String::new(),
    }
}
