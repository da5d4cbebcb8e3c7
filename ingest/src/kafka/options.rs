//! How to reach Kafka, and which topics to follow.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::ClientConfig;
use regex::Regex;

use super::KafkaError;

/// How to reach Kafka, and which topics to follow.
#[derive(Clone)]
pub struct KafkaOptions {
    /// `host:port` of one or more brokers, comma-separated.
    pub brokers: String,
    /// Topics to follow: a regular expression that must match the whole name.
    pub topics: String,
    /// The consumer group whose offsets are set, only so that lag tools show
    /// them. Default `custody`.
    pub group: String,
    /// What is appended to a topic's name for its dead letters. Topics that
    /// end in it are never followed. Default `.dlq`.
    pub dead_letter_suffix: String,
    /// Further properties of librdkafka, such as `security.protocol`. They win
    /// over ours, but for those that correctness rests on.
    pub properties: BTreeMap<String, String>,
    /// The epoch of a topic, where an operator opened a new one. Absent: 0.
    pub epochs: BTreeMap<String, u32>,
    /// Whether the brokers tell topic ids, by which a topic that was made again
    /// is noticed (Kafka 2.8 and later). Default true. librdkafka's embedded
    /// broker answers no `DescribeTopics`: it names a controller that there is
    /// not.
    pub topic_ids: bool,
    /// How often new topics and partitions are looked for. Default 10 s.
    pub refresh: Duration,
    /// How often it is checked that followed topics are still the same ones.
    /// Default 1 s.
    pub identity_check: Duration,
    /// How often offsets are set for lag tools. Default 5 s.
    pub advice: Duration,
    /// The largest message that is taken into memory, in bytes. Larger ones
    /// come in all the same and are dead-lettered. Default 16 MiB.
    pub fetch_max_bytes: usize,
}

impl KafkaOptions {
    /// Options with every default.
    pub fn new(brokers: impl Into<String>, topics: impl Into<String>) -> Self {
        Self {
            brokers: brokers.into(),
            topics: topics.into(),
            group: "custody".to_owned(),
            dead_letter_suffix: ".dlq".to_owned(),
            properties: BTreeMap::new(),
            epochs: BTreeMap::new(),
            topic_ids: true,
            refresh: Duration::from_secs(10),
            identity_check: Duration::from_secs(1),
            advice: Duration::from_secs(5),
            fetch_max_bytes: 16 << 20,
        }
    }

    /// The pattern, anchored at both ends.
    pub(crate) fn pattern(&self) -> Result<Regex, KafkaError> {
        Regex::new(&format!("^(?:{})$", self.topics)).map_err(|error| KafkaError::Pattern {
            pattern: self.topics.clone(),
            why: error.to_string(),
        })
    }

    pub(crate) fn consumer_config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &self.brokers)
            .set("client.id", "custody")
            .set("group.id", &self.group)
            // The default of 1000 ms costs a factor of two to three.
            .set("fetch.queue.backoff.ms", "10")
            .set("fetch.wait.max.ms", "50")
            .set("queued.max.messages.kbytes", "65536")
            .set("fetch.message.max.bytes", "4194304")
            .set("statistics.interval.ms", "2000");
        for (name, value) in &self.properties {
            config.set(name, value);
        }
        config
            .set(
                "receive.message.max.bytes",
                (self.fetch_max_bytes.max(8 << 20) * 4).to_string(),
            )
            // The ledger's own positions rule: no silent jump, no automatic commit.
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("auto.offset.reset", "error")
            .set("allow.auto.create.topics", "false");
        config
    }

    /// Whether a topic of this name is followed.
    pub(crate) fn follows(&self, pattern: &Regex, topic: &str) -> bool {
        !topic.starts_with("__")
            && !topic.ends_with(&self.dead_letter_suffix)
            && pattern.is_match(topic)
    }

    /// For questions only: no group, so that nothing is joined or committed.
    pub(crate) fn asking_config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &self.brokers)
            .set("client.id", "custody-verify");
        for (name, value) in &self.properties {
            config.set(name, value);
        }
        config
            .set("enable.auto.commit", "false")
            .set("allow.auto.create.topics", "false");
        config
    }

    /// The longest dead letter, in bytes: what can be fetched, and room for
    /// our own headers.
    pub(crate) fn dead_letter_bytes(&self) -> usize {
        self.fetch_max_bytes.max(8 << 20) * 2
    }

    pub(crate) fn producer_config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &self.brokers)
            .set("client.id", "custody-dead-letters")
            .set("linger.ms", "2")
            .set("compression.type", "lz4")
            .set("message.timeout.ms", "10000")
            .set("message.max.bytes", self.dead_letter_bytes().to_string());
        for (name, value) in &self.properties {
            config.set(name, value);
        }
        config.set("acks", "all").set("enable.idempotence", "true");
        config
    }
}
