//! What is asked.

use crate::answers::plan::{Persons, Plan};
use crate::workload::{START_MS, SplitMix, YEAR_MS};

const DAY_MS: i64 = 86_400_000;

/// A question, put to each side in its own words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Question {
    /// The first hundred entries of one person.
    FirstPage,
    /// Everybody who received something about one person.
    Recipients,
    /// The same of the person with most events.
    RecipientsOfHottest,
    /// What there is about one person: counts, and the distinct values.
    Summary,
    /// All entries of a person with about a thousand.
    Thousand,
    /// Everybody of whom one recipient got data, in a quarter.
    BreachQuarter,
    /// The same, of the recipient of most, in all of the time.
    BreachAll,
    /// The record of processing activities.
    ProcessingRecord,
    /// The same; PostgreSQL from its materialised view, as old as its refresh.
    ProcessingRecordKept,
    /// Everybody who received something.
    AllRecipients,
    /// The same; PostgreSQL from its materialised view.
    AllRecipientsKept,
    /// What came from one collection, a thousand events.
    Trace,
}

/// Whom and what it is about; a question looks at what it needs.
#[derive(Clone, Debug)]
pub(crate) struct About {
    pub(crate) subject: String,
    pub(crate) recipient: String,
    pub(crate) from_ms: i64,
    pub(crate) to_ms: i64,
}

impl Question {
    pub(crate) const ALL: [Self; 12] = [
        Self::FirstPage,
        Self::Recipients,
        Self::RecipientsOfHottest,
        Self::Summary,
        Self::Thousand,
        Self::BreachQuarter,
        Self::BreachAll,
        Self::ProcessingRecord,
        Self::ProcessingRecordKept,
        Self::AllRecipients,
        Self::AllRecipientsKept,
        Self::Trace,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::FirstPage => "first page of a person",
            Self::Recipients => "recipients of a person",
            Self::RecipientsOfHottest => "recipients, hottest person",
            Self::Summary => "summary of a person",
            Self::Thousand => "1,000 events, all pages",
            Self::BreachQuarter => "breach scope, 90 days",
            Self::BreachAll => "breach scope, busiest",
            Self::ProcessingRecord => "register: Art. 30",
            Self::ProcessingRecordKept => "register: Art. 30, view",
            Self::AllRecipients => "register: recipients",
            Self::AllRecipientsKept => "register: recipients, view",
            Self::Trace => "trace of 1,000 nodes",
        }
    }

    /// Draws whom to ask about: by Zipf's law where nothing else is said.
    pub(crate) fn draw(self, plan: &Plan, persons: &Persons, dice: &mut SplitMix) -> About {
        let year = i64::try_from(YEAR_MS).unwrap_or(i64::MAX);
        let mut about = About {
            subject: String::new(),
            recipient: String::new(),
            from_ms: START_MS,
            to_ms: START_MS + year + DAY_MS,
        };
        let mut one_of = |names: &[String]| names[dice.index(names.len())].clone();
        match self {
            Self::FirstPage | Self::Recipients | Self::Summary => {
                about.subject = persons.draw(dice)
            }
            Self::RecipientsOfHottest => about.subject.clone_from(&plan.hottest),
            Self::Thousand => about.subject = one_of(&plan.thousand),
            Self::Trace => about.subject = one_of(&plan.lineage),
            Self::BreachAll => about.recipient.clone_from(&plan.busiest),
            Self::BreachQuarter => {
                about.recipient.clone_from(&plan.quiet);
                let day = i64::try_from(dice.below(270)).unwrap_or(0);
                about.from_ms = START_MS + day * DAY_MS;
                about.to_ms = about.from_ms + 90 * DAY_MS;
            }
            Self::ProcessingRecord
            | Self::ProcessingRecordKept
            | Self::AllRecipients
            | Self::AllRecipientsKept => {}
        }
        about
    }
}
