//! The root key in shares.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use custody_ingest::pipeline::system_clock;
use custody_vault::Share;

use super::Where;
use crate::args::Global;
use crate::error::{CommandError, Exit};
use crate::offline::Registry;

/// Cuts the root key into shares for people to keep
///
/// The ledger says that it was done, and not the shares. Each goes into a file
/// of its own that only you can read: give each to somebody else, on paper or
/// on a device of theirs, and delete the files.
#[derive(clap::Args)]
#[command(after_long_help = "\
Examples:
  custody root escrow --threshold 3 --shares 5 --out shares/ --data /var/lib/custody

The next erasure makes a new root key: these shares then open only backups of
before. Destroy them when they are too old (erasure.escrow_max_age_days).")]
pub(super) struct Escrow {
    /// So many shares give the key back; fewer say nothing
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(2..))]
    threshold: u8,
    /// So many shares are made
    #[arg(long, value_name = "M", value_parser = clap::value_parser!(u8).range(2..))]
    shares: u8,
    /// The directory for the shares: `1.txt`, `2.txt`, …; none may be there
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    #[command(flatten)]
    place: Where,
}

impl Escrow {
    pub(super) fn run(self, global: &Global) -> Result<Exit, CommandError> {
        if self.threshold > self.shares {
            return Err(CommandError::Usage(format!(
                "{} shares cannot be needed of {}",
                self.threshold, self.shares
            )));
        }
        let config = self.place.config(global)?;
        std::fs::create_dir_all(&self.out).map_err(|source| CommandError::Write {
            path: self.out.clone(),
            source,
        })?;
        for number in 1..=self.shares {
            let path = share_file(&self.out, number);
            if path.symlink_metadata().is_ok() {
                return Err(CommandError::Usage(format!(
                    "{} is there already; name another directory",
                    path.display()
                )));
            }
        }
        let registry = Registry::open(&config)?;
        let made = self.make(&registry);
        registry.close()?;
        let shares = made?;
        for share in &shares {
            write(&share_file(&self.out, share.number()), share)?;
        }
        let generation = shares.first().map_or(0, Share::generation);
        writeln!(
            io::stderr(),
            "{} shares of the root key of generation {generation} are in {}; any {} of them \
             give it back. Give each to somebody else, and delete the files.",
            self.shares,
            self.out.display(),
            self.threshold
        )?;
        Ok(Exit::Done)
    }

    /// Made and remembered by the vault, then said in the ledger, and only then
    /// handed out: no share is out that the ledger does not know of.
    fn make(&self, registry: &Registry) -> Result<Vec<Share>, CommandError> {
        let now_ns = (system_clock())();
        let dir = registry.data().path();
        let vault = &registry.data().vault;
        let shares = vault
            .escrow(self.threshold, self.shares, now_ns)
            .map_err(CommandError::store("the vault", dir))?;
        let generation = shares.first().map_or(0, Share::generation);
        registry
            .registrar()
            .escrowed(generation, self.threshold, self.shares)
            .map_err(CommandError::store("the ledger", dir))?;
        Ok(shares)
    }
}

fn share_file(dir: &Path, number: u8) -> PathBuf {
    dir.join(format!("{number}.txt"))
}

fn write(path: &Path, share: &Share) -> Result<(), CommandError> {
    let text = share.text();
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.write_all(b"\n")?;
            file.sync_all()
        })
        .map_err(|source| CommandError::Write {
            path: path.to_owned(),
            source,
        })
}
