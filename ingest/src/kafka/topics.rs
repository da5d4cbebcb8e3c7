//! Which topic-partitions there are, and which shards they are.

use std::collections::BTreeMap;
use std::time::Duration;

use custody_ledger::ShardDescriptor;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use regex::Regex;
use tracing::warn;

use super::KafkaOptions;
use super::topic_id::topic_ids;

const TIMEOUT: Duration = Duration::from_secs(5);

/// Every partition of every topic that is to be followed, ordered by topic and
/// partition. `None` where the brokers gave no answer.
pub(super) fn discover<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    options: &KafkaOptions,
    pattern: &Regex,
) -> Option<Vec<ShardDescriptor>> {
    let metadata = match consumer.fetch_metadata(None, TIMEOUT) {
        Ok(metadata) => metadata,
        Err(error) => {
            warn!(%error, "cannot list topics; trying again");
            return None;
        }
    };
    let Some(cluster_id) = consumer.client().fetch_cluster_id(TIMEOUT) else {
        warn!("the brokers tell no cluster id; trying again");
        return None;
    };
    let followed: Vec<_> = metadata
        .topics()
        .iter()
        .filter(|topic| {
            topic.error().is_none()
                && !topic.name().starts_with("__")
                && !topic.name().ends_with(&options.dead_letter_suffix)
                && pattern.is_match(topic.name())
        })
        .collect();
    let names: Vec<String> = followed.iter().map(|t| t.name().to_owned()).collect();
    let ids = if options.topic_ids {
        topic_ids(consumer.client(), &names, TIMEOUT)?
    } else {
        BTreeMap::new()
    };

    let mut shards = Vec::new();
    for topic in followed {
        let epoch = options.epochs.get(topic.name()).copied().unwrap_or(0);
        for partition in topic.partitions() {
            shards.push(ShardDescriptor {
                cluster_id: cluster_id.clone(),
                topic: topic.name().to_owned(),
                topic_id: ids.get(topic.name()).cloned().unwrap_or_default(),
                partition: partition.id(),
                epoch,
            });
        }
    }
    shards.sort_by(|a, b| (&a.topic, a.partition).cmp(&(&b.topic, b.partition)));
    Some(shards)
}

/// The names among `topics` whose topic is no longer the one that `topics`
/// pairs with the name. `None` where the brokers gave no answer.
pub(super) fn changed<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    topics: &[(String, String)],
) -> Option<Vec<String>> {
    // A broker without topic ids cannot tell; an operator's epoch does.
    if topics.iter().all(|(_, id)| id.is_empty()) {
        return Some(Vec::new());
    }
    let names: Vec<String> = topics.iter().map(|(name, _)| name.clone()).collect();
    let now = topic_ids(consumer.client(), &names, TIMEOUT)?;
    Some(
        topics
            .iter()
            .filter(|(name, id)| !id.is_empty() && now.get(name) != Some(id))
            .map(|(name, _)| name.clone())
            .collect(),
    )
}
