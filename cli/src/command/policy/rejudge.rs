//! `custody policy rejudge`: what if other rules had been in force?

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::PathBuf;

use super::message::nanos;
use super::packs::{PackFlags, policy};
use crate::args::Global;
use crate::command::waiver::in_ledger;
use crate::config::Flag;
use crate::data_dir::DataDir;
use crate::error::{CommandError, Exit};
use crate::output::{Format, Look, Sheet, Zone, count, items, words, write_json};
use crate::rejudge::{Change, Question, Report, Short, rejudge};

/// Judges what is recorded by other rules, as a report
///
/// By the present packs, or by one version whatever was in force. Nothing that
/// is stored changes. Entries are judged on all that is known today of the time
/// at which they happened; waivers count as they are now.
#[derive(clap::Args)]
#[command(after_long_help = "\
Examples:
  custody policy rejudge --data /var/lib/custody --pack draft.toml
  custody policy rejudge --data DIR --policy ALB-2025 --from 2025-01-01 --details
  custody policy rejudge --data DIR --subject @id.txt --details

No server may have the data directory open.")]
pub(super) struct Args {
    /// The data directory
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// By this version, for what its services did
    #[arg(long, value_name = "ID")]
    policy: Option<String>,
    /// What happened from then on: a day (UTC) or an RFC 3339 time
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// What happened before then
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
    /// Of this person only, `scheme:value`; `-` reads standard input, `@FILE` a
    /// file
    #[arg(long, value_name = "ID")]
    subject: Option<String>,
    #[command(flatten)]
    packs: PackFlags,
    /// The operator's period after an account is closed. By default that of the
    /// configuration
    #[arg(long, value_name = "DAYS")]
    retention_days: Option<u32>,
    /// Lists the entries that are judged otherwise
    #[arg(long)]
    details: bool,
    /// table (on a terminal), json (elsewhere), csv
    #[arg(long, value_enum)]
    format: Option<Format>,
}

impl Args {
    pub(super) fn run(self, global: &Global) -> Result<Exit, CommandError> {
        let config = global
            .load(&[Flag {
                flag: "--data",
                key: "data_dir",
                value: self.data.as_ref().map(|dir| dir.display().to_string()),
            }])?
            .config;
        let rules = self.packs.compile(global)?;
        let by = match &self.policy {
            Some(id) => Some(policy(&rules, id)?.id().to_owned()),
            None => None,
        };
        let subject = self
            .subject
            .as_deref()
            .map(crate::command::subject::read_id);
        let subject = subject.transpose()?;
        let (from_ns, to_ns) = (moment("--from", &self.from)?, moment("--to", &self.to)?);
        let data = DataDir::open_existing(&config)?;
        let keys = config.policy.verifying_keys().unwrap_or_default();
        let waivers = in_ledger(&data.ledger, &keys)
            .map_err(CommandError::store("the ledger", data.path()))?;
        let entries: u64 = data.ledger.shards().iter().map(|(_, head)| head.size).sum();
        let bar = items(Some(2 * entries), "judging");
        let question = Question {
            rules: &rules,
            policy: by.as_deref(),
            from_ns: from_ns.unwrap_or(i64::MIN),
            to_ns: to_ns.unwrap_or(i64::MAX),
            subject: subject.as_deref(),
            retention_days: self
                .retention_days
                .or(config.policy.retention_days_after_account_closed),
            waivers: &waivers,
            now_ns: (custody_ingest::pipeline::system_clock())(),
        };
        let report = rejudge(&data.ledger, &data.vault, &question, &mut |taken| {
            bar.inc(taken)
        });
        bar.finish_and_clear();
        data.close()?;
        let mut report = report?;
        if !self.details {
            report.details.clear();
        }
        let mut out = io::stdout().lock();
        match Format::or_detected(self.format) {
            Format::Json => write_json(&mut out, &report)?,
            Format::Csv if self.details => details(&report).write_csv(&mut out)?,
            Format::Csv => counts(&report).write_csv(&mut out)?,
            Format::Table => write_people(&report, &mut out, Look::detected())?,
        }
        Ok(Exit::Done)
    }
}

fn moment(flag: &str, text: &Option<String>) -> Result<Option<i64>, CommandError> {
    let Some(text) = text else {
        return Ok(None);
    };
    let wrong = |problem: String| CommandError::Usage(format!("{flag}: {problem}"));
    let at = Zone::utc().parse(text).map_err(wrong)?;
    nanos(at)
        .map(Some)
        .ok_or_else(|| wrong(format!("`{text}` is out of range")))
}

fn counts(report: &Report) -> Sheet {
    let mut sheet = Sheet::new(["", "As recorded", "Judged again", "Change"]);
    for column in 1..4 {
        sheet = sheet.number(column);
    }
    let mut add = |of: &BTreeMap<String, Change>| {
        for (name, change) in of {
            let by = i128::from(change.after) - i128::from(change.before);
            sheet.push([
                words(name),
                count(change.before),
                count(change.after),
                if by == 0 {
                    String::new()
                } else {
                    format!("{by:+}")
                },
            ]);
        }
    };
    add(&report.outcomes);
    add(&report.codes);
    sheet
}

fn details(report: &Report) -> Sheet {
    let mut sheet = Sheet::new([
        "Entry",
        "When",
        "What",
        "Service",
        "As recorded",
        "By",
        "Judged again",
        "By",
    ]);
    let shown = |short: &Short| match short.codes.is_empty() {
        true => words(&short.judgement),
        false => {
            let codes: Vec<String> = short.codes.iter().map(|code| words(code)).collect();
            format!("{}: {}", words(&short.judgement), codes.join(", "))
        }
    };
    for it in &report.details {
        sheet.push([
            format!("{}/{}", it.shard.get(..8).unwrap_or(&it.shard), it.sequence),
            it.event_time.clone(),
            words(&it.kind),
            it.service.clone(),
            shown(&it.before),
            it.before.policy.clone(),
            shown(&it.after),
            it.after.policy.clone(),
        ]);
    }
    sheet
}

fn write_people(report: &Report, out: &mut dyn Write, look: Look) -> io::Result<()> {
    counts(report).write_table(out, look)?;
    if !report.details.is_empty() {
        writeln!(out)?;
        details(report).write_table(out, look)?;
    }
    write!(
        out,
        "\n{} entries judged again, {} of them otherwise",
        count(report.entries),
        count(report.differing)
    )?;
    if report.unreadable > 0 {
        write!(out, "; {} cannot be opened", count(report.unreadable))?;
    }
    writeln!(out, ". Nothing that is stored was changed.")
}
