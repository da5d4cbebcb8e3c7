//! `GetProcessingRecord`: what is processed, by controller and purpose, as a
//! record of processing activities has it (GDPR Art. 30): from kept rows where
//! these tell the answer, else from everybody's entries.

use std::collections::BTreeSet;
use std::sync::Arc;

use custody_proto::v1;

use super::at_least::Wanted;
use super::entry;
use super::error::{Faults, QueryError};
use super::everybody::Everybody;
use super::filter::{Filter, Member};
use super::flow;
use super::moment::{AsOf, timestamp};
use super::table::Table;
use super::{Ask, QueryState};
use crate::read_model::{Visible, is_processing, purposes_of};

/// What an activity adds up beside the tally.
#[derive(Default)]
struct Activity {
    recipients: BTreeSet<String>,
    countries: BTreeSet<String>,
    safeguards: BTreeSet<String>,
}

impl Activity {
    fn add(&mut self, recipient: &str, country: &str) {
        for (known, said) in [
            (&mut self.recipients, recipient),
            (&mut self.countries, country),
        ] {
            if !said.is_empty() && !known.contains(said) {
                known.insert(said.to_owned());
            }
        }
    }
}

/// Activities by controller and purpose.
type Record = Table<(String, String), Activity>;

impl Ask for v1::GetProcessingRecordRequest {
    type Answer = v1::GetProcessingRecordResponse;
    const METHOD: &'static str = "custody.v1.OversightService/GetProcessingRecord";

    fn wanted(&self, _state: &QueryState) -> Result<Wanted, QueryError> {
        let mut faults = Faults::default();
        Filter::read(self.filter.as_ref(), &mut faults);
        AsOf::read(self.as_of.as_ref(), &mut faults);
        let wanted = Wanted::read(self.at_least.as_ref(), &mut faults);
        faults.or(wanted)
    }

    /// Collections, uses, disclosures and transfers. Entries that were taken
    /// back are left out.
    fn answer(self, state: &QueryState, visible: Arc<Visible>) -> Result<Self::Answer, QueryError> {
        let mut faults = Faults::default();
        let mut filter = Filter::read(self.filter.as_ref(), &mut faults);
        let as_of = AsOf::read(self.as_of.as_ref(), &mut faults);
        let as_of = faults.or(as_of)?;
        let everybody = Everybody::new(state, &visible, as_of);
        let record = match kept_record(state, &everybody, &mut filter)? {
            Some(record) => record,
            None => scanned_record(&everybody, &mut filter)?,
        };
        let activities =
            record.into_rows().map(
                |((controller, purpose), tally, more)| v1::ProcessingActivity {
                    controller,
                    purpose,
                    count: tally.count,
                    first_time: timestamp(tally.first_ns()),
                    last_time: timestamp(tally.last_ns()),
                    categories: tally.categories.into_iter().collect(),
                    recipients: more.recipients.into_iter().collect(),
                    countries: more.countries.into_iter().collect(),
                    safeguards: more.safeguards.into_iter().collect(),
                },
            );
        Ok(v1::GetProcessingRecordResponse {
            activities: activities.collect(),
            head: Some(entry::ledger_head(&visible)),
        })
    }
}

fn kept_record(
    state: &QueryState,
    everybody: &Everybody<'_>,
    filter: &mut Filter,
) -> Result<Option<Record>, QueryError> {
    let told = [
        Member::Purposes,
        Member::Recipients,
        Member::Countries,
        Member::Controllers,
    ];
    if !everybody.is_told_by_kept(filter, &told) {
        return Ok(None);
    }
    let mut meter = state.work.meter();
    let mut record = Record::new();
    for row in everybody.head.activities() {
        meter.row()?;
        let (key, cell) = row?;
        let nobody = Default::default();
        let recipient = key.recipient.as_ref().unwrap_or(&nobody);
        let country = everybody.registry.destination(recipient, key.destination)?;
        if !filter.matches_controller(&key.controller)
            || !filter.purposes.matches(&key.purpose)
            || !filter.matches_recipient(&recipient.id)
            || !filter.matches_country(&country)
        {
            continue;
        }
        let cell = cell.view()?;
        let key = (key.controller, key.purpose);
        let Some(more) = record.count_view(key, &cell, Activity::default) else {
            return Ok(None);
        };
        more.add(&recipient.id, &country);
        for (safeguard, _) in &cell.safeguards {
            if !more.safeguards.contains(*safeguard) {
                more.safeguards.insert((*safeguard).to_owned());
            }
        }
    }
    Ok(Some(record))
}

fn scanned_record(everybody: &Everybody<'_>, filter: &mut Filter) -> Result<Record, QueryError> {
    let mut record = Record::new();
    let mut purposes = filter.purposes.clone();
    everybody.walk(filter, |seen| {
        let entry = &seen.row.entry;
        if !is_processing(entry) {
            return Ok(());
        }
        for purpose in purposes_of(entry) {
            if !purposes.matches(purpose) {
                continue;
            }
            let key = (entry.controller.clone(), purpose.to_owned());
            let (more, _) = record.count(key, seen, Activity::default);
            let recipient = entry.recipient().map_or("", |party| &party.id);
            more.add(recipient, &seen.flow.destination);
            let safeguard = flow::safeguard(entry);
            if !safeguard.is_empty() {
                more.safeguards.insert(safeguard.to_owned());
            }
        }
        Ok(())
    })?;
    Ok(record)
}
