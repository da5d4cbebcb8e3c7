//! `custody checkpoint`: what the ledger has signed of itself.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use custody_proto::v1::GetCheckpointResponse;

use crate::args::Global;
use crate::client;
use crate::error::{CommandError, Exit};
use crate::evidence;
use crate::output::{Format, Look, Sheet, count, write_json};

use super::asking::Source;

/// Shows the last signed checkpoint
///
/// A checkpoint says how long the ledger is and what is in it, in a few lines
/// and a signature. Whoever keeps one can prove later that nothing before it
/// was changed or removed. Without --format it is written as it was signed.
#[derive(clap::Args)]
#[command(after_long_help = "\
Examples:
  custody checkpoint > checkpoint-2026-01-31
  custody checkpoint --shard 2f1c9a4e0b7d4c55a8d3e6f7091b2c3d
  custody checkpoint --format table             # every shard, and how much of it is signed
  custody checkpoint --out signed/              # with the manifest and every shard's

Keep what this writes where whoever runs the ledger cannot change it.")]
pub struct Args {
    #[command(flatten)]
    source: Source,
    /// The checkpoint of this shard: its id
    #[arg(long, value_name = "SHARD")]
    shard: Option<String>,
    /// Writes the checkpoint, the manifest and every shard's checkpoint into
    /// this directory
    #[arg(long, value_name = "DIR", conflicts_with = "shard")]
    out: Option<PathBuf>,
    /// table, json, csv; without it, the signed text
    #[arg(long, value_enum)]
    format: Option<Format>,
}

impl Args {
    pub(crate) fn run(self, global: &Global) -> Result<Exit, CommandError> {
        global.start_quiet_logs()?;
        let config = self.source.files(global)?;
        let place = client::Place::of(config.as_ref(), &self.source.server);
        let answer = evidence::checkpoint(place)?;
        if answer.checkpoint.is_empty() {
            return Err(CommandError::Unsigned);
        }
        if let Some(dir) = &self.out {
            write_files(&answer, dir)?;
            let shards = answer.shards.len();
            writeln!(
                io::stderr(),
                "the checkpoint, the manifest and the checkpoints of {shards} shards are in {}",
                dir.display()
            )?;
        }
        let mut out = io::stdout().lock();
        match self.format {
            Some(Format::Json) => write_json(&mut out, &answer)?,
            Some(Format::Csv) => sheet(&answer, ToString::to_string).write_csv(&mut out)?,
            Some(Format::Table) => {
                sheet(&answer, |number| count(*number)).write_table(&mut out, Look::detected())?;
            }
            None => match &self.shard {
                Some(shard) => out.write_all(of_shard(&answer, shard)?)?,
                None if self.out.is_none() => out.write_all(&answer.checkpoint)?,
                None => {}
            },
        }
        Ok(Exit::Done)
    }
}

fn of_shard<'a>(answer: &'a GetCheckpointResponse, shard: &str) -> Result<&'a [u8], CommandError> {
    let found = answer.shards.iter().find(|signed| signed.shard == shard);
    found
        .map(|signed| signed.checkpoint.as_slice())
        .ok_or_else(|| {
            CommandError::Usage(format!(
                "nothing of a shard {shard} is signed: `custody checkpoint --format table` \
                 lists those that are"
            ))
        })
}

/// `checkpoint`, `manifest` and `<shard>/checkpoint`, as an exported log has
/// them.
fn write_files(answer: &GetCheckpointResponse, dir: &Path) -> Result<(), CommandError> {
    let write = |path: PathBuf, bytes: &[u8]| {
        let parent = path.parent().unwrap_or(dir);
        fs::create_dir_all(parent)
            .and_then(|()| fs::write(&path, bytes))
            .map_err(|source| CommandError::Write {
                path: path.clone(),
                source,
            })
    };
    write(dir.join("checkpoint"), &answer.checkpoint)?;
    write(dir.join("manifest"), &answer.manifest)?;
    for signed in &answer.shards {
        write(
            dir.join(&signed.shard).join("checkpoint"),
            &signed.checkpoint,
        )?;
    }
    Ok(())
}

/// Every shard, how much of it is durable, and how much is signed.
fn sheet(answer: &GetCheckpointResponse, number: impl Fn(&u64) -> String) -> Sheet {
    let mut sheet = Sheet::new(["Shard", "Topic", "Partition", "Epoch", "Entries", "Signed"]);
    for column in [2, 3, 4, 5] {
        sheet = sheet.number(column);
    }
    let heads = answer.head.iter().flat_map(|head| &head.shards);
    for head in heads {
        let signed = answer
            .shards
            .iter()
            .find(|signed| signed.shard == head.shard);
        let signed = signed.and_then(|signed| size_of(&signed.checkpoint));
        sheet.push([
            head.shard.clone(),
            head.topic.clone(),
            head.partition.to_string(),
            head.epoch.to_string(),
            number(&head.size),
            number(&signed.unwrap_or_default()),
        ]);
    }
    sheet
}

/// The size that a checkpoint names: its second line.
fn size_of(note: &[u8]) -> Option<u64> {
    std::str::from_utf8(note).ok()?.lines().nth(1)?.parse().ok()
}
