//! `custody export`: what outsiders get.

mod evidence;
mod log;

use crate::args::Global;
use crate::error::{CommandError, Exit};

/// Writes what outsiders get: the evidence of a person, or the whole log
///
/// Both can be checked without asking the ledger or trusting whoever runs it:
/// the evidence with `custody check`, the log with any client of the C2SP
/// formats.
#[derive(clap::Args)]
#[command(after_long_help = "\
Examples:
  custody export evidence account:1001 --out evidence.json
  custody export log --data /var/lib/custody --out log/")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    Evidence(evidence::Args),
    Log(log::Args),
}

impl Args {
    pub(crate) fn run(self, global: &Global) -> Result<Exit, CommandError> {
        global.start_quiet_logs()?;
        match self.command {
            Command::Evidence(args) => args.run(global),
            Command::Log(args) => args.run(global),
        }
    }
}
