//! Looks once a minute for duties whose deadline has passed.
//!
//! A duty is overdue only where the answer to it does not lie in Kafka unread.
//! So the check waits until everything that Kafka holds was read: a node that
//! is behind finds late, never wrongly.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

use custody_ingest::import::IMPORT_CLUSTER;
use custody_ingest::pipeline::{Clock, Pipeline, system_clock};
use custody_ledger::Ledger;
use parking_lot::{Condvar, Mutex};
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use tracing::{debug, info, warn};

use crate::config::Kafka;
use crate::error::CommandError;

/// How often it is looked.
const EVERY: Duration = Duration::from_secs(60);

/// How long a broker may take to tell where a partition ends.
const BROKER_TIMEOUT: Duration = Duration::from_secs(5);

/// The thread that looks. Dropping it leaves it to end by itself.
pub(crate) struct Overdue {
    stop: Arc<Stop>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Stop {
    wanted: Mutex<bool>,
    told: Condvar,
}

impl Overdue {
    /// Starts looking, the first time after a minute.
    pub(crate) fn start(
        kafka: &Kafka,
        pipeline: &Arc<Pipeline>,
        ledger: Ledger,
    ) -> Result<Self, CommandError> {
        let mut client = ClientConfig::new();
        client.set("bootstrap.servers", &kafka.brokers);
        // Properties that only who fetches needs are passed over with a note.
        client.extend(kafka.properties.0.clone());
        let consumer: BaseConsumer = client
            .create()
            .map_err(|error| CommandError::Kafka(error.to_string()))?;
        let stop = Arc::new(Stop::default());
        let check = Check {
            pipeline: Arc::downgrade(pipeline),
            ledger,
            ends: Box::new(move |topic, partition| end_of(&consumer, topic, partition)),
            clock: system_clock(),
            before: BTreeMap::new(),
        };
        let told = Arc::clone(&stop);
        let thread = std::thread::Builder::new()
            .name("overdue".to_owned())
            .spawn(move || check.run(&told))?;
        Ok(Self {
            stop,
            thread: Some(thread),
        })
    }

    /// Ends it, and waits for a check under way.
    pub(crate) fn stop(mut self) {
        *self.stop.wanted.lock() = true;
        self.stop.told.notify_all();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            warn!("the check for overdue duties had ended by itself");
        }
    }
}

/// Where a partition ends; `None` where there is no such partition any more.
fn end_of(consumer: &BaseConsumer, topic: &str, partition: i32) -> Result<Option<i64>, KafkaError> {
    match consumer.fetch_watermarks(topic, partition, BROKER_TIMEOUT) {
        Ok((_, high)) => Ok(Some(high)),
        Err(error) => match error.rdkafka_error_code() {
            Some(
                RDKafkaErrorCode::UnknownTopicOrPartition
                | RDKafkaErrorCode::UnknownTopic
                | RDKafkaErrorCode::UnknownPartition,
            ) => Ok(None),
            _ => Err(error),
        },
    }
}

/// Where a partition was read up to, and where it ended then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Mark {
    next: i64,
    end: i64,
}

impl Mark {
    /// Whether everything was read. What stands still before the end from one
    /// check to the next is markers of transactions and holes of compaction.
    fn is_read(self, before: Option<Self>) -> bool {
        self.next >= self.end || before == Some(self)
    }
}

type Ends = Box<dyn Fn(&str, i32) -> Result<Option<i64>, KafkaError> + Send>;

struct Check {
    pipeline: Weak<Pipeline>,
    ledger: Ledger,
    ends: Ends,
    clock: Clock,
    /// Of the check before, by topic and partition.
    before: BTreeMap<(String, i32), Mark>,
}

impl Check {
    fn run(mut self, stop: &Stop) {
        let mut wanted = stop.wanted.lock();
        loop {
            if !*wanted {
                stop.told.wait_for(&mut wanted, EVERY);
            }
            if *wanted {
                return;
            }
            let more = parking_lot::MutexGuard::unlocked(&mut wanted, || self.once());
            if !more {
                return;
            }
        }
    }

    /// Whether there is anything left to look after.
    fn once(&mut self) -> bool {
        // Of what is said from here on nothing is overdue yet.
        let now_ns = (self.clock)();
        if !self.has_read_everything() {
            return true;
        }
        let Some(pipeline) = self.pipeline.upgrade() else {
            return false;
        };
        match pipeline.check_overdue(now_ns) {
            Ok(0) => {}
            Ok(new) => info!(new, "duties are overdue"),
            // A pipeline that failed says so itself.
            Err(error) => warn!(%error, "cannot look for overdue duties"),
        }
        true
    }

    fn has_read_everything(&mut self) -> bool {
        let mut latest: BTreeMap<(String, i32), (u32, i64)> = BTreeMap::new();
        for (descriptor, head) in self.ledger.shards() {
            let of_kafka = descriptor.cluster_id != IMPORT_CLUSTER;
            let Some(next) = head.next_offset.filter(|_| of_kafka) else {
                continue;
            };
            let epoch = latest
                .entry((descriptor.topic, descriptor.partition))
                .or_insert((descriptor.epoch, next));
            if descriptor.epoch >= epoch.0 {
                *epoch = (descriptor.epoch, next);
            }
        }
        let mut now = BTreeMap::new();
        let mut is_read = true;
        for (place, (_, next)) in latest {
            match (self.ends)(&place.0, place.1) {
                Ok(Some(end)) => {
                    let mark = Mark { next, end };
                    is_read &= mark.is_read(self.before.get(&place).copied());
                    now.insert(place, mark);
                }
                Ok(None) => {}
                Err(error) => {
                    debug!(%error, topic = place.0, "cannot tell what is unread");
                    is_read = false;
                }
            }
        }
        self.before = now;
        is_read
    }
}

#[cfg(test)]
mod tests {
    use custody_ledger::{LedgerOptions, ShardDescriptor};

    use super::*;

    #[test]
    fn what_lies_unread_may_be_the_answer() {
        let mark = |next, end| Mark { next, end };
        assert!(mark(5, 5).is_read(None));
        assert!(!mark(4, 5).is_read(None));
        // Read on since, and still behind.
        assert!(!mark(4, 5).is_read(Some(mark(3, 5))));
        // Something came since.
        assert!(!mark(4, 6).is_read(Some(mark(4, 5))));
        // A marker at the end that nobody reads.
        assert!(mark(4, 5).is_read(Some(mark(4, 5))));
    }

    #[test]
    fn a_broker_that_does_not_answer_leaves_it_open() {
        let dir = tempfile::tempdir().unwrap();
        let ledger = Ledger::open(dir.path(), LedgerOptions::default()).unwrap();
        let shard = ShardDescriptor {
            cluster_id: "c".to_owned(),
            topic: "events".to_owned(),
            ..ShardDescriptor::house()
        };
        ledger.open_shard(&shard).unwrap();
        let check = |end: fn() -> Result<Option<i64>, KafkaError>| Check {
            pipeline: Weak::new(),
            ledger: ledger.clone(),
            ends: Box::new(move |_, _| end()),
            clock: system_clock(),
            before: BTreeMap::new(),
        };
        let down = || {
            let code = RDKafkaErrorCode::BrokerTransportFailure;
            Err(KafkaError::MetadataFetch(code))
        };
        assert!(!check(down).has_read_everything());
        assert!(!check(|| Ok(Some(9))).has_read_everything());
        assert!(check(|| Ok(Some(0))).has_read_everything());
        assert!(check(|| Ok(None)).has_read_everything());
        let imported = ShardDescriptor {
            cluster_id: IMPORT_CLUSTER.to_owned(),
            topic: "import/events.jsonl".to_owned(),
            ..ShardDescriptor::house()
        };
        ledger.open_shard(&imported).unwrap();
        let mut seen = check(|| Ok(Some(0)));
        assert!(seen.has_read_everything());
        assert_eq!(seen.before.len(), 1);
        // Without a pipeline it ends.
        assert!(!check(|| Ok(Some(0))).once());
    }
}
