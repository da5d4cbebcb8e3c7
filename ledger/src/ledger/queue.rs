//! The way to the writer thread: bounded, so that who submits faster than the
//! disk can write has to wait.

use std::collections::VecDeque;
use std::thread::{self, ThreadId};
use std::time::Instant;

use parking_lot::{Condvar, Mutex};

use crate::block::BuiltBlock;
use crate::entry::Entry;
use crate::error::LedgerError;
use crate::id::Digest;
use crate::shard::{Head, ShardDescriptor};

/// Called once, after durability or failure.
pub(crate) type Done = Box<dyn FnOnce(Result<Head, LedgerError>) + Send>;

/// One thing for the writer to do.
pub(crate) struct Job {
    pub(crate) work: Work,
    pub(crate) done: Done,
}

/// Makes house entries, told the sequence of the first.
pub(crate) type Make = Box<dyn FnOnce(u64) -> Vec<Entry> + Send>;

pub(crate) enum Work {
    Block(BuiltBlock),
    /// The first block of a greater epoch.
    Resumption(BuiltBlock),
    House {
        entries: Vec<Entry>,
        recorded_time_ns: i64,
        ruleset: Digest,
    },
    /// The same with entries that are made when their place is known.
    HouseMade {
        make: Make,
        /// About how long they are.
        bytes: usize,
        recorded_time_ns: i64,
        ruleset: Digest,
    },
    OpenShard(ShardDescriptor),
    /// The open database is to be sealed.
    Rotate,
}

impl Work {
    /// What it counts for in the queue. Small jobs count too, so that their
    /// number is bounded.
    fn weight(&self) -> usize {
        const JOB_BYTES: usize = 1024;
        JOB_BYTES
            + match self {
                Self::Block(block) | Self::Resumption(block) => block.bytes.len(),
                Self::House { entries, .. } => entries
                    .iter()
                    .map(|entry| JOB_BYTES + entry.sealed.len())
                    .sum(),
                Self::HouseMade { bytes, .. } => *bytes,
                Self::OpenShard(_) | Self::Rotate => 0,
            }
    }
}

pub(crate) struct Queue {
    state: Mutex<State>,
    not_empty: Condvar,
    not_full: Condvar,
    limit_bytes: usize,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    bytes: usize,
    closing: bool,
    writer: Option<ThreadId>,
}

impl Queue {
    pub(crate) fn new(limit_bytes: usize) -> Self {
        Self {
            state: Mutex::default(),
            not_empty: Condvar::new(),
            not_full: Condvar::new(),
            limit_bytes,
        }
    }

    /// Names the thread that takes jobs. It may put jobs without waiting, as a
    /// `done` that submits the next block does: it would wait for itself.
    pub(crate) fn serve(&self) {
        self.state.lock().writer = Some(thread::current().id());
    }

    pub(crate) fn is_served_here(&self) -> bool {
        self.state.lock().writer == Some(thread::current().id())
    }

    /// Puts a job, or gives its callback back when the ledger is closed.
    pub(crate) fn put(&self, job: Job) -> Result<(), Done> {
        let weight = job.work.weight();
        let mut state = self.state.lock();
        let waits = state.writer != Some(thread::current().id());
        // A job longer than the whole queue goes into an empty one.
        while waits && !state.closing && state.bytes > 0 && state.bytes + weight > self.limit_bytes
        {
            self.not_full.wait(&mut state);
        }
        if state.closing {
            return Err(job.done);
        }
        state.bytes += weight;
        state.jobs.push_back(job);
        drop(state);
        self.not_empty.notify_one();
        Ok(())
    }

    /// Waits for jobs and takes a group of at most `limit_bytes`, at least one
    /// job; none when `deadline` has passed. `None` when the queue is closed
    /// and empty.
    pub(crate) fn take(&self, limit_bytes: usize, deadline: Option<Instant>) -> Option<Vec<Job>> {
        let mut state = self.state.lock();
        while state.jobs.is_empty() {
            if state.closing {
                return None;
            }
            match deadline {
                None => self.not_empty.wait(&mut state),
                Some(deadline) => {
                    if self.not_empty.wait_until(&mut state, deadline).timed_out() {
                        break;
                    }
                }
            }
        }
        let mut group = Vec::new();
        let mut bytes = 0;
        while let Some(job) = state.jobs.front() {
            let weight = job.work.weight();
            if !group.is_empty() && bytes + weight > limit_bytes {
                break;
            }
            bytes += weight;
            state.bytes -= weight;
            group.extend(state.jobs.pop_front());
        }
        drop(state);
        self.not_full.notify_all();
        Some(group)
    }

    /// Takes no more jobs; those that wait are still done.
    pub(crate) fn close(&self) {
        self.state.lock().closing = true;
        self.not_empty.notify_all();
        self.not_full.notify_all();
    }
}
