//! `custody policy judge`: what the judge says of one event.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use custody_policy::{FindingCode, Rehearsal, Said};
use custody_proto::v1::{CitedClause, Finding, JudgeRequest, JudgeResponse, JudgedEvent};

use super::message::{judged, nanos, timestamp};
use super::packs::{PackFlags, policy};
use crate::args::Global;
use crate::client;
use crate::error::{CommandError, Exit};
use crate::output::{Format, Look, Sheet, Zone, paint_outcome, write_json};

/// Judges one event and says why, step by step
///
/// The event is a CloudEvent in structured JSON form. Nothing is stored, and
/// nothing is known of the person but what `--history` says: a dry run gives
/// the same answer everywhere.
#[derive(clap::Args)]
#[command(after_long_help = "\
Examples:
  custody policy judge event.json
  custody policy judge event.json --history earlier.jsonl --retention-days 30
  custody policy judge event.json --policy ALB-2025      by that version, whatever was in force
  custody policy judge event.json --as-of 2026-01-01     as if it happened then
  custody policy judge - --format json < event.json")]
pub(super) struct Args {
    /// The event; `-` reads standard input
    event: PathBuf,
    /// Judges by this version in place of the one in force
    #[arg(long, value_name = "ID")]
    policy: Option<String>,
    /// Judges as if the event had happened then, a day (UTC) or an RFC 3339
    /// time: by the version in force then, on consents as they stand then
    #[arg(long, value_name = "TIME")]
    as_of: Option<String>,
    /// What happened to the person before: JSON Lines of events, taken in in
    /// their order
    #[arg(long, value_name = "FILE")]
    history: Option<PathBuf>,
    /// The operator's period after an account is closed. By default that of the
    /// configuration
    #[arg(long, value_name = "DAYS")]
    retention_days: Option<u32>,
    #[command(flatten)]
    packs: PackFlags,
    /// Asks this server, by its packs, instead of judging here
    #[arg(long, value_name = "ADDR", conflicts_with_all = ["packs", "no_builtin"])]
    server: Option<String>,
    /// table (on a terminal), json (elsewhere), csv
    #[arg(long, value_enum)]
    format: Option<Format>,
}

impl Args {
    pub(super) fn run(self, global: &Global) -> Result<Exit, CommandError> {
        let event = said(&read(&self.event)?, &self.event, None)?;
        let history = match &self.history {
            Some(path) => history(path)?,
            None => Vec::new(),
        };
        let answer = match &self.server {
            Some(server) => client::judge(server, self.request(&event, history)?)?,
            None => self.here(global, event, &history)?,
        };
        let mut out = io::stdout().lock();
        match Format::or_detected(self.format) {
            Format::Json => write_json(&mut out, &answer)?,
            Format::Csv => records(&answer).write_csv(&mut out)?,
            Format::Table => write_people(&answer, &mut out, Look::detected())?,
        }
        Ok(Exit::Done)
    }

    fn here(
        &self,
        global: &Global,
        mut event: Said,
        history: &[Said],
    ) -> Result<JudgeResponse, CommandError> {
        let rules = self.packs.compile(global)?;
        let days = match self.retention_days {
            Some(days) => Some(days),
            None if self.packs.no_builtin => None,
            None => {
                global
                    .load(&[])?
                    .config
                    .policy
                    .retention_days_after_account_closed
            }
        };
        let mut person = Rehearsal::new(&rules).with_retention_days(days);
        for earlier in history {
            person
                .take(earlier)
                .map_err(|error| CommandError::Usage(error.to_string()))?;
        }
        event.time_ns = self.as_of_ns()?.unwrap_or(event.time_ns);
        let by = match &self.policy {
            Some(id) => Some(policy(&rules, id)?.id()),
            None => None,
        };
        let explained = person
            .explain(&event, by)
            .map_err(|error| CommandError::Usage(error.to_string()))?
            .ok_or_else(|| CommandError::Usage("no policy has this id".to_owned()))?;
        Ok(judged(&rules, &explained))
    }

    fn as_of_ns(&self) -> Result<Option<i64>, CommandError> {
        let Some(text) = &self.as_of else {
            return Ok(None);
        };
        let wrong = |problem: String| CommandError::Usage(format!("--as-of: {problem}"));
        let at = Zone::utc().parse(text).map_err(wrong)?;
        nanos(at)
            .map(Some)
            .ok_or_else(|| wrong(format!("`{text}` is out of range")))
    }

    fn request(&self, event: &Said, history: Vec<Said>) -> Result<JudgeRequest, CommandError> {
        Ok(JudgeRequest {
            r#type: event_type(event),
            time: Some(timestamp(event.time_ns)),
            event: Some(event.event.clone()),
            policy: self.policy.clone().unwrap_or_default(),
            as_of: self.as_of_ns()?.map(timestamp),
            history: history
                .into_iter()
                .map(|earlier| JudgedEvent {
                    r#type: event_type(&earlier),
                    time: Some(timestamp(earlier.time_ns)),
                    id: earlier.id,
                    source: earlier.source,
                    event: Some(earlier.event),
                })
                .collect(),
            id: event.id.clone(),
            source: event.source.clone(),
            retention_days_after_account_closed: self.retention_days,
        })
    }
}

fn event_type(said: &Said) -> String {
    format!("custody.{}.v1", said.kind)
}

/// A file's bytes, or those of standard input.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, CommandError> {
    let read = if path.as_os_str() == "-" {
        let mut bytes = Vec::new();
        io::stdin().read_to_end(&mut bytes).map(|_| bytes)
    } else {
        std::fs::read(path)
    };
    read.map_err(|source| CommandError::Read {
        path: match path.as_os_str() == "-" {
            true => PathBuf::from("standard input"),
            false => path.to_owned(),
        },
        source,
    })
}

/// An event; errors name the file and do not show what it says.
fn said(json: &[u8], path: &Path, line: Option<usize>) -> Result<Said, CommandError> {
    Said::parse(json).map_err(|error| {
        let place = match line {
            Some(line) => format!("{}:{line}", path.display()),
            None => path.display().to_string(),
        };
        CommandError::Usage(format!("{place}: {error}"))
    })
}

fn history(path: &Path) -> Result<Vec<Said>, CommandError> {
    let bytes = read(path)?;
    let mut events = Vec::new();
    for (index, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        let line = line.trim_ascii();
        if !line.is_empty() && !line.starts_with(b"#") {
            events.push(said(line, path, Some(index + 1))?);
        }
    }
    Ok(events)
}

/// Writes an answer for people.
fn write_people(answer: &JudgeResponse, out: &mut dyn Write, look: Look) -> io::Result<()> {
    let by = match answer.policy.as_str() {
        "" => "no policy applies".to_owned(),
        policy => format!("by {policy}"),
    };
    let outcome = crate::output::words(&answer.judgement);
    writeln!(out, "{}, {by}", paint_outcome(&outcome, look))?;
    for finding in &answer.findings {
        write_finding(finding, out, look)?;
    }
    if answer.findings.is_empty() && !answer.cited.is_empty() {
        writeln!(out, "\nDeclared by")?;
        clauses(&answer.cited).write_list(out, look)?;
    }
    writeln!(out, "\nReasoning")?;
    for (index, step) in answer.reasoning.iter().enumerate() {
        writeln!(out, "  {}. {step}", index + 1)?;
    }
    Ok(())
}

/// A finding, what it means, and the clauses that it rests on.
fn write_finding(finding: &Finding, out: &mut dyn Write, look: Look) -> io::Result<()> {
    let meaning = FindingCode::from_name(&finding.code).map_or("", FindingCode::meaning);
    let class = match finding.suppressed {
        true => "suppressed".to_owned(),
        false => finding.class.clone(),
    };
    write!(
        out,
        "\n{}: {} – {meaning}",
        paint_outcome(&class, look),
        finding.code
    )?;
    if !finding.arguments.is_empty() {
        write!(out, " [{}]", finding.arguments.join(", "))?;
    }
    writeln!(out)?;
    if !finding.waiver.is_empty() {
        writeln!(out, "  waived by {}", finding.waiver)?;
    }
    if !finding.decided_by.is_empty() {
        let at = finding
            .decided_by
            .iter()
            .map(|at| format!("event {}", at.sequence + 1));
        writeln!(
            out,
            "  decided by {} of the history",
            at.collect::<Vec<_>>().join(", ")
        )?;
    }
    clauses(&finding.cited).write_list(out, look)
}

fn clauses(cited: &[CitedClause]) -> Sheet {
    let mut sheet = Sheet::default();
    for clause in cited {
        sheet.push([
            format!("  {}", clause.id),
            format!("section {}", clause.section),
            clause.summary.clone(),
        ]);
    }
    sheet
}

fn records(answer: &JudgeResponse) -> Sheet {
    let mut sheet = Sheet::new([
        "judgement",
        "policy",
        "code",
        "class",
        "arguments",
        "clauses",
        "decided_by",
        "waiver",
    ]);
    let mut row = |finding: Option<&Finding>| {
        let finding = finding.cloned().unwrap_or_default();
        let clauses = if finding.code.is_empty() {
            &answer.clauses
        } else {
            &finding.clauses
        };
        let decided = finding.decided_by.iter().map(|at| at.sequence.to_string());
        sheet.push([
            answer.judgement.clone(),
            answer.policy.clone(),
            finding.code.clone(),
            finding.class.clone(),
            finding.arguments.join(" "),
            clauses.join(" "),
            decided.collect::<Vec<_>>().join(" "),
            finding.waiver.clone(),
        ]);
    };
    if answer.findings.is_empty() {
        row(None);
    }
    for finding in &answer.findings {
        row(Some(finding));
    }
    sheet
}

#[cfg(test)]
mod tests;
