//! Shards, the threads that work on them, and their start and end.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use custody_ledger::{Digest, Ledger, ShardDescriptor, ShardId};
use custody_vault::Vault;
use parking_lot::Mutex;
use tracing::info;

use super::PipelineError;
use super::dead_letter::{DeadLetters, StopSignal};
use super::house::HouseLog;
use super::keeper::{self, Keeper, KeeperQueue};
use super::options::{Clock, MAX_MESSAGE_BYTES, PipelineOptions};
use super::reviews::Reviews;
use super::shard::ShardWorker;
use super::shared::Shared;
use super::states;
use super::{erasures, review, ruleset};
use crate::duplicates::{self, DuplicateIndex};
use crate::erase::{Desk, Registrar};
use crate::message::RawMessage;

/// What a pipeline works with.
pub struct PipelineParts {
    /// Where entries go.
    pub ledger: Ledger,
    /// Keys and identifiers.
    pub vault: Vault,
    /// Where the states of persons are kept. Made where it is absent.
    pub state_dir: PathBuf,
    /// Which events were stored within the window.
    pub duplicates: DuplicateIndex,
    /// Where messages go that cannot be read.
    pub dead_letters: Arc<dyn DeadLetters>,
    /// What time it is.
    pub clock: Clock,
    /// Sizes and limits, and what events are judged by.
    pub options: PipelineOptions,
}

/// Takes raw messages to durable blocks.
pub struct Pipeline {
    pub(super) shared: Arc<Shared>,
    threads: Mutex<HashMap<ShardId, JoinHandle<()>>>,
    feeds: AtomicUsize,
    /// Each ends when its sender is dropped.
    helpers: Mutex<Vec<(Sender<()>, JoinHandle<()>)>>,
    registrar: Mutex<Option<JoinHandle<()>>>,
}

/// Offsets that Kafka had dropped before they could be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lost {
    /// The first of them.
    pub first: i64,
    /// The last of them.
    pub last: i64,
}

/// What a shard's thread is given.
pub(super) enum Item {
    /// Messages in order of offset, and when they came in.
    Messages(Vec<RawMessage>, Instant),
    /// Messages that will never come.
    Lost(Lost),
}

/// How a shard stands, as seen by whoever feeds it.
#[derive(Default)]
pub(super) struct Progress {
    /// Bytes handed over and not yet worked on.
    pub(super) queued_bytes: AtomicUsize,
    /// The next offset that is not durable.
    pub(super) durable: AtomicI64,
}

/// Hands one shard its messages. Dropping it lets the shard's thread work off
/// what is queued and end.
pub struct ShardFeed {
    /// The shard.
    pub shard: ShardId,
    /// The first offset that is wanted.
    pub next_offset: i64,
    items: Sender<Item>,
    progress: Arc<Progress>,
    shared: Arc<Shared>,
}

impl Pipeline {
    /// Brings the duplicates index, the subject states and the party registry
    /// up to the ledger, says in the house shard by which rules events are
    /// judged where these are others than before, and is then ready for shards.
    ///
    /// # Errors
    /// [`PipelineError`] where the ledger, the vault, the index or the states
    /// fail.
    pub fn start(parts: PipelineParts) -> Result<Self, PipelineError> {
        let PipelineParts {
            ledger,
            vault,
            state_dir,
            duplicates,
            dead_letters,
            clock,
            mut options,
        } = parts;
        let most = &mut options.limits.max_message_bytes;
        *most = (*most).min(MAX_MESSAGE_BYTES);
        duplicates::catch_up(&duplicates, &ledger, &vault, clock())?;
        let log = HouseLog::load(&ledger, options.erase.register.as_deref())?;
        for (recorded_ns, record) in &log.waivers {
            let keys = &options.waiver_keys;
            options.waivers.take(keys, *recorded_ns, record);
        }
        ruleset::adopt(&ledger, &options.ruleset, log.ruleset, clock())?;
        let states = states::open(&state_dir, &ledger, &vault, &log.records, &options)?;
        let states = Arc::new(states);
        let reviews = Arc::new(Reviews::load(states.store())?);
        let duplicates = Arc::new(duplicates);
        let desk = Desk {
            ledger: ledger.clone(),
            vault: vault.clone(),
            states: Arc::clone(&states),
            duplicates: Arc::clone(&duplicates),
            reviews: Arc::clone(&reviews),
            clock: Arc::clone(&clock),
            ruleset: Digest(options.ruleset.digest()),
            deadlines: Arc::clone(&options.deadlines),
            options: options.erase.clone(),
        };
        // What was cut short is finished before anything new comes in.
        let registrar = Arc::new(Registrar::new(desk, log.records, true)?);
        let (keeper, kept) = Keeper::new();
        let shared = Arc::new(Shared {
            ledger,
            vault,
            states,
            duplicates,
            dead_letters,
            clock,
            options,
            parties: log.parties,
            keeper,
            reviews,
            registrar,
            house_size: log.size,
            abort: StopSignal::default(),
            failure: Mutex::new(None),
        });
        shared.follow_house()?;
        let mut pipeline = Self {
            threads: Mutex::default(),
            feeds: AtomicUsize::new(0),
            helpers: Mutex::default(),
            registrar: Mutex::default(),
            shared,
        };
        pipeline.help(kept)?;
        Ok(pipeline)
    }

    /// Starts the threads that work for all shards.
    fn help(&mut self, kept: KeeperQueue) -> Result<(), PipelineError> {
        let helpers = self.helpers.get_mut();
        let (stop, stopped) = bounded(0);
        let keeper = keeper::start(Arc::clone(&self.shared), kept, stopped)?;
        helpers.push((stop, keeper));
        let (stop, stopped) = bounded(0);
        let review = review::start(Arc::clone(&self.shared), stopped)?;
        helpers.push((stop, review));
        let registrar = erasures::start(Arc::clone(&self.shared))?;
        *self.registrar.get_mut() = Some(registrar);
        Ok(())
    }

    /// Erasing, the operator's holds, and who is who by their word.
    pub fn registrar(&self) -> &Arc<Registrar> {
        &self.shared.registrar
    }

    fn end_helpers(&self) {
        // It may wait for the others.
        self.shared.registrar.close();
        if let Some(registrar) = self.registrar.lock().take() {
            let _ = registrar.join();
        }
        self.shared.registrar.ended();
        let helpers = std::mem::take(&mut *self.helpers.lock());
        let (stops, threads): (Vec<_>, Vec<_>) = helpers.into_iter().unzip();
        self.shared.keeper.end();
        drop(stops);
        self.shared.reviews.wake();
        for thread in threads {
            // A panic in it was a failure of the pipeline.
            let _ = thread.join();
        }
    }

    /// Opens a shard, durably where it is new, and starts its thread. The
    /// house shard is told of a new one.
    ///
    /// # Errors
    /// [`PipelineError`] where the pipeline has failed, the shard is fed
    /// already, or the ledger fails.
    pub fn open_shard(&self, descriptor: &ShardDescriptor) -> Result<ShardFeed, PipelineError> {
        if let Some(failure) = self.failure() {
            return Err(PipelineError::Failed(failure));
        }
        let shard = descriptor.id();
        // A shard that is reopened waits for its former thread to end; whoever
        // asks has others to feed meanwhile.
        {
            let mut threads = self.threads.lock();
            threads.retain(|_, thread| !thread.is_finished());
            if threads.contains_key(&shard) {
                return Err(PipelineError::Busy);
            }
        }
        let is_new = self.shared.ledger.head(shard).is_none();
        let head = self.shared.ledger.open_shard(descriptor)?;
        if is_new {
            super::shard::announce(&self.shared, shard)?;
            info!(%shard, topic = descriptor.topic, partition = descriptor.partition, epoch = descriptor.epoch, "opened a shard");
        }
        let next_offset = head.next_offset.unwrap_or(0);
        let progress = Arc::new(Progress::default());
        progress.durable.store(next_offset, Ordering::Release);
        let (items, queue): (Sender<Item>, Receiver<Item>) = unbounded();
        let worker = ShardWorker::new(
            Arc::clone(&self.shared),
            descriptor.clone(),
            head,
            queue,
            Arc::clone(&progress),
        );
        let shared = Arc::clone(&self.shared);
        let thread = std::thread::Builder::new()
            .name(format!("shard-{}", &shard.to_string()[..8]))
            .spawn(move || {
                if catch_unwind(AssertUnwindSafe(|| worker.run())).is_err() {
                    let reason = "a shard's thread panicked".to_owned();
                    shared.fail(&PipelineError::Failed(reason));
                }
            })?;
        self.threads.lock().insert(shard, thread);
        self.feeds.fetch_add(1, Ordering::Relaxed);
        Ok(ShardFeed {
            shard,
            next_offset,
            items,
            progress,
            shared: Arc::clone(&self.shared),
        })
    }

    /// Stops the pipeline for a reason outside of it.
    pub(crate) fn fail(&self, reason: &str) {
        self.shared.fail(&PipelineError::Failed(reason.to_owned()));
    }

    /// Why the pipeline stopped, where it did.
    pub fn failure(&self) -> Option<String> {
        self.shared.failure()
    }

    /// Bytes that a shard may have queued before its feed is to hold back.
    pub fn queue_limit(&self) -> usize {
        let shards = self.threads.lock().len().max(1);
        (self.shared.options.max_queued_bytes / shards).max(256 << 10)
    }

    /// Waits until every shard has worked off what it was given; all feeds
    /// must have been dropped. What is left at the deadline is not taken in,
    /// and comes again from its source.
    ///
    /// # Errors
    /// [`PipelineError`] where the pipeline had failed or the index could not
    /// be made durable.
    pub fn stop(&self, deadline: Duration) -> Result<(), PipelineError> {
        let threads: Vec<_> = self.threads.lock().drain().map(|(_, t)| t).collect();
        let end = Instant::now() + deadline;
        while threads.iter().any(|thread| !thread.is_finished()) {
            if Instant::now() >= end {
                self.shared.abort.stop();
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        for thread in threads {
            let _ = thread.join();
        }
        self.end_helpers();
        if let Some(failure) = self.failure() {
            return Err(PipelineError::Failed(failure));
        }
        self.shared.duplicates.persist()?;
        self.shared.states.persist()?;
        Ok(())
    }
}

impl Drop for Pipeline {
    fn drop(&mut self) {
        self.end_helpers();
    }
}

impl ShardFeed {
    /// Queues messages in order of offset. Never blocks; see
    /// [`queued_bytes`](Self::queued_bytes).
    ///
    /// # Errors
    /// [`PipelineError::Failed`] where the shard's thread has ended.
    pub fn send(&self, messages: Vec<RawMessage>) -> Result<(), PipelineError> {
        let bytes = messages.iter().map(RawMessage::memory).sum();
        self.progress
            .queued_bytes
            .fetch_add(bytes, Ordering::AcqRel);
        self.push(Item::Messages(messages, Instant::now()))
    }

    /// Says that these offsets will never come.
    ///
    /// # Errors
    /// [`PipelineError::Failed`] where the shard's thread has ended.
    pub fn lost(&self, lost: Lost) -> Result<(), PipelineError> {
        self.push(Item::Lost(lost))
    }

    /// Bytes handed over and not yet worked on.
    pub fn queued_bytes(&self) -> usize {
        self.progress.queued_bytes.load(Ordering::Acquire)
    }

    /// The next offset that is not durable.
    pub fn durable_offset(&self) -> i64 {
        self.progress.durable.load(Ordering::Acquire)
    }

    fn push(&self, item: Item) -> Result<(), PipelineError> {
        self.items.send(item).map_err(|_| {
            PipelineError::Failed(
                self.shared
                    .failure()
                    .unwrap_or_else(|| "the shard's thread has ended".to_owned()),
            )
        })
    }
}
