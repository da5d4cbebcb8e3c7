//! `custody hold`: whose data is to be kept for a matter.

use std::io::{self, Write};

use custody_proto::v1::{LiftHoldRequest, ListHoldsRequest, ListHoldsResponse, PlaceHoldRequest};

use crate::args::Global;
use crate::client::Place;
use crate::command::asking::{Form, Source, moment};
use crate::command::subject::read_id;
use crate::error::{CommandError, Exit};
use crate::output::write_answer;
use crate::rights;

/// Places, lifts and lists holds: whose data is to be kept for a matter
///
/// While a hold stands, erasing whom it holds waits, visibly, and goes on by
/// itself when the last one is lifted or has run out.
#[derive(clap::Args)]
#[command(after_long_help = "\
Examples:
  custody hold place case-2026-04 account:1001 account:1002
  custody hold place audit-q4 --everybody --until 2026-12-31
  custody hold lift case-2026-04 account:1001
  custody hold list

A matter is a code, `[a-z0-9._-]{1,64}`: it stays in the ledger.")]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(clap::Subcommand)]
enum What {
    /// Holds persons for a matter
    Place {
        /// What for, a code
        #[arg(value_name = "MATTER")]
        matter: String,
        /// Whom: `scheme:value` each, or `@FILE`
        #[arg(value_name = "ID", required_unless_present = "everybody")]
        ids: Vec<String>,
        /// Everybody there is
        #[arg(long, conflicts_with = "ids")]
        everybody: bool,
        /// Until then: a day or an RFC 3339 time. Without it, until it is
        /// lifted
        #[arg(long, value_name = "TIME")]
        until: Option<String>,
        #[command(flatten)]
        source: Source,
        #[command(flatten)]
        form: Form,
    },
    /// Lifts a hold
    Lift {
        /// What for
        #[arg(value_name = "MATTER")]
        matter: String,
        /// Of whom: `scheme:value` each, or `@FILE`. Without any, of everybody
        /// in the matter
        #[arg(value_name = "ID")]
        ids: Vec<String>,
        #[command(flatten)]
        source: Source,
    },
    /// Holds in force
    List {
        /// Only those that hold this person
        #[arg(value_name = "ID")]
        id: Option<String>,
        #[command(flatten)]
        source: Source,
        #[command(flatten)]
        form: Form,
    },
}

fn read_ids(ids: &[String]) -> Result<Vec<String>, CommandError> {
    ids.iter().map(|id| read_id(id)).collect()
}

impl Args {
    pub(crate) fn run(self, global: &Global) -> Result<Exit, CommandError> {
        global.start_quiet_logs()?;
        match self.what {
            What::Place {
                matter,
                ids,
                everybody: _,
                until,
                source,
                form,
            } => {
                let rendering = form.rendering();
                let request = PlaceHoldRequest {
                    matter,
                    subjects: read_ids(&ids)?,
                    until: moment("--until", &rendering.zone, until.as_deref())?,
                };
                let config = source.files(global)?;
                let place = Place::of(config.as_ref(), &source.server);
                let placed = rights::place_hold(place, request)?;
                let answer = ListHoldsResponse {
                    holds: placed.hold.into_iter().collect(),
                };
                write_answer(&answer, &mut io::stdout().lock(), &rendering)?;
            }
            What::Lift {
                matter,
                ids,
                source,
            } => {
                let request = LiftHoldRequest {
                    subjects: read_ids(&ids)?,
                    matter: matter.clone(),
                };
                let config = source.files(global)?;
                let place = Place::of(config.as_ref(), &source.server);
                rights::lift_hold(place, request)?;
                writeln!(
                    io::stderr(),
                    "The hold for {matter} is lifted. Erasures that waited for it alone go on."
                )?;
            }
            What::List { id, source, form } => {
                let request = ListHoldsRequest {
                    subject: id.as_deref().map(read_id).transpose()?.unwrap_or_default(),
                };
                let config = source.files(global)?;
                let place = Place::of(config.as_ref(), &source.server);
                let answer = rights::holds(place, request)?;
                write_answer(&answer, &mut io::stdout().lock(), &form.rendering())?;
            }
        }
        Ok(Exit::Done)
    }
}
