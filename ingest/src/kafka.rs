//! Kafka: the only place that names rdkafka.
//!
//! One consumer and one thread poll all partitions and hand messages to the
//! pipeline's shards; the ledger's own positions say where to begin. What
//! cannot be read goes to `<topic>.dlq`.

mod options;
mod topic_id;
mod topics;

mod headers;
mod poll;

mod dead_letters;

mod ends;

pub use dead_letters::KafkaDeadLetters;
pub use ends::{BrokerTopic, BrokerTopics, Watermarks, broker_topics};
pub use options::KafkaOptions;
pub use poll::KafkaSource;

/// What can go wrong with Kafka before the first message.
#[derive(Debug, thiserror::Error)]
pub enum KafkaError {
    /// The topic pattern is no regular expression.
    #[error("topic pattern {pattern:?} is not a regular expression: {why}")]
    Pattern {
        /// What was given.
        pattern: String,
        /// What is wrong with it.
        why: String,
    },
    /// librdkafka refused the configuration.
    #[error("Kafka client: {0}")]
    Client(#[from] rdkafka::error::KafkaError),
    /// The brokers gave no answer.
    #[error("the brokers do not tell {question}")]
    NoAnswer {
        /// To what.
        question: &'static str,
    },
    /// The polling thread could not be started.
    #[error("cannot start the polling thread: {0}")]
    Thread(#[from] std::io::Error),
}
