//! The writer thread: takes what waits, commits it as one group, and tells
//! everybody once it is durable.

use std::collections::BTreeMap;
use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;

use crate::anchor::Anchor;
use crate::block::{Block, BlockBuilder, BuiltBlock};
use crate::entry::Entry;
use crate::error::{BuildError, LedgerError, Step};
use crate::id::{Digest, ShardId};
use crate::ledger::fill::Fill;
use crate::ledger::options::LedgerOptions;
use crate::ledger::queue::{Done, Job, Make, Work};
use crate::ledger::shared::{OpenShard, Shared, alone};
use crate::ledger::steps::Steps;
use crate::lock::Lock;
use crate::shard::{Head, ShardDescriptor};
use crate::stamp::Stamp;
use crate::store::{Group, Store, StoreError, message};
use crate::succession::{self, Epochs};

pub(super) struct Writer {
    pub(super) dir: PathBuf,
    pub(super) shared: Arc<Shared>,
    pub(super) anchor: Anchor,
    pub(super) lock: Lock,
    pub(super) options: LedgerOptions,
    pub(super) steps: Steps,
    pub(super) fill: Fill,
    pub(super) sealer: JoinHandle<()>,
    pub(super) notary: Option<JoinHandle<()>>,
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
        let limit_bytes = self.options.group_bytes;
        while let Some(jobs) = self.shared.queue.take(limit_bytes, self.fill.deadline()) {
            self.serve(jobs);
            self.rotate_if_due();
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
        let mut rotations = Vec::new();
        for Job { work, done } in jobs {
            match work {
                Work::Rotate => rotations.push(done),
                work => answers.push((done, self.plan(&mut plan, work))),
            }
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
        for done in rotations {
            let house = ShardDescriptor::house().id();
            let rotated = self.rotate();
            let head = self.shared.head(house).ok_or(LedgerError::Closed);
            finish(done, rotated.and(head));
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
            Work::HouseMade {
                make,
                recorded_time_ns,
                ruleset,
                ..
            } => {
                let shard = ShardDescriptor::house().id();
                let house = self.shard(plan, shard);
                let house = house.ok_or(LedgerError::UnknownShard { shard })?;
                let entries = made(make, house.head.size);
                self.plan_house(plan, &entries, recorded_time_ns, ruleset)
            }
            Work::OpenShard(descriptor) => self.plan_shard(plan, descriptor),
            Work::Rotate => Err(LedgerError::Closed),
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
            return Err(self.poison(step, source));
        }
        let bytes = plan.blocks.iter().map(|(.., bytes)| bytes.len() as u64);
        self.fill.add(bytes.sum());
        self.shared.shards.write().extend(plan.shards);
        self.shared.commits.committed();
        Ok(())
    }

    pub(super) fn poison(&self, step: Step, source: io::Error) -> LedgerError {
        tracing::error!(%step, error = %source, "the ledger takes no more blocks");
        self.shared.poison(format!("{step} failed: {source}"));
        let source = Arc::new(source);
        LedgerError::Write { step, source }
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
            steps,
            ..
        } = self;
        let view = shared.view().map_err(closed)?;
        let store: &Store = match view.databases.last() {
            Some(open) => &open.store,
            None => return Err(closed(LedgerError::Closed)),
        };
        let failed = |step: Step| move |error| (step, error);
        let barrier = || options.before_commit.as_deref().map_or(Ok(()), run);
        steps
            .take(Step::Barrier, barrier)
            .map_err(failed(Step::Barrier))?;
        let torn = steps.tears(Step::Write).then(|| Group {
            blocks: group.blocks[..group.blocks.len() / 2].to_vec(),
            shards: group.shards.clone(),
        });
        let write = || {
            let group = torn.as_ref().unwrap_or(&group);
            store.write(group).map_err(StoreError::into_io)
        };
        steps
            .take_or_tear(Step::Write, write, || Ok(()))
            .map_err(failed(Step::Write))?;
        steps
            .take(Step::Flush, || store.flush().map_err(StoreError::into_io))
            .map_err(failed(Step::Flush))?;
        steps
            .take(Step::Sync, || store.sync())
            .map_err(failed(Step::Sync))?;
        let heads: Vec<Head> = plan.shards.values().map(|shard| shard.head).collect();
        let torn = steps.tears(Step::Anchor);
        let write = || {
            if torn {
                anchor.tear(&heads)
            } else {
                anchor.write(&heads)
            }
        };
        steps
            .take_or_tear(Step::Anchor, write, || Ok(()))
            .map_err(failed(Step::Anchor))
    }

    /// Closes the database, stamps the files and gives the lock back.
    fn close(self) -> Result<(), LedgerError> {
        // Everything is committed; the last checkpoint covers it.
        if let Some(notary) = self.notary {
            self.shared.board.end();
            // It waits for commits, and there will be no more.
            self.shared.commits.committed();
            // It catches what panics in it.
            let _ = notary.join();
        }
        self.shared.sealing.close();
        // The sealer catches what panics in it.
        let _ = self.sealer.join();
        let view = self.shared.view.write().take();
        drop(view.map(alone));
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

fn closed(_: LedgerError) -> (Step, io::Error) {
    (Step::Write, io::Error::other("the ledger is closed"))
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

/// Makes house entries. A panic makes none, and is not the writer's end.
fn made(make: Make, first: u64) -> Vec<Entry> {
    panic::catch_unwind(AssertUnwindSafe(|| make(first))).unwrap_or_else(|payload| {
        tracing::error!(panic = message(&*payload), "making house entries panicked");
        Vec::new()
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
