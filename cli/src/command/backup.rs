//! `custody backup`: a consistent copy of ledger and vault.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use custody_query::{BackupProgress, back_up};
use indicatif::ProgressBar;
use serde::Serialize;

use crate::args::Global;
use crate::client;
use crate::config::{Config, Flag};
use crate::data_dir::DataDir;
use crate::error::{CommandError, Exit};
use crate::evidence;
use crate::output::{Format, Look, Sheet, bytes, count, sized, write_json};

/// Copies ledger and vault while they are in use
///
/// A server makes the copy on its own disk, under the directory that its
/// `backup.dir` names. Where no server runs, --data and --to copy a data
/// directory. The root key is in no backup, nor is the register of erasures
/// beside it: keep shares of the one (`custody root escrow`) and the newest copy
/// of the other elsewhere.
#[derive(clap::Args)]
#[command(after_long_help = "\
Examples:
  custody backup                                # named after the time
  custody backup before-upgrade --server custody:7461
  custody backup --data /var/lib/custody --to /mnt/backup/custody-1
  custody restore /mnt/backup/custody-1 --data /var/lib/custody-2

Without the root key a backup proves what it holds and opens nothing that is
sealed. With it, it opens everything: also of persons erased since.")]
pub struct Args {
    /// What to call it: letters, digits, `.`, `_`, `-`. Without it, the time
    #[arg(value_name = "NAME", conflicts_with_all = ["data", "to"])]
    name: Option<String>,
    /// The server
    #[arg(long, value_name = "ADDR", env = "CUSTODY_SERVER", default_value = client::DEFAULT_SERVER)]
    server: String,
    /// Copies this data directory instead; no server may have it open
    #[arg(long, value_name = "DIR", requires = "to")]
    data: Option<PathBuf>,
    /// The directory to make
    #[arg(long, value_name = "DIR", requires = "data")]
    to: Option<PathBuf>,
    /// table (on a terminal), json (elsewhere), csv
    #[arg(long, value_enum)]
    format: Option<Format>,
}

/// A backup that is made.
#[derive(Serialize)]
struct Made {
    directory: String,
    entries: u64,
    bytes: u64,
    root_key_included: bool,
}

impl Args {
    pub(crate) fn run(self, global: &Global) -> Result<Exit, CommandError> {
        global.start_quiet_logs()?;
        let bar = sized(0, "backup");
        let made = match (&self.data, &self.to) {
            (Some(data), Some(to)) => {
                let flag = Flag {
                    flag: "--data",
                    key: "data_dir",
                    value: Some(data.display().to_string()),
                };
                of_files(&global.load(&[flag])?.config, to, &bar)?
            }
            _ => {
                let name = self.name.unwrap_or_default();
                let done = evidence::backup(&self.server, name, &mut |told| {
                    show(&bar, told.bytes, told.total_bytes);
                })?;
                Made {
                    directory: done.directory,
                    entries: done.entries,
                    bytes: done.bytes,
                    root_key_included: false,
                }
            }
        };
        bar.finish_and_clear();
        made.write(Format::or_detected(self.format), &mut io::stdout().lock())?;
        Ok(Exit::Done)
    }
}

fn of_files(config: &Config, to: &Path, bar: &ProgressBar) -> Result<Made, CommandError> {
    let data = DataDir::open_existing(config)?;
    let mut progress = |told: BackupProgress| show(bar, told.bytes, told.total_bytes);
    let made = back_up(&data.ledger, &data.vault, to, &mut progress)
        .map_err(CommandError::store("the backup of the stores", data.path()));
    data.close()?;
    let made = made?;
    Ok(Made {
        directory: made.directory.display().to_string(),
        entries: made.entries,
        bytes: made.bytes,
        root_key_included: false,
    })
}

fn show(bar: &ProgressBar, bytes: u64, total: u64) {
    bar.set_length(total.max(bytes));
    bar.set_position(bytes);
}

impl Made {
    fn write(&self, format: Format, out: &mut dyn Write) -> io::Result<()> {
        match format {
            Format::Json => write_json(out, self),
            Format::Csv => {
                let mut sheet = Sheet::new(["directory", "entries", "bytes", "root_key_included"]);
                sheet.push([
                    self.directory.clone(),
                    self.entries.to_string(),
                    self.bytes.to_string(),
                    self.root_key_included.to_string(),
                ]);
                sheet.write_csv(out)
            }
            Format::Table => {
                let mut sheet = Sheet::new(["", ""]);
                sheet.push(["Backup", self.directory.as_str()]);
                sheet.push(["Entries".to_owned(), count(self.entries)]);
                sheet.push(["Size".to_owned(), bytes(self.bytes)]);
                sheet.write_list(out, Look::detected())?;
                writeln!(
                    out,
                    "\nThe root key is not in it: keep a copy of that elsewhere."
                )
            }
        }
    }
}
