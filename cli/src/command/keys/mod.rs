//! `custody keys`: the keys that sign checkpoints.

mod change;
mod show;

use std::path::PathBuf;

use crate::args::Global;
use crate::config::{Config, Flag};
use crate::error::{CommandError, Exit};

/// Makes, shows and changes the keys that sign checkpoints
///
/// A private key is never printed: it is in the file that signing.key names,
/// and nowhere else. Back that file up by itself.
#[derive(clap::Args)]
#[command(after_long_help = "\
Examples:
  custody keys generate --data /var/lib/custody
  custody keys show --data /var/lib/custody > custody.vkey
  custody keys rotate --data /var/lib/custody
  custody keys retire 4d8d5c46 --data /var/lib/custody

A running server reads the keys when it starts.")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    Generate(change::Generate),
    Show(show::Show),
    Rotate(change::Rotate),
    Retire(change::Retire),
}

impl Args {
    pub(crate) fn run(self, global: &Global) -> Result<Exit, CommandError> {
        global.start_quiet_logs()?;
        match self.command {
            Command::Generate(args) => args.run(global),
            Command::Show(args) => args.run(global),
            Command::Rotate(args) => args.run(global),
            Command::Retire(args) => args.run(global),
        }
    }
}

/// Whose keys.
#[derive(clap::Args)]
struct Where {
    /// The data directory
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// The file of the keys. By default signing.key of the configuration
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
}

impl Where {
    fn config(&self, global: &Global) -> Result<Config, CommandError> {
        let flag = |flag, key, value: &Option<PathBuf>| Flag {
            flag,
            key,
            value: value.as_ref().map(|path| path.display().to_string()),
        };
        let flags = [
            flag("--data", "data_dir", &self.data),
            flag("--key", "signing.key", &self.key),
        ];
        Ok(global.load(&flags)?.config)
    }
}
