//! The root key from its shares.

use std::io::{self, Write};
use std::path::PathBuf;

use custody_vault::Share;
use zeroize::Zeroizing;

use super::Where;
use crate::args::Global;
use crate::error::{CommandError, Exit};
use crate::root_store::root_store;

/// Puts the root key together from shares
///
/// It goes to where the configuration keeps the root key, which must hold none.
/// What opens with it is the vault of the time at which the shares were made:
/// one that was restored from a backup of then, or the present one where nobody
/// was erased since.
#[derive(clap::Args)]
#[command(after_long_help = "\
Examples:
  custody root recover shares/1.txt shares/3.txt shares/4.txt --data /var/lib/custody

Then `custody restore` or `custody serve`. A vault from a backup has persons who
were erased since: the register beside the root key erases them again.")]
pub(super) struct Recover {
    /// Files of shares, at least as many as are needed
    #[arg(value_name = "FILE", required = true)]
    shares: Vec<PathBuf>,
    #[command(flatten)]
    place: Where,
}

impl Recover {
    pub(super) fn run(self, global: &Global) -> Result<Exit, CommandError> {
        let config = self.place.config(global)?;
        let shares = self.shares.iter().map(|path| {
            let text = std::fs::read_to_string(path).map_err(|source| CommandError::Read {
                path: path.clone(),
                source,
            })?;
            let text = Zeroizing::new(text);
            text.parse::<Share>()
                .map_err(|error| CommandError::Usage(format!("{}: {error}", path.display())))
        });
        let shares = shares.collect::<Result<Vec<_>, _>>()?;
        let store = root_store(&config)?;
        let key = Share::recover_into(&shares, store.as_ref())
            .map_err(|error| CommandError::Usage(error.to_string()))?;
        writeln!(
            io::stderr(),
            "The root key of generation {} is at {}.",
            key.generation(),
            store.place()
        )?;
        Ok(Exit::Done)
    }
}
