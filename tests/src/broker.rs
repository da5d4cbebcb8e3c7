//! A real broker where that is possible, the embedded one where not.

use std::time::Duration;

use anyhow::{Result, bail};
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use crate::{ApacheKafka, Embedded};

/// Whether `CUSTODY_REQUIRE_KAFKA=1`: without a real Kafka tests are to fail.
pub fn is_kafka_required() -> bool {
    std::env::var("CUSTODY_REQUIRE_KAFKA").is_ok_and(|value| value == "1")
}

/// A Kafka on 127.0.0.1.
pub enum Broker {
    /// Apache Kafka.
    Apache(ApacheKafka),
    /// librdkafka's embedded broker.
    Embedded(Embedded),
}

impl Broker {
    /// Starts Apache Kafka where Java and Maven are there. Where not, starts
    /// the embedded broker and says so, or fails where
    /// `CUSTODY_REQUIRE_KAFKA=1`.
    ///
    /// # Errors
    /// Where neither can be started, or Apache Kafka is required and not there.
    pub fn start() -> Result<Self> {
        if ApacheKafka::is_available() {
            return Ok(Self::Apache(ApacheKafka::start(&[])?));
        }
        if is_kafka_required() {
            bail!("CUSTODY_REQUIRE_KAFKA=1, and java or mvn is not there");
        }
        eprintln!(
            "\n*** Java or Maven is not there: testing against librdkafka's EMBEDDED broker, \
             not against Apache Kafka. ***\n"
        );
        Ok(Self::Embedded(Embedded::start()?))
    }

    /// `host:port`.
    pub fn brokers(&self) -> String {
        match self {
            Self::Apache(kafka) => kafka.brokers(),
            Self::Embedded(broker) => broker.brokers(),
        }
    }

    /// The real broker; `None` and a loud word where it is the embedded one.
    pub fn apache(&mut self) -> Option<&mut ApacheKafka> {
        match self {
            Self::Apache(kafka) => Some(kafka),
            Self::Embedded(_) => {
                eprintln!("*** SKIPPED: needs Apache Kafka ***");
                None
            }
        }
    }

    /// Makes a topic and waits until it is there.
    ///
    /// # Errors
    /// Where the broker refuses.
    pub fn create_topic(&self, name: &str, partitions: i32, config: &[(&str, &str)]) -> Result<()> {
        match self {
            Self::Embedded(broker) => broker.create_topic(name, partitions)?,
            Self::Apache(_) => {
                let mut topic = NewTopic::new(name, partitions, TopicReplication::Fixed(1));
                for (key, value) in config {
                    topic = topic.set(key, value);
                }
                let made = futures_executor::block_on(
                    self.admin()?.create_topics([&topic], &AdminOptions::new()),
                )?;
                if let Some(Err((_, code))) = made.first() {
                    bail!("cannot make topic {name}: {code}");
                }
            }
        }
        self.wait_for(name, |count| {
            count == usize::try_from(partitions).unwrap_or(0)
        })
    }

    /// Deletes a topic and waits until it is gone.
    ///
    /// # Errors
    /// Where the broker refuses, or is the embedded one.
    pub fn delete_topic(&self, name: &str) -> Result<()> {
        let gone =
            futures_executor::block_on(self.admin()?.delete_topics(&[name], &AdminOptions::new()))?;
        if let Some(Err((_, code))) = gone.first() {
            bail!("cannot delete topic {name}: {code}");
        }
        self.wait_for(name, |count| count == 0)
    }

    /// Gives a topic more partitions.
    ///
    /// # Errors
    /// Where the broker refuses, or is the embedded one.
    pub fn add_partitions(&self, name: &str, partitions: usize) -> Result<()> {
        let made = futures_executor::block_on(self.admin()?.create_partitions(
            [&NewPartitions::new(name, partitions)],
            &AdminOptions::new(),
        ))?;
        if let Some(Err((_, code))) = made.first() {
            bail!("cannot add partitions to {name}: {code}");
        }
        self.wait_for(name, |count| count == partitions)
    }

    /// Removes a partition's records below an offset, as retention does.
    ///
    /// # Errors
    /// Where the broker refuses, or is the embedded one.
    pub fn delete_records(&self, topic: &str, partition: i32, below: i64) -> Result<()> {
        let mut offsets = TopicPartitionList::new();
        offsets.add_partition_offset(topic, partition, Offset::Offset(below))?;
        futures_executor::block_on(self.admin()?.delete_records(&offsets, &AdminOptions::new()))?;
        Ok(())
    }

    fn admin(&self) -> Result<AdminClient<DefaultClientContext>> {
        Ok(self.client().create()?)
    }

    fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", self.brokers())
            .set("allow.auto.create.topics", "false");
        config
    }

    fn wait_for(&self, name: &str, ready: impl Fn(usize) -> bool) -> Result<()> {
        let client: BaseConsumer = self.client().create()?;
        for _ in 0..100 {
            let metadata = client.fetch_metadata(Some(name), Duration::from_secs(5))?;
            let count = metadata
                .topics()
                .iter()
                .filter(|topic| topic.error().is_none())
                .map(|topic| topic.partitions().len())
                .sum();
            if ready(count) {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        bail!("topic {name} does not come to the wanted state")
    }
}
