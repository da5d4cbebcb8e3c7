//! `custody waiver`: what the operator lets pass, signed and dated.

mod draft;
mod keys;
mod list;
mod write;

use std::path::PathBuf;

use crate::args::Global;
use crate::config::{Config, Flag};
use crate::error::{CommandError, Exit};

/// Signs, records and lists waivers
///
/// A waiver lets findings pass for a time and a reason. It turns them into
/// suppressed ones, which stay visible, and never removes them. Whose signature
/// counts, `policy.waiver_keys` of the configuration says.
#[derive(clap::Args)]
#[command(after_long_help = "\
Examples:
  custody waiver keygen operator.example --key operator.key
  custody waiver draft > move.txt                 then edit it
  custody waiver sign move.txt --key operator.key > move.note
  custody waiver add move.note --data /var/lib/custody
  custody waiver list --data /var/lib/custody
  custody waiver revoke w-2026-017 --key operator.key --reason 'It is over' --data DIR

`add`, `revoke` and `list` open the data directory: no server may have it open.")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    Keygen(keys::Keygen),
    Draft(draft::Draft),
    Sign(draft::Sign),
    Show(draft::Show),
    Add(write::Add),
    Revoke(write::Revoke),
    List(list::List),
}

impl Args {
    pub(crate) fn run(self, global: &Global) -> Result<Exit, CommandError> {
        global.start_quiet_logs()?;
        match self.command {
            Command::Keygen(args) => args.run(),
            Command::Draft(args) => args.run(),
            Command::Sign(args) => args.run(),
            Command::Show(args) => args.run(global),
            Command::Add(args) => args.run(global),
            Command::Revoke(args) => args.run(global),
            Command::List(args) => args.run(global),
        }
    }
}

pub(super) use list::read as in_ledger;

/// Whose ledger it is about.
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
