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
                fates
                    .lock()
                    .push(match consultation.seal(&vault, id, sequence) {
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

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use custody_ledger::id::{Digest, SubjectReference};
    use custody_ledger::{LedgerOptions, ShardDescriptor, VerifyOptions};
    use custody_proto::sealed::SealedMessage;
    use custody_vault::{EntryContext, VaultOptions};
    use serde_json::json;
    use tonic::metadata::MetadataMap;

    use super::*;
    use crate::answer::QueryError;
    use crate::consultation::{ConsultationMode, Whose};

    struct Stores {
        dir: tempfile::TempDir,
        ledger: Ledger,
        vault: Vault,
    }

    fn stores() -> Stores {
        let dir = tempfile::tempdir().unwrap();
        let options = LedgerOptions {
            segment_bytes: 64 << 10,
            ..LedgerOptions::default()
        };
        let ledger = Ledger::open(&dir.path().join("ledger"), options).unwrap();
        let (vault, key) = (dir.path().join("vault"), dir.path().join("root.key"));
        let vault = Vault::open(&vault, &key, VaultOptions::default()).unwrap();
        vault.admit(&["account:1001"]).unwrap();
        Stores { dir, ledger, vault }
    }

    impl Stores {
        fn options(mode: ConsultationMode, queue: usize) -> ConsultationOptions {
            ConsultationOptions {
                mode,
                queue,
                ..ConsultationOptions::new(Digest([7; 32]))
            }
        }

        fn size(&self) -> u64 {
            let house = self.ledger.head(ShardDescriptor::house().id());
            house.unwrap().size
        }

        /// Closes the ledger and verifies all of it.
        fn verify(self) {
            self.ledger.close().unwrap();
            let directory = self.dir.path().join("ledger");
            let report = custody_ledger::verify(&directory, &VerifyOptions::default()).unwrap();
            assert_eq!(report.faults, Vec::new());
        }
    }

    fn asked(kept: &Consultations, whose: Whose) -> super::super::queue::Asked {
        let metadata = MetadataMap::new();
        kept.asked(&metadata, "m", whose, json!({"subject": "account:1001"}))
            .unwrap()
    }

    fn li() -> Whose {
        Whose::Person("account:1001".to_owned())
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(20)
    }

    #[tokio::test]
    async fn nothing_is_written_for_somebody_who_was_erased_meanwhile() {
        let stores = stores();
        let options = Stores::options(ConsultationMode::Durable, 10);
        let (kept, writer) =
            ConsultationWriter::start(stores.ledger.clone(), stores.vault.clone(), options)
                .unwrap();
        // Somebody whose key there is none of, as after an erasure.
        let gone = Some(SubjectReference([9; 16]));
        let question = asked(&kept, Whose::OfEntry);
        kept.answered(question, 1, gone, soon()).await.unwrap();
        assert_eq!(stores.size(), 0);

        // In one group with others, it takes no place among them.
        let known = stores.vault.lookup("account:1001").unwrap().unwrap();
        let known = Some(SubjectReference(known.persons[0].reference()));
        let all = [known, gone, known].map(|whose| {
            let (kept, question) = (kept.clone(), asked(&kept, Whose::OfEntry));
            tokio::spawn(async move { kept.answered(question, 1, whose, soon()).await })
        });
        for one in all {
            one.await.unwrap().unwrap();
        }
        writer.stop();
        assert_eq!(stores.size(), 2);
        let house = ShardDescriptor::house().id();
        let blocks = stores.ledger.read_blocks(house, 0, usize::MAX).unwrap();
        for entry in blocks.iter().flat_map(custody_ledger::Block::entries) {
            let (sequence, entry) = entry.unwrap();
            let person = stores.vault.person(&entry.subject.unwrap().0);
            let context = EntryContext {
                ledger: stores.ledger.id().0,
                shard: house.0,
                sequence,
            };
            let plain = person.unwrap().unwrap().open(&context, &entry.sealed);
            assert!(SealedMessage::from_bytes(&plain.unwrap()).is_ok());
        }
        stores.verify();
    }

    #[tokio::test]
    async fn a_full_queue_loses_in_best_effort_and_holds_up_in_the_durable_mode() {
        let stores = stores();
        // Without the thread nothing leaves the queue.
        let options = Stores::options(ConsultationMode::BestEffort, 2);
        let kept = Consultations::new(stores.vault.clone(), options);
        for _ in 0..5 {
            kept.answered(asked(&kept, li()), 1, None, soon())
                .await
                .unwrap();
        }
        assert_eq!(kept.0.take(10, Duration::ZERO).unwrap().len(), 2);

        let options = Stores::options(ConsultationMode::Durable, 1);
        let kept = Consultations::new(stores.vault.clone(), options);
        for _ in 0..2 {
            let until = Instant::now() + Duration::from_millis(50);
            let refused = kept.answered(asked(&kept, li()), 1, None, until).await;
            assert!(matches!(refused, Err(QueryError::NotConsulted)));
        }
        stores.verify();
    }

    #[tokio::test]
    async fn a_stream_is_counted_to_its_end_or_written_before_its_beginning() {
        for (mode, first, count) in [
            (ConsultationMode::BestEffort, 0, 7),
            (ConsultationMode::Durable, 1, 0),
        ] {
            let stores = stores();
            let options = Stores::options(mode, 10);
            let (kept, writer) =
                ConsultationWriter::start(stores.ledger.clone(), stores.vault.clone(), options)
                    .unwrap();
            let question = asked(&kept, Whose::Everybody);
            let mut counting = kept.counting(question, soon()).await.unwrap();
            assert_eq!(stores.size(), first);
            counting.add(3);
            counting.add(4);
            drop(counting);
            writer.stop();
            let house = ShardDescriptor::house().id();
            let block = stores.ledger.read_block(house, 0).unwrap().unwrap();
            let (_, entry) = block.entries().next().unwrap().unwrap();
            assert!(stores.size() == 1 && entry.subject.is_none());
            let context = EntryContext {
                ledger: stores.ledger.id().0,
                shard: house.0,
                sequence: 0,
            };
            let plain = stores.vault.house().open(&context, &entry.sealed).unwrap();
            let event = SealedMessage::from_bytes(&plain).unwrap().reopen().unwrap();
            let Some(custody_proto::event::event::Act::Consultation(said)) = event.data.act else {
                panic!("something else");
            };
            assert_eq!((said.query.as_str(), said.count), ("m", count));
            stores.verify();
        }
    }

    #[tokio::test]
    async fn a_ledger_that_takes_nothing_more_is_no_silent_loss() {
        let stores = stores();
        let options = Stores::options(ConsultationMode::Durable, 10);
        let (kept, writer) =
            ConsultationWriter::start(stores.ledger.clone(), stores.vault.clone(), options)
                .unwrap();
        stores.ledger.close().unwrap();
        let refused = kept.answered(asked(&kept, li()), 1, None, soon()).await;
        assert!(matches!(refused, Err(QueryError::NotConsulted)));
        writer.stop();
    }
}
