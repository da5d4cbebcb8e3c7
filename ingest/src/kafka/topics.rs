//! Which topic-partitions there are, and which shards they are.

use std::collections::BTreeSet;
use std::time::Duration;

use custody_ledger::ShardDescriptor;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use regex::Regex;
use tracing::warn;

use super::KafkaOptions;
use super::topic_id::topic_ids;

const TIMEOUT: Duration = Duration::from_secs(5);

/// What there is to be followed.
pub(super) struct Found {
    /// Every partition, ordered by topic and partition.
    pub(super) shards: Vec<ShardDescriptor>,
    /// Topics that are there and whose id could not be had this time. Without
    /// it nobody can tell which shard they are.
    pub(super) unsure: BTreeSet<String>,
}

/// Looks for every partition of every topic that is to be followed. `None`
/// where the brokers gave no answer.
pub(super) fn discover<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    options: &KafkaOptions,
    pattern: &Regex,
) -> Option<Found> {
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
        .filter(|topic| topic.error().is_none() && options.follows(pattern, topic.name()))
        .collect();
    let names: Vec<String> = followed.iter().map(|t| t.name().to_owned()).collect();
    let ids = if options.topic_ids {
        topic_ids(consumer.client(), &names, TIMEOUT)?
    } else {
        names.into_iter().map(|name| (name, None)).collect()
    };

    let mut shards = Vec::new();
    let mut unsure = BTreeSet::new();
    for topic in followed {
        let Some(id) = ids.get(topic.name()) else {
            warn!(
                topic = topic.name(),
                "the brokers tell no topic id; trying again"
            );
            unsure.insert(topic.name().to_owned());
            continue;
        };
        let epoch = options.epochs.get(topic.name()).copied().unwrap_or(0);
        for partition in topic.partitions() {
            shards.push(ShardDescriptor {
                cluster_id: cluster_id.clone(),
                topic: topic.name().to_owned(),
                topic_id: id.clone().unwrap_or_default(),
                partition: partition.id(),
                epoch,
            });
        }
    }
    shards.sort_by(|a, b| (&a.topic, a.partition).cmp(&(&b.topic, b.partition)));
    Some(Found { shards, unsure })
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
            // Only another id is another topic; no answer says nothing.
            .filter(|(name, id)| {
                !id.is_empty()
                    && now
                        .get(name)
                        .is_some_and(|now| now.as_deref() != Some(id.as_str()))
            })
            .map(|(name, _)| name.clone())
            .collect(),
    )
}
