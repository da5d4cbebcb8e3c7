//! The records: what GDPRbench knows of each, and the events that say so.

use std::sync::Arc;

use anyhow::Result;
use serde_json::{Value, json};

use crate::workload::{CATEGORIES, PURPOSES, START_MS, SplitMix, Zipf};

/// Parties of each kind.
const PARTIES: u64 = 10;

/// All records: the same for the same seed.
#[derive(Clone)]
pub(crate) struct Records {
    records: u64,
    seed: u64,
    zipf: Arc<Zipf>,
}

/// One record, without its data and its key.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) number: u64,
    /// USR.
    pub(crate) user: String,
    /// PUR, a term.
    pub(crate) purpose: String,
    /// CAT, a term.
    pub(crate) category: String,
    /// SRC.
    pub(crate) source: String,
    /// SHR.
    pub(crate) shared_with: String,
    /// ACL. Has no place in an event.
    pub(crate) access: String,
    /// DEC. Has no place in an event.
    pub(crate) decided: bool,
    /// The personal data.
    pub(crate) data: String,
    /// When it was collected, milliseconds since 1970 UTC; another time for
    /// every record. It was shared a second later.
    pub(crate) time_ms: i64,
}

impl Records {
    pub(crate) fn new(records: u64, seed: u64) -> Self {
        Self {
            records,
            seed,
            zipf: Arc::new(Zipf::new(usize::try_from(records).unwrap_or(1))),
        }
    }

    pub(crate) fn len(&self) -> u64 {
        self.records
    }

    pub(crate) fn persons(&self) -> u64 {
        (self.records / 10).max(1)
    }

    pub(crate) fn draw_skewed(&self, dice: &mut SplitMix) -> u64 {
        self.zipf.draw_person(dice) as u64
    }

    pub(crate) fn get(&self, number: u64) -> Record {
        let mut dice = SplitMix(self.seed ^ (number << 20));
        let term = |name: &str| format!("custody:{name}");
        Record {
            number,
            user: format!("account:{}", 20_000_000 + dice.below(self.persons())),
            purpose: term(PURPOSES[dice.index(PURPOSES.len())]),
            category: term(CATEGORIES[dice.index(CATEGORIES.len())]),
            source: format!("source-{}", dice.below(PARTIES)),
            shared_with: format!("recipient-{}", dice.below(PARTIES)),
            access: format!("team-{}", dice.below(PARTIES)),
            decided: dice.below(2) == 1,
            data: format!("{:010}", dice.below(10_000_000_000)),
            time_ms: START_MS + 2_000 * i64::try_from(number).unwrap_or(0),
        }
    }
}

impl Record {
    /// What its service says when it is collected, and when it is shared.
    pub(crate) fn created(&self) -> Result<[Vec<u8>; 2]> {
        let from = json!({ "id": self.source });
        let collection = json!({ "origin": "third_party", "from": from });
        let recipient = json!({ "id": self.shared_with, "country": "DE" });
        let disclosure = json!({ "recipient": recipient });
        let shared = self.time_ms + 1_000;
        let collected = self.event("collection", collection, self.time_ms, 0)?;
        Ok([collected, self.event("disclosure", disclosure, shared, 1)?])
    }

    /// An event about it. `part` tells events of one record apart.
    pub(crate) fn event(&self, kind: &str, act: Value, time_ms: i64, part: u64) -> Result<Vec<u8>> {
        let time = jiff::Timestamp::from_millisecond(time_ms)?;
        let mut data = json!({
            "subject": { "ids": [self.user], "jurisdiction": "DE" },
            "service": "alibaba.com",
            "controller": "alibaba-com-singapore",
            "purposes": [self.purpose],
            "categories": [{ "term": self.category, "fields": ["value"] }],
            "legal_basis": "eu-gdpr:A6-1-b",
            "note": self.data,
        });
        data[kind] = act;
        let event = json!({
            "specversion": "1.0",
            "id": format!("r-{}-{part}", self.number),
            "source": "//bench.example",
            "type": format!("custody.{kind}.v1"),
            "time": format!("{time:.3}"),
            "datacontenttype": "application/json",
            "data": data,
        });
        Ok(serde_json::to_vec(&event)?)
    }
}
