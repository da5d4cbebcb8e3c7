//! Metrics of the log for outsiders.

use metrics::{Unit, counter, describe_counter};

/// Requests answered, by what was asked for and status.
pub const REQUESTS: &str = "custody_log_requests_total";

/// Tells the recorder what each metric means.
pub fn describe() {
    describe_counter!(
        REQUESTS,
        Unit::Count,
        "Requests to the log for outsiders, by what was asked for and status"
    );
}

pub(super) fn answered(what: &'static str, status: u16) {
    counter!(REQUESTS, "what" => what, "status" => status.to_string()).increment(1);
}
