//! The writer thread: takes what waits, commits it as one group, and tells
//! everybody once it is durable.

use std::collections::BTreeMap;
use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::path::PathBuf;
use std::sync::Arc;

use crate::anchor::Anchor;
use crate::block::{Block, BlockBuilder, BuiltBlock};
use crate::entry::Entry;
use crate::error::{BuildError, LedgerError, Step};
use crate::id::{Digest, ShardId};
use crate::ledger::options::LedgerOptions;
use crate::ledger::queue::{Done, Job, Work};
use crate::ledger::shared::{OpenShard, Shared};
use crate::lock::Lock;
use crate::shard::{Head, ShardDescriptor};
use crate::stamp::Stamp;
use crate::store::{Group, Store, message};
use crate::succession::{self, Epochs};

pub(super) struct Writer {
    pub(super) dir: PathBuf,
    pub(super) shared: Arc<Shared>,
    pub(super) anchor: Anchor,
    pub(super) lock: Lock,
    pub(super) options: LedgerOptions,
}

/// What a group will have done once it is durable.
#[derive(Default)]
struct Plan {
    /// Shards that are new or moved on.
    shards: BTreeMap<ShardId, OpenShard>,
    blocks: Vec<(ShardId, u64, Vec<u8>)>,
    descriptors: Vec<(ShardId, Vec<u8>)>,
}

impl Writer {
    /// Serves the queue until it is closed, then closes the ledger.
    pub(super) fn run(mut self) -> Result<(), LedgerError> {
        self.shared.queue.serve();
        while let Some(jobs) = self.shared.queue.take(self.options.group_bytes) {
            self.serve(jobs);
        }
        self.close()
    }

    fn serve(&mut self, jobs: Vec<Job>) {
        if let Some(reason) = self.shared.poisoned.lock().clone() {
            for job in jobs {
                finish(
                    job.done,
                    Err(LedgerError::Poisoned {
                        reason: reason.clone(),
                    }),
                );
            }
            return;
        }
        let mut plan = Plan::default();
        let mut answers = Vec::with_capacity(jobs.len());
        for Job { work, done } in jobs {
            answers.push((done, self.plan(&mut plan, work)));
        }
        let failed = self.commit(plan).err();
        for (done, answer) in answers {
            // A refused block was refused whatever became of the others.
            let answer = match (&failed, answer) {
                (Some(error), Ok(_)) => Err(error.clone()),
                (_, answer) => answer,
            };
            finish(done, answer);
        }
    }

    /// Adds a job to the plan, or says why it cannot be done. What was planned
    /// before in the same group counts as done.
    fn plan(&self, plan: &mut Plan, work: Work) -> Result<Head, LedgerError> {
        match work {
            Work::Block(block) => self.plan_block(plan, block, Epochs::Same),
            Work::Resumption(block) => self.plan_block(plan, block, Epochs::Resumed),
            Work::House {
                entries,
                recorded_time_ns,
                ruleset,
            } => self.plan_house(plan, &entries, recorded_time_ns, ruleset),
            Work::OpenShard(descriptor) => self.plan_shard(plan, descriptor),
        }
    }

    fn shard(&self, plan: &Plan, shard: ShardId) -> Option<OpenShard> {
        let planned = plan.shards.get(&shard).cloned();
        planned.or_else(|| self.shared.shards.read().get(&shard).cloned())
    }

    fn plan_shard(
        &self,
        plan: &mut Plan,
        descriptor: ShardDescriptor,
    ) -> Result<Head, LedgerError> {
        let id = descriptor.id();
        if let Some(open) = self.shard(plan, id) {
            return Ok(open.head);
        }
        let bytes = descriptor.encode().map_err(LedgerError::Malformed)?;
        let head = descriptor.origin(self.shared.id);
        plan.descriptors.push((id, bytes));
        plan.shards.insert(id, OpenShard { descriptor, head });
        Ok(head)
    }

    fn plan_block(
        &self,
        plan: &mut Plan,
        built: BuiltBlock,
        epochs: Epochs,
    ) -> Result<Head, LedgerError> {
        let block = Block::from_stored(built.bytes).map_err(LedgerError::Malformed)?;
        let header = &block.header;
        let mut open = self
            .shard(plan, header.shard)
            .ok_or(LedgerError::UnknownShard {
                shard: header.shard,
            })?;
        let fits = succession::check_header(self.shared.id, epochs, &open.head, header);
        fits.map_err(|reason| LedgerError::NotNext {
            shard: header.shard,
            height: header.height,
            blocks: open.head.blocks,
            reason: reason.to_string(),
        })?;
        open.head = block.head_after();
        let head = open.head;
        plan.shards.insert(header.shard, open);
        plan.blocks
            .push((header.shard, header.height, block.into_bytes()));
        Ok(head)
    }

    fn plan_house(
        &self,
        plan: &mut Plan,
        entries: &[Entry],
        recorded_time_ns: i64,
        ruleset: Digest,
    ) -> Result<Head, LedgerError> {
        let house = ShardDescriptor::house();
        let shard = house.id();
        let open = self
            .shard(plan, shard)
            .ok_or(LedgerError::UnknownShard { shard })?;
        let mut head = open.head;
        // Built first and planned afterwards, so that they are appended
        // together or not at all.
        let mut blocks = Vec::new();
        let mut builder = BlockBuilder::new(self.shared.id, &head);
        for entry in entries {
            let pushed = builder.push(entry);
            if builder.is_full() || matches!(pushed, Err(BuildError::BlockFull { .. })) {
                let block = builder
                    .finish(recorded_time_ns, ruleset)
                    .map_err(LedgerError::Build)?;
                head = block.head_after;
                blocks.push(block);
                builder = BlockBuilder::new(self.shared.id, &head);
            }
            match pushed {
                Err(BuildError::BlockFull { .. }) => {
                    builder.push(entry).map_err(LedgerError::Build)?
                }
                pushed => pushed.map_err(LedgerError::Build)?,
            };
        }
        if !builder.is_empty() || blocks.is_empty() {
            blocks.push(
                builder
                    .finish(recorded_time_ns, ruleset)
                    .map_err(LedgerError::Build)?,
            );
        }
        for block in blocks {
            head = self.plan_block(plan, block, Epochs::Same)?;
        }
        Ok(head)
    }

    /// Makes the plan durable and known. After a failure the ledger is
    /// poisoned.
    fn commit(&mut self, plan: Plan) -> Result<(), LedgerError> {
        if plan.shards.is_empty() {
            return Ok(());
        }
        if let Err((step, source)) = self.write(&plan) {
            let reason = format!("{step} failed: {source}");
            tracing::error!(%step, error = %source, "the ledger takes no more blocks");
            *self.shared.poisoned.lock() = Some(reason);
            let source = Arc::new(source);
            return Err(LedgerError::Write { step, source });
        }
        self.shared.shards.write().extend(plan.shards);
        self.shared.commits.committed();
        Ok(())
    }

    /// The order of the steps is what durability rests on: keys before blocks,
    /// blocks before the anchor that names them, the anchor before anybody
    /// hears of it.
    fn write(&mut self, plan: &Plan) -> Result<(), (Step, io::Error)> {
        let blocks = plan.blocks.iter();
        let group = Group {
            blocks: blocks
                .map(|(shard, height, bytes)| (*shard, *height, bytes.as_slice()))
                .collect(),
            shards: plan
                .descriptors
                .iter()
                .map(|(shard, bytes)| (*shard, bytes.as_slice()))
                .collect(),
        };
        let Self {
            shared,
            options,
            anchor,
            ..
        } = self;
        let store = shared.store.read();
        let closed = || io::Error::other("the ledger is closed");
        let store: &Store = store.as_ref().ok_or_else(|| (Step::Write, closed()))?;
        let take = |step: Step, action: &mut dyn FnMut() -> io::Result<()>| {
            let faults = options.faults.as_deref();
            let taken = faults
                .map_or(Ok(()), |faults| faults.before(step))
                .and_then(|()| action())
                .and_then(|()| faults.map_or(Ok(()), |faults| faults.after(step)));
            taken.map_err(|error| (step, error))
        };
        take(Step::Barrier, &mut || {
            options.before_commit.as_deref().map_or(Ok(()), run)
        })?;
        take(Step::Write, &mut || {
            store.write(&group).map_err(|error| error.into_io())
        })?;
        take(Step::Flush, &mut || {
            store.flush().map_err(|error| error.into_io())
        })?;
        take(Step::Sync, &mut || store.sync())?;
        take(Step::Anchor, &mut || {
            anchor.write(plan.shards.values().map(|shard| shard.head))
        })
    }

    /// Closes the database, stamps the files and gives the lock back.
    fn close(self) -> Result<(), LedgerError> {
        // Waits for readers; they hold the lock for one call only.
        drop(self.shared.store.write().take());
        let poisoned = self.shared.poisoned.lock().clone();
        let result = match poisoned {
            // Nobody knows what is on disk, so nothing is vouched for.
            Some(reason) => Err(LedgerError::Poisoned { reason }),
            None => Stamp::write(&self.dir, self.shared.id)
                .and_then(|()| self.lock.clear())
                .map_err(|source| LedgerError::Stamp {
                    source: Arc::new(source),
                }),
        };
        self.shared.commits.close();
        result
    }
}

/// Runs the caller's barrier. Its panic is a failure, not the writer's end.
fn run(barrier: &(dyn Fn() -> io::Result<()> + Send + Sync)) -> io::Result<()> {
    panic::catch_unwind(AssertUnwindSafe(barrier)).unwrap_or_else(|payload| {
        Err(io::Error::other(format!(
            "it panicked: {}",
            message(&*payload)
        )))
    })
}

/// Calls a callback. Its panic is not the writer's end.
fn finish(done: Done, answer: Result<Head, LedgerError>) {
    if let Err(payload) = panic::catch_unwind(AssertUnwindSafe(|| done(answer))) {
        tracing::error!(
            panic = message(&*payload),
            "a callback of a commit panicked"
        );
    }
}
