//! What questions have in common: where to ask, and about which entries.

use std::path::PathBuf;

use custody_proto::Timestamp;
use custody_proto::v1::EntryFilter;

use crate::args::Global;
use crate::client;
use crate::config::{Config, Flag};
use crate::error::CommandError;
use crate::output::{Format, Look, Rendering, Zone, parse_moment};

/// Where to ask.
#[derive(clap::Args)]
#[command(next_help_heading = "Where to ask")]
pub(super) struct Source {
    /// The server
    #[arg(long, value_name = "ADDR", env = "CUSTODY_SERVER", default_value = client::DEFAULT_SERVER)]
    pub(super) server: String,
    /// Reads this data directory instead; no server may have it open
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

impl Source {
    /// The configuration of the data directory that is read; `None` where a
    /// server is asked.
    pub(super) fn files(&self, global: &Global) -> Result<Option<Config>, CommandError> {
        let Some(dir) = &self.data else {
            return Ok(None);
        };
        let flag = Flag {
            flag: "--data",
            key: "data_dir",
            value: Some(dir.display().to_string()),
        };
        Ok(Some(global.load(&[flag])?.config))
    }
}

/// In which form an answer is written.
#[derive(clap::Args)]
#[command(next_help_heading = "Form")]
pub(super) struct Form {
    /// table (on a terminal), json (elsewhere), csv
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// Times in UTC instead of the local zone
    #[arg(long)]
    utc: bool,
}

impl Form {
    pub(super) fn rendering(&self) -> Rendering {
        Rendering {
            format: Format::or_detected(self.format),
            look: Look::detected(),
            zone: if self.utc { Zone::utc() } else { Zone::local() },
        }
    }
}

/// Which entries, as far as every question can say.
#[derive(clap::Args)]
#[command(next_help_heading = "Narrow")]
pub(super) struct EntryFlags {
    /// What happened from then on: a day or an RFC 3339 time
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// What happened before then
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
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
}

impl EntryFlags {
    pub(super) fn filter(&self, zone: &Zone) -> Result<EntryFilter, CommandError> {
        Ok(EntryFilter {
            from: moment("--from", zone, self.from.as_deref())?,
            to: moment("--to", zone, self.to.as_deref())?,
            kinds: self.kind.clone(),
            purposes: self.purpose.clone(),
            categories: self.category.clone(),
            recipients: self.recipient.clone(),
            ..EntryFilter::default()
        })
    }
}

/// The time that a flag names.
pub(super) fn moment(
    flag: &str,
    zone: &Zone,
    text: Option<&str>,
) -> Result<Option<Timestamp>, CommandError> {
    parse_moment(zone, text).map_err(|problem| CommandError::Usage(format!("{flag}: {problem}")))
}
