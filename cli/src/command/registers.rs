//! `custody affected`, `custody record` and `custody statistics`: questions over
//! everybody.

use std::io;

use custody_proto::v1::{
    AsOf, FindAffectedSubjectsRequest, GetProcessingRecordRequest, GetStatisticsRequest,
};

use super::asking::{EntryFlags, Form, Source, moment};
use crate::args::Global;
use crate::client::Place;
use crate::error::{CommandError, Exit};
use crate::output::{Affected, Zone, write_answer};
use crate::registers;

/// Shows whose data a recipient or a system had
///
/// Every person with categories, number of events and dates, as a breach notice
/// needs it. Identifiers are opened only where asked for.
#[derive(clap::Args)]
#[command(after_long_help = "\
Examples:
  custody affected --recipient adnet --from 2025-01-01 --to 2025-02-01
  custody affected --system crm --category contact --identifiers --format csv")]
pub struct AffectedArgs {
    /// The system's id, instead of one recipient
    #[arg(long, value_name = "ID")]
    system: Option<String>,
    /// Opens who the persons are
    #[arg(long)]
    identifiers: bool,
    #[command(flatten)]
    source: Source,
    #[command(flatten)]
    entries: EntryFlags,
    #[command(flatten)]
    moment: Moment,
    #[command(flatten)]
    form: Form,
}

/// Shows the record of processing activities (GDPR Art. 30)
#[derive(clap::Args)]
#[command(after_long_help = "\
Examples:
  custody record
  custody record --controller alibaba-com-europe --format csv")]
pub struct RecordArgs {
    #[command(flatten)]
    source: Source,
    #[command(flatten)]
    entries: EntryFlags,
    #[command(flatten)]
    moment: Moment,
    #[command(flatten)]
    form: Form,
}

/// Counts the ledger's entries by kind and judgement
#[derive(clap::Args)]
#[command(after_long_help = "\
Examples:
  custody statistics
  custody statistics --format json")]
pub struct StatisticsArgs {
    #[command(flatten)]
    source: Source,
    #[command(flatten)]
    moment: Moment,
    #[command(flatten)]
    form: Form,
}

#[derive(clap::Args)]
#[command(next_help_heading = "Narrow")]
struct Moment {
    /// As it had happened by then
    #[arg(long, value_name = "TIME")]
    as_of: Option<String>,
    /// As it was known by then
    #[arg(long, value_name = "TIME")]
    as_recorded: Option<String>,
}

impl Moment {
    fn read(&self, zone: &Zone) -> Result<Option<AsOf>, CommandError> {
        let event_time = moment("--as-of", zone, self.as_of.as_deref())?;
        let recorded_time = moment("--as-recorded", zone, self.as_recorded.as_deref())?;
        let is_said = event_time.is_some() || recorded_time.is_some();
        Ok(is_said.then_some(AsOf {
            event_time,
            recorded_time,
        }))
    }
}

impl AffectedArgs {
    pub(crate) fn run(self, global: &Global) -> Result<Exit, CommandError> {
        global.start_quiet_logs()?;
        let rendering = self.form.rendering();
        let mut filter = self.entries.filter(&rendering.zone)?;
        let mut recipients = std::mem::take(&mut filter.recipients);
        if recipients.len() + usize::from(self.system.is_some()) != 1 {
            return Err(CommandError::Usage(
                "name one recipient with --recipient, or one system with --system".to_owned(),
            ));
        }
        let request = FindAffectedSubjectsRequest {
            recipient: recipients.pop().unwrap_or_default(),
            system: self.system.unwrap_or_default(),
            filter: Some(filter),
            with_identifiers: self.identifiers,
            as_of: self.moment.read(&rendering.zone)?,
            ..FindAffectedSubjectsRequest::default()
        };
        let config = self.source.files(global)?;
        let place = Place::of(config.as_ref(), &self.source.server);
        let answer = Affected(registers::affected(place, request)?);
        write_answer(&answer, &mut io::stdout().lock(), &rendering)?;
        Ok(Exit::Done)
    }
}

impl RecordArgs {
    pub(crate) fn run(self, global: &Global) -> Result<Exit, CommandError> {
        global.start_quiet_logs()?;
        let rendering = self.form.rendering();
        let request = GetProcessingRecordRequest {
            filter: Some(self.entries.filter(&rendering.zone)?),
            as_of: self.moment.read(&rendering.zone)?,
            ..GetProcessingRecordRequest::default()
        };
        let config = self.source.files(global)?;
        let place = Place::of(config.as_ref(), &self.source.server);
        let answer = registers::record(place, request)?;
        write_answer(&answer, &mut io::stdout().lock(), &rendering)?;
        Ok(Exit::Done)
    }
}

impl StatisticsArgs {
    pub(crate) fn run(self, global: &Global) -> Result<Exit, CommandError> {
        global.start_quiet_logs()?;
        let rendering = self.form.rendering();
        let request = GetStatisticsRequest {
            as_of: self.moment.read(&rendering.zone)?,
            ..GetStatisticsRequest::default()
        };
        let config = self.source.files(global)?;
        let place = Place::of(config.as_ref(), &self.source.server);
        let answer = registers::statistics(place, request)?;
        write_answer(&answer, &mut io::stdout().lock(), &rendering)?;
        Ok(Exit::Done)
    }
}
