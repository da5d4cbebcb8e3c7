//! `custody check`: a document of evidence, verified without the ledger.

mod checked;
mod erasure;
mod verify;

#[cfg(test)]
mod tests;

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use custody_proof::cosignature::CosignerKey;
use custody_proof::note::VerifyingKey;

use crate::args::Global;
use crate::error::{CommandError, Exit};
use crate::output::{Format, Look, Rendering, Zone};

use verify::Trust;

/// Verifies evidence, and says what it proves
///
/// Reads one file and nothing else: no server, no data directory, no network.
/// Takes the evidence of a person, proofs of inclusion, consistency and
/// completeness, certificates of erasure, and signed checkpoints.
#[derive(clap::Args)]
#[command(after_long_help = "\
Examples:
  custody check evidence.json --key-file custody.vkey
  custody check proof.json --key 'ledger.example+1a2b3c4d+AZ…' --format json
  custody check erased.json --key-file custody.vkey
  custody check consistency.json --key-file custody.vkey --earlier checkpoint-2026-01-31
  custody check evidence.json --key-file custody.vkey --witness 'witness.example+…'

Get the key from whoever runs the ledger, apart from the file; all that is
proven rests on it. Exit status 1 where anything does not verify; the part is
named, and nothing in the file is to be believed.")]
pub struct Args {
    /// The document; `-` reads standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// A key of the ledger: `name+hash+base64`
    #[arg(long, value_name = "VKEY", help_heading = "Whom to trust")]
    key: Vec<String>,
    /// A file with keys of the ledger, one a line
    #[arg(long, value_name = "FILE", help_heading = "Whom to trust")]
    key_file: Vec<PathBuf>,
    /// A witness that must have cosigned the ledger's checkpoint: its key
    #[arg(long, value_name = "VKEY", help_heading = "Whom to trust")]
    witness: Vec<String>,
    /// The checkpoint that was kept, for a proof of consistency
    #[arg(long, value_name = "FILE")]
    earlier: Option<PathBuf>,
    /// table (on a terminal), json (elsewhere), csv
    #[arg(long, value_enum, help_heading = "Form")]
    format: Option<Format>,
    /// Times in UTC instead of the local zone
    #[arg(long, help_heading = "Form")]
    utc: bool,
}

impl Args {
    pub(crate) fn run(self, global: &Global) -> Result<Exit, CommandError> {
        global.start_quiet_logs()?;
        let trust = Trust {
            keys: self.keys()?,
            witnesses: self.witnesses()?,
            earlier: self.earlier.as_deref().map(read_text).transpose()?,
        };
        let checked = verify::check(&read(&self.file)?, &trust)?;
        let rendering = Rendering {
            format: Format::or_detected(self.format),
            look: Look::detected(),
            zone: if self.utc { Zone::utc() } else { Zone::local() },
        };
        checked.write(&mut io::stdout().lock(), &rendering)?;
        Ok(if checked.ok { Exit::Done } else { Exit::Bad })
    }

    fn keys(&self) -> Result<Vec<VerifyingKey>, CommandError> {
        let mut texts = self.key.clone();
        for path in &self.key_file {
            let text = read_text(path)?;
            let lines = text.lines().map(str::trim);
            let keys = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
            texts.extend(keys.map(str::to_owned));
        }
        if texts.is_empty() {
            return Err(CommandError::Usage(
                "a key of the ledger is needed, with --key or --key-file: without one, nothing \
                 is proven"
                    .to_owned(),
            ));
        }
        let keys = texts.iter().map(|text| {
            text.trim()
                .parse()
                .map_err(|error| CommandError::Usage(format!("--key: {error}")))
        });
        keys.collect()
    }

    fn witnesses(&self) -> Result<Vec<CosignerKey>, CommandError> {
        let keys = self.witness.iter().map(|text| {
            text.trim()
                .parse()
                .map_err(|error| CommandError::Usage(format!("--witness: {error}")))
        });
        keys.collect()
    }
}

fn read(path: &Path) -> Result<Vec<u8>, CommandError> {
    let read = if path == Path::new("-") {
        let mut bytes = Vec::new();
        io::stdin().read_to_end(&mut bytes).map(|_| bytes)
    } else {
        fs::read(path)
    };
    read.map_err(|source| CommandError::Read {
        path: path.to_owned(),
        source,
    })
}

fn read_text(path: &Path) -> Result<String, CommandError> {
    fs::read_to_string(path).map_err(|source| CommandError::Read {
        path: path.to_owned(),
        source,
    })
}
