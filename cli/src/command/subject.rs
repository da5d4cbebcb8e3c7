//! `custody subject`: what the ledger holds about one person.

use std::io::{self, Read, Write};
use std::path::PathBuf;

use custody_proto::v1::{AsOf, EntryFilter, EntryView};

use custody_query::{TraceForm, write_trace};

use super::asking::{EntryFlags, Source, moment};
use super::findings::FindingFlags;
use super::trace::TraceFlags;
use crate::args::Global;
use crate::client::{self, Question, View};
use crate::error::{CommandError, Exit};
use crate::output::{Answer, Format, Look, Rendering, Zone, write_answer};

/// Shows what the ledger holds about a person
///
/// Asks a running server, or reads a data directory that no server has open.
#[derive(clap::Args)]
#[command(after_long_help = "\
Examples:
  custody subject account:1001
  custody subject account:1001 recipients --from 2025-01-01 --purpose marketing
  custody subject account:1001 findings --class violation
  custody subject account:1001 trace --graph dot | dot -Tsvg -o trace.svg
  custody subject account:1001 trace --start SHARD/17 --direction upstream --depth 2
  custody subject account:1001 consultations --reason 'request no. 17'
  custody subject @id.txt timeline --view full --format json
  echo email:a@example.com | custody subject - transfers --data /var/lib/custody

An identifier on the command line stays in the shell's history and shows in the
list of processes: `-` and `@FILE` keep it out of both.")]
pub struct Args {
    /// The person, `scheme:value`; `-` reads it from standard input, `@FILE`
    /// from a file
    id: String,
    /// What to show
    #[arg(value_enum, default_value = "summary")]
    show: View,
    #[command(flatten)]
    source: Source,
    #[command(flatten)]
    filter: Filter,
    #[command(flatten)]
    findings: FindingFlags,
    #[command(flatten)]
    trace: TraceFlags,
    #[command(flatten)]
    form: Form,
}

#[derive(clap::Args)]
#[command(next_help_heading = "Narrow")]
struct Filter {
    #[command(flatten)]
    entries: EntryFlags,
    /// Countries of destination, such as `US`
    #[arg(long, value_name = "CODE", value_delimiter = ',')]
    country: Vec<String>,
    /// Controllers' ids
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    controller: Vec<String>,
    /// Judgements, such as `violation`
    #[arg(long, value_name = "JUDGEMENT", value_delimiter = ',')]
    judgement: Vec<String>,
    /// As it had happened by then
    #[arg(long, value_name = "TIME")]
    as_of: Option<String>,
    /// As it was known by then
    #[arg(long, value_name = "TIME")]
    as_recorded: Option<String>,
}

#[derive(clap::Args)]
#[command(next_help_heading = "Form")]
struct Form {
    /// table (on a terminal), json (elsewhere), csv
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// How much of an entry a timeline shows; full opens what is sealed
    #[arg(long, value_enum, default_value = "basic")]
    view: Detail,
    /// Newest first
    #[arg(long)]
    newest_first: bool,
    /// A trace as a drawing, or as other tools read it
    #[arg(long, value_enum, conflicts_with = "format")]
    graph: Option<Graph>,
    /// Times in UTC instead of the local zone
    #[arg(long)]
    utc: bool,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Detail {
    Basic,
    Full,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Graph {
    /// Graphviz.
    Dot,
    /// A Mermaid flowchart.
    Mermaid,
    /// W3C PROV-JSON.
    Prov,
    /// OpenLineage run events, one a line.
    Openlineage,
}

impl Graph {
    const fn form(self) -> TraceForm {
        match self {
            Self::Dot => TraceForm::Graphviz,
            Self::Mermaid => TraceForm::Mermaid,
            Self::Prov => TraceForm::Prov,
            Self::Openlineage => TraceForm::OpenLineage,
        }
    }
}

impl Args {
    pub(crate) fn run(self, global: &Global) -> Result<Exit, CommandError> {
        global.start_quiet_logs()?;
        let zone = if self.form.utc {
            Zone::utc()
        } else {
            Zone::local()
        };
        let question = Question {
            subject: read_id(&self.id)?,
            filter: self.filter.filter(&zone)?,
            as_of: self.filter.as_of(&zone)?,
            view: match self.form.view {
                Detail::Basic => EntryView::Basic,
                Detail::Full => EntryView::Full,
            },
            newest_first: self.form.newest_first,
            findings: self.findings.filter(),
            trace: self.trace.read()?,
        };
        let rendering = Rendering {
            format: Format::or_detected(self.form.format),
            look: Look::detected(),
            zone,
        };
        let answer = match self.source.files(global)? {
            None => client::ask_server(&self.source.server, self.show, question)?,
            Some(config) => client::ask_files(&config, self.show, question)?,
        };
        let mut out = io::stdout().lock();
        match answer {
            client::AnyAnswer::Summary(answer) => write(answer.as_ref(), &mut out, &rendering)?,
            client::AnyAnswer::Recipients(answer) => write(&answer, &mut out, &rendering)?,
            client::AnyAnswer::Timeline(answer) => write(&answer, &mut out, &rendering)?,
            client::AnyAnswer::Transfers(answer) => write(&answer, &mut out, &rendering)?,
            client::AnyAnswer::Findings(answer) => write(&answer, &mut out, &rendering)?,
            client::AnyAnswer::Trace(answer) => match self.form.graph {
                Some(graph) => out.write_all(write_trace(&answer, graph.form()).as_bytes())?,
                None => write(&answer, &mut out, &rendering)?,
            },
            client::AnyAnswer::Consultations(answer) => write(&answer, &mut out, &rendering)?,
        }
        Ok(Exit::Done)
    }
}

fn write(answer: &impl Answer, out: &mut dyn Write, rendering: &Rendering) -> io::Result<()> {
    write_answer(answer, out, rendering)
}

impl Filter {
    fn filter(&self, zone: &Zone) -> Result<EntryFilter, CommandError> {
        Ok(EntryFilter {
            countries: self.country.clone(),
            controllers: self.controller.clone(),
            judgements: self.judgement.clone(),
            ..self.entries.filter(zone)?
        })
    }

    fn as_of(&self, zone: &Zone) -> Result<Option<AsOf>, CommandError> {
        let event_time = moment("--as-of", zone, self.as_of.as_deref())?;
        let recorded_time = moment("--as-recorded", zone, self.as_recorded.as_deref())?;
        Ok(
            (event_time.is_some() || recorded_time.is_some()).then_some(AsOf {
                event_time,
                recorded_time,
            }),
        )
    }
}

/// The identifier itself, or what standard input or a file holds.
pub(super) fn read_id(given: &str) -> Result<String, CommandError> {
    let id = if given == "-" {
        let mut text = String::new();
        io::stdin()
            .read_to_string(&mut text)
            .map_err(|source| CommandError::Read {
                path: PathBuf::from("standard input"),
                source,
            })?;
        text
    } else if let Some(path) = given.strip_prefix('@') {
        std::fs::read_to_string(path).map_err(|source| CommandError::Read {
            path: PathBuf::from(path),
            source,
        })?
    } else {
        given.to_owned()
    };
    let id = id.trim_end_matches(['\r', '\n']);
    match id.split_once(':') {
        Some((scheme, value)) if !scheme.is_empty() && !value.is_empty() => Ok(id.to_owned()),
        // The text itself is not shown: it may be somebody's.
        _ => Err(CommandError::Usage(
            "the person is named as `scheme:value`, such as account:1001".to_owned(),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identifier_comes_from_a_file_too() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("id");
        std::fs::write(&path, "account:1001\n").unwrap();
        let given = format!("@{}", path.display());
        assert_eq!(read_id(&given).unwrap(), "account:1001");
    }

    #[test]
    fn what_is_no_identifier_is_not_shown() {
        for given in ["1001", ":1001", "account:", ""] {
            let error = read_id(given).unwrap_err().to_string();
            assert!(
                !error.contains(":1001,") && error.contains("scheme:value"),
                "{error}"
            );
        }
    }
}
