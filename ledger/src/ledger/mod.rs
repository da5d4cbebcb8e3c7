//! The open ledger: one writer thread, any number of handles.

mod backup;
mod create;
mod fill;
mod join;
mod open;
mod options;
mod queue;
mod read;
mod reread;
mod resume;
mod rotate;
mod sealer;
mod sealing;
mod shared;
mod steps;
mod subscription;
mod view;
mod writer;

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;

use parking_lot::Mutex;

use crate::block::BuiltBlock;
use crate::entry::Entry;
use crate::error::{LedgerError, OpenError};
use crate::id::{Digest, LedgerId, ShardId};
use crate::ledger::queue::{Job, Work};
use crate::shard::{Head, ShardDescriptor};

pub(crate) use open::store_error;
pub(crate) use shared::Shared;
pub(crate) use steps::Steps;

pub use backup::{BackupProgress, BackupReport, restore};
pub use options::{Barrier, FaultInjector, LedgerOptions};
pub use reread::Rereader;
pub use resume::{LostEnd, ResumeError, ResumeOptions, lost_ends, resume};
pub use subscription::Subscription;

/// An open ledger. Clones are handles of the same one.
///
/// When the last handle is dropped the ledger is closed, as by
/// [`Ledger::close`], and an error is only logged.
#[derive(Clone)]
pub struct Ledger {
    handle: Arc<Handle>,
}

struct Handle {
    shared: Arc<Shared>,
    writer: Mutex<Option<JoinHandle<Result<(), LedgerError>>>>,
}

impl Ledger {
    /// Opens the ledger in `dir`, or creates one where the directory is absent
    /// or empty.
    ///
    /// A ledger that was closed is compared with its stamp first. Of one that
    /// was not, a copy of what is not sealed is opened first and every block in
    /// it checked, because opening changes the files; that needs as much space
    /// again. Of segments the header, the index and the end are checked, so
    /// that opening does not take longer the more is sealed. A damaged ledger
    /// stays as it was found. The house shard is open.
    ///
    /// # Errors
    /// [`OpenError`], which says what to do.
    pub fn open(dir: &Path, options: LedgerOptions) -> Result<Self, OpenError> {
        let (shared, writer) = open::open(dir, options)?;
        let thread = std::thread::Builder::new()
            .name("ledger-writer".to_owned())
            .spawn(move || writer.run())
            .map_err(OpenError::io("start the writer thread of", dir))?;
        Ok(Self {
            handle: Arc::new(Handle {
                shared,
                writer: Mutex::new(Some(thread)),
            }),
        })
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.handle.shared
    }

    /// The ledger's name.
    pub fn id(&self) -> LedgerId {
        self.shared().id
    }

    /// Opens a shard, or tells the head of one that is open. A new shard is
    /// durable when this returns.
    ///
    /// # Errors
    /// [`LedgerError::Malformed`] where the descriptor is longer than 4 KiB,
    /// or an error that stops the ledger.
    pub fn open_shard(&self, descriptor: &ShardDescriptor) -> Result<Head, LedgerError> {
        if let Some(head) = self.head(descriptor.id()) {
            return Ok(head);
        }
        self.wait(Work::OpenShard(descriptor.clone()))
    }

    /// Every open shard and its durable head, ordered by id; the house shard
    /// is among them.
    pub fn shards(&self) -> Vec<(ShardDescriptor, Head)> {
        let shards = self.shared().shards.read();
        shards
            .values()
            .map(|open| (open.descriptor.clone(), open.head))
            .collect()
    }

    /// A shard's durable head; `None` where the shard is not open.
    pub fn head(&self, shard: ShardId) -> Option<Head> {
        self.shared().head(shard)
    }

    /// Gives a block to the writer. Waits while more than
    /// [`LedgerOptions::queue_bytes`] are on their way.
    ///
    /// `done` is called once, on the writer thread, in the order of the
    /// submissions: with the new head after the block is durable, or with what
    /// went wrong. It should be quick; it may submit.
    ///
    /// Several blocks of one shard may be on their way, each built on the
    /// [`BuiltBlock::head_after`] of the one before.
    pub fn submit(
        &self,
        block: BuiltBlock,
        done: impl FnOnce(Result<Head, LedgerError>) + Send + 'static,
    ) {
        self.put(Job {
            work: Work::Block(block),
            done: Box::new(done),
        });
    }

    /// Gives a block to the writer and waits until it is durable.
    ///
    /// Must not be called from a `done`, which would wait for itself.
    ///
    /// # Errors
    /// [`LedgerError`]; [`LedgerError::stops_ledger`] tells how bad it is.
    pub fn commit(&self, block: BuiltBlock) -> Result<Head, LedgerError> {
        self.wait(Work::Block(block))
    }

    /// Commits the first block of a greater epoch, built by
    /// [`crate::BlockBuilder::resuming`]: the shard goes on although it lost
    /// its end.
    ///
    /// # Errors
    /// As [`Ledger::commit`]; [`LedgerError::NotNext`] where the epoch is not
    /// greater than the head's.
    pub fn resume(&self, block: BuiltBlock) -> Result<Head, LedgerError> {
        self.wait(Work::Resumption(block))
    }

    /// Appends entries to the house shard, together or not at all, and waits
    /// until they are durable. Appends from several threads do not conflict.
    ///
    /// `recorded_time_ns` is nanoseconds since 1970 UTC.
    ///
    /// # Errors
    /// [`LedgerError::Build`] where there is no entry, or one has an offset or
    /// is too long; or an error that stops the ledger.
    pub fn append_house(
        &self,
        entries: Vec<Entry>,
        recorded_time_ns: i64,
        ruleset: Digest,
    ) -> Result<Head, LedgerError> {
        self.wait(Work::House {
            entries,
            recorded_time_ns,
            ruleset,
        })
    }

    /// Appends to the house shard what `make` makes, together or not at all,
    /// and waits until it is durable. `make` is told the sequence of the first
    /// entry: what is sealed is bound to its place, and several threads append.
    ///
    /// It is called once, on the writer thread, and not where the ledger takes
    /// no more blocks. It should be quick, and must not append. `bytes` is about
    /// how long the entries are; it counts in [`LedgerOptions::queue_bytes`].
    ///
    /// # Errors
    /// As [`Ledger::append_house`]; a panic of `make` counts as no entry.
    pub fn append_house_made(
        &self,
        make: impl FnOnce(u64) -> Vec<Entry> + Send + 'static,
        bytes: usize,
        recorded_time_ns: i64,
        ruleset: Digest,
    ) -> Result<Head, LedgerError> {
        self.wait(Work::HouseMade {
            make: Box::new(make),
            bytes,
            recorded_time_ns,
            ruleset,
        })
    }

    fn put(&self, job: Job) {
        if let Err(done) = self.shared().queue.put(job) {
            done(Err(LedgerError::Closed));
        }
    }

    fn wait(&self, work: Work) -> Result<Head, LedgerError> {
        let (sender, receiver) = std::sync::mpsc::sync_channel(1);
        let done = Box::new(move |answer| {
            // The receiver waits until it has the answer.
            let _ = sender.send(answer);
        });
        self.put(Job { work, done });
        receiver.recv().unwrap_or(Err(LedgerError::Closed))
    }

    /// Seals what is not sealed yet: appends go on in a new database, and the
    /// old one becomes segment files. Waits until it has. It happens by itself
    /// too, see [`LedgerOptions::rotate_bytes`].
    ///
    /// # Errors
    /// [`LedgerError::Sealing`] where it failed and will be tried again, or an
    /// error that stops the ledger.
    pub fn rotate(&self) -> Result<(), LedgerError> {
        self.wait(Work::Rotate)?;
        match self.shared().sealing.wait() {
            None => Ok(()),
            Some(reason) => Err(LedgerError::Sealing { reason }),
        }
    }

    /// Why the last database could not be sealed; `None` while all is well.
    /// Appends go on, and it is tried again when the next one is full.
    pub fn sealing_failed(&self) -> Option<String> {
        self.shared().sealing.failed()
    }

    /// A subscription that tells of every commit from now on.
    pub fn subscribe(&self) -> Subscription {
        self.shared().commits.subscribe()
    }

    /// Why nothing more can be appended until the ledger is reopened; `None`
    /// while all is well.
    pub fn poisoned(&self) -> Option<String> {
        self.shared().poisoned.lock().clone()
    }

    /// Commits what was submitted, closes the files, stamps them and gives the
    /// lock back. Later calls on any handle fail with
    /// [`LedgerError::Closed`]; a second `close` does nothing.
    ///
    /// Called from a `done`, it only begins.
    ///
    /// # Errors
    /// [`LedgerError::Poisoned`] or [`LedgerError::Stamp`]: the files are
    /// closed all the same, without a stamp.
    pub fn close(&self) -> Result<(), LedgerError> {
        self.handle.close()
    }
}

impl Handle {
    fn close(&self) -> Result<(), LedgerError> {
        self.shared.queue.close();
        if self.shared.queue.is_served_here() {
            return Ok(());
        }
        // Held while waiting, so that whoever closes second finds it closed.
        let mut writer = self.writer.lock();
        match writer.take() {
            None => Ok(()),
            // The writer catches what panics in it, so this says the thread
            // was ended from outside.
            Some(thread) => thread.join().unwrap_or(Err(LedgerError::Closed)),
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        if let Err(error) = self.close() {
            tracing::warn!(%error, "the ledger was not closed cleanly");
        }
    }
}

impl fmt::Debug for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ledger")
            .field("id", &self.id())
            .finish_non_exhaustive()
    }
}
