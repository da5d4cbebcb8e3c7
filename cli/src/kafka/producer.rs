//! Sends messages to Kafka and counts what was delivered.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rdkafka::ClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{
    BaseRecord, DeliveryResult, Producer as _, ProducerContext, ThreadedProducer,
};

use crate::error::CommandError;

/// How long a broker may take to answer at all.
const ANSWER_WITHIN: Duration = Duration::from_secs(15);

/// What became of what was sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Delivery {
    /// Messages that Kafka acknowledged.
    pub delivered: u64,
    /// Messages that it did not.
    pub failed: u64,
    /// Bytes of keys and payloads that Kafka acknowledged.
    pub bytes: u64,
    /// Why the first of the failed ones was not.
    pub first_error: Option<String>,
}

#[derive(Default)]
struct Counts {
    delivered: AtomicU64,
    failed: AtomicU64,
    bytes: AtomicU64,
    first_error: Mutex<Option<String>>,
}

#[derive(Clone, Default)]
struct Counting(Arc<Counts>);

impl ClientContext for Counting {}

impl ProducerContext for Counting {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        match result {
            Ok(message) => {
                let bytes = message.payload_len() + message.key_len();
                self.0.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
                self.0.delivered.fetch_add(1, Ordering::Relaxed);
            }
            Err((error, _)) => self.fail(error),
        }
    }
}

impl Counting {
    fn fail(&self, error: &KafkaError) {
        self.0.failed.fetch_add(1, Ordering::Relaxed);
        self.0
            .first_error
            .lock()
            .get_or_insert_with(|| reason(error));
    }
}

/// A connection that messages are sent by.
pub struct Producer {
    inner: ThreadedProducer<Counting>,
    counts: Counting,
    topic: String,
}

impl Producer {
    /// Connects, and asks for the topic so that a wrong address or name is
    /// found out before the first message.
    ///
    /// # Errors
    /// [`CommandError::Kafka`] where no broker answers within 15 s, the topic
    /// is not there, or a property is not known.
    pub fn connect(
        brokers: &str,
        topic: &str,
        properties: &BTreeMap<String, String>,
    ) -> Result<Self, CommandError> {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", brokers)
            .set("enable.idempotence", "true")
            .set("compression.codec", "zstd")
            .set("linger.ms", "20")
            .set("batch.size", "262144")
            .set("queue.buffering.max.messages", "200000")
            .set("message.timeout.ms", "60000");
        for (name, value) in properties {
            config.set(name, value);
        }
        let counts = Counting::default();
        let inner: ThreadedProducer<Counting> = config
            .create_with_context(counts.clone())
            .map_err(|error| CommandError::Kafka(reason(&error)))?;
        let metadata = inner
            .client()
            .fetch_metadata(Some(topic), ANSWER_WITHIN)
            .map_err(|error| {
                CommandError::Kafka(format!(
                    "no broker answers at {brokers}: {}",
                    reason(&error)
                ))
            })?;
        if let Some(error) = metadata.topics().iter().find_map(|found| found.error()) {
            let code = RDKafkaErrorCode::from(error);
            // A broker that makes topics by itself says "leader not available"
            // while it does so; librdkafka waits for that.
            if !matches!(code, RDKafkaErrorCode::LeaderNotAvailable) {
                return Err(CommandError::Kafka(format!("topic {topic}: {code}")));
            }
        }
        Ok(Self {
            inner,
            counts,
            topic: topic.to_owned(),
        })
    }

    /// Queues a message; waits while the queue is full. A message that cannot
    /// be queued counts as failed.
    pub fn send(
        &self,
        key: Option<&[u8]>,
        headers: &[(String, Vec<u8>)],
        payload: Option<&[u8]>,
        time_ms: Option<i64>,
    ) {
        let mut sent = OwnedHeaders::new_with_capacity(headers.len());
        for (name, value) in headers {
            sent = sent.insert(Header {
                key: name,
                value: Some(value),
            });
        }
        let mut record = BaseRecord::<[u8], [u8]>::to(&self.topic).headers(sent);
        record.key = key;
        record.payload = payload;
        record.timestamp = time_ms;
        loop {
            match self.inner.send(record) {
                Ok(()) => return,
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                    record = back;
                    std::thread::sleep(Duration::from_millis(5));
                }
                Err((error, _)) => return self.counts.fail(&error),
            }
        }
    }

    /// Waits until every message is delivered or given up.
    ///
    /// # Errors
    /// [`CommandError::Kafka`] where that takes longer than two minutes.
    pub fn finish(self) -> Result<Delivery, CommandError> {
        self.inner
            .flush(Duration::from_secs(120))
            .map_err(|error| CommandError::Kafka(reason(&error)))?;
        Ok(self.delivery())
    }

    /// What is known so far.
    pub fn delivery(&self) -> Delivery {
        let counts = &self.counts.0;
        Delivery {
            delivered: counts.delivered.load(Ordering::Relaxed),
            failed: counts.failed.load(Ordering::Relaxed),
            bytes: counts.bytes.load(Ordering::Relaxed),
            first_error: counts.first_error.lock().clone(),
        }
    }
}

/// Keeps a number of things a second.
pub struct Pace {
    started: Instant,
    per_second: Option<u32>,
    done: u64,
}

impl Pace {
    /// At most so many a second; `None`: as fast as it goes.
    pub fn new(per_second: Option<u32>) -> Self {
        Self {
            started: Instant::now(),
            per_second,
            done: 0,
        }
    }

    /// Waits until the next one is due.
    pub fn wait(&mut self) {
        if let Some(per_second) = self.per_second {
            let due = Duration::from_secs_f64(self.done as f64 / f64::from(per_second.max(1)));
            if let Some(early) = due.checked_sub(self.started.elapsed()) {
                std::thread::sleep(early);
            }
        }
        self.done += 1;
    }
}

fn reason(error: &KafkaError) -> String {
    match error.rdkafka_error_code() {
        Some(code) => code.to_string(),
        None => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pace_is_kept() {
        let started = Instant::now();
        let mut pace = Pace::new(Some(100));
        for _ in 0..11 {
            pace.wait();
        }
        assert!(started.elapsed() >= Duration::from_millis(95));
    }
}
