//! The broker that scenarios share, and an ordinary producer.

use std::sync::OnceLock;
use std::time::Duration;

use custody_generate::Message;
use custody_tests::Broker;
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Header, OwnedHeaders, OwnedMessage};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

/// The broker that all scenarios share. It ends with the process.
pub(crate) fn shared() -> &'static Broker {
    static BROKER: OnceLock<Broker> = OnceLock::new();
    BROKER.get_or_init(|| Broker::start().expect("a broker"))
}

/// Whether the shared broker is Apache Kafka.
pub(crate) fn is_real() -> bool {
    matches!(shared(), Broker::Apache(_))
}

/// What a scenario sends: any key, headers and payload.
#[derive(Clone, Default)]
pub(crate) struct Raw {
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) headers: Vec<(String, Option<Vec<u8>>)>,
    pub(crate) payload: Option<Vec<u8>>,
}

impl From<&Message> for Raw {
    fn from(message: &Message) -> Self {
        Self {
            key: Some(message.key.clone()),
            headers: message
                .headers
                .iter()
                .map(|(name, value)| (name.clone(), Some(value.clone())))
                .collect(),
            payload: message.payload.clone(),
        }
    }
}

impl Raw {
    /// A structured CloudEvent without headers, as `kcat` sends it.
    pub(crate) fn json(key: &str, text: &str) -> Self {
        Self {
            key: Some(key.as_bytes().to_vec()),
            headers: Vec::new(),
            payload: Some(text.as_bytes().to_vec()),
        }
    }
}

/// Sends messages in order and waits until the broker has them all.
pub(crate) fn produce(
    brokers: &str,
    topic: &str,
    messages: impl IntoIterator<Item = Raw>,
) -> usize {
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("enable.idempotence", "true")
        .set("acks", "all")
        .set("linger.ms", "20")
        .set("compression.type", "lz4")
        .set("message.max.bytes", "20971520")
        .create()
        .expect("a producer");
    let mut count = 0;
    for message in messages {
        let mut headers = OwnedHeaders::new_with_capacity(message.headers.len());
        for (key, value) in &message.headers {
            headers = headers.insert(Header {
                key,
                value: value.as_deref(),
            });
        }
        loop {
            let mut record = BaseRecord::<[u8], [u8]>::to(topic).headers(headers.clone());
            if let Some(key) = &message.key {
                record = record.key(key.as_slice());
            }
            if let Some(payload) = &message.payload {
                record = record.payload(payload.as_slice());
            }
            match producer.send(record) {
                Ok(()) => break,
                // The queue is full: let the broker take some.
                Err(_) => producer.poll(Duration::from_millis(50)),
            };
        }
        count += 1;
        if count % 256 == 0 {
            producer.poll(Duration::ZERO);
        }
    }
    producer.flush(Duration::from_secs(120)).expect("flushed");
    count
}

/// Every message of a topic's partitions, as far as the broker has them now.
pub(crate) fn read_all(brokers: &str, topic: &str) -> Vec<OwnedMessage> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("group.id", "reads-all")
        .set("enable.auto.commit", "false")
        .set("fetch.queue.backoff.ms", "10")
        .set("fetch.message.max.bytes", "20971520")
        .create()
        .expect("a consumer");
    let metadata = consumer
        .fetch_metadata(Some(topic), Duration::from_secs(10))
        .expect("metadata");
    let mut list = TopicPartitionList::new();
    let mut left = 0;
    for partition in metadata.topics().iter().flat_map(|t| t.partitions()) {
        let (low, high) = consumer
            .fetch_watermarks(topic, partition.id(), Duration::from_secs(10))
            .expect("watermarks");
        left += high - low;
        list.add_partition_offset(topic, partition.id(), Offset::Beginning)
            .expect("an offset");
    }
    consumer.assign(&list).expect("assigned");
    let mut all = Vec::new();
    let end = std::time::Instant::now() + Duration::from_secs(60);
    while left > 0 && std::time::Instant::now() < end {
        if let Some(Ok(message)) = consumer.poll(Duration::from_millis(200)) {
            left -= 1;
            all.push(message.detach());
        }
    }
    all
}
