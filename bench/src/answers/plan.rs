//! Whom to ask about: who has how many events, written beside the ledger.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use serde::{Deserialize, Serialize};

use super::population::{LINEAGE_PERSONS, Population, Told, lineage_subject};
use crate::workload::{FIRST_ACCOUNT, RECIPIENTS, SplitMix, Zipf};

const PLAN: &str = "plan.json";
const COUNTS: &str = "counts.bin";

/// About how many events the persons of one question have.
const THOUSAND: std::ops::RangeInclusive<u32> = 850..=1_150;

/// What was made, and whom to ask about.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Plan {
    pub(crate) population: Population,
    /// The person with most events, and how many.
    pub(crate) hottest: String,
    pub(crate) hottest_events: u32,
    /// Persons with about a thousand events.
    pub(crate) thousand: Vec<String>,
    /// Persons with a lineage.
    pub(crate) lineage: Vec<String>,
    /// The recipient of most events.
    pub(crate) busiest: String,
    /// One of few.
    pub(crate) quiet: String,
}

/// Counts while the events are made.
pub(crate) struct Counting {
    population: Population,
    persons: Vec<u32>,
}

impl Counting {
    pub(crate) fn new(population: Population) -> Self {
        Self {
            population,
            persons: vec![0; population.persons as usize],
        }
    }

    pub(crate) fn count(&mut self, told: &Told) {
        if let Some(count) = told.person().and_then(|at| self.persons.get_mut(at)) {
            *count += 1;
        }
    }

    /// Writes what was counted.
    pub(crate) fn write(self, dir: &Path) -> Result<()> {
        let account = |person: usize| format!("account:{}", FIRST_ACCOUNT + person);
        let hottest = self.persons.iter().enumerate().max_by_key(|(_, n)| **n);
        let (hottest, events) = hottest.context("there is nobody")?;
        let about = |(_, count): &(usize, &u32)| THOUSAND.contains(count);
        let thousand = self.persons.iter().enumerate().filter(about);
        let mut thousand: Vec<String> = thousand.map(|(at, _)| account(at)).collect();
        if thousand.is_empty() {
            // A small ledger: whoever is nearest.
            let near = |(_, count): &(usize, &u32)| count.abs_diff(1_000);
            let nearest = self.persons.iter().enumerate().min_by_key(near);
            thousand.extend(nearest.map(|(at, _)| account(at)));
        }
        let plan = Plan {
            population: self.population,
            hottest: account(hottest),
            hottest_events: *events,
            thousand,
            lineage: (0..LINEAGE_PERSONS).map(lineage_subject).collect(),
            busiest: "recipient-000".to_owned(),
            quiet: format!("recipient-{:03}", RECIPIENTS / 2),
        };
        let counts: Vec<u8> = self.persons.iter().flat_map(|n| n.to_le_bytes()).collect();
        std::fs::write(dir.join(COUNTS), counts)?;
        // Last: with it, all is there.
        std::fs::write(dir.join(PLAN), serde_json::to_vec_pretty(&plan)?)?;
        Ok(())
    }
}

impl Plan {
    /// What was made in a directory; `None` where nothing was, or not to its
    /// end.
    pub(crate) fn read(dir: &Path) -> Result<Option<Self>> {
        match std::fs::read(dir.join(PLAN)) {
            Ok(text) => Ok(Some(serde_json::from_slice(&text)?)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

/// Draws persons by the same law as their events were, and only such as have
/// some.
pub(crate) struct Persons {
    counts: Vec<u32>,
    zipf: Zipf,
}

impl Persons {
    pub(crate) fn read(dir: &Path) -> Result<Self> {
        let bytes = std::fs::read(dir.join(COUNTS))?;
        let (counts, rest) = bytes.as_chunks::<4>();
        ensure!(rest.is_empty() && !counts.is_empty(), "{COUNTS} is damaged");
        let counts: Vec<u32> = counts.iter().map(|n| u32::from_le_bytes(*n)).collect();
        Ok(Self {
            zipf: Zipf::new(counts.len()),
            counts,
        })
    }

    pub(crate) fn draw(&self, dice: &mut SplitMix) -> String {
        loop {
            let person = self.zipf.draw_person(dice);
            if self.counts[person] > 0 {
                return format!("account:{}", FIRST_ACCOUNT + person);
            }
        }
    }
}
