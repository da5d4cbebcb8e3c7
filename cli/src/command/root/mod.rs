//! `custody root`: the vault's root key, and shares of it for people to keep.

mod escrow;
mod recover;
mod show;

use std::path::PathBuf;

use crate::args::Global;
use crate::config::{Config, Flag};
use crate::error::{CommandError, Exit};

/// Shows the root key's generation, and keeps it safe in shares
///
/// Everything in the vault can be read with the root key, and nothing without
/// it. Every erasure makes a new one and destroys the one before. A share says
/// nothing by itself; so many of them as you say give the key back.
#[derive(clap::Args)]
#[command(after_long_help = "\
Examples:
  custody root show --data /var/lib/custody
  custody root escrow --threshold 3 --shares 5 --out shares/ --data /var/lib/custody
  custody root recover shares/1.txt shares/3.txt shares/4.txt --data /var/lib/custody

All of them open the data directory themselves: no server may have it open, and
no share ever goes over a network. A share of an older root key, with a backup
of that time, reads what was erased since: destroy shares at the age that
erasure.escrow_max_age_days says.")]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(clap::Subcommand)]
enum What {
    Show(show::Show),
    Escrow(escrow::Escrow),
    Recover(recover::Recover),
}

impl Args {
    pub(crate) fn run(self, global: &Global) -> Result<Exit, CommandError> {
        global.start_quiet_logs()?;
        match self.what {
            What::Show(args) => args.run(global),
            What::Escrow(args) => args.run(global),
            What::Recover(args) => args.run(global),
        }
    }
}

/// Whose root key.
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
