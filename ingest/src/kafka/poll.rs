//! One thread polls all partitions and hands messages to their shards.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::bounded;
use custody_ledger::{Ledger, ShardDescriptor, ShardId};
use parking_lot::Mutex;
use rdkafka::client::ClientContext;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError as ClientError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::statistics::Statistics;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use regex::Regex;
use tracing::{error, info, warn};

use super::headers::headers;
use super::topics::{Found, changed, discover};
use super::{KafkaError, KafkaOptions};
use crate::message::RawMessage;
use crate::metric;
use crate::pipeline::{Lost, Pipeline, ShardFeed};

/// How long a round of polling gathers messages before they are handed on.
const ROUND: Duration = Duration::from_millis(10);
const ROUND_MESSAGES: usize = 20_000;
const IDLE: Duration = Duration::from_millis(20);
const BROKER_TIMEOUT: Duration = Duration::from_secs(5);
/// How long the last setting of the group's offsets may take.
const LAST_ADVICE: Duration = Duration::from_secs(5);

/// Follows the topics of a Kafka cluster.
pub struct KafkaSource {
    thread: JoinHandle<Option<Followed>>,
    state: Arc<State>,
}

/// What others may see of the polling thread.
#[derive(Default)]
struct State {
    stop: AtomicBool,
    partitions: AtomicUsize,
    /// Shards that stopped by themselves, where they are, and why.
    stopped: Mutex<BTreeMap<ShardId, (String, String)>>,
}

impl KafkaSource {
    /// Starts to follow the topics of `options`. Brokers that cannot be
    /// reached are tried again for as long as it takes.
    ///
    /// # Errors
    /// [`KafkaError`] where the pattern or the configuration is wrong.
    pub fn start(options: KafkaOptions, pipeline: Arc<Pipeline>) -> Result<Self, KafkaError> {
        let pattern = options.pattern()?;
        let context = Context::default();
        let ends = Arc::clone(&context.ends);
        let consumer: BaseConsumer<Context> =
            options.consumer_config().create_with_context(context)?;
        let state = Arc::new(State::default());
        let poller = Poller {
            options,
            pattern,
            consumer,
            pipeline,
            state: Arc::clone(&state),
            ends,
            fed: HashMap::new(),
            last_refresh: None,
            last_identity_check: Instant::now(),
            last_advice: Instant::now(),
        };
        let thread = std::thread::Builder::new()
            .name("kafka-poll".to_owned())
            .spawn(move || {
                let pipeline = Arc::clone(&poller.pipeline);
                let followed = catch_unwind(AssertUnwindSafe(|| poller.run()));
                if followed.is_err() {
                    pipeline.fail("the polling thread panicked");
                }
                followed.ok()
            })?;
        Ok(Self { thread, state })
    }

    /// How many partitions are fed. 0 until the brokers have answered.
    pub fn partitions(&self) -> usize {
        self.state.partitions.load(Ordering::Acquire)
    }

    /// Partitions that stopped by themselves (`topic/partition`), and why.
    pub fn stopped(&self) -> BTreeMap<String, String> {
        self.state.stopped.lock().values().cloned().collect()
    }

    /// Stops fetching and lets go of every shard, which then works off what it
    /// has; [`Pipeline::stop`] waits for that.
    pub fn stop(&self) {
        self.state.stop.store(true, Ordering::Release);
    }

    /// Sets the group's offsets a last time, to what `ledger` holds. Call it
    /// after [`stop`](Self::stop) and [`Pipeline::stop`].
    pub fn finish(self, ledger: &Ledger) {
        let Ok(Some(Followed { consumer, shards })) = self.thread.join() else {
            // It panicked, and the pipeline has said so.
            return;
        };
        let mut list = TopicPartitionList::new();
        for ((topic, partition), shard) in shards {
            if let Some(next) = ledger.head(shard).and_then(|head| head.next_offset) {
                // Fails only of an offset that is none.
                let _ = list.add_partition_offset(&topic, partition, Offset::Offset(next));
            }
        }
        if list.count() == 0 {
            return;
        }
        // Without a coordinator the client would hold the commit back for
        // longer than a stop may take. Its thread ends with the process then.
        let (done, committed) = bounded(1);
        std::thread::spawn(move || {
            let _ = done.send(consumer.commit(&list, CommitMode::Sync));
        });
        match committed.recv_timeout(LAST_ADVICE) {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                warn!(%error, "cannot set the group's offsets; lag tools may be behind");
            }
            Err(_) => warn!("Kafka does not take the group's offsets; lag tools may be behind"),
        }
    }
}

/// What is left of the polling thread when it has ended.
struct Followed {
    consumer: BaseConsumer<Context>,
    shards: Vec<((String, i32), ShardId)>,
}

/// The last offset of each partition, as the brokers told it.
type Ends = Mutex<HashMap<(String, i32), i64>>;

/// Takes librdkafka's errors and statistics.
#[derive(Default)]
struct Context {
    ends: Arc<Ends>,
}

impl ClientContext for Context {
    fn stats(&self, statistics: Statistics) {
        let mut ends = self.ends.lock();
        for (name, topic) in statistics.topics {
            for (partition, figures) in topic.partitions {
                if partition >= 0 && figures.hi_offset >= 0 {
                    ends.insert((name.clone(), partition), figures.hi_offset);
                }
            }
        }
    }

    fn error(&self, error: ClientError, reason: &str) {
        warn!(%error, reason, "Kafka");
    }
}

impl ConsumerContext for Context {}

/// A partition and the shard that it feeds.
struct Fed {
    descriptor: ShardDescriptor,
    feed: ShardFeed,
    /// The next offset to be fetched.
    next: i64,
    paused: bool,
    gathered: Vec<RawMessage>,
    topic: Arc<str>,
}

struct Poller {
    options: KafkaOptions,
    pattern: Regex,
    consumer: BaseConsumer<Context>,
    pipeline: Arc<Pipeline>,
    state: Arc<State>,
    ends: Arc<Ends>,
    fed: HashMap<(String, i32), Fed>,
    last_refresh: Option<Instant>,
    last_identity_check: Instant,
    last_advice: Instant,
}

/// Why the positions must be looked at again.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Round {
    Calm,
    /// An offset was refused, or a topic is not what it was.
    Doubt,
}

impl Poller {
    fn run(mut self) -> Followed {
        while !self.state.stop.load(Ordering::Acquire) && self.pipeline.failure().is_none() {
            if self
                .last_refresh
                .is_none_or(|last| last.elapsed() >= self.options.refresh)
            {
                self.refresh();
            }
            let round = self.gather();
            // What came in since the last look may be of another topic with
            // the old name.
            if round == Round::Doubt
                || self.last_identity_check.elapsed() >= self.options.identity_check
            {
                self.check_identity();
            }
            self.hand_on();
            if round == Round::Doubt {
                self.check_positions();
            }
            self.hold_back();
            if self.last_advice.elapsed() >= self.options.advice {
                self.advise();
            }
        }
        self.state.partitions.store(0, Ordering::Release);
        Followed {
            // Dropping the feeds lets the shards end.
            shards: self
                .fed
                .drain()
                .map(|(key, fed)| (key, fed.feed.shard))
                .collect(),
            consumer: self.consumer,
        }
    }

    /// Polls for one round; messages wait with their partition.
    fn gather(&mut self) -> Round {
        let mut round = Round::Calm;
        let end = Instant::now() + ROUND;
        let mut count = 0;
        let mut wait = IDLE;
        while count < ROUND_MESSAGES {
            match self.consumer.poll(wait) {
                None => break,
                Some(Ok(message)) => {
                    count += 1;
                    take(&mut self.fed, &message);
                }
                Some(Err(error)) => {
                    if doubtful(&error) {
                        round = Round::Doubt;
                        break;
                    }
                    warn!(%error, "Kafka");
                }
            }
            wait = Duration::ZERO;
            // Asked every 256 messages: the clock costs as much as a message.
            if count % 256 == 0 && Instant::now() >= end {
                break;
            }
        }
        round
    }

    fn hand_on(&mut self) {
        for fed in self.fed.values_mut() {
            if fed.gathered.is_empty() {
                continue;
            }
            let messages = std::mem::take(&mut fed.gathered);
            if let Some(last) = messages.last() {
                fed.next = last.offset + 1;
            }
            if fed.feed.send(messages).is_err() {
                // The pipeline has failed and said so; the loop ends.
                return;
            }
        }
    }

    /// Looks for new topics and partitions, and lets go of what is gone.
    fn refresh(&mut self) {
        self.last_refresh = Some(Instant::now());
        let Some(found) = discover(&self.consumer, &self.options, &self.pattern) else {
            return;
        };
        self.last_identity_check = Instant::now();
        let Found {
            shards: found,
            unsure,
        } = found;
        let present: BTreeSet<ShardId> = found.iter().map(ShardDescriptor::id).collect();
        self.state
            .stopped
            .lock()
            .retain(|shard, _| present.contains(shard));
        let mut assignment_changed = false;
        let wanted: HashMap<(String, i32), ShardDescriptor> = found
            .into_iter()
            .map(|shard| ((shard.topic.clone(), shard.partition), shard))
            .collect();
        self.fed.retain(|key, fed| {
            let same = unsure.contains(&key.0)
                || wanted
                    .get(key)
                    .is_some_and(|now| now.id() == fed.feed.shard);
            if !same {
                warn!(topic = key.0, partition = key.1, shard = %fed.feed.shard,
                    "the topic is gone or was made again; its shard is closed");
                assignment_changed = true;
            }
            same
        });
        for (key, descriptor) in wanted {
            if self.state.stop.load(Ordering::Acquire) {
                break;
            }
            let stopped = self.state.stopped.lock().contains_key(&descriptor.id());
            if self.fed.contains_key(&key) || stopped {
                continue;
            }
            match self.pipeline.open_shard(&descriptor) {
                Ok(feed) => {
                    let mut fed = Fed {
                        next: feed.next_offset,
                        topic: Arc::from(descriptor.topic.as_str()),
                        descriptor,
                        feed,
                        paused: false,
                        gathered: Vec::new(),
                    };
                    if self.fit(&mut fed) {
                        self.fed.insert(key, fed);
                        assignment_changed = true;
                    }
                }
                Err(error) => {
                    error!(%error, topic = key.0, partition = key.1, "cannot open the shard")
                }
            }
        }
        if assignment_changed {
            self.assign();
        }
    }

    /// Sees that the wanted offset is there: what retention removed is a gap;
    /// an offset beyond the end means another topic, and stops the shard.
    fn fit(&self, fed: &mut Fed) -> bool {
        let ShardDescriptor {
            topic, partition, ..
        } = &fed.descriptor;
        let (low, high) = match self
            .consumer
            .fetch_watermarks(topic, *partition, BROKER_TIMEOUT)
        {
            Ok(marks) => marks,
            Err(error) => {
                warn!(%error, topic, partition, "cannot read the offsets; trying again");
                return false;
            }
        };
        if fed.next < low {
            let lost = Lost {
                first: fed.next,
                last: low - 1,
            };
            if fed.feed.lost(lost).is_err() {
                return false;
            }
            fed.next = low;
        } else if fed.next > high {
            let why = format!(
                "Kafka's log ends at offset {high}, the ledger has read up to {}: the topic was \
                 truncated or made again; open a new epoch for it (kafka.epochs) once you know why",
                fed.next
            );
            error!(topic, partition, high, next = fed.next, "{why}");
            self.state
                .stopped
                .lock()
                .insert(fed.feed.shard, (place(&fed.descriptor), why));
            return false;
        }
        true
    }

    /// Fetches from each shard's own position.
    fn assign(&mut self) {
        let mut list = TopicPartitionList::new();
        for ((topic, partition), fed) in &mut self.fed {
            fed.paused = false;
            if let Err(error) =
                list.add_partition_offset(topic, *partition, Offset::Offset(fed.next))
            {
                error!(%error, topic, partition, "cannot assign the partition");
            }
        }
        match self.consumer.assign(&list) {
            Ok(()) => {
                info!(partitions = self.fed.len(), "assigned");
                // The client keeps a partition paused over an assignment.
                if let Err(error) = self.consumer.resume(&list) {
                    warn!(%error, "cannot resume the partitions; trying again");
                    self.last_refresh = None;
                }
            }
            Err(error) => {
                error!(%error, "cannot assign; trying again");
                self.last_refresh = None;
            }
        }
        self.state
            .partitions
            .store(self.fed.len(), Ordering::Release);
        metric::partitions(self.fed.len());
    }

    /// Throws away what was gathered from a topic that is no longer the one
    /// that its shard stands for.
    fn check_identity(&mut self) {
        self.last_identity_check = Instant::now();
        let mut topics: Vec<(String, String)> = self
            .fed
            .values()
            .map(|fed| {
                (
                    fed.descriptor.topic.clone(),
                    fed.descriptor.topic_id.clone(),
                )
            })
            .collect();
        topics.sort();
        topics.dedup();
        let Some(changed) = changed(&self.consumer, &topics) else {
            return;
        };
        if changed.is_empty() {
            return;
        }
        for fed in self.fed.values_mut() {
            if changed.contains(&fed.descriptor.topic) {
                fed.gathered.clear();
            }
        }
        self.refresh();
        // The client is past what was thrown away.
        self.assign();
    }

    /// After a refused offset: finds whose it was, and fetches anew.
    fn check_positions(&mut self) {
        let keys: Vec<_> = self.fed.keys().cloned().collect();
        for key in keys {
            if let Some(mut fed) = self.fed.remove(&key)
                && self.fit(&mut fed)
            {
                self.fed.insert(key, fed);
            }
        }
        self.assign();
        // A partition that could not be looked at is opened again.
        self.last_refresh = None;
    }

    /// Pauses partitions whose shard has enough queued, resumes the others.
    fn hold_back(&mut self) {
        let limit = self.pipeline.queue_limit();
        let mut pause = TopicPartitionList::new();
        let mut resume = TopicPartitionList::new();
        for ((topic, partition), fed) in &mut self.fed {
            let queued = fed.feed.queued_bytes();
            if !fed.paused && queued > limit {
                fed.paused = true;
                pause.add_partition(topic, *partition);
            } else if fed.paused && queued < limit / 2 {
                fed.paused = false;
                resume.add_partition(topic, *partition);
            }
        }
        if pause.count() > 0
            && let Err(error) = self.consumer.pause(&pause)
        {
            warn!(%error, "cannot pause partitions");
        }
        if resume.count() > 0
            && let Err(error) = self.consumer.resume(&resume)
        {
            warn!(%error, "cannot resume partitions; assigning anew");
            self.assign();
        }
    }

    /// Sets the group's offsets to what is durable, for lag tools only.
    fn advise(&mut self) {
        self.last_advice = Instant::now();
        let mut list = TopicPartitionList::new();
        {
            let ends = self.ends.lock();
            for (key, fed) in &self.fed {
                let durable = fed.feed.durable_offset();
                metric::position(&key.0, key.1, durable, ends.get(key).copied());
                // Fails only of an offset that is none.
                let _ = list.add_partition_offset(&key.0, key.1, Offset::Offset(durable));
            }
        }
        if list.count() > 0
            && let Err(error) = self.consumer.commit(&list, CommitMode::Async)
        {
            warn!(%error, "cannot set the group's offsets; lag tools may be behind");
        }
    }
}

fn place(descriptor: &ShardDescriptor) -> String {
    format!("{}/{}", descriptor.topic, descriptor.partition)
}

/// Whether an error says that a position or a topic is not what it was.
fn doubtful(error: &ClientError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(
            RDKafkaErrorCode::AutoOffsetReset
                | RDKafkaErrorCode::OffsetOutOfRange
                | RDKafkaErrorCode::UnknownTopic
                | RDKafkaErrorCode::UnknownPartition
                | RDKafkaErrorCode::UnknownTopicOrPartition
                | RDKafkaErrorCode::UnknownTopicId
        )
    )
}

/// Copies a message out of librdkafka's memory to its partition.
fn take(fed: &mut HashMap<(String, i32), Fed>, message: &BorrowedMessage<'_>) {
    // A message of a partition that was just let go of is dropped: its shard
    // asks for it again when it is opened again.
    let key = (message.topic().to_owned(), message.partition());
    let Some(fed) = fed.get_mut(&key) else {
        return;
    };
    fed.gathered.push(RawMessage {
        topic: Arc::clone(&fed.topic),
        partition: message.partition(),
        offset: message.offset(),
        timestamp_ms: message.timestamp().to_millis(),
        key: message.key().map(<[u8]>::to_vec),
        headers: headers(message),
        payload: message.payload().map(<[u8]>::to_vec),
    });
}
