//! `custody findings`: what the judge found, over everybody.

use std::io;

use custody_proto::v1::FindingFilter;

use crate::args::Global;
use crate::client::{self, FindingQuestion};
use crate::error::{CommandError, Exit};
use crate::output::{Format, Look, Rendering, Zone, write_answer};

use super::asking::{EntryFlags, Source, moment};

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
#[command(next_help_heading = "Narrow")]
struct Narrow {
    #[command(flatten)]
    entries: EntryFlags,
    /// What was found from then on
    #[arg(long, value_name = "TIME")]
    found_from: Option<String>,
    /// What was found before then
    #[arg(long, value_name = "TIME")]
    found_to: Option<String>,
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
        let config = self.source.files(global)?;
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
        Ok(FindingQuestion {
            filter: narrow.entries.filter(zone)?,
            findings: FindingFilter {
                services: narrow.service.clone(),
                jurisdictions: narrow.jurisdiction.clone(),
                recorded_from: moment("--found-from", zone, narrow.found_from.as_deref())?,
                recorded_to: moment("--found-to", zone, narrow.found_to.as_deref())?,
                ..self.findings.filter()
            },
        })
    }
}
