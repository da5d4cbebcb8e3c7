//! What `custody verify` compares the ledger with: signed checkpoints.

use std::io::{self, Write};
use std::path::PathBuf;

use custody_ledger::{CheckpointReport, OpenError, Since, VerifyOptions, VerifyReport};
use custody_proof::note::VerifyingKey;
use serde::Serialize;

use crate::error::CommandError;
use crate::output::count;

#[derive(clap::Args)]
pub(super) struct Checkpoints {
    /// A key that signs for the ledger, `name+id+base64`; may be given several
    /// times. By default the public halves of signing.key, where it can be read.
    /// Without any, who changes everything consistently is not found
    #[arg(long = "key", value_name = "VKEY")]
    keys: Vec<String>,
    /// An earlier checkpoint that the ledger must continue: a file, or a
    /// directory with `checkpoint`, `manifest` and those of shards
    #[arg(long, value_name = "PATH")]
    since: Option<PathBuf>,
    /// Decodes entries only as far as they are tied to their place and person
    #[arg(long)]
    no_deep: bool,
    /// Verifies what is sealed alone: a copy of `segments/`, or that part of a
    /// ledger at work
    #[arg(long)]
    sealed_only: bool,
    /// Where the signed anchor lies; by default where the configuration says
    #[arg(long, value_name = "DIR")]
    signed_anchor: Option<PathBuf>,
}

impl Checkpoints {
    /// Sets what was asked for.
    pub(super) fn apply(&self, options: &mut VerifyOptions) -> Result<(), CommandError> {
        for key in &self.keys {
            let key: VerifyingKey = key
                .parse()
                .map_err(|error| CommandError::Usage(format!("--key: {error}")))?;
            options.keys.push(key);
        }
        options.since = match &self.since {
            None => None,
            Some(path) => Some(Since::read(path).map_err(|error| match error {
                OpenError::Io { path, source, .. } => CommandError::Read { path, source },
                error => CommandError::Usage(format!("--since: {error}")),
            })?),
        };
        options.deep = !self.no_deep;
        options.sealed_only = self.sealed_only;
        if let Some(dir) = &self.signed_anchor {
            options.signed_anchor_dir = Some(dir.clone());
        }
        Ok(())
    }
}

/// Writes what was compared, for people.
pub(super) fn write(report: &VerifyReport, out: &mut dyn Write) -> io::Result<()> {
    let checkpoints = [("signed", &report.checkpoint), ("earlier", &report.since)];
    for (which, checkpoint) in checkpoints {
        let Some(checkpoint) = checkpoint else {
            continue;
        };
        let by = if checkpoint.signers.is_empty() {
            "no signature verified".to_owned()
        } else {
            format!("signed by {}", checkpoint.signers.join(", "))
        };
        writeln!(
            out,
            "The {which} checkpoint {} of {} covers {} entries in {} shards, {by}.",
            count(checkpoint.size),
            checkpoint.origin,
            count(checkpoint.entries),
            count(checkpoint.shards),
        )?;
    }
    Ok(())
}

/// A checkpoint for programs.
#[derive(Serialize)]
pub(super) struct CheckpointJson {
    origin: String,
    size: u64,
    root: String,
    shards: u64,
    entries: u64,
    signers: Vec<String>,
}

impl CheckpointJson {
    pub(super) fn of(checkpoint: &CheckpointReport) -> Self {
        Self {
            origin: checkpoint.origin.clone(),
            size: checkpoint.size,
            root: checkpoint.root.to_string(),
            shards: checkpoint.shards,
            entries: checkpoint.entries,
            signers: checkpoint.signers.clone(),
        }
    }
}
