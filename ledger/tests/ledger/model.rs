//! The ledger against a plain vector of what was acknowledged.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use custody_ledger::{
    BlockBuilder, Entry, FaultInjector, GapCause, Head, Ledger, LedgerError, ShardDescriptor, Step,
    TARGET_BODY_BYTES,
};
use parking_lot::Mutex;
use proptest::collection::vec;
use proptest::prelude::*;
use tempfile::TempDir;

use crate::fixture::{RULESET, TIME, assert_whole, copy_dir, entry, shard, with_faults};

#[derive(Clone, Debug)]
enum Message {
    Entry { sealed: usize },
    Duplicate,
    Rejected,
    Gap { count: i64, cause: GapCause },
}

#[derive(Clone, Debug)]
enum Action {
    /// Blocks to several shards, all on their way before the first answer.
    Append(Vec<(i32, Vec<Message>)>),
    House {
        entries: usize,
    },
    Reopen,
    Rotate,
    /// A step of a rotation fails, and the process is gone.
    CrashRotating {
        step: usize,
        done: bool,
    },
    /// A step of the next commit fails, and the process is gone.
    Crash {
        step: usize,
        done: bool,
        messages: Vec<Message>,
    },
}

fn messages() -> impl Strategy<Value = Vec<Message>> {
    let cause = (0..3usize).prop_map(|cause| GapCause::ALL[cause]);
    let message = prop_oneof![
        6 => prop_oneof![9 => 0..300usize, 1 => Just(TARGET_BODY_BYTES)].prop_map(|sealed| Message::Entry { sealed }),
        1 => Just(Message::Duplicate),
        1 => Just(Message::Rejected),
        1 => (1..1_000_000_000i64, cause).prop_map(|(count, cause)| Message::Gap { count, cause }),
    ];
    vec(message, 1..8)
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        5 => vec((0..3i32, messages()), 1..6).prop_map(Action::Append),
        1 => (1..5usize).prop_map(|entries| Action::House { entries }),
        1 => Just(Action::Reopen),
        1 => Just(Action::Rotate),
        1 => (0..Step::ROTATION.len(), any::<bool>())
            .prop_map(|(step, done)| Action::CrashRotating { step, done }),
        2 => (0..Step::COMMIT.len(), any::<bool>(), messages())
            .prop_map(|(step, done, messages)| Action::Crash { step, done, messages }),
    ]
}

/// What one shard holds, as far as it was acknowledged.
#[derive(Clone, Debug, Default, PartialEq)]
struct Shard {
    entries: Vec<Entry>,
    duplicates: u64,
    rejected: u64,
    gaps: [u64; 3],
    next_offset: i64,
}

impl Shard {
    fn apply(&mut self, builder: &mut BlockBuilder, messages: &[Message]) {
        for message in messages {
            let offset = self.next_offset;
            match message {
                Message::Entry { sealed } => {
                    let entry = entry(Some(offset), *sealed);
                    assert_eq!(builder.push(&entry).unwrap(), self.entries.len() as u64);
                    self.entries.push(entry);
                }
                Message::Duplicate => {
                    builder.duplicate(offset).unwrap();
                    self.duplicates += 1;
                }
                Message::Rejected => {
                    builder.rejected(offset).unwrap();
                    self.rejected += 1;
                }
                Message::Gap { count, cause } => {
                    builder.gap(offset, offset + count - 1, *cause).unwrap();
                    self.gaps[cause.index()] += *count as u64;
                    self.next_offset += count - 1;
                }
            }
            self.next_offset += 1;
        }
    }
}

/// Fails the step that is set.
#[derive(Default)]
struct Faults(Mutex<Option<(Step, bool)>>);

impl Faults {
    fn check(&self, at: (Step, bool)) -> io::Result<()> {
        match *self.0.lock() {
            Some(fails) if fails == at => Err(io::ErrorKind::StorageFull.into()),
            _ => Ok(()),
        }
    }
}

impl FaultInjector for Faults {
    fn before(&self, step: Step) -> io::Result<()> {
        self.check((step, false))
    }

    fn after(&self, step: Step) -> io::Result<()> {
        self.check((step, true))
    }
}

struct Run {
    dir: TempDir,
    faults: Arc<Faults>,
    ledger: Ledger,
    kafka: BTreeMap<i32, Shard>,
    house: usize,
}

impl Run {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let faults = Arc::new(Faults::default());
        let ledger = Ledger::open(dir.path(), with_faults(faults.clone())).unwrap();
        Self {
            dir,
            faults,
            ledger,
            kafka: BTreeMap::new(),
            house: 0,
        }
    }

    fn head(&self, partition: i32) -> Head {
        self.ledger.open_shard(&shard(partition)).unwrap()
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Append(blocks) => self.append(blocks),
            Action::House { entries } => {
                let entries: Vec<_> = (0..entries).map(|_| entry(None, 30)).collect();
                self.house += entries.len();
                let head = self.ledger.append_house(entries, TIME, RULESET).unwrap();
                assert_eq!(head.size, self.house as u64);
            }
            Action::Reopen => {
                self.ledger.close().unwrap();
                self.ledger =
                    Ledger::open(self.dir.path(), with_faults(self.faults.clone())).unwrap();
            }
            Action::Rotate => self.ledger.rotate().unwrap(),
            Action::CrashRotating { step, done } => {
                *self.faults.0.lock() = Some((Step::ROTATION[step], done));
                // Nothing fails where there is nothing to seal.
                let _ = self.ledger.rotate();
                *self.faults.0.lock() = None;
                self.crashed();
            }
            Action::Crash {
                step,
                done,
                messages,
            } => self.crash(Step::COMMIT[step], done, &messages),
        }
        self.compare();
    }

    fn append(&mut self, blocks: Vec<(i32, Vec<Message>)>) {
        let mut heads = BTreeMap::new();
        let (sender, receiver) = std::sync::mpsc::channel();
        for (partition, messages) in &blocks {
            let head = *heads
                .entry(*partition)
                .or_insert_with(|| self.head(*partition));
            let mut builder = BlockBuilder::new(self.ledger.id(), &head);
            self.kafka
                .entry(*partition)
                .or_default()
                .apply(&mut builder, messages);
            let built = builder.finish(TIME, RULESET).unwrap();
            heads.insert(*partition, built.head_after);
            let sender = sender.clone();
            self.ledger
                .submit(built, move |answer| sender.send(answer).unwrap());
        }
        for _ in blocks {
            receiver.recv().unwrap().unwrap();
        }
    }

    /// What was not acknowledged may be there or not, but only as a whole.
    fn crash(&mut self, step: Step, done: bool, messages: &[Message]) {
        let head = self.head(0);
        let mut after = self.kafka.entry(0).or_default().clone();
        let mut builder = BlockBuilder::new(self.ledger.id(), &head);
        after.apply(&mut builder, messages);
        let built = builder.finish(TIME, RULESET).unwrap();
        *self.faults.0.lock() = Some((step, done));
        let failed = self.ledger.commit(built.clone()).unwrap_err();
        assert!(matches!(failed, LedgerError::Write { step: at, .. } if at == step));
        *self.faults.0.lock() = None;

        self.crashed();
        let reopened = self.head(0);
        if reopened == built.head_after {
            self.kafka.insert(0, after);
        } else {
            assert_eq!(reopened, head);
        }
    }

    /// What a crash leaves is what the files hold now; the process that goes on
    /// is another one.
    fn crashed(&mut self) {
        let crashed = tempfile::tempdir().unwrap();
        copy_dir(self.dir.path(), crashed.path());
        self.ledger = Ledger::open(crashed.path(), with_faults(self.faults.clone())).unwrap();
        self.dir = crashed;
    }

    fn compare(&self) {
        for (partition, model) in &self.kafka {
            let head = self.head(*partition);
            assert_eq!(
                (head.size, head.next_offset),
                (model.entries.len() as u64, Some(model.next_offset))
            );
            let blocks = self.ledger.read_blocks(head.shard, 0, usize::MAX).unwrap();
            assert_eq!(blocks.len() as u64, head.blocks);
            let read: Vec<_> = blocks
                .iter()
                .flat_map(|block| block.entries())
                .map(Result::unwrap)
                .collect();
            let expected: Vec<_> = (0..).zip(model.entries.iter().cloned()).collect();
            assert!(read == expected, "shard {partition} holds other entries");
        }
    }

    fn finish(self) {
        self.ledger.close().unwrap();
        let report = assert_whole(self.dir.path());
        for shard in report.shards {
            if shard.descriptor == ShardDescriptor::house() {
                assert_eq!(shard.entries, self.house as u64);
                continue;
            }
            let model = self
                .kafka
                .get(&shard.descriptor.partition)
                .cloned()
                .unwrap_or_default();
            let counted = (shard.entries, shard.duplicates, shard.rejected, shard.gaps);
            assert_eq!(
                counted,
                (
                    model.entries.len() as u64,
                    model.duplicates,
                    model.rejected,
                    model.gaps
                )
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn a_ledger_holds_what_was_acknowledged(actions in vec(action(), 1..14)) {
        let mut run = Run::new();
        for action in actions {
            run.act(action);
        }
        run.finish();
    }
}
