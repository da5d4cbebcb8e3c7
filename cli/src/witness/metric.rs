//! Metrics of witnesses, by the witness's name.

use std::time::Duration;

use metrics::{
    Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
};

/// The size of the ledger's log that a witness has cosigned last.
pub const SIZE: &str = "custody_witness_cosigned_size";
/// Checkpoints sent, by witness and outcome.
pub const REQUESTS: &str = "custody_witness_requests_total";
/// From sending a checkpoint to the answer, by witness.
pub const DURATION: &str = "custody_witness_request_duration_seconds";
/// For how long enough witnesses have been missing on what is signed.
pub const WAITING: &str = "custody_witness_quorum_waiting_seconds";

/// Tells the recorder what each metric means.
pub fn describe() {
    describe_gauge!(
        SIZE,
        Unit::Count,
        "The size of the ledger's log that a witness has cosigned last"
    );
    describe_counter!(
        REQUESTS,
        Unit::Count,
        "Checkpoints sent to a witness, by outcome"
    );
    describe_histogram!(
        DURATION,
        Unit::Seconds,
        "From sending a checkpoint to the witness's answer"
    );
    describe_gauge!(
        WAITING,
        Unit::Seconds,
        "For how long the quorum of witnesses has been missing; 0 where it is reached"
    );
}

pub(super) fn size(witness: &str, size: u64) {
    gauge!(SIZE, "witness" => witness.to_owned()).set(size as f64);
}

pub(super) fn request(witness: &str, outcome: &'static str, took: Duration) {
    counter!(REQUESTS, "witness" => witness.to_owned(), "outcome" => outcome).increment(1);
    histogram!(DURATION, "witness" => witness.to_owned()).record(took.as_secs_f64());
}

/// How long the quorum has been missing.
pub fn waiting(waiting: Duration) {
    gauge!(WAITING).set(waiting.as_secs_f64());
}
