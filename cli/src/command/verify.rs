//! `custody verify`: the ledger recomputed from its stored bytes.

use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;

use custody_ledger::{Place, Progress, ShardReport, VerifyOptions, VerifyReport};
use serde::Serialize;

use crate::args::Global;
use crate::config::Flag;
use crate::data_dir::ledger_dir;
use crate::error::{CommandError, Exit};
use crate::output::{Format, Look, Sheet, bytes, count, sized, write_json};

mod checkpoint;

use checkpoint::{CheckpointJson, Checkpoints};

/// Recomputes the ledger from its stored bytes and names what is wrong
///
/// Reads files only and changes none. No server may have the data directory
/// open; verify a copy where one must go on running.
#[derive(clap::Args)]
#[command(after_long_help = "\
Examples:
  custody verify --data /var/lib/custody
  custody verify --data /backup/custody --format json
  custody verify --data /var/lib/custody --key \"$(cat ledger.pub)\" --since kept/

Exit status 1 where anything is wrong; each fault is named with its shard,
block and entry, or its file and bytes.")]
pub struct Args {
    /// The data directory
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// table (on a terminal), json (elsewhere), csv
    #[arg(long, value_enum)]
    format: Option<Format>,
    #[command(flatten)]
    checkpoints: Checkpoints,
}

impl Args {
    pub(crate) fn run(self, global: &Global) -> Result<Exit, CommandError> {
        global.start_quiet_logs()?;
        let dir = global
            .load(&[Flag {
                flag: "--data",
                key: "data_dir",
                value: self.data.as_ref().map(|dir| dir.display().to_string()),
            }])?
            .config
            .data_dir;
        let ledger = ledger_dir(&dir);
        if !ledger.is_dir() {
            return Err(CommandError::NoLedger { dir });
        }
        let bar = sized(0, "verifying");
        let shown = bar.clone();
        let mut options = VerifyOptions {
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
        let report = custody_ledger::verify(&ledger, &options)
            .map_err(CommandError::store("the ledger", &dir))?;
        bar.finish_and_clear();
        let mut out = io::stdout().lock();
        match Format::or_detected(self.format) {
            Format::Table => write_report(&report, &mut out, Look::detected())?,
            Format::Json => write_json(&mut out, &ReportJson::of(&report))?,
            Format::Csv => shards(&report).write_csv(&mut out)?,
        }
        Ok(if report.ok() { Exit::Done } else { Exit::Bad })
    }
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

/// The report for programs.
#[derive(Serialize)]
struct ReportJson {
    ok: bool,
    ledger: Option<String>,
    entries: u64,
    blocks: u64,
    shards: Vec<ShardJson>,
    faults: Vec<FaultJson>,
    warnings: Vec<String>,
    checkpoint: Option<CheckpointJson>,
    since: Option<CheckpointJson>,
}

#[derive(Serialize)]
struct ShardJson {
    shard: String,
    topic: String,
    partition: i32,
    epoch: u32,
    entries: u64,
    persons: u64,
    /// How many entries the signed checkpoint covers.
    signed: Option<u64>,
    duplicates: u64,
    rejected: u64,
    gaps: GapsJson,
    first_offset: Option<i64>,
    last_offset: Option<i64>,
    blocks: u64,
    bytes: u64,
    chain_head: String,
    block_digest: String,
}

/// Offsets without a message, by cause.
#[derive(Serialize)]
struct GapsJson {
    control_or_compacted: u64,
    lost_to_retention: u64,
    unknown: u64,
}

#[derive(Serialize)]
struct FaultJson {
    place: String,
    what: String,
}

impl ReportJson {
    fn of(report: &VerifyReport) -> Self {
        Self {
            ok: report.ok(),
            ledger: report.ledger.map(|id| id.to_string()),
            entries: report.entries(),
            blocks: report.blocks(),
            shards: report.shards.iter().map(ShardJson::of).collect(),
            faults: report
                .faults
                .iter()
                .map(|fault| FaultJson {
                    place: fault.place.to_string(),
                    what: fault.what.clone(),
                })
                .collect(),
            warnings: report.warnings.clone(),
            checkpoint: report.checkpoint.as_ref().map(CheckpointJson::of),
            since: report.since.as_ref().map(CheckpointJson::of),
        }
    }
}

impl ShardJson {
    fn of(shard: &ShardReport) -> Self {
        Self {
            shard: shard.head.shard.to_string(),
            topic: shard.descriptor.topic.clone(),
            partition: shard.descriptor.partition,
            epoch: shard.head.epoch,
            entries: shard.entries,
            persons: shard.persons,
            signed: shard.signed_size,
            duplicates: shard.duplicates,
            rejected: shard.rejected,
            gaps: GapsJson {
                control_or_compacted: shard.gaps[0],
                lost_to_retention: shard.gaps[1],
                unknown: shard.gaps[2],
            },
            first_offset: shard.first_offset,
            last_offset: shard.last_offset,
            blocks: shard.head.blocks,
            bytes: shard.bytes,
            chain_head: shard.head.chain_head.to_string(),
            block_digest: shard.head.block_digest.to_string(),
        }
    }
}
