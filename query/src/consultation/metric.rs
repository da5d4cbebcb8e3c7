//! Names of the metrics, with unit and meaning.

use metrics::Unit;

/// Consultations by `outcome`: `written`, `lost` (the answer left, and nothing
/// says so), `erased` (the person had been erased meanwhile).
pub const CONSULTATIONS: &str = "custody_query_consultations_total";

/// Consultations that wait to be written.
pub const CONSULTATIONS_QUEUED: &str = "custody_query_consultations_queued";

/// Tells the recorder what each metric means.
pub fn describe() {
    metrics::describe_counter!(
        CONSULTATIONS,
        Unit::Count,
        "Consultations by what became of them: written, lost, erased."
    );
    metrics::describe_gauge!(
        CONSULTATIONS_QUEUED,
        Unit::Count,
        "Consultations that wait to be written."
    );
}

pub(super) fn count(outcome: &'static str, number: u64) {
    metrics::counter!(CONSULTATIONS, "outcome" => outcome).increment(number);
}
