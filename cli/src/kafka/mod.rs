//! Kafka as producers use it, and an embedded broker for the demonstration:
//! the only place in this crate that names rdkafka. Reading from Kafka is
//! `custody_ingest`'s.

mod embedded;
mod producer;

pub use embedded::EmbeddedBroker;
pub use producer::{Delivery, Pace, Producer};
