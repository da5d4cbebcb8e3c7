//! The thread that writes consultations into the house shard, in groups.

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use custody_ledger::Ledger;
use custody_vault::Vault;
use parking_lot::Mutex;

use super::metric;
use super::queue::{ConsultationOptions, Consultations, Shared, Waiting};
use super::record::{self, Sealed};

/// So many are appended together at most.
const GROUP: usize = 512;

/// So long more are waited for after the first, where no answer waits.
const LINGER: Duration = Duration::from_millis(50);

/// The thread that writes consultations. Stops where it is dropped.
pub struct ConsultationWriter {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl ConsultationWriter {
    /// Starts the thread, over a ledger and its vault. The first of the pair is
    /// for [`QueryState::with_consultations`](crate::QueryState::with_consultations).
    ///
    /// # Errors
    /// What the system says where it starts no thread.
    pub fn start(
        ledger: Ledger,
        vault: Vault,
        options: ConsultationOptions,
    ) -> io::Result<(Consultations, Self)> {
        let consultations = Consultations::new(vault, options);
        let shared = Arc::clone(&consultations.0);
        let thread = std::thread::Builder::new()
            .name("consultations".to_owned())
            .spawn({
                let shared = Arc::clone(&shared);
                move || run(&shared, &ledger)
            })?;
        let writer = Self {
            shared,
            thread: Some(thread),
        };
        Ok((consultations, writer))
    }

    /// Takes no more consultations, writes those that wait and ends. Call it
    /// once the server is down and before the ledger is closed.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        self.shared.close();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that writes consultations panicked");
        }
    }
}

impl Drop for ConsultationWriter {
    fn drop(&mut self) {
        self.end();
    }
}

fn run(shared: &Arc<Shared>, ledger: &Ledger) {
    while let Some(group) = shared.take(GROUP, LINGER) {
        write(shared, ledger, group);
    }
}

/// What became of each of a group.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Fate {
    Written,
    Erased,
    #[default]
    Lost,
}

fn write(shared: &Arc<Shared>, ledger: &Ledger, group: Vec<Waiting>) {
    let (said, waiters): (Vec<_>, Vec<_>) = group
        .into_iter()
        .map(|waiting| (waiting.consultation, (waiting.done, waiting._space)))
        .unzip();
    let number = said.len();
    let fates = Arc::new(Mutex::new(Vec::new()));
    let make = {
        let (vault, id, fates) = (shared.vault.clone(), ledger.id(), Arc::clone(&fates));
        move |first: u64| {
            let mut entries = Vec::with_capacity(said.len());
            for consultation in &said {
                // An entry's place: what was not made before it takes none.
                let sequence = first + entries.len() as u64;
                fates.lock().push(match consultation.seal(&vault, id, sequence) {
                    Sealed::Entry(entry) => {
                        entries.push(*entry);
                        Fate::Written
                    }
                    Sealed::Erased => Fate::Erased,
                    Sealed::Failed => Fate::Lost,
                });
            }
            entries
        }
    };
    let now_ns = (shared.options.clock)();
    let ruleset = shared.options.ruleset;
    let appended = ledger.append_house_made(make, number * record::ENTRY_BYTES, now_ns, ruleset);
    let mut fates = std::mem::take(&mut *fates.lock());
    fates.resize_with(number, Fate::default);
    if let Err(error) = appended
        && fates.contains(&Fate::Written)
    {
        tracing::error!(%error, "consultations could not be written");
        for fate in &mut fates {
            if *fate == Fate::Written {
                *fate = Fate::Lost;
            }
        }
    }
    let count = |wanted: Fate| fates.iter().filter(|fate| **fate == wanted).count() as u64;
    metric::count("written", count(Fate::Written));
    metric::count("erased", count(Fate::Erased));
    let mut lost = 0;
    for ((done, _space), fate) in waiters.into_iter().zip(&fates) {
        match done {
            // An answer that does not leave is no loss.
            Some(done) => {
                let _ = done.send(*fate != Fate::Lost);
            }
            None => lost += u64::from(*fate == Fate::Lost),
        }
    }
    shared.lost(lost);
}
