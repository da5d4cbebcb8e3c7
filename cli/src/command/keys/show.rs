//! What outsiders verify with.

use std::io;

use custody_proof::checkpoint::shard_origin;
use custody_proof::manifest::Manifest;
use custody_proof::note::VerifyingKey;
use serde::Serialize;

use super::Where;
use super::change::{PUBLISHED, hash};
use crate::args::Global;
use crate::config::Config;
use crate::data_dir::ledger_dir;
use crate::error::{CommandError, Exit};
use crate::output::{Format, write_json};
use crate::signing::{KeyFile, origin};

/// Prints the verifier keys, which are for everybody
///
/// The current key first. Whoever has the ledger's key needs none for its
/// shards: a shard's is the same key under the shard's name.
#[derive(clap::Args)]
#[command(after_long_help = "\
Examples:
  custody keys show --data /var/lib/custody
  custody keys show --data /var/lib/custody --shards --format json")]
pub(super) struct Show {
    #[command(flatten)]
    place: Where,
    /// Those of each published shard's log, too
    #[arg(long)]
    shards: bool,
    /// table prints a key a line, as other tools read them
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

/// A verifier key.
#[derive(Serialize)]
struct Shown {
    origin: String,
    hash: String,
    key: String,
    /// Whether it is the one that is to stay.
    current: bool,
}

impl Show {
    pub(super) fn run(self, global: &Global) -> Result<Exit, CommandError> {
        let config = self.place.config(global)?;
        let ledger = origin(&config)?;
        let mut origins = vec![ledger.clone()];
        origins.extend(later_origin(&config, &ledger));
        if self.shards {
            origins.extend(shard_origins(&config, &ledger)?);
        }
        let file = KeyFile::read(&config.signing_key_path())?;
        let mut all = Vec::new();
        for origin in origins {
            for (place, key) in file.verifying_keys(&origin)?.iter().enumerate() {
                all.push(Shown::of(&origin, key, place == 0));
            }
        }
        let mut out = io::stdout().lock();
        match self.format {
            Format::Json => write_json(&mut out, &all)?,
            Format::Table => {
                for shown in &all {
                    io::Write::write_fmt(&mut out, format_args!("{}\n", shown.key))?;
                }
            }
            Format::Csv => {
                let mut sheet = crate::output::Sheet::new(["origin", "hash", "current", "key"]);
                for shown in &all {
                    sheet.push([
                        shown.origin.clone(),
                        shown.hash.clone(),
                        shown.current.to_string(),
                        shown.key.clone(),
                    ]);
                }
                sheet.write_csv(&mut out)?;
            }
        }
        Ok(Exit::Done)
    }
}

impl Shown {
    fn of(origin: &str, key: &VerifyingKey, current: bool) -> Self {
        Self {
            origin: origin.to_owned(),
            hash: hash(key),
            key: key.to_string(),
            current,
        }
    }
}

/// The origin of the ledger's own log, where it has another than the ledger: it
/// was resumed after it had lost its end.
fn later_origin(config: &Config, ledger: &str) -> Option<String> {
    let path = ledger_dir(&config.data_dir).join(PUBLISHED);
    let text = std::fs::read_to_string(path).ok()?;
    let origin = text.lines().next()?;
    (origin != ledger).then(|| origin.to_owned())
}

/// The origins of the shards in the manifest that was published last. Read
/// from its file, since a server may have the ledger open.
fn shard_origins(config: &Config, ledger: &str) -> Result<Vec<String>, CommandError> {
    let path = ledger_dir(&config.data_dir).join("public/manifest");
    let text = std::fs::read_to_string(&path).map_err(|source| CommandError::Read {
        path: path.clone(),
        source,
    })?;
    let manifest = Manifest::parse(&text)
        .map_err(|error| CommandError::Usage(format!("{}: {error}", path.display())))?;
    let shards = manifest.shards.iter();
    Ok(shards
        .map(|line| shard_origin(ledger, &line.shard, line.epoch))
        .collect())
}
