//! A Kafka for tests and benchmarks, and a witness.
//!
//! [`Broker::start`] gives a real Apache Kafka, fetched by Maven and started as
//! one KRaft node on 127.0.0.1, where Java and Maven are there. Where they are
//! not, it gives librdkafka's embedded broker and says so loudly; with
//! `CUSTODY_REQUIRE_KAFKA=1` it fails instead.
//!
//! [`Witness`] is a witness of transparency logs that keeps in memory what it
//! has seen.
//!
//! The end-to-end tests themselves are in `e2e/`; they are a test target of
//! the package `custody`, which builds the binary that they run.
#![allow(clippy::print_stderr)] // What a test run is told goes to its output.

mod apache;
mod embedded;

mod broker;

mod witness;

pub use apache::ApacheKafka;
pub use broker::{Broker, is_kafka_required};
pub use embedded::Embedded;
pub use witness::Witness;
