//! `custody erasure`: what was erased, and the certificates.

use std::io::{self, Write};
use std::path::PathBuf;

use custody_proto::v1::{Erasure, GetErasureRequest, ListErasuresRequest, WithdrawErasureRequest};

use crate::args::Global;
use crate::client::Place;
use crate::command::asking::{Form, Source};
use crate::command::erase::write_certificate;
use crate::error::{CommandError, Exit};
use crate::output::{Format, Rendering, write_answer, write_erasure, write_json};
use crate::rights;

/// Lists, shows and withdraws erasures
///
/// What the ledger says of them: when they were asked for, what they wait for,
/// when they were done and under which root key, and who was to be told.
#[derive(clap::Args)]
#[command(after_long_help = "\
Examples:
  custody erasure list
  custody erasure list --state waiting --format json
  custody erasure show 1f0c… --certificate erased.json
  custody erasure withdraw 1f0c…                    while a hold keeps it waiting")]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(clap::Subcommand)]
enum What {
    /// Every erasure, the newest first
    List {
        /// requested, waiting, started, done, withdrawn
        #[arg(long, value_name = "STATE", value_delimiter = ',')]
        state: Vec<String>,
        #[command(flatten)]
        source: Source,
        #[command(flatten)]
        form: Form,
    },
    /// One erasure, and its certificate
    Show {
        /// Its id: 32 hexadecimal digits
        #[arg(value_name = "ERASURE")]
        id: String,
        /// Writes the certificate to this file
        #[arg(long, value_name = "FILE")]
        certificate: Option<PathBuf>,
        #[command(flatten)]
        source: Source,
        #[command(flatten)]
        form: Form,
    },
    /// Takes back one that has not begun
    Withdraw {
        /// Its id: 32 hexadecimal digits
        #[arg(value_name = "ERASURE")]
        id: String,
        #[command(flatten)]
        source: Source,
        #[command(flatten)]
        form: Form,
    },
}

impl Args {
    pub(crate) fn run(self, global: &Global) -> Result<Exit, CommandError> {
        global.start_quiet_logs()?;
        match self.what {
            What::List {
                state,
                source,
                form,
            } => {
                let config = source.files(global)?;
                let request = ListErasuresRequest {
                    states: state,
                    ..ListErasuresRequest::default()
                };
                let place = Place::of(config.as_ref(), &source.server);
                let answer = rights::erasures(place, request)?;
                write_answer(&answer, &mut io::stdout().lock(), &form.rendering())?;
                Ok(Exit::Done)
            }
            What::Show {
                id,
                certificate,
                source,
                form,
            } => {
                let config = source.files(global)?;
                let place = Place::of(config.as_ref(), &source.server);
                let answer = rights::erasure(place, GetErasureRequest { id })?;
                let rendering = form.rendering();
                match rendering.format {
                    Format::Json => write_json(&mut io::stdout().lock(), &answer)?,
                    _ => show(answer.erasure.as_ref(), &rendering)?,
                }
                match &certificate {
                    None => Ok(Exit::Done),
                    Some(_) if answer.certificate.is_empty() => {
                        say_uncertified()?;
                        Ok(Exit::Bad)
                    }
                    Some(path) => {
                        write_certificate(path, &answer.certificate)?;
                        Ok(Exit::Done)
                    }
                }
            }
            What::Withdraw { id, source, form } => {
                let config = source.files(global)?;
                let place = Place::of(config.as_ref(), &source.server);
                let answer = rights::withdraw(place, WithdrawErasureRequest { id })?;
                let rendering = form.rendering();
                match rendering.format {
                    Format::Json => write_json(&mut io::stdout().lock(), &answer)?,
                    _ => show(answer.erasure.as_ref(), &rendering)?,
                }
                Ok(Exit::Done)
            }
        }
    }
}

fn show(erasure: Option<&Erasure>, rendering: &Rendering) -> Result<(), CommandError> {
    let Some(erasure) = erasure else {
        return Ok(());
    };
    let mut out = io::stdout().lock();
    match rendering.format {
        Format::Csv => {
            let one = custody_proto::v1::ListErasuresResponse {
                erasures: vec![erasure.clone()],
                ..Default::default()
            };
            write_answer(&one, &mut out, rendering)?;
        }
        _ => write_erasure(erasure, &mut out, rendering)?,
    }
    Ok(())
}

fn say_uncertified() -> io::Result<()> {
    writeln!(
        io::stderr(),
        "There is no certificate yet: it is not done, or its end is not signed."
    )
}
