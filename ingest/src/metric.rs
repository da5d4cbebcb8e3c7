//! Names of the metrics of this room, and the places that set them.

use std::time::Duration;

use custody_ledger::{GapCause, Kind, Outcome};
use metrics::{
    Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
};

/// Durable entries, by kind and outcome of the judgement.
pub const ENTRIES: &str = "custody_ingest_entries_total";
/// Events that had been stored before within the window.
pub const DUPLICATES: &str = "custody_ingest_duplicates_total";
/// Messages dead-lettered, by code.
pub const DEAD_LETTERS: &str = "custody_ingest_dead_letters_total";
/// Offsets without a message, by cause.
pub const GAPS: &str = "custody_ingest_gap_offsets_total";
/// From a message's arrival to its block being durable.
pub const DURABLE: &str = "custody_ingest_durable_seconds";
/// Messages in Kafka that are not durable here, by topic and partition.
pub const LAG: &str = "custody_ingest_lag_messages";
/// The next offset that is not durable here, by topic and partition.
pub const POSITION: &str = "custody_ingest_position_offset";
/// Entries judged again with another outcome than before.
pub const REJUDGED: &str = "custody_ingest_rejudged_total";
/// Duties whose deadline passed, by finding.
pub const OVERDUE: &str = "custody_ingest_overdue_total";
/// States of persons that could not be read, and were begun again empty.
pub const STATES_LOST: &str = "custody_ingest_states_lost_total";
/// Persons whose keys were destroyed.
pub const ERASED: &str = "custody_ingest_erased_persons_total";
/// Partitions that are fed.
pub const PARTITIONS: &str = "custody_ingest_partitions";

/// Tells the recorder what each metric means.
pub fn describe() {
    describe_counter!(ENTRIES, Unit::Count, "Durable entries, by kind and outcome");
    describe_counter!(
        DUPLICATES,
        Unit::Count,
        "Events that had been stored before within the window"
    );
    describe_counter!(DEAD_LETTERS, Unit::Count, "Messages dead-lettered, by code");
    describe_counter!(GAPS, Unit::Count, "Offsets without a message, by cause");
    describe_histogram!(
        DURABLE,
        Unit::Seconds,
        "From a message's arrival to its block being durable"
    );
    describe_gauge!(
        LAG,
        Unit::Count,
        "Messages in Kafka that are not durable here"
    );
    describe_gauge!(
        POSITION,
        Unit::Count,
        "The next offset that is not durable here"
    );
    describe_counter!(
        REJUDGED,
        Unit::Count,
        "Entries judged again, and otherwise than before"
    );
    describe_counter!(
        OVERDUE,
        Unit::Count,
        "Duties whose deadline passed, by finding"
    );
    describe_counter!(ERASED, Unit::Count, "Persons whose keys were destroyed");
    describe_counter!(
        STATES_LOST,
        Unit::Count,
        "States of persons that could not be read"
    );
    describe_gauge!(PARTITIONS, Unit::Count, "Partitions that are fed");
}

pub(crate) fn stored(entries: &[(u8, u8)]) {
    for (kind_code, outcome_code) in entries {
        let kind = Kind::from_code(*kind_code).map_or("unknown", Kind::name);
        let outcome = Outcome::from_code(*outcome_code).map_or("unknown", Outcome::name);
        counter!(ENTRIES, "kind" => kind, "outcome" => outcome).increment(1);
    }
}

pub(crate) fn duplicate() {
    counter!(DUPLICATES).increment(1);
}

pub(crate) fn rejected(code: &'static str) {
    counter!(DEAD_LETTERS, "code" => code).increment(1);
}

pub(crate) fn rejudged(entries: u64) {
    counter!(REJUDGED).increment(entries);
}

pub(crate) fn overdue(finding: &'static str) {
    counter!(OVERDUE, "finding" => finding).increment(1);
}

pub(crate) fn erased(persons: u64) {
    counter!(ERASED).increment(persons);
}

pub(crate) fn state_lost() {
    counter!(STATES_LOST).increment(1);
}

pub(crate) fn gap(cause: GapCause, offsets: i64) {
    let cause = match cause {
        GapCause::ControlOrCompacted => "control_or_compacted",
        GapCause::LostToRetention => "lost_to_retention",
        GapCause::Unknown => "unknown",
    };
    counter!(GAPS, "cause" => cause).increment(u64::try_from(offsets).unwrap_or(0));
}

pub(crate) fn durable(latency: Option<Duration>) {
    if let Some(latency) = latency {
        histogram!(DURABLE).record(latency);
    }
}

pub(crate) fn position(topic: &str, partition: i32, durable: i64, end: Option<i64>) {
    // Offsets fit a float's 53 bits for any topic that exists.
    let labels = [
        ("topic", topic.to_owned()),
        ("partition", partition.to_string()),
    ];
    gauge!(POSITION, &labels).set(durable as f64);
    if let Some(end) = end {
        gauge!(LAG, &labels).set((end - durable).max(0) as f64);
    }
}

pub(crate) fn partitions(count: usize) {
    gauge!(PARTITIONS).set(count as f64);
}
