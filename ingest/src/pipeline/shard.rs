//! One shard: its messages in order, its blocks on their way to the disk.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError};
use custody_ledger::{
    BlockBuilder, BuildError, BuiltBlock, Digest, Entry, GapCause, Head, HouseRecord, Kind,
    ShardDescriptor, ShardId,
};
use tracing::error;

use super::PipelineError;
use super::dead_letter::DeadLetter;
use super::feed::{Item, Lost, Progress};
use super::flight::{Flight, InFlight};
use super::keeper::Kept;
use super::parties::house;
use super::shared::Shared;
use super::stage::{Prepared, Stage};
use crate::duplicates::Digests;
use crate::erase::Ticket;
use crate::message::RawMessage;
use crate::metric;
use crate::state::Effect;

/// Messages that are worked on before blocks are handed over.
const BATCH_MESSAGES: usize = 8_192;

/// How often an idle shard looks whether it is to stop.
const IDLE: Duration = Duration::from_millis(200);

/// How long an event waits at most before it is asked again whether its person is
/// still being erased.
const FENCED: Duration = Duration::from_millis(20);

/// The thread of one shard.
pub(super) struct ShardWorker {
    shared: Arc<Shared>,
    descriptor: ShardDescriptor,
    shard: ShardId,
    queue: Receiver<Item>,
    progress: Arc<Progress>,
    in_flight: Arc<InFlight>,
    stage: Stage,

    /// The head after every block that was built, durable or not.
    head: Head,
    next_offset: i64,
    open: Open,
    /// Built, and not handed over yet.
    ready: Vec<Ready>,
    house: Vec<Entry>,
    letters: Vec<DeadLetter>,
}

/// The block that is being filled.
struct Open {
    builder: BlockBuilder,
    events: Vec<Digests>,
    effects: Vec<Effect>,
    /// Kind and outcome of each entry, for the metrics.
    counted: Vec<(u8, u8)>,
    /// When the first of its messages came in.
    since: Option<Instant>,
    /// Taken before anybody is admitted for the block.
    ticket: Option<Ticket>,
}

struct Ready {
    block: BuiltBlock,
    events: Vec<Digests>,
    effects: Vec<Effect>,
    counted: Vec<(u8, u8)>,
    since: Option<Instant>,
    ticket: Option<Ticket>,
}

impl ShardWorker {
    pub(super) fn new(
        shared: Arc<Shared>,
        descriptor: ShardDescriptor,
        head: Head,
        queue: Receiver<Item>,
        progress: Arc<Progress>,
    ) -> Self {
        let shard = head.shard;
        let builder = BlockBuilder::new(shared.ledger.id(), &head);
        Self {
            stage: Stage::new(Arc::clone(&shared), shard),
            next_offset: head.next_offset.unwrap_or(0),
            shared,
            descriptor,
            shard,
            queue,
            progress,
            in_flight: Arc::default(),
            head,
            open: Open {
                builder,
                events: Vec::new(),
                effects: Vec::new(),
                counted: Vec::new(),
                since: None,
                ticket: None,
            },
            ready: Vec::new(),
            house: Vec::new(),
            letters: Vec::new(),
        }
    }

    /// Works until the feed is dropped and all is durable, or something fails.
    pub(super) fn run(mut self) {
        if let Err(error) = self.work() {
            self.shared.fail(&error);
        }
        self.in_flight.wait_until_at_most(0);
    }

    fn work(&mut self) -> Result<(), PipelineError> {
        loop {
            if self.shared.abort.is_stopped() {
                // What is queued comes again from its source.
                return Ok(());
            }
            let item = match self.open.since {
                None => self.queue.recv_timeout(IDLE),
                Some(since) => {
                    let left = self.shared.options.linger.saturating_sub(since.elapsed());
                    self.queue.recv_timeout(left)
                }
            };
            match item {
                Ok(item) => {
                    let mut taken = self.take(item)?;
                    while taken < BATCH_MESSAGES
                        && let Ok(item) = self.queue.try_recv()
                    {
                        taken += self.take(item)?;
                    }
                    let waited = self.open.since.map_or(Duration::ZERO, |s| s.elapsed());
                    if waited >= self.shared.options.linger {
                        self.cut()?;
                    }
                    self.hand_over()?;
                }
                Err(RecvTimeoutError::Timeout) => {
                    self.cut()?;
                    self.hand_over()?;
                }
                Err(RecvTimeoutError::Disconnected) => {
                    self.cut()?;
                    return self.hand_over();
                }
            }
        }
    }

    fn take(&mut self, item: Item) -> Result<usize, PipelineError> {
        match item {
            Item::Lost(lost) => {
                self.lose(lost)?;
                Ok(1)
            }
            Item::Messages(messages, since) => {
                let count = messages.len();
                for message in messages {
                    let bytes = message.memory();
                    if !self.shared.abort.is_stopped() {
                        self.message(message, since)?;
                    }
                    self.progress
                        .queued_bytes
                        .fetch_sub(bytes, Ordering::AcqRel);
                }
                Ok(count)
            }
        }
    }

    fn message(&mut self, message: RawMessage, since: Instant) -> Result<(), PipelineError> {
        let offset = message.offset;
        if offset < self.next_offset {
            // Fetched again after a new assignment; accounted for already.
            return Ok(());
        }
        if offset > self.next_offset {
            // The broker skipped them within its retention: transaction
            // markers, aborted or compacted messages.
            self.gap(self.next_offset, offset - 1, GapCause::ControlOrCompacted)?;
        }
        if self.open.builder.is_full() {
            self.cut()?;
        }
        self.begin(since);
        let sequence = self.open.builder.next_sequence();
        let mut prepared = self.stage.prepare(&message, sequence, &mut self.house)?;
        while let Prepared::Fenced(seen) = prepared {
            self.let_through()?;
            if self.shared.abort.is_stopped() {
                // It comes again from its source.
                return Ok(());
            }
            self.begin(since);
            let sequence = self.open.builder.next_sequence();
            prepared = self
                .stage
                .proceed(&message, seen, sequence, &mut self.house)?;
        }
        match prepared {
            Prepared::Entry {
                entry,
                digests,
                effect,
            } => {
                let counted = (entry.kind_code, entry.judgement.outcome_code);
                match self.open.builder.push(&entry) {
                    // Too long for what is left of this block; the next one
                    // begins at the same sequence, so the seal still fits.
                    Err(BuildError::BlockFull { .. }) => {
                        let ticket = self.open.ticket.as_ref().map(Ticket::again);
                        self.cut()?;
                        self.open.since = Some(since);
                        self.open.ticket = ticket;
                        self.open.builder.push(&entry)?;
                    }
                    pushed => {
                        pushed?;
                    }
                }
                self.open.events.push(digests);
                self.open.effects.extend(effect);
                self.open.counted.push(counted);
            }
            Prepared::Duplicate => {
                self.open.builder.duplicate(offset)?;
                metric::duplicate();
            }
            Prepared::Rejected(rejection) => {
                self.open.builder.rejected(offset)?;
                metric::rejected(rejection.code());
                self.letters.push(DeadLetter { message, rejection });
            }
            // It went on above.
            Prepared::Fenced(_) => return Ok(()),
        }
        self.next_offset = offset + 1;
        Ok(())
    }

    /// Notes that something comes into the open block.
    fn begin(&mut self, since: Instant) {
        self.open.since.get_or_insert(since);
        let (fence, shard) = (self.shared.registrar.fence(), self.shard);
        self.open.ticket.get_or_insert_with(|| fence.enter(shard));
    }

    /// Somebody is being erased who has an event here, which waits until that is
    /// done; that waits for what was admitted before, so this is handed over first.
    fn let_through(&mut self) -> Result<(), PipelineError> {
        self.cut()?;
        self.open.ticket = None;
        self.hand_over()?;
        // Others may be erased without a pause; whether it is still this person is
        // seen by asking.
        self.shared.vault.wait_while_erasing(FENCED);
        Ok(())
    }

    /// Accounts for offsets that retention removed, and says so loudly.
    fn lose(&mut self, lost: Lost) -> Result<(), PipelineError> {
        let first = lost.first.max(self.next_offset);
        if first > lost.last {
            return Ok(());
        }
        if first > self.next_offset {
            self.gap(self.next_offset, first - 1, GapCause::Unknown)?;
        }
        error!(
            shard = %self.shard,
            topic = self.descriptor.topic,
            partition = self.descriptor.partition,
            first,
            last = lost.last,
            "retention removed messages before they were read; they are recorded as lost"
        );
        let now = (self.shared.clock)();
        self.house.push(house(
            Kind::OffsetsLost,
            now,
            HouseRecord::OffsetsLost {
                shard: self.shard,
                first,
                last: lost.last,
            },
        ));
        self.open.since.get_or_insert_with(Instant::now);
        self.gap(first, lost.last, GapCause::LostToRetention)
    }

    fn gap(&mut self, first: i64, last: i64, cause: GapCause) -> Result<(), PipelineError> {
        self.open.builder.gap(first, last, cause)?;
        self.next_offset = last + 1;
        metric::gap(cause, last - first + 1);
        Ok(())
    }

    /// Ends the block that is being filled.
    fn cut(&mut self) -> Result<(), PipelineError> {
        if self.open.builder.is_empty() {
            return Ok(());
        }
        let shared = &self.shared;
        let ruleset = Digest(shared.options.ruleset.digest());
        let Open {
            builder,
            events,
            effects,
            counted,
            since,
            ticket,
        } = &mut self.open;
        // Put a builder for the next block in place only once its head is known.
        let full = std::mem::replace(builder, BlockBuilder::new(shared.ledger.id(), &self.head));
        let block = full.finish((shared.clock)(), ruleset)?;
        self.head = block.head_after;
        *builder = BlockBuilder::new(shared.ledger.id(), &self.head);
        self.ready.push(Ready {
            block,
            events: std::mem::take(events),
            effects: std::mem::take(effects),
            counted: std::mem::take(counted),
            since: since.take(),
            ticket: ticket.take(),
        });
        Ok(())
    }

    /// Hands the built blocks to the ledger: what they rest on goes first.
    fn hand_over(&mut self) -> Result<(), PipelineError> {
        if self.ready.is_empty() {
            return Ok(());
        }
        // House entries first: a link or a party is on record before the entry
        // that brought it. A crash in between repeats a house entry at worst.
        if !self.house.is_empty() {
            let entries = std::mem::take(&mut self.house);
            let now = (self.shared.clock)();
            let ruleset = Digest(self.shared.options.ruleset.digest());
            self.shared.ledger.append_house(entries, now, ruleset)?;
        }
        // A dead letter is acknowledged before the block that counts it.
        if !self.letters.is_empty() {
            self.shared
                .dead_letters
                .deliver(&self.letters, &self.shared.abort)?;
            self.letters.clear();
        }
        for ready in self.ready.drain(..) {
            self.in_flight
                .wait_until_at_most(self.shared.options.max_blocks_in_flight.saturating_sub(1));
            let shared = Arc::clone(&self.shared);
            let progress = Arc::clone(&self.progress);
            let Ready {
                block,
                events,
                effects,
                counted,
                since,
                ticket,
            } = ready;
            let flight = Flight::start(&self.in_flight, ticket);
            self.shared.ledger.submit(block, move |result| {
                let done = result.map_err(PipelineError::from).and_then(|head| {
                    progress
                        .durable
                        .store(head.next_offset.unwrap_or(0), Ordering::Release);
                    metric::stored(&counted);
                    metric::durable(since.map(|s| s.elapsed()));
                    shared.duplicates.durable(
                        &events,
                        head.recorded_time_ns,
                        head.shard,
                        head.size,
                    )?;
                    shared.keeper.keep(Kept {
                        head,
                        effects,
                        flight,
                    })
                });
                if let Err(error) = done {
                    shared.fail(&error);
                }
            });
        }
        Ok(())
    }
}

/// Tells the house shard that a shard was opened.
pub(super) fn announce(shared: &Shared, shard: ShardId) -> Result<(), PipelineError> {
    let now = (shared.clock)();
    let entry = house(Kind::ShardOpened, now, HouseRecord::ShardOpened { shard });
    shared
        .ledger
        .append_house(vec![entry], now, Digest(shared.options.ruleset.digest()))?;
    Ok(())
}
