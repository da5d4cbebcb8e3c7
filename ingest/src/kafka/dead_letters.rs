//! Dead letters as messages of `<topic>.dlq`.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Sender, unbounded};
use parking_lot::Mutex;
use rdkafka::ClientContext;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::error::KafkaError as ClientError;
use rdkafka::message::{DeliveryResult, Header, OwnedHeaders};
use rdkafka::producer::{BaseRecord, Producer, ProducerContext, ThreadedProducer};
use tracing::{error, info, warn};

use super::{KafkaError, KafkaOptions};
use crate::message::RawMessage;
use crate::pipeline::{DeadLetter, DeadLetters, StopSignal, Undelivered};

const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// Sends dead letters to `<topic>.dlq` with the original key, headers and
/// payload, and own headers `custody-error-code`, `custody-error`,
/// `custody-origin-topic`, `custody-origin-partition`, `custody-origin-offset`.
pub struct KafkaDeadLetters {
    producer: ThreadedProducer<Reports>,
    admin: AdminClient<DefaultClientContext>,
    suffix: String,
    max_message_bytes: String,
    known_topics: Mutex<HashSet<String>>,
}

/// Passes each delivery report to the call that waits for it.
struct Reports;

/// Which letter of a call, and where its report goes.
struct Report {
    index: usize,
    to: Sender<(usize, Option<ClientError>)>,
}

impl ClientContext for Reports {}

impl ProducerContext for Reports {
    type DeliveryOpaque = Box<Report>;

    fn delivery(&self, result: &DeliveryResult<'_>, report: Box<Report>) {
        // A caller that stopped waiting has dropped its end.
        let error = result.as_ref().err().map(|(error, _)| error.clone());
        let _ = report.to.send((report.index, error));
    }
}

impl KafkaDeadLetters {
    /// Connects to the brokers of `options`.
    ///
    /// # Errors
    /// [`KafkaError::Client`] where librdkafka refuses the configuration.
    pub fn new(options: &KafkaOptions) -> Result<Self, KafkaError> {
        let config = options.producer_config();
        Ok(Self {
            producer: config.create_with_context(Reports)?,
            admin: config.create()?,
            suffix: options.dead_letter_suffix.clone(),
            max_message_bytes: options.dead_letter_bytes().to_string(),
            known_topics: Mutex::new(HashSet::new()),
        })
    }

    /// Makes the topic where it is not there and the brokers let us. Where
    /// they do not, sending fails and says so.
    fn make_topic(&self, topic: &str) {
        if self.known_topics.lock().contains(topic) {
            return;
        }
        let there = self
            .producer
            .client()
            .fetch_metadata(Some(topic), Duration::from_secs(5))
            .is_ok_and(|m| m.topics().iter().any(|t| t.error().is_none()));
        if !there {
            let new = NewTopic::new(topic, 1, TopicReplication::Fixed(-1))
                .set("max.message.bytes", &self.max_message_bytes);
            let made =
                futures_executor::block_on(self.admin.create_topics([&new], &AdminOptions::new()));
            match made.as_deref() {
                Ok([Ok(_)]) => info!(topic, "made the dead-letter topic"),
                Ok([Err((_, code))]) => warn!(topic, %code, "cannot make the dead-letter topic"),
                Ok(_) => {}
                Err(error) => warn!(topic, %error, "cannot make the dead-letter topic"),
            }
        }
        self.known_topics.lock().insert(topic.to_owned());
    }

    /// Sends the letters named by `open`; gives back those not acknowledged.
    fn attempt(&self, letters: &[DeadLetter], open: &[usize]) -> Vec<usize> {
        let (to, reports) = unbounded();
        let mut failed = Vec::new();
        let mut sent = 0;
        let mut why = None;
        for &index in open {
            let Some(letter) = letters.get(index) else {
                continue;
            };
            let topic = format!("{}{}", letter.message.topic, self.suffix);
            self.make_topic(&topic);
            let mut record = BaseRecord::<[u8], [u8], _>::with_opaque_to(
                &topic,
                Box::new(Report {
                    index,
                    to: to.clone(),
                }),
            )
            .headers(headers(letter));
            if let Some(key) = &letter.message.key {
                record = record.key(key.as_slice());
            }
            if let Some(payload) = &letter.message.payload {
                record = record.payload(payload.as_slice());
            }
            match self.producer.send(record) {
                Ok(()) => sent += 1,
                Err((error, _)) => {
                    why = Some(error);
                    failed.push(index);
                }
            }
        }
        drop(to);
        for _ in 0..sent {
            // `message.timeout.ms` ends every wait with a report.
            match reports.recv() {
                Ok((_, None)) => {}
                Ok((index, Some(error))) => {
                    why = Some(error);
                    failed.push(index);
                }
                Err(_) => break,
            }
        }
        if let Some(error) = why {
            // A letter that is too long for its topic is a matter for the
            // operator: `max.message.bytes` of the topic must be raised.
            error!(%error, undelivered = failed.len(),
                "dead letters are not taken; the shard pauses and tries again");
        }
        failed
    }
}

impl DeadLetters for KafkaDeadLetters {
    fn deliver(&self, letters: &[DeadLetter], stop: &StopSignal) -> Result<(), Undelivered> {
        let mut open: Vec<usize> = (0..letters.len()).collect();
        let mut wait = FIRST_WAIT;
        loop {
            open = self.attempt(letters, &open);
            if open.is_empty() {
                return Ok(());
            }
            self.known_topics.lock().clear();
            if stop.is_stopped() {
                return Err(Undelivered {
                    undelivered: open.len(),
                });
            }
            std::thread::sleep(wait);
            wait = (wait * 2).min(LONGEST_WAIT);
        }
    }
}

fn headers(letter: &DeadLetter) -> OwnedHeaders {
    let RawMessage {
        topic,
        partition,
        offset,
        headers,
        ..
    } = &letter.message;
    let mut all = OwnedHeaders::new_with_capacity(headers.len() + 5);
    for (key, value) in headers {
        all = all.insert(Header {
            key,
            value: value.as_deref(),
        });
    }
    let own: [(&str, String); 5] = [
        ("custody-error-code", letter.rejection.code().to_owned()),
        ("custody-error", letter.rejection.to_string()),
        ("custody-origin-topic", topic.to_string()),
        ("custody-origin-partition", partition.to_string()),
        ("custody-origin-offset", offset.to_string()),
    ];
    for (key, value) in &own {
        all = all.insert(Header {
            key,
            value: Some(value.as_bytes()),
        });
    }
    all
}

/// Dead letters can be handed over from any shard's thread.
const _: fn() = || {
    fn shared<T: Send + Sync>() {}
    shared::<Arc<KafkaDeadLetters>>();
};
