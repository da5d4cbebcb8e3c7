//! Which root key is in force, without the key.

use std::io::{self, Write};

use custody_proto::Timestamp;
use serde::Serialize;

use super::Where;
use crate::args::Global;
use crate::data_dir::DirLock;
use crate::error::{CommandError, Exit};
use crate::output::{Format, Look, Sheet, Zone, count, write_json};
use crate::root_store::{open_vault, root_store};

/// Shows which root key is in force, and when shares of one were made
#[derive(clap::Args)]
#[command(after_long_help = "\
Examples:
  custody root show --data /var/lib/custody
  custody root show --data /var/lib/custody --format json")]
pub(super) struct Show {
    #[command(flatten)]
    place: Where,
    /// table (on a terminal), json (elsewhere), csv
    #[arg(long, value_enum)]
    format: Option<Format>,
}

#[derive(Serialize)]
struct Shown {
    generation: u64,
    /// Lower-case hexadecimal.
    commitment: String,
    /// `file`, `command` or `http`.
    kind: &'static str,
    place: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    escrow: Option<ShownEscrow>,
}

#[derive(Serialize)]
struct ShownEscrow {
    /// Of the key that the shares are of. Of an older one than that in force
    /// they open backups of that time only.
    generation: u64,
    made_at: Timestamp,
    shares: u8,
    threshold: u8,
}

impl Show {
    pub(super) fn run(self, global: &Global) -> Result<Exit, CommandError> {
        let config = self.place.config(global)?;
        let lock = DirLock::take_existing(&config)?;
        let place = root_store(&config)?.place();
        let vault = open_vault(&config)?;
        let root = vault.root();
        vault
            .close()
            .map_err(CommandError::store("the vault", &config.data_dir))?;
        drop(lock);
        let shown = Shown {
            generation: root.generation,
            commitment: hex::encode(root.commitment),
            kind: root.kind,
            place,
            escrow: root.escrow.map(|escrow| ShownEscrow {
                generation: escrow.generation,
                made_at: Timestamp::from_unix_nanos(escrow.made_ns),
                shares: escrow.shares,
                threshold: escrow.threshold,
            }),
        };
        let mut out = io::stdout().lock();
        match Format::or_detected(self.format) {
            Format::Json => write_json(&mut out, &shown)?,
            Format::Csv => shown.sheet().write_csv(&mut out)?,
            Format::Table => {
                shown.sheet().write_list(&mut out, Look::detected())?;
                if let Some(escrow) = &shown.escrow
                    && escrow.generation != shown.generation
                {
                    writeln!(
                        out,
                        "\nThe shares are of an older root key: they open backups of that time \
                         and nothing that is here now. `custody root escrow` makes new ones."
                    )?;
                }
            }
        }
        Ok(Exit::Done)
    }
}

impl Shown {
    fn sheet(&self) -> Sheet {
        let mut sheet = Sheet::new(["what", "value"]);
        sheet.push(["Generation".to_owned(), count(self.generation)]);
        sheet.push(["Commitment".to_owned(), self.commitment.clone()]);
        sheet.push([
            "Kept in".to_owned(),
            format!("{}: {}", self.kind, self.place),
        ]);
        let escrow = match &self.escrow {
            None => "none was ever made".to_owned(),
            Some(escrow) => format!(
                "{} of {} give generation {} back, made {}",
                escrow.threshold,
                escrow.shares,
                count(escrow.generation),
                Zone::utc().second(Some(escrow.made_at)),
            ),
        };
        sheet.push(["Shares".to_owned(), escrow]);
        sheet
    }
}
