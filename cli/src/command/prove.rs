//! `custody prove`: one proof, as a document that others can check.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use custody_proto::v1::{EntryPosition, GetErasureRequest, ProveConsistencyRequest};

use crate::args::Global;
use crate::client::Place;
use crate::command::asking::Source;
use crate::command::subject::read_id;
use crate::error::{CommandError, Exit};
use crate::evidence;
use crate::output::{Format, Look, Sheet, count, counted};
use crate::rights;

/// Proves one thing about the ledger
///
/// Writes a JSON document that `custody check` verifies, and says in words
/// what it proves. A proof rests on the last signed checkpoint.
#[derive(clap::Args)]
#[command(after_long_help = "\
Examples:
  custody prove inclusion 2f1c9a4e0b7d4c55a8d3e6f7091b2c3d 4711 --out proof.json
  custody prove consistency --from 1200 --out proof.json
  custody prove completeness account:1001 --format table
  custody prove erasure 1f0c… --out erased.json

`custody checkpoint --format table` lists the shards.")]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(clap::Subcommand)]
enum What {
    /// That an entry is in the ledger
    Inclusion {
        /// The shard's id
        #[arg(value_name = "SHARD")]
        shard: String,
        /// The entry's number in the shard, from 0
        #[arg(value_name = "SEQUENCE")]
        sequence: u64,
        #[command(flatten)]
        form: Form,
    },
    /// That a log only grew: of a shard, or the ledger's own
    Consistency {
        /// The shard's id; without it, the ledger's own log of manifests
        #[arg(value_name = "SHARD")]
        shard: Option<String>,
        /// The size that an earlier checkpoint names: its second line
        #[arg(long, value_name = "N")]
        from: u64,
        /// The later size; without it, that of the last checkpoint
        #[arg(long, value_name = "M")]
        to: Option<u64>,
        #[command(flatten)]
        form: Form,
    },
    /// That persons were erased: the certificate of an erasure that is done
    Erasure {
        /// The erasure's id: `custody erasure list` has it
        #[arg(value_name = "ERASURE")]
        id: String,
        #[command(flatten)]
        form: Form,
    },
    /// How many entries of a person each shard has, and that the others have
    /// none
    Completeness {
        /// The person: `scheme:value`, `-` to read that from standard input,
        /// or `@FILE` to read it from a file
        #[arg(value_name = "ID")]
        id: String,
        #[command(flatten)]
        form: Form,
    },
}

#[derive(clap::Args)]
struct Form {
    #[command(flatten)]
    source: Source,
    /// Writes the document to this file
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// table (on a terminal), json (elsewhere), csv. json is the document
    #[arg(long, value_enum)]
    format: Option<Format>,
}

/// A proof, and what it proves.
struct Proof {
    document: Vec<u8>,
    /// In words.
    says: String,
    /// In numbers.
    sheet: Sheet,
}

impl Args {
    pub(crate) fn run(self, global: &Global) -> Result<Exit, CommandError> {
        global.start_quiet_logs()?;
        match self.what {
            What::Inclusion {
                shard,
                sequence,
                form,
            } => form.prove(global, |place| inclusion(place, &shard, sequence)),
            What::Consistency {
                shard,
                from,
                to,
                form,
            } => form.prove(global, |place| {
                consistency(place, shard.unwrap_or_default(), from, to)
            }),
            What::Erasure { id, form } => form.prove(global, |place| erasure(place, id)),
            What::Completeness { id, form } => {
                let id = read_id(&id)?;
                form.prove(global, |place| completeness(place, id))
            }
        }
    }
}

impl Form {
    fn prove(
        self,
        global: &Global,
        ask: impl FnOnce(Place<'_>) -> Result<Proof, CommandError>,
    ) -> Result<Exit, CommandError> {
        let config = self.source.files(global)?;
        let proof = ask(Place::of(config.as_ref(), &self.source.server))?;
        if let Some(path) = &self.out {
            write(path, &proof.document)?;
        }
        let mut out = io::stdout().lock();
        match Format::or_detected(self.format) {
            Format::Json if self.out.is_none() => {
                out.write_all(&proof.document)?;
                writeln!(out)?;
            }
            // The document is in its file.
            Format::Json => {}
            Format::Csv => proof.sheet.write_csv(&mut out)?,
            Format::Table => {
                proof.sheet.write_table(&mut out, Look::detected())?;
                writeln!(out, "\n{}", proof.says)?;
                match &self.out {
                    Some(path) => writeln!(
                        out,
                        "`custody check {} --key VKEY` verifies it.",
                        path.display()
                    )?,
                    None => writeln!(out, "--out FILE writes the document that proves it.")?,
                }
            }
        }
        Ok(Exit::Done)
    }
}

fn write(path: &Path, document: &[u8]) -> Result<(), CommandError> {
    std::fs::write(path, document).map_err(|source| CommandError::Write {
        path: path.to_owned(),
        source,
    })
}

fn inclusion(place: Place<'_>, shard: &str, sequence: u64) -> Result<Proof, CommandError> {
    let entry = EntryPosition {
        shard: shard.to_owned(),
        sequence,
        offset: None,
    };
    let proof = evidence::prove_inclusion(place, entry)?;
    let mut sheet = Sheet::new(["Shard", "Entry", "Bytes", "Hashes"])
        .number(1)
        .number(2)
        .number(3);
    sheet.push([
        shard.to_owned(),
        proof.index.to_string(),
        proof.entry.len().to_string(),
        proof.path.len().to_string(),
    ]);
    Ok(Proof {
        document: proof.document,
        says: format!(
            "Entry {} is in shard {shard} under the checkpoint in the document, with the bytes \
             in the document and no other.",
            count(proof.index)
        ),
        sheet,
    })
}

fn consistency(
    place: Place<'_>,
    shard: String,
    from: u64,
    to: Option<u64>,
) -> Result<Proof, CommandError> {
    let log = match shard.as_str() {
        "" => "the ledger's own log".to_owned(),
        shard => format!("shard {shard}"),
    };
    let request = ProveConsistencyRequest {
        shard,
        from_size: from,
        to_size: to.unwrap_or_default(),
        at_least: None,
    };
    let proof = evidence::prove_consistency(place, request)?;
    let mut sheet = Sheet::new(["Log", "From", "To", "Hashes"])
        .number(1)
        .number(2)
        .number(3);
    sheet.push([
        log.clone(),
        from.to_string(),
        proof.to_size.to_string(),
        proof.path.len().to_string(),
    ]);
    Ok(Proof {
        document: proof.document,
        says: format!(
            "The first {} entries of {log} are the same in the log of {}: nothing was changed \
             or removed in between. Whoever checks this needs the checkpoint of {} that they \
             kept.",
            count(from),
            count(proof.to_size),
            count(from),
        ),
        sheet,
    })
}

fn erasure(place: Place<'_>, id: String) -> Result<Proof, CommandError> {
    let answer = rights::erasure(place, GetErasureRequest { id })?;
    let erasure = answer.erasure.unwrap_or_default();
    if answer.certificate.is_empty() {
        return Err(match erasure.state.as_str() {
            "done" => CommandError::Unsigned,
            state => CommandError::Usage(format!(
                "the erasure is {state}: there is a certificate when it is done"
            )),
        });
    }
    let mut sheet = Sheet::new(["Erasure", "Persons", "Recipients", "Generation"])
        .number(1)
        .number(2)
        .number(3);
    sheet.push([
        erasure.id,
        erasure.persons.to_string(),
        erasure.recipients.len().to_string(),
        erasure.generation.to_string(),
    ]);
    Ok(Proof {
        document: answer.certificate,
        says: format!(
            "The keys of {} were destroyed, under a root key of generation {}: the \
             ledger holds the entries that say so, under the checkpoint in the document.",
            counted(erasure.persons, "person"),
            count(erasure.generation),
        ),
        sheet,
    })
}

fn completeness(place: Place<'_>, id: String) -> Result<Proof, CommandError> {
    let proof = evidence::prove_completeness(place, id)?;
    let mut sheet = Sheet::new(["Reference", "Shard", "Entries"]).number(2);
    for part in &proof.parts {
        sheet.push([
            part.reference.clone(),
            part.shard.clone(),
            part.count.to_string(),
        ]);
    }
    let entries: u64 = proof.parts.iter().map(|part| part.count).sum();
    let mut shards: Vec<&str> = proof.parts.iter().map(|part| part.shard.as_str()).collect();
    shards.sort_unstable();
    shards.dedup();
    Ok(Proof {
        document: proof.document,
        says: format!(
            "The ledger has {} entries of this person in all of its {} shards, and no more: \
             every shard of the signed manifest is accounted for.",
            count(entries),
            shards.len()
        ),
        sheet,
    })
}
