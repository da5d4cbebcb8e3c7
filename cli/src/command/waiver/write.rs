//! Waivers into the ledger.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use custody_ingest::pipeline::{
    DeadLetter, DeadLetters, Pipeline, PipelineError, StopSignal, Undelivered,
};
use custody_policy::{Revocation, VerifyingKey, Waiver};

use super::Where;
use super::draft::read;
use super::keys::read_key;
use crate::args::Global;
use crate::config::Config;
use crate::data_dir::DataDir;
use crate::error::{CommandError, Exit};
use crate::node::pipeline;
use crate::ruleset;

/// Records a signed waiver in the ledger
///
/// From then on it lets findings pass. What was judged before keeps its
/// judgement.
#[derive(clap::Args)]
#[command(after_long_help = "\
Examples:
  custody waiver add move.note --data /var/lib/custody

No server may have the data directory open.")]
pub(super) struct Add {
    /// The signed note; `-` reads standard input
    note: PathBuf,
    #[command(flatten)]
    place: Where,
}

/// Takes a waiver back, from now on
///
/// Also for events that happened before and are judged from now on. The
/// revocation is signed and stays in the ledger beside the waiver.
#[derive(clap::Args)]
#[command(after_long_help = "\
Examples:
  custody waiver revoke w-2026-017 --key operator.key --reason 'The archive has moved' --data DIR

No server may have the data directory open.")]
pub(super) struct Revoke {
    /// The waiver's id
    id: String,
    /// A key whose public half is one of `policy.waiver_keys`
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// Why, on one line, without personal data
    #[arg(long)]
    reason: String,
    #[command(flatten)]
    place: Where,
}

impl Add {
    pub(super) fn run(self, global: &Global) -> Result<Exit, CommandError> {
        let config = self.place.config(global)?;
        let id = Self::record(&config, &read(&self.note)?, &self.note)?;
        writeln!(
            io::stderr(),
            "{id} is recorded, and counts for what is judged from now on"
        )?;
        Ok(Exit::Done)
    }

    /// Records a note, and tells its id. Errors name the file.
    pub(super) fn record(config: &Config, note: &str, file: &Path) -> Result<String, CommandError> {
        let keys = trusted(config)?;
        // Before anything is opened: the signature is what is wrong most often.
        let waiver = Waiver::open(note, &keys)
            .map_err(|error| CommandError::Usage(format!("{}: {error}", file.display())))?;
        with_pipeline(config, |pipeline| pipeline.give_waiver(note).map(drop))?;
        Ok(waiver.id)
    }
}

impl Revoke {
    pub(super) fn run(self, global: &Global) -> Result<Exit, CommandError> {
        let config = self.place.config(global)?;
        Self::record(&config, &self.id, &self.reason, &self.key)?;
        writeln!(io::stderr(), "{} lets nothing pass any more", self.id)?;
        Ok(Exit::Done)
    }

    /// Signs and records a revocation.
    pub(super) fn record(
        config: &Config,
        id: &str,
        reason: &str,
        key_file: &Path,
    ) -> Result<(), CommandError> {
        let keys = trusted(config)?;
        let key = read_key(key_file)?;
        let revocation = Revocation {
            id: id.to_owned(),
            reason: reason.to_owned(),
            signer: String::new(),
        };
        let note = revocation
            .sign(&key)
            .map_err(|error| CommandError::Usage(error.to_string()))?;
        Revocation::open(&note, &keys)
            .map_err(|error| CommandError::Usage(format!("{}: {error}", key_file.display())))?;
        let known = super::list::waivers(config)?;
        let problem = match known.iter().find(|(waiver, _)| waiver.id == id) {
            None => Some(format!("there is no waiver {id}")),
            Some((_, Some(_))) => Some(format!("{id} is revoked already")),
            Some((_, None)) => None,
        };
        match problem {
            Some(problem) => Err(CommandError::Usage(problem)),
            None => with_pipeline(config, |pipeline| pipeline.revoke_waiver(id, &note)),
        }
    }
}

/// Whose signatures count.
pub(super) fn trusted(config: &Config) -> Result<Vec<VerifyingKey>, CommandError> {
    let keys = config.policy.verifying_keys().unwrap_or_default();
    if keys.is_empty() {
        return Err(CommandError::Usage(
            "nobody's signature counts: list the public half of a key in policy.waiver_keys of \
             the configuration"
                .to_owned(),
        ));
    }
    Ok(keys)
}

/// Does something in the ledger by the same way as a server.
fn with_pipeline(
    config: &Config,
    work: impl FnOnce(&Pipeline) -> Result<(), PipelineError>,
) -> Result<(), CommandError> {
    let rules = ruleset::in_force(config)?;
    let data = DataDir::open_existing(config)?;
    let pipeline = pipeline(config, &data, rules, Arc::new(Nothing))?;
    let done = work(&pipeline).map_err(|error| match error {
        PipelineError::Waiver(_)
        | PipelineError::WaiverKnown { .. }
        | PipelineError::WaiverOfDuty { .. }
        | PipelineError::OtherWaiver { .. } => CommandError::Usage(error.to_string()),
        other => CommandError::Stopped {
            what: "the ledger",
            reason: other.to_string(),
        },
    });
    let stopped = pipeline
        .stop(Duration::from_secs(60))
        .map_err(|error| CommandError::Stopped {
            what: "the ledger",
            reason: error.to_string(),
        });
    drop(pipeline);
    let closed = data.close();
    done.and(stopped).and(closed)
}

/// Nothing is read, so that nothing is rejected.
struct Nothing;

impl DeadLetters for Nothing {
    fn deliver(&self, _: &[DeadLetter], _: &StopSignal) -> Result<(), Undelivered> {
        Ok(())
    }
}
