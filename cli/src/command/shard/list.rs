//! The shards of a ledger.

use std::io::{self, Write};

use custody_ledger::{Head, ShardDescriptor};
use serde::Serialize;

use super::{Where, resume};
use crate::args::Global;
use crate::config::Config;
use crate::data_dir::{DataDir, DirLock};
use crate::error::{CommandError, Exit};
use crate::output::{Format, Look, Sheet, count, write_json};

/// Lists the shards, with how far each has come
#[derive(clap::Args)]
#[command(after_long_help = "\
Examples:
  custody shard list --data /var/lib/custody
  custody shard list --data /var/lib/custody --format json")]
pub(super) struct List {
    #[command(flatten)]
    place: Where,
    /// table (on a terminal), json (elsewhere), csv
    #[arg(long, value_enum)]
    format: Option<Format>,
}

#[derive(Serialize)]
struct Shown {
    shard: String,
    topic: String,
    partition: i32,
    cluster: String,
    /// 0, and one more each time that it was resumed after a loss.
    epoch: u32,
    entries: u64,
    blocks: u64,
    /// Absent in the house.
    next_offset: Option<i64>,
}

impl List {
    pub(super) fn run(self, global: &Global) -> Result<Exit, CommandError> {
        let config = self.place.config(global)?;
        if let Some(exit) = lost_only(&config)? {
            return Ok(exit);
        }
        let data = DataDir::open_existing(&config)?;
        let mut all: Vec<Shown> = data
            .ledger
            .shards()
            .iter()
            .map(|(descriptor, head)| Shown::of(descriptor, head))
            .collect();
        data.close()?;
        all.sort_by(|a, b| (&a.topic, a.partition).cmp(&(&b.topic, b.partition)));
        let mut out = io::stdout().lock();
        match Format::or_detected(self.format) {
            Format::Json => write_json(&mut out, &all)?,
            Format::Csv => sheet(&all).write_csv(&mut out)?,
            Format::Table => sheet(&all).write_table(&mut out, Look::detected())?,
        }
        Ok(Exit::Done)
    }
}

/// A ledger that has lost something does not open: tells what it lost.
fn lost_only(config: &Config) -> Result<Option<Exit>, CommandError> {
    let _lock = DirLock::take_existing(config)?;
    let lost = resume::lost(config)?;
    if lost.is_empty() {
        return Ok(None);
    }
    let mut err = io::stderr().lock();
    for end in &lost {
        resume::explain(&mut err, end)?;
    }
    writeln!(
        err,
        "This ledger does not open: restore a newer backup or, where there is none, see \
         `custody shard resume --help`."
    )?;
    Ok(Some(Exit::Bad))
}

impl Shown {
    fn of(descriptor: &ShardDescriptor, head: &Head) -> Self {
        Self {
            shard: head.shard.to_string(),
            topic: descriptor.topic.clone(),
            partition: descriptor.partition,
            cluster: descriptor.cluster_id.clone(),
            epoch: head.epoch,
            entries: head.size,
            blocks: head.blocks,
            next_offset: head.next_offset,
        }
    }
}

fn sheet(all: &[Shown]) -> Sheet {
    let mut sheet = Sheet::new([
        "Partition",
        "Epoch",
        "Entries",
        "Blocks",
        "Next offset",
        "Shard",
    ]);
    for column in 1..=4 {
        sheet = sheet.number(column);
    }
    for shown in all {
        sheet.push([
            format!("{}/{}", shown.topic, shown.partition),
            shown.epoch.to_string(),
            count(shown.entries),
            count(shown.blocks),
            shown.next_offset.map(|n| n.to_string()).unwrap_or_default(),
            shown.shard.clone(),
        ]);
    }
    sheet
}
