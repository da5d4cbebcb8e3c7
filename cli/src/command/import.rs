//! `custody import`: events of a file, straight into the ledger.

use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use custody_ingest::RejectionCode;
use custody_ingest::import::{FileDeadLetters, ImportError, import, shard_of};
use custody_ingest::pipeline::{DeadLetter, DeadLetters, PipelineError, StopSignal, Undelivered};

use crate::args::Global;
use crate::config::Flag;
use crate::data_dir::DataDir;
use crate::error::{CommandError, Exit};
use crate::node::pipeline;
use crate::output::{count, sized};

/// Rejections that are shown one by one.
const REJECTIONS_SHOWN: u64 = 20;

/// Takes events from a file into the ledger, without Kafka
///
/// The file has one CloudEvent a line, in structured JSON form. It becomes a
/// shard of its own, named by the file's digest, and line numbers take the
/// place of Kafka offsets: importing the same file again goes on where it was
/// interrupted, or does nothing. No server may have the data directory open.
#[derive(clap::Args)]
#[command(after_long_help = "\
Examples:
  custody import events.jsonl --data /var/lib/custody
  custody import events.jsonl --rejected rejected.jsonl

Exit status 1 where a line was rejected.")]
pub struct Args {
    /// JSON Lines
    file: PathBuf,
    /// The data directory
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Adds rejected lines to this file, each with its number, code and reason
    #[arg(long, value_name = "FILE")]
    rejected: Option<PathBuf>,
}

impl Args {
    pub(crate) fn run(self, global: &Global) -> Result<Exit, CommandError> {
        global.start_quiet_logs()?;
        let config = global
            .load(&[Flag {
                flag: "--data",
                key: "data_dir",
                value: self.data.as_ref().map(|dir| dir.display().to_string()),
            }])?
            .config;
        let length = std::fs::metadata(&self.file)
            .map_err(|source| CommandError::Read {
                path: self.file.clone(),
                source,
            })?
            .len();
        let shard = shard_of(&self.file).map_err(failed)?.id();
        let rejections = Arc::new(Rejections {
            rejected: AtomicU64::new(0),
            blank: AtomicU64::new(0),
            file: self.rejected.map(FileDeadLetters::new),
        });
        let rules = crate::ruleset::in_force(&config)?;
        let data = DataDir::open_signing(&config, None)?;
        let entries = |data: &DataDir| data.ledger.head(shard).map_or(0, |head| head.size);
        let before = entries(&data);
        let pipeline = pipeline(
            &config,
            &data,
            rules,
            Arc::clone(&rejections) as Arc<dyn DeadLetters>,
        )?;
        let bar = sized(length, "importing");
        let imported =
            import(&self.file, &pipeline, |bytes| bar.set_position(bytes)).map_err(failed)?;
        // Nothing waits for somebody else here, so that this ends.
        pipeline
            .stop(Duration::from_secs(86_400))
            .map_err(|error| failed(error.into()))?;
        drop(pipeline);
        bar.finish_and_clear();
        let recorded = entries(&data) - before;
        data.close()?;

        let rejected = rejections.rejected.load(Ordering::Relaxed);
        let lines = u64::try_from(imported.lines).unwrap_or(0);
        let lines = lines.saturating_sub(rejections.blank.load(Ordering::Relaxed));
        let duplicates = lines.saturating_sub(recorded).saturating_sub(rejected);
        writeln!(
            io::stderr(),
            "{} entries recorded from {} new lines; {} duplicates, {} rejected",
            count(recorded),
            count(lines),
            count(duplicates),
            count(rejected),
        )?;
        Ok(if rejected == 0 { Exit::Done } else { Exit::Bad })
    }
}

fn failed(error: ImportError) -> CommandError {
    match error {
        ImportError::Read { path, source } => CommandError::Read { path, source },
        ImportError::Pipeline(error) => CommandError::Stopped {
            what: "import",
            reason: why(&error),
        },
    }
}

fn why(error: &PipelineError) -> String {
    match error {
        PipelineError::Failed(reason) => reason.clone(),
        other => other.to_string(),
    }
}

/// Says which lines were rejected, and keeps them where asked to.
struct Rejections {
    rejected: AtomicU64,
    blank: AtomicU64,
    file: Option<FileDeadLetters>,
}

impl DeadLetters for Rejections {
    fn deliver(&self, letters: &[DeadLetter], stop: &StopSignal) -> Result<(), Undelivered> {
        if let Some(file) = &self.file {
            file.deliver(letters, stop)?;
        }
        let mut err = io::stderr().lock();
        for letter in letters {
            // A blank line, as at the end of many files, is nobody's event.
            if letter.rejection.kind() == RejectionCode::EmptyPayload {
                self.blank.fetch_add(1, Ordering::Relaxed);
                continue;
            }
            let number = self.rejected.fetch_add(1, Ordering::Relaxed);
            // What cannot be shown is counted all the same.
            let _ = match number {
                0..REJECTIONS_SHOWN => {
                    let (line, why) = (letter.message.offset + 1, &letter.rejection);
                    writeln!(err, "line {line}: {}: {why}", why.code())
                }
                REJECTIONS_SHOWN => writeln!(err, "(further rejected lines are only counted)"),
                _ => Ok(()),
            };
        }
        Ok(())
    }
}
