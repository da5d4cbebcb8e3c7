//! `custody findings`: what the judge found, over everybody.

use std::io;
use std::path::PathBuf;

use custody_proto::v1::{EntryFilter, FindingFilter};

use crate::args::Global;
use crate::client::{self, FindingQuestion};
use crate::config::Flag;
use crate::error::{CommandError, Exit};
use crate::output::{Format, Look, Rendering, Zone, parse_moment, write_answer};

/// Lists what the judge found, over all persons
///
/// By code, then policy, with the clauses that each finding rests on. Persons
/// are shown by their references only.
#[derive(clap::Args)]
#[command(after_long_help = "\
Examples:
  custody findings --summary
  custody findings --class violation --from 2025-01-01 --jurisdiction DE
  custody findings --clause ALB-2025.076 --format csv > found.csv
  custody findings --code response_overdue --data /var/lib/custody")]
pub struct Args {
    #[command(flatten)]
    source: Source,
    #[command(flatten)]
    narrow: Narrow,
    #[command(flatten)]
    findings: FindingFlags,
    /// How much was found, by code and policy
    #[arg(long, help_heading = "Form")]
    summary: bool,
    /// table (on a terminal), json (elsewhere), csv
    #[arg(long, value_enum, help_heading = "Form")]
    format: Option<Format>,
    /// Times in UTC instead of the local zone
    #[arg(long, help_heading = "Form")]
    utc: bool,
}

#[derive(clap::Args)]
#[command(next_help_heading = "Where to ask")]
struct Source {
    /// The server
    #[arg(long, value_name = "ADDR", env = "CUSTODY_SERVER", default_value = client::DEFAULT_SERVER)]
    server: String,
    /// Reads this data directory instead; no server may have it open
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

#[derive(clap::Args)]
#[command(next_help_heading = "Narrow")]
struct Narrow {
    /// What happened from then on: a day or an RFC 3339 time
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// What happened before then
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
    /// What was found from then on
    #[arg(long, value_name = "TIME")]
    found_from: Option<String>,
    /// What was found before then
    #[arg(long, value_name = "TIME")]
    found_to: Option<String>,
    /// Kinds of events, such as `disclosure`
    #[arg(long, value_name = "KIND", value_delimiter = ',')]
    kind: Vec<String>,
    /// Purposes, and narrower ones
    #[arg(long, value_name = "TERM", value_delimiter = ',')]
    purpose: Vec<String>,
    /// Data categories, and narrower ones
    #[arg(long, value_name = "TERM", value_delimiter = ',')]
    category: Vec<String>,
    /// Recipients' ids
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    recipient: Vec<String>,
    /// Services
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    service: Vec<String>,
    /// Where the persons are, such as `DE` or `US-CA`
    #[arg(long, value_name = "CODE", value_delimiter = ',')]
    jurisdiction: Vec<String>,
}

/// Which findings.
#[derive(clap::Args, Clone, Debug, Default)]
#[command(next_help_heading = "Which findings")]
pub(super) struct FindingFlags {
    /// Codes of findings, such as `consent_missing`
    #[arg(long, value_name = "CODE", value_delimiter = ',')]
    code: Vec<String>,
    /// `gap` or `violation`
    #[arg(long, value_name = "CLASS", value_delimiter = ',')]
    class: Vec<String>,
    /// Policy versions judged by
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    policy: Vec<String>,
    /// Clauses that a finding rests on
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    clause: Vec<String>,
    /// Lists what a waiver suppresses too
    #[arg(long)]
    suppressed: bool,
    /// Lists what a later judgement superseded too
    #[arg(long)]
    superseded: bool,
}

impl FindingFlags {
    pub(super) fn filter(&self) -> FindingFilter {
        FindingFilter {
            codes: self.code.clone(),
            classes: self.class.clone(),
            policies: self.policy.clone(),
            clauses: self.clause.clone(),
            include_suppressed: self.suppressed,
            include_superseded: self.superseded,
            ..FindingFilter::default()
        }
    }
}

impl Args {
    pub(crate) fn run(self, global: &Global) -> Result<Exit, CommandError> {
        global.start_quiet_logs()?;
        let zone = if self.utc { Zone::utc() } else { Zone::local() };
        let question = self.question(&zone)?;
        let rendering = Rendering {
            format: Format::or_detected(self.format),
            look: Look::detected(),
            zone,
        };
        let config = match &self.source.data {
            None => None,
            Some(dir) => {
                let flag = Flag {
                    flag: "--data",
                    key: "data_dir",
                    value: Some(dir.display().to_string()),
                };
                Some(global.load(&[flag])?.config)
            }
        };
        let mut out = io::stdout().lock();
        let place = match &config {
            Some(config) => client::Place::Files(config),
            None => client::Place::Server(&self.source.server),
        };
        if self.summary {
            let answer = client::finding_summary(place, question)?;
            write_answer(&answer, &mut out, &rendering)?;
        } else {
            let answer = client::findings(place, question)?;
            write_answer(&answer, &mut out, &rendering)?;
        }
        Ok(Exit::Done)
    }

    fn question(&self, zone: &Zone) -> Result<FindingQuestion, CommandError> {
        let narrow = &self.narrow;
        let moment = |flag: &str, text: &Option<String>| {
            parse_moment(zone, text.as_deref())
                .map_err(|problem| CommandError::Usage(format!("{flag}: {problem}")))
        };
        Ok(FindingQuestion {
            filter: EntryFilter {
                from: moment("--from", &narrow.from)?,
                to: moment("--to", &narrow.to)?,
                kinds: narrow.kind.clone(),
                purposes: narrow.purpose.clone(),
                categories: narrow.category.clone(),
                recipients: narrow.recipient.clone(),
                ..EntryFilter::default()
            },
            findings: FindingFilter {
                services: narrow.service.clone(),
                jurisdictions: narrow.jurisdiction.clone(),
                recorded_from: moment("--found-from", &narrow.found_from)?,
                recorded_to: moment("--found-to", &narrow.found_to)?,
                ..self.findings.filter()
            },
        })
    }
}
