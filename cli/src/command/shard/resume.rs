//! Going on where a shard has lost its end.

use std::collections::BTreeSet;
use std::io::{self, BufRead, IsTerminal, Write};

use custody_ingest::pipeline::system_clock;
use custody_ledger::{
    Digest, LostEnd, OpenError, ResumeError, ResumeOptions, ShardId, lost_ends, resume,
};

use super::Where;
use crate::args::Global;
use crate::config::Config;
use crate::data_dir::{DirLock, ledger_dir, ledger_options};
use crate::error::{CommandError, Exit};
use crate::output::count;
use crate::ruleset;

/// Gives up what a shard has lost, and lets it go on
///
/// For a ledger that does not open because its disk gave back less than was
/// acknowledged or signed. Look for the missing end first: a newer backup,
/// another disk. What is given up is said in the ledger and in every checkpoint
/// after it, under a new origin; it cannot be taken back. The files as they
/// were found are kept in `abandoned/` of the ledger.
#[derive(clap::Args)]
#[command(after_long_help = "\
Examples:
  custody shard resume --all --data /var/lib/custody
  custody shard resume 8f3c… --data /var/lib/custody

A ledger opens as a whole: where several shards have lost their end, all of them
must be named, or --all. It asks before it changes anything.")]
pub(super) struct Resume {
    /// The shards, by id, as the error and this command name them
    #[arg(
        required_unless_present = "all",
        conflicts_with = "all",
        value_name = "SHARD"
    )]
    shards: Vec<ShardId>,
    /// Every shard that has lost its end
    #[arg(long)]
    all: bool,
    /// Does not ask
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    place: Where,
}

impl Resume {
    pub(super) fn run(self, global: &Global) -> Result<Exit, CommandError> {
        self.in_place(&self.place.config(global)?)
    }

    fn in_place(&self, config: &Config) -> Result<Exit, CommandError> {
        let ruleset = Digest(ruleset::in_force(config)?.digest());
        let _lock = DirLock::take_existing(config)?;
        let lost = lost(config)?;
        let mut err = io::stderr().lock();
        if lost.is_empty() {
            writeln!(err, "No shard has lost its end; nothing is changed.")?;
            return Ok(Exit::Done);
        }
        let named: BTreeSet<ShardId> = self.shards.iter().copied().collect();
        let whole = |id: &ShardId| !lost.iter().any(|end| end.shard == *id);
        if let Some(whole) = named.iter().find(|id| whole(id)) {
            return Err(CommandError::Usage(format!(
                "shard {whole} has not lost its end, or there is none of this id"
            )));
        }
        for end in &lost {
            explain(&mut err, end)?;
        }
        if let Some(other) = lost
            .iter()
            .find(|end| !self.all && !named.contains(&end.shard))
        {
            return Err(CommandError::Usage(format!(
                "shard {} has lost its end too: name all of them, or give --all",
                other.shard
            )));
        }
        if !self.yes && !confirmed(&mut err)? {
            writeln!(err, "Nothing is changed.")?;
            return Ok(Exit::Bad);
        }
        drop(err);
        let options = ResumeOptions {
            ledger: ledger_options(config),
            shards: (!self.all).then_some(named),
            recorded_time_ns: system_clock()(),
            ruleset,
        };
        let resumed =
            resume(&ledger_dir(&config.data_dir), &options).map_err(|error: ResumeError| {
                CommandError::store("the ledger", &config.data_dir)(error)
            })?;
        let mut err = io::stderr().lock();
        writeln!(
            err,
            "{} of the ledger's shards go on in a new epoch. Next:\n\
             1. custody verify --data {dir}\n\
             2. custody rebuild --data {dir}      what was derived may be ahead\n\
             3. Start the server, and give each witness and verifier what\n   \
             `custody keys show --shards` prints then.",
            resumed.len(),
            dir = config.data_dir.display(),
        )?;
        Ok(Exit::Done)
    }
}

/// What is missing; the files stay as they are.
pub(super) fn lost(config: &Config) -> Result<Vec<LostEnd>, CommandError> {
    lost_ends(&ledger_dir(&config.data_dir), &ledger_options(config))
        .map_err(|error: OpenError| CommandError::store("the ledger", &config.data_dir)(error))
}

/// Tells what one shard has lost.
pub(super) fn explain(out: &mut dyn Write, end: &LostEnd) -> io::Result<()> {
    let entries = end.abandoned.size.saturating_sub(end.surviving.size);
    let root = if end.abandoned.root == Digest([0; 32]) {
        "never signed".to_owned()
    } else {
        format!("signed, root {}", end.abandoned.root)
    };
    writeln!(
        out,
        "{}/{} (shard {})\n  \
         was:    {} entries ({root})\n  \
         is:     {} entries in {} blocks\n  \
         lost:   {} entries; of what Kafka still holds, they are read again\n  \
         goes on in epoch {}",
        end.descriptor.topic,
        end.descriptor.partition,
        end.shard,
        count(end.abandoned.size),
        count(end.surviving.size),
        count(end.surviving.blocks),
        count(entries),
        end.epoch,
    )
}

fn confirmed(err: &mut dyn Write) -> Result<bool, CommandError> {
    let stdin = io::stdin();
    if !stdin.is_terminal() {
        return Err(CommandError::Usage(
            "this gives up entries for good: confirm it with --yes where nobody can be asked"
                .to_owned(),
        ));
    }
    write!(err, "Give this up for good? Type yes: ")?;
    err.flush()?;
    let mut answer = String::new();
    stdin.lock().read_line(&mut answer)?;
    Ok(answer.trim() == "yes")
}

#[cfg(test)]
mod tests;
