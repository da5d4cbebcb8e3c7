//! Making, adding and leaving out keys.

use std::io::{self, Write};

use custody_proof::checkpoint::verifying_keys;
use custody_proof::note::{Limits, Note, VerifyingKey};

use super::Where;
use crate::args::Global;
use crate::config::Config;
use crate::data_dir::ledger_dir;
use crate::error::{CommandError, Exit};
use crate::signing::{KeyFile, KeyFileError, origin};

/// The ledger's last checkpoint, in its directory.
pub(super) const PUBLISHED: &str = "public/checkpoint";

/// The name in a file that is older than its ledger. It signs under the
/// ledger's origin all the same.
const NAME_BEFORE_LEDGER: &str = "custody";

/// Makes the first key
///
/// `custody serve` does the same where there is none. The file is never
/// overwritten.
#[derive(clap::Args)]
#[command(after_long_help = "\
Examples:
  custody keys generate --data /var/lib/custody
  custody keys generate --key /etc/custody/signing.key")]
pub(super) struct Generate {
    #[command(flatten)]
    place: Where,
}

/// Puts a new key before the others
///
/// From the next start on both sign every checkpoint, so that those who know
/// only the old key go on verifying until they have the new one.
#[derive(clap::Args)]
#[command(after_long_help = "\
Examples:
  custody keys rotate --data /var/lib/custody")]
pub(super) struct Rotate {
    #[command(flatten)]
    place: Where,
}

/// Leaves out a key that is not the current one
///
/// It signs nothing any more. What it has signed stays signed: keep its
/// verifier key with the checkpoints of its time.
#[derive(clap::Args)]
#[command(after_long_help = "\
Examples:
  custody keys retire 4d8d5c46 --data /var/lib/custody")]
pub(super) struct Retire {
    /// The hash in its verifier key, `name+HASH+base64`
    hash: String,
    #[command(flatten)]
    place: Where,
}

impl Generate {
    pub(super) fn run(self, global: &Global) -> Result<Exit, CommandError> {
        let config = self.place.config(global)?;
        let name = match origin(&config) {
            Ok(origin) => origin,
            Err(KeyFileError::NoOrigin) => NAME_BEFORE_LEDGER.to_owned(),
            Err(error) => return Err(error.into()),
        };
        let file = KeyFile::create(&config.signing_key_path(), &name)?;
        let mut err = io::stderr().lock();
        writeln!(
            err,
            "A new signing key is in {}. Back it up by itself.",
            file.path().display()
        )?;
        match origin(&config) {
            Ok(origin) => print_current(&file, &origin),
            Err(_) => {
                writeln!(
                    err,
                    "Once the ledger is there, `custody keys show` prints what outsiders verify with."
                )?;
                Ok(Exit::Done)
            }
        }
    }
}

impl Rotate {
    pub(super) fn run(self, global: &Global) -> Result<Exit, CommandError> {
        let config = self.place.config(global)?;
        let origin = origin(&config)?;
        let file = KeyFile::read(&config.signing_key_path())?.rotate(&origin)?;
        let old = file.verifying_keys(&origin)?;
        let mut err = io::stderr().lock();
        writeln!(
            err,
            "A new key is the current one in {}. Next:\n\
             1. Restart the server: from then on {} keys sign every checkpoint.\n\
             2. Give the new verifier key to everybody who verifies, witnesses first.\n\
             3. When all have it, leave out the old one and restart:",
            file.path().display(),
            old.len(),
        )?;
        for key in old.iter().skip(1) {
            writeln!(err, "   custody keys retire {}", hash(key))?;
        }
        print_current(&file, &origin)
    }
}

impl Retire {
    pub(super) fn run(self, global: &Global) -> Result<Exit, CommandError> {
        let config = self.place.config(global)?;
        let origin = origin(&config)?;
        let file = KeyFile::read(&config.signing_key_path())?;
        let keys = file.verifying_keys(&origin)?;
        let Some(place) = keys.iter().position(|key| hash(key) == self.hash) else {
            return Err(CommandError::Usage(format!(
                "no key of {} has the hash {}; `custody keys show` prints them",
                file.path().display(),
                self.hash
            )));
        };
        if place == 0 {
            return Err(CommandError::Usage(format!(
                "{} is the current key; `custody keys rotate` makes another one that",
                self.hash
            )));
        }
        if let Some(current) = keys.first()
            && !has_signed(&config, current)
        {
            return Err(CommandError::Usage(format!(
                "the current key {} has signed no checkpoint yet: start the server with both \
                 keys first, so that nobody is left without a signature to verify",
                hash(current)
            )));
        }
        file.retire(place)?;
        writeln!(
            io::stderr(),
            "{} is left out; restart the server. Keep its verifier key: checkpoints of its time \
             are verified with it.",
            self.hash
        )?;
        Ok(Exit::Done)
    }
}

/// Whether the checkpoint that was published last has a signature by `key`.
/// Where none was published nobody rests on one.
fn has_signed(config: &Config, key: &VerifyingKey) -> bool {
    let path = ledger_dir(&config.data_dir).join(PUBLISHED);
    let Ok(text) = std::fs::read_to_string(path) else {
        return true;
    };
    Note::parse_within(&text, Limits::CHECKPOINT).is_ok_and(|note| {
        let origin = note.text().lines().next().unwrap_or_default();
        let keys = verifying_keys(origin, std::slice::from_ref(key));
        note.opened_by(&keys).is_ok()
    })
}

/// The hash of a verifier key, as in its text.
pub(super) fn hash(key: &VerifyingKey) -> String {
    hex::encode(key.id())
}

fn print_current(file: &KeyFile, origin: &str) -> Result<Exit, CommandError> {
    if let Some(key) = file.verifying_keys(origin)?.first() {
        writeln!(io::stdout().lock(), "{key}")?;
    }
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests;
