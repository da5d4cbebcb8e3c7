//! `custody shard`: what a ledger is made of.

mod list;
mod resume;

use std::path::PathBuf;

use crate::args::Global;
use crate::config::{Config, Flag};
use crate::error::{CommandError, Exit};

/// Lists shards, and lets one go on that has lost its end
///
/// A shard is the log of a topic's partition; one more, the house, is
/// Custody's own.
#[derive(clap::Args)]
#[command(after_long_help = "\
Examples:
  custody shard list --data /var/lib/custody
  custody shard resume --all --data /var/lib/custody

No server may have the data directory open.")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    List(list::List),
    Resume(resume::Resume),
}

impl Args {
    pub(crate) fn run(self, global: &Global) -> Result<Exit, CommandError> {
        global.start_quiet_logs()?;
        match self.command {
            Command::List(args) => args.run(global),
            Command::Resume(args) => args.run(global),
        }
    }
}

/// Whose shards.
#[derive(clap::Args)]
struct Where {
    /// The data directory; no server may have it open
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

impl Where {
    fn config(&self, global: &Global) -> Result<Config, CommandError> {
        let flag = Flag {
            flag: "--data",
            key: "data_dir",
            value: self.data.as_ref().map(|dir| dir.display().to_string()),
        };
        Ok(global.load(&[flag])?.config)
    }
}
