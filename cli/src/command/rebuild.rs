//! `custody rebuild`: the derived stores, made again from the ledger.

use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Instant;

use custody_ingest::duplicates::catch_up;
use custody_ingest::pipeline::system_clock;
use custody_query::{ReadModel, ReadModelOptions};

use crate::args::Global;
use crate::config::Flag;
use crate::data_dir::DataDir;
use crate::error::{CommandError, Exit};
use crate::output::{count, items, spinner};

/// Makes the read model and the index of duplicates again from the ledger
///
/// Both are derived: nothing is lost with them. No server may have the data
/// directory open.
#[derive(clap::Args)]
#[command(after_long_help = "\
Examples:
  custody rebuild --data /var/lib/custody")]
pub struct Args {
    /// The data directory
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
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
        let data = DataDir::open_existing(&config)?;
        let started = Instant::now();
        let bar = items(Some(0), "read model");
        let options = ReadModelOptions::default();
        let mut entries = 0;
        let read_model = ReadModel::rebuild(
            &data.read_model_dir(),
            &data.ledger,
            &options,
            &mut |reached| {
                entries = reached.taken_in;
                bar.set_length(reached.in_ledger);
                bar.set_position(reached.taken_in);
            },
        )
        .map_err(CommandError::store("the read model", data.path()))?;
        drop(read_model);
        bar.finish_and_clear();

        let bar = spinner("index of duplicates");
        let dir = data.duplicates_dir();
        match std::fs::remove_dir_all(&dir) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(CommandError::Write {
                    path: dir,
                    source: error,
                });
            }
            _ => {}
        }
        let now_ns = system_clock()();
        let index = data.duplicates(config.ingest.duplicates_window_days, now_ns)?;
        catch_up(&index, &data.ledger, &data.vault, now_ns)
            .and_then(|()| index.persist())
            .map_err(CommandError::store("the index of duplicates", data.path()))?;
        drop(index);
        bar.finish_and_clear();
        data.close()?;
        writeln!(
            io::stderr(),
            "{} entries taken in again in {:.1} s",
            count(entries),
            started.elapsed().as_secs_f64(),
        )?;
        Ok(Exit::Done)
    }
}
