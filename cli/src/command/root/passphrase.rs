//! The passphrase that the root key file is sealed under.

use std::io::{self, Write};
use std::path::PathBuf;

use custody_vault::Passphrase as Sealing;

use super::Where;
use crate::args::Global;
use crate::config::RootKind;
use crate::data_dir::DirLock;
use crate::error::{CommandError, Exit};
use crate::root_store::{file_store, secret};

/// Seals the root key file under a passphrase, another one, or none
///
/// The present passphrase is in the file that root.passphrase_file names. A new
/// one counts from the next start on: name its file there then.
#[derive(clap::Args)]
#[command(after_long_help = "\
Examples:
  custody root passphrase --to /run/credentials/custody/new --data /var/lib/custody
  custody root passphrase --none --data /var/lib/custody")]
pub(super) struct Passphrase {
    /// The file that the new passphrase is in
    #[arg(long, value_name = "FILE", required_unless_present = "none")]
    to: Option<PathBuf>,
    /// The file is not sealed any more
    #[arg(long, conflicts_with = "to")]
    none: bool,
    #[command(flatten)]
    place: Where,
}

impl Passphrase {
    pub(super) fn run(self, global: &Global) -> Result<Exit, CommandError> {
        let config = self.place.config(global)?;
        if config.root.kind != RootKind::File {
            return Err(CommandError::Usage(
                "root.kind is not `file`: what keeps the root key seals it as it does".to_owned(),
            ));
        }
        let lock = DirLock::take_existing(&config)?;
        let new = match &self.to {
            Some(path) => secret(path)?,
            None => None,
        };
        let new = new.map(|text| Sealing::new(text.as_str()));
        let sealed = new.is_some();
        file_store(&config)?
            .change_passphrase(new)
            .map_err(CommandError::store("the root key", &config.data_dir))?;
        drop(lock);
        writeln!(
            io::stderr(),
            "{}",
            match sealed {
                true =>
                    "The root key file is sealed under the new passphrase: name its file as \
                     root.passphrase_file before the next start.",
                false => "The root key file is not sealed any more: clear root.passphrase_file.",
            }
        )?;
        Ok(Exit::Done)
    }
}
