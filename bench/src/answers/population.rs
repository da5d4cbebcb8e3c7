//! The events that are asked about: those of [`crate::workload`], with what a
//! ledger's entry has beside, and some persons with a long lineage.

use anyhow::Result;
use clap::Args;
use serde::{Deserialize, Serialize};

use crate::workload::{
    self, COUNTRIES, FIRST_ACCOUNT, Kind, PURPOSES, RECIPIENTS, SERVICES, START_MS, SplitMix,
    WorkloadEvent, YEAR_MS,
};

/// Persons whose events all came from one collection, and events of each.
pub(crate) const LINEAGE_PERSONS: usize = 8;
pub(crate) const LINEAGE_EVENTS: usize = 1_000;

/// So many events came from each event of a lineage.
const BRANCHES: usize = 8;

/// The account of the first of them.
const FIRST_LINEAGE: usize = 90_000_000;

/// Purposes of one recipient.
const PURPOSES_EACH: usize = 3;

/// Who provides each of the workload's services.
const CONTROLLERS: [&str; SERVICES.len()] = [
    "hangzhou-alibaba-advertising",
    "alibaba-com-hong-kong",
    "alibaba-cloud-singapore",
    "alibaba-com-singapore",
];

const BASES: [&str; 3] = ["eu-gdpr:A6-1-a", "eu-gdpr:A6-1-b", "eu-gdpr:A6-1-f"];

/// What the events are made of; the same for the same values.
#[derive(Args, Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Population {
    /// Events, without those of the lineages.
    #[arg(long)]
    pub(crate) events: u64,
    #[arg(long)]
    pub(crate) persons: u32,
    #[arg(long)]
    pub(crate) seed: u64,
    #[arg(long)]
    pub(crate) scattered: bool,
}

/// One event.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) event: WorkloadEvent,
    pub(crate) controller: &'static str,
    pub(crate) legal_basis: &'static str,
    /// Ids of the events that it came from.
    pub(crate) parents: Vec<String>,
}

impl Told {
    /// Who got the data; `None` of a collection and of a use.
    pub(crate) fn recipient(&self) -> Option<&str> {
        matches!(self.event.kind, Kind::Disclosure | Kind::Transfer)
            .then_some(self.event.recipient.as_str())
    }

    /// The number of the person among those that events are drawn for; `None`
    /// of one with a lineage.
    pub(crate) fn person(&self) -> Option<usize> {
        let account: usize = self.event.subject.strip_prefix("account:")?.parse().ok()?;
        (account < FIRST_LINEAGE).then(|| account - FIRST_ACCOUNT)
    }

    fn of(event: WorkloadEvent, parents: Vec<String>) -> Self {
        let among = |names: &[&str], name: &str| names.iter().position(|n| *n == name).unwrap_or(0);
        let purpose = event.purpose.trim_start_matches("custody:");
        Self {
            controller: CONTROLLERS[among(&SERVICES, &event.service)],
            legal_basis: BASES[among(&PURPOSES, purpose) % BASES.len()],
            event,
            parents,
        }
    }
}

impl Population {
    /// All events, in order of time.
    pub(crate) fn events(self) -> impl Iterator<Item = Result<Told>> {
        let drawn = workload::Events::new(self.events, self.persons, self.seed);
        let drawn = drawn.map(move |event| {
            let mut event = event?;
            if !self.scattered {
                settle(&mut event);
            }
            Ok(Told::of(event, Vec::new()))
        });
        drawn.chain((0..LINEAGE_PERSONS).flat_map(move |person| lineage(self.seed, person)))
    }

    /// How many events there are.
    pub(crate) fn len(self) -> u64 {
        self.events + (LINEAGE_PERSONS * LINEAGE_EVENTS) as u64
    }
}

/// A recipient is in one country, and gets data for a few purposes.
fn settle(event: &mut WorkloadEvent) {
    let number = event.recipient.trim_start_matches("recipient-");
    let number: usize = number.parse().unwrap_or(0);
    COUNTRIES[number % COUNTRIES.len()].clone_into(&mut event.country);
    let drawn = event.purpose.trim_start_matches("custody:");
    let drawn = PURPOSES.iter().position(|name| *name == drawn).unwrap_or(0);
    let purpose = PURPOSES[(number * 7 + drawn % PURPOSES_EACH) % PURPOSES.len()];
    event.purpose = format!("custody:{purpose}");
}

/// The account of a person with a lineage.
pub(crate) fn lineage_subject(person: usize) -> String {
    format!("account:{}", FIRST_LINEAGE + person)
}

/// The id of an event of a lineage.
pub(crate) fn lineage_id(seed: u64, person: usize, number: usize) -> String {
    let mut dice = SplitMix(seed ^ ((person as u64 + 1) << 32) ^ number as u64);
    format!("{:016x}{:016x}", dice.next(), dice.next())
}

/// A collection, and what came from it: a tree, with a second parent here and
/// there, down to disclosures.
fn lineage(seed: u64, person: usize) -> impl Iterator<Item = Result<Told>> {
    (0..LINEAGE_EVENTS).map(move |number| {
        let mut parents = Vec::new();
        if number > 0 {
            parents.push((number - 1) / BRANCHES);
        }
        if number > BRANCHES && number % 10 == 0 {
            parents.push((number - 2) / BRANCHES / 2);
        }
        parents.dedup();
        let has_children = number * BRANCHES + 1 < LINEAGE_EVENTS;
        let kind = match number {
            0 => Kind::Collection,
            _ if has_children => Kind::Use,
            _ => Kind::Disclosure,
        };
        let last_day = i64::try_from(YEAR_MS - 86_400_000)?;
        let ms = START_MS + last_day + 60_000 * i64::try_from(number)?;
        let time = jiff::Timestamp::from_millisecond(ms)?;
        let recipient = number % RECIPIENTS;
        let event = WorkloadEvent {
            id: lineage_id(seed, person, number),
            time: format!("{time:.3}"),
            kind,
            service: SERVICES[number % SERVICES.len()].to_owned(),
            subject: lineage_subject(person),
            purpose: format!("custody:{}", PURPOSES[(recipient * 7) % PURPOSES.len()]),
            categories: vec!["custody:contact".to_owned()],
            recipient: format!("recipient-{recipient:03}"),
            country: COUNTRIES[recipient % COUNTRIES.len()].to_owned(),
        };
        let parents = parents.into_iter().map(|at| lineage_id(seed, person, at));
        Ok(Told::of(event, parents.collect()))
    })
}
