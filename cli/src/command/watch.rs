//! `custody watch`: entries and findings as they come.

use std::io::{self, IsTerminal, Write};
use std::ops::ControlFlow;

use custody_proto::v1::watch_response::What;
use custody_proto::v1::{EntryView, LedgerHead, WatchContent, WatchResponse};

use super::asking::EntryFlags;
use super::findings::FindingFlags;
use super::subject::read_id;
use crate::args::Global;
use crate::client;
use crate::error::{CommandError, Exit};
use crate::output::{Format, Look, Zone, write_watched};
use crate::reach::block_on;
use crate::watch::{WatchQuestion, watch};

/// Shows entries and findings as they are recorded
///
/// Of one person, linked references included, or of everybody. Where the
/// connection breaks it goes on from the last line, without loss or repetition.
/// Ctrl-C ends it.
#[derive(clap::Args)]
#[command(after_long_help = "\
Examples:
  custody watch account:1001
  custody watch --only findings --class violation
  custody watch --kind disclosure --recipient dhl --from-start --count 100
  custody watch | jq -r .entry.entry.kind

On a terminal a line each; in a pipe a JSON object each, with a token by which
`--resume` goes on after it.")]
pub struct Args {
    /// The person, `scheme:value`; `-` reads it from standard input, `@FILE`
    /// from a file. Without it: everybody
    id: Option<String>,
    /// The server
    #[arg(long, value_name = "ADDR", env = "CUSTODY_SERVER", default_value = client::DEFAULT_SERVER)]
    server: String,
    /// What to hear of
    #[arg(long, value_enum)]
    only: Option<Only>,
    /// Everything that is there first, and then what comes
    #[arg(long, conflicts_with = "resume")]
    from_start: bool,
    /// Goes on after the line with this token; the other flags must be the same
    #[arg(long, value_name = "TOKEN")]
    resume: Option<String>,
    /// Ends after so many lines
    #[arg(long, value_name = "NUMBER")]
    count: Option<u64>,
    /// Ends where the connection breaks, instead of going on
    #[arg(long)]
    once: bool,
    /// Shows that the stream stands too. JSON only
    #[arg(long)]
    progress: bool,
    /// Opens what is sealed. JSON only, and of one person only
    #[arg(long, requires = "id")]
    full: bool,
    /// table (on a terminal), json (elsewhere)
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// Times in UTC instead of the local zone
    #[arg(long)]
    utc: bool,
    #[command(flatten)]
    filter: EntryFlags,
    #[command(flatten)]
    findings: FindingFlags,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Only {
    Entries,
    Findings,
}

impl Args {
    pub(crate) fn run(self, global: &Global) -> Result<Exit, CommandError> {
        global.start_quiet_logs()?;
        let zone = if self.utc { Zone::utc() } else { Zone::local() };
        let format = Format::or_detected(self.format);
        if format == Format::Csv {
            let problem = "--format: what never ends is no table of a spreadsheet; table or json";
            return Err(CommandError::Usage(problem.to_owned()));
        }
        let question = WatchQuestion {
            subject: self.id.as_deref().map(read_id).transpose()?,
            filter: self.filter.filter(&zone)?,
            findings: self.findings.filter(),
            content: match self.only {
                None => WatchContent::Unspecified,
                Some(Only::Entries) => WatchContent::WatchEntries,
                Some(Only::Findings) => WatchContent::WatchFindings,
            },
            view: if self.full {
                EntryView::Full
            } else {
                EntryView::Basic
            },
            from: self.from_start.then(LedgerHead::default),
            resume_token: self.resume.clone().unwrap_or_default(),
            goes_on: !self.once,
        };
        let mut left = self.count;
        let mut last = question.resume_token.clone();
        let look = Look::detected();
        let ended = block_on(async {
            let heard = |message: &WatchResponse| {
                last.clone_from(&message.resume_token);
                let is_progress = matches!(message.what, Some(What::Progress(_)));
                let mut out = io::stdout().lock();
                match format {
                    Format::Json if !is_progress || self.progress => {
                        serde_json::to_writer(&mut out, message).map_err(io::Error::from)?;
                        writeln!(out)?;
                    }
                    Format::Json | Format::Csv => {}
                    Format::Table => write_watched(message, &mut out, look, &zone)?,
                }
                out.flush()?;
                if let Some(left) = &mut left
                    && !is_progress
                {
                    *left = left.saturating_sub(1);
                }
                Ok(match left {
                    Some(0) => ControlFlow::Break(()),
                    _ => ControlFlow::Continue(()),
                })
            };
            let lost = |error: &CommandError| {
                // Nobody to tell is no reason to stop.
                let _ = writeln!(
                    io::stderr(),
                    "custody: {error}; going on as soon as it answers"
                );
            };
            tokio::select! {
                ended = watch(&self.server, question, heard, lost) => ended.map(|_| true),
                _ = tokio::signal::ctrl_c() => Ok(false),
            }
        });
        // Whoever reads a pipe has the token in every line.
        if format == Format::Table && io::stderr().is_terminal() && !last.is_empty() {
            let _ = writeln!(io::stderr(), "To go on from here: --resume {last}");
        }
        ended.map(|_| Exit::Done)
    }
}
