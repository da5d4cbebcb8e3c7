//! What the brokers hold of the topics that a ledger knows, asked without a
//! consumer group.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};

use super::topic_id::topic_ids;
use super::{KafkaError, KafkaOptions};

const TIMEOUT: Duration = Duration::from_secs(10);

/// What the brokers answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BrokerTopics {
    /// The cluster's id.
    pub cluster_id: String,
    /// Topics that were asked for or match the pattern, by name. One that is
    /// not here is not there.
    pub topics: BTreeMap<String, BrokerTopic>,
}

/// A topic as the brokers have it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BrokerTopic {
    /// Its id; `None` where the brokers tell none.
    pub id: Option<String>,
    /// Whether its name matches the pattern of what is to be followed.
    pub followed: bool,
    /// What each partition holds.
    pub partitions: BTreeMap<i32, Watermarks>,
}

/// Which offsets a partition holds: from `low` to before `high`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Watermarks {
    /// The first offset that retention has left.
    pub low: i64,
    /// The offset that the next message will have.
    pub high: i64,
}

/// Asks for the ends of every partition of the topics in `known` and of those
/// that `options` would follow. Changes nothing at the brokers and joins no
/// group. Takes up to 10 s a question; there is one a partition.
///
/// # Errors
/// [`KafkaError`] where the pattern or the settings are wrong, or the brokers
/// give no answer to any of it: half an answer would look like a loss.
pub fn broker_topics(
    options: &KafkaOptions,
    known: &BTreeSet<String>,
) -> Result<BrokerTopics, KafkaError> {
    let pattern = options.pattern()?;
    let consumer: BaseConsumer = options.asking_config().create()?;
    let metadata = consumer.fetch_metadata(None, TIMEOUT)?;
    let cluster_id = consumer
        .client()
        .fetch_cluster_id(TIMEOUT)
        .ok_or(KafkaError::NoAnswer {
            question: "their cluster id",
        })?;
    let mut topics = BTreeMap::new();
    for topic in metadata.topics() {
        let name = topic.name();
        let followed = options.follows(&pattern, name);
        if topic.error().is_some() || !(followed || known.contains(name)) {
            continue;
        }
        let mut partitions = BTreeMap::new();
        for partition in topic.partitions() {
            let (low, high) = consumer.fetch_watermarks(name, partition.id(), TIMEOUT)?;
            partitions.insert(partition.id(), Watermarks { low, high });
        }
        let found = BrokerTopic {
            id: None,
            followed,
            partitions,
        };
        topics.insert(name.to_owned(), found);
    }
    if options.topic_ids {
        let names: Vec<String> = topics.keys().cloned().collect();
        let ids = topic_ids(consumer.client(), &names, TIMEOUT).ok_or(KafkaError::NoAnswer {
            question: "the ids of the topics; kafka.topic_ids = false is for brokers without",
        })?;
        for (name, id) in ids {
            if let Some(topic) = topics.get_mut(&name) {
                topic.id = id;
            }
        }
    }
    Ok(BrokerTopics { cluster_id, topics })
}
