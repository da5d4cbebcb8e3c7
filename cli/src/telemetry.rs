//! Logs to standard error, metrics for Prometheus.

use std::io::{self, IsTerminal};

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::EnvFilter;

use crate::config::LogFormat;
use crate::error::CommandError;

/// Upper bounds of histograms of seconds: 100 µs to 30 s.
const SECONDS: &[f64] = &[
    0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0,
];

/// Upper bounds of histograms of bytes: 256 B to 64 MiB.
const BYTES: &[f64] = &[
    256.0, 1024.0, 4096.0, 16384.0, 65536.0, 262144.0, 1048576.0, 4194304.0, 16777216.0, 67108864.0,
];

/// Starts logging to standard error. `level` is a word or directives as in
/// `RUST_LOG`. A second call in one process changes nothing.
///
/// # Errors
/// [`CommandError::Usage`] where `level` is none.
pub fn start_logs(level: &str, format: LogFormat) -> Result<(), CommandError> {
    let filter = EnvFilter::try_new(level)
        .map_err(|error| CommandError::Usage(format!("log level `{level}`: {error}")))?;
    let terminal = io::stderr().is_terminal();
    let pretty = match format {
        LogFormat::Auto => terminal,
        LogFormat::Pretty => true,
        LogFormat::Json => false,
    };
    let logs = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr);
    // An error means that a subscriber stands already, as in tests.
    let _ = if pretty {
        logs.with_ansi(terminal).try_init()
    } else {
        logs.json().flatten_event(true).try_init()
    };
    Ok(())
}

/// Installs the recorder that `/metrics` shows.
///
/// # Errors
/// [`CommandError::Stopped`] where another recorder stands already.
pub fn start_metrics() -> Result<PrometheusHandle, CommandError> {
    let stopped = |reason: String| CommandError::Stopped {
        what: "metrics",
        reason,
    };
    PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), SECONDS)
        .and_then(|builder| {
            builder.set_buckets_for_metric(Matcher::Suffix("_bytes".to_owned()), BYTES)
        })
        .map_err(|error| stopped(error.to_string()))?
        .install_recorder()
        .map_err(|error| stopped(error.to_string()))
}
