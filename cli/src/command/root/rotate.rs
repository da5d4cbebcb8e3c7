//! A new root key, and nobody erased.

use std::io::{self, Write};

use super::Where;
use crate::args::Global;
use crate::data_dir::DirLock;
use crate::error::{CommandError, Exit};
use crate::root_store::open_vault;

/// Makes a new root key and destroys the one before it
///
/// As an erasure does, and nobody is erased: after a key may have been seen, or
/// where erasures are seldom. Shares and copies of the key before then open
/// backups of before, and not the vault as it is.
#[derive(clap::Args)]
#[command(after_long_help = "\
Examples:
  custody root rotate --data /var/lib/custody
  custody root escrow --threshold 3 --shares 5 --out shares/ --data /var/lib/custody")]
pub(super) struct Rotate {
    #[command(flatten)]
    place: Where,
}

impl Rotate {
    pub(super) fn run(self, global: &Global) -> Result<Exit, CommandError> {
        let config = self.place.config(global)?;
        let lock = DirLock::take_existing(&config)?;
        let vault = open_vault(&config)?;
        let rotated = vault
            .rotate()
            .map_err(CommandError::store("the root key", &config.data_dir));
        let closed = vault
            .close()
            .map_err(CommandError::store("the vault", &config.data_dir));
        drop(lock);
        let root = rotated?;
        closed?;
        writeln!(
            io::stderr(),
            "The root key of generation {} is in force; the one before it is destroyed. Shares of \
             that one open backups of before only: `custody root escrow` makes new ones.",
            root.generation
        )?;
        Ok(Exit::Done)
    }
}
