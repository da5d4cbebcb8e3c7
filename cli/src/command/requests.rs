//! `custody requests`: what persons asked for, and by when it is due.

use std::io;

use custody_proto::v1::ListRequestsRequest;

use crate::args::Global;
use crate::client::Place;
use crate::command::asking::{Form, Source, moment};
use crate::command::subject::read_id;
use crate::error::{CommandError, Exit};
use crate::output::write_answer;
use crate::rights;

/// Lists requests of persons, the earliest deadline first
///
/// Deadlines are those of the law where the person is: one month under the
/// GDPR, 45 days in California, 15 in Brazil, 10 in Korea, and longer where the
/// person was told so in time and the law allows it.
#[derive(clap::Args)]
#[command(after_long_help = "\
Examples:
  custody requests --state overdue,open,extended
  custody requests account:1001
  custody requests --jurisdiction DE,FR --from 2026-01-01 --format csv

Exit status 1 where one of those shown is overdue.")]
pub struct Args {
    /// Only of this person: `scheme:value`, `-` or `@FILE`
    #[arg(value_name = "ID")]
    id: Option<String>,
    /// open, extended, overdue, fulfilled, partly, refused, erased
    #[arg(long, value_name = "STATE", value_delimiter = ',')]
    state: Vec<String>,
    /// Where the persons are: `DE`, `US-CA`; `US` finds `US-CA` too
    #[arg(long, value_name = "CODE", value_delimiter = ',')]
    jurisdiction: Vec<String>,
    /// Made from then on: a day or an RFC 3339 time
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Made before then
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
    #[command(flatten)]
    source: Source,
    #[command(flatten)]
    form: Form,
}

impl Args {
    pub(crate) fn run(self, global: &Global) -> Result<Exit, CommandError> {
        global.start_quiet_logs()?;
        let rendering = self.form.rendering();
        let zone = &rendering.zone;
        let request = ListRequestsRequest {
            subject: self
                .id
                .as_deref()
                .map(read_id)
                .transpose()?
                .unwrap_or_default(),
            states: self.state,
            jurisdictions: self.jurisdiction,
            from: moment("--from", zone, self.from.as_deref())?,
            to: moment("--to", zone, self.to.as_deref())?,
            ..ListRequestsRequest::default()
        };
        let config = self.source.files(global)?;
        let place = Place::of(config.as_ref(), &self.source.server);
        let answer = rights::requests(place, request)?;
        write_answer(&answer, &mut io::stdout().lock(), &rendering)?;
        let is_overdue = answer.requests.iter().any(|row| row.state == "overdue");
        Ok(if is_overdue { Exit::Bad } else { Exit::Done })
    }
}
