//! Names of the metrics, with unit and meaning. None has a label that names a
//! person.

use metrics::Unit;

/// Requests answered, by `method` and `code` (the gRPC status).
pub const REQUESTS: &str = "custody_query_requests_total";

/// Time from a request's arrival to its answer, in seconds, by `method`.
pub const REQUEST_DURATION: &str = "custody_query_request_duration_seconds";

/// Entries in the ledger that the read model has not taken in yet.
pub const READ_MODEL_LAG: &str = "custody_query_read_model_lag_entries";

/// Entries that the read model has taken in.
pub const READ_MODEL_ENTRIES: &str = "custody_query_read_model_entries";

/// Streams to watchers that are open.
pub const WATCHERS: &str = "custody_query_watchers";

/// Tells the recorder what each metric means. Call once it is installed.
pub fn describe() {
    crate::consultation::metric::describe();
    metrics::describe_counter!(
        REQUESTS,
        Unit::Count,
        "Requests answered, by method and status."
    );
    metrics::describe_histogram!(
        REQUEST_DURATION,
        Unit::Seconds,
        "Time from a request to its answer."
    );
    metrics::describe_gauge!(WATCHERS, Unit::Count, "Streams to watchers that are open.");
    metrics::describe_gauge!(
        READ_MODEL_LAG,
        Unit::Count,
        "Entries that the read model has not taken in yet."
    );
    metrics::describe_gauge!(
        READ_MODEL_ENTRIES,
        Unit::Count,
        "Entries that the read model has taken in."
    );
}
