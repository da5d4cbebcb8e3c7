//! `custody identity`: who is who, by the operator's word.

use std::io::{self, Write};

use custody_proto::v1::{
    GetSubjectResponse, LinkSubjectsRequest, ReleaseIdentifierRequest, UnlinkSubjectsRequest,
};

use crate::args::Global;
use crate::client::{self, AnyAnswer, Place, Question, View};
use crate::command::asking::{Form, Source, moment};
use crate::command::subject::read_id;
use crate::error::{CommandError, Exit};
use crate::output::{Format, Sheet, Zone, write_json};
use crate::rights;

/// Shows and changes who is who: links, unlinks, released identifiers
///
/// Persons with the same unique identifier are linked by themselves. What you
/// say here goes into the ledger with a cause, and is undone by saying the
/// contrary; keys are never merged.
#[derive(clap::Args)]
#[command(after_long_help = "\
Examples:
  custody identity show account:1001
  custody identity link account:1001 account:1002 --cause support-case
  custody identity unlink account:1001 account:1002 --cause mistaken-merge
  custody identity release phone:+491701234567 --cause number-returned --from 2026-03-01

A cause is a code, `[a-z0-9._-]{1,64}`: it stays in the ledger.")]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(clap::Subcommand)]
enum What {
    /// A person's identifiers, and the references in the ledger
    Show {
        /// The person: `scheme:value`, `-` or `@FILE`
        #[arg(value_name = "ID")]
        id: String,
        #[command(flatten)]
        source: Source,
        #[command(flatten)]
        form: Form,
    },
    /// Says that two persons are one
    Link(Two),
    /// Says that two linked persons are not one
    Unlink(Two),
    /// Says that an identifier is nobody's any more: whoever comes with it next
    /// is somebody else
    Release {
        /// The identifier: `scheme:value`, of a unique scheme; `-` or `@FILE`
        #[arg(value_name = "ID")]
        id: String,
        /// From then on: a day or an RFC 3339 time. Without it, from now
        #[arg(long, value_name = "TIME")]
        from: Option<String>,
        /// Why, a code
        #[arg(long, value_name = "CODE")]
        cause: String,
        #[command(flatten)]
        source: Source,
    },
}

#[derive(clap::Args)]
struct Two {
    /// One: `scheme:value`, `-` or `@FILE`
    #[arg(value_name = "A")]
    a: String,
    /// The other
    #[arg(value_name = "B")]
    b: String,
    /// Why, a code
    #[arg(long, value_name = "CODE")]
    cause: String,
    #[command(flatten)]
    source: Source,
}

impl Args {
    pub(crate) fn run(self, global: &Global) -> Result<Exit, CommandError> {
        global.start_quiet_logs()?;
        match self.what {
            What::Show { id, source, form } => show(global, &id, &source, &form),
            What::Link(two) => {
                let request = LinkSubjectsRequest {
                    a: read_id(&two.a)?,
                    b: read_id(&two.b)?,
                    cause: two.cause,
                };
                let config = two.source.files(global)?;
                let place = Place::of(config.as_ref(), &two.source.server);
                let answer = rights::link(place, request)?;
                say(match answer.changed {
                    true => "They are one person from now on, in every answer.",
                    false => "They were linked already.",
                })
            }
            What::Unlink(two) => {
                let request = UnlinkSubjectsRequest {
                    a: read_id(&two.a)?,
                    b: read_id(&two.b)?,
                    cause: two.cause,
                };
                let config = two.source.files(global)?;
                let place = Place::of(config.as_ref(), &two.source.server);
                let answer = rights::unlink(place, request)?;
                say(match (answer.changed, answer.still_linked) {
                    (true, false) => "They are two persons from now on.",
                    (true, true) => {
                        "The link between them is gone; they are still one by way of somebody else."
                    }
                    (false, true) => {
                        "There is no direct link between them; they are one by way of somebody \
                         else."
                    }
                    (false, false) => "They were not linked.",
                })
            }
            What::Release {
                id,
                from,
                cause,
                source,
            } => {
                let request = ReleaseIdentifierRequest {
                    identifier: read_id(&id)?,
                    from: moment("--from", &Zone::local(), from.as_deref())?,
                    cause,
                };
                let config = source.files(global)?;
                let place = Place::of(config.as_ref(), &source.server);
                let answer = rights::release(place, request)?;
                say(match answer.reference.as_str() {
                    "" => "It was nobody's.",
                    _ => {
                        "It is nobody's from then on. What happened before still finds whose it \
                         was."
                    }
                })
            }
        }
    }
}

fn say(text: &str) -> Result<Exit, CommandError> {
    writeln!(io::stderr(), "{text}")?;
    Ok(Exit::Done)
}

fn show(global: &Global, id: &str, source: &Source, form: &Form) -> Result<Exit, CommandError> {
    let question = Question::about(read_id(id)?);
    let answer = match source.files(global)? {
        None => client::ask_server(&source.server, View::Summary, question)?,
        Some(config) => client::ask_files(&config, View::Summary, question)?,
    };
    let AnyAnswer::Summary(person) = answer else {
        return Ok(Exit::Done);
    };
    let rendering = form.rendering();
    let mut out = io::stdout().lock();
    match rendering.format {
        Format::Json => write_json(&mut out, person.as_ref())?,
        Format::Csv => sheet(&person).write_csv(&mut out)?,
        Format::Table => sheet(&person).write_table(&mut out, rendering.look)?,
    }
    Ok(Exit::Done)
}

fn sheet(person: &GetSubjectResponse) -> Sheet {
    let mut sheet = Sheet::new(["what", "value"]);
    for identifier in &person.identifiers {
        sheet.push(["identifier", identifier.as_str()]);
    }
    for reference in &person.references {
        sheet.push(["reference", reference.as_str()]);
    }
    sheet
}
