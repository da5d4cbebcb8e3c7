//! A ledger at work.

use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use custody_ledger::{
    Block, BlockBuilder, BuildError, GapCause, Ledger, LedgerError, LedgerId, LedgerOptions,
    MAX_ENTRY_BYTES, ShardDescriptor, TARGET_BODY_BYTES,
};

use crate::fixture::{RULESET, TIME, assert_whole, block, entry, options, shard};

#[test]
fn blocks_in_flight_are_acknowledged_in_order_and_read_back() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(
        dir.path(),
        LedgerOptions {
            queue_bytes: 4 << 10,
            group_bytes: 2 << 10,
            ..options()
        },
    )
    .unwrap();
    let mut head = ledger.open_shard(&shard(0)).unwrap();
    assert_eq!((head.blocks, head.size, head.next_offset), (0, 0, Some(0)));
    let (sender, receiver) = mpsc::channel();
    let mut built = Vec::new();
    for count in 0..40 {
        let next = block(&ledger, &head, count % 5, 100);
        head = next.head_after;
        built.push(next.clone());
        let sender = sender.clone();
        ledger.submit(next, move |answer| {
            sender.send((count, answer.unwrap())).unwrap()
        });
    }
    for (count, block) in built.iter().enumerate() {
        assert_eq!(receiver.recv().unwrap(), (count, block.head_after));
    }
    assert_eq!(ledger.head(head.shard), Some(head));
    let mut read = Vec::new();
    while let Some(last) = ledger
        .read_blocks(head.shard, read.len() as u64, 3000)
        .unwrap()
        .split_off_first()
    {
        read.extend(last);
    }
    let stored: Vec<_> = read.iter().map(Block::as_bytes).collect();
    assert_eq!(
        stored,
        built
            .iter()
            .map(|block| block.bytes.as_slice())
            .collect::<Vec<_>>()
    );
    assert_eq!(ledger.read_block(head.shard, 40).unwrap(), None);
    ledger.close().unwrap();
    assert_whole(dir.path());
}

/// All of a batch, `None` where there is nothing.
trait SplitOffFirst: Sized {
    fn split_off_first(self) -> Option<Self>;
}

impl SplitOffFirst for Vec<Block> {
    fn split_off_first(self) -> Option<Self> {
        (!self.is_empty()).then_some(self)
    }
}

#[test]
fn a_callback_may_submit_the_next_block() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(
        dir.path(),
        LedgerOptions {
            queue_bytes: 1,
            ..options()
        },
    )
    .unwrap();
    let head = ledger.open_shard(&shard(0)).unwrap();
    let (sender, receiver) = mpsc::channel();
    fn chain(
        ledger: Ledger,
        head: custody_ledger::Head,
        left: usize,
        sender: mpsc::Sender<custody_ledger::Head>,
    ) {
        let next = block(&ledger, &head, 1, 10);
        let again = ledger.clone();
        ledger.submit(next, move |answer| {
            let head = answer.unwrap();
            match left {
                0 => sender.send(head).unwrap(),
                _ => chain(again, head, left - 1, sender),
            }
        });
    }
    chain(ledger.clone(), head, 9, sender);
    assert_eq!(
        receiver
            .recv_timeout(Duration::from_secs(20))
            .unwrap()
            .blocks,
        10
    );
    ledger.close().unwrap();
    assert_whole(dir.path());
}

#[test]
fn a_block_that_does_not_fit_is_refused_and_harms_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(dir.path(), options()).unwrap();
    let head = ledger.open_shard(&shard(0)).unwrap();
    let first = block(&ledger, &head, 1, 10);
    let after = ledger.commit(first.clone()).unwrap();

    let again = ledger.commit(first.clone()).unwrap_err();
    assert!(
        matches!(
            again,
            LedgerError::NotNext {
                height: 0,
                blocks: 1,
                ..
            }
        ) && !again.stops_ledger(),
        "{again}"
    );
    let jump = block(&ledger, &block(&ledger, &after, 1, 10).head_after, 1, 10);
    assert!(matches!(
        ledger.commit(jump),
        Err(LedgerError::NotNext { .. })
    ));
    let unknown = block(&ledger, &ShardHead::of(&shard(5)), 1, 10);
    assert!(matches!(
        ledger.commit(unknown),
        Err(LedgerError::UnknownShard { .. })
    ));
    let mut torn = block(&ledger, &after, 1, 10);
    torn.bytes[300] ^= 1;
    assert!(matches!(
        ledger.commit(torn),
        Err(LedgerError::Malformed(_))
    ));
    let mut other_epoch = BlockBuilder::resuming(ledger.id(), &after, 1);
    other_epoch.rejected(after.next_offset.unwrap()).unwrap();
    let refused = ledger.commit(other_epoch.finish(TIME, RULESET).unwrap());
    assert!(matches!(refused, Err(LedgerError::NotNext { .. })));

    assert_eq!(ledger.poisoned(), None);
    ledger.commit(block(&ledger, &after, 2, 10)).unwrap();
    ledger.close().unwrap();
    assert_eq!(assert_whole(dir.path()).blocks(), 2);
}

struct ShardHead;

impl ShardHead {
    /// As a fresh shard's head, in no particular ledger.
    fn of(shard: &ShardDescriptor) -> custody_ledger::Head {
        let genesis = shard.genesis(LedgerId([0; 16]));
        custody_ledger::Head {
            shard: shard.id(),
            blocks: 0,
            size: 0,
            next_offset: Some(0),
            chain_head: genesis,
            block_digest: genesis,
            recorded_time_ns: 0,
            epoch: 0,
        }
    }
}

#[test]
fn the_builder_accounts_for_every_offset() {
    let head = ShardHead::of(&shard(0));
    let mut builder = BlockBuilder::new(LedgerId([0; 16]), &head);
    assert!(builder.is_empty());
    assert_eq!(
        builder.clone().finish(0, RULESET).unwrap_err(),
        BuildError::Empty
    );
    let jump = BuildError::Unaccounted {
        expected: 0,
        found: 3,
    };
    assert_eq!(builder.push(&entry(Some(3), 1)).unwrap_err(), jump);
    assert_eq!(builder.duplicate(3).unwrap_err(), jump);
    builder.gap(0, 2, GapCause::Unknown).unwrap();
    assert!(!builder.is_empty());
    assert_eq!(builder.push(&entry(Some(3), 1)).unwrap(), 0);
    assert_eq!(
        builder.rejected(3).unwrap_err(),
        BuildError::Repeated {
            expected: 4,
            found: 3
        }
    );
    assert_eq!(
        builder.gap(4, 3, GapCause::Unknown).unwrap_err(),
        BuildError::OutOfRange
    );
    assert_eq!(
        builder.gap(4, i64::MAX, GapCause::Unknown).unwrap_err(),
        BuildError::OutOfRange
    );
    assert_eq!(
        builder.push(&entry(None, 1)).unwrap_err(),
        BuildError::Offset
    );
    assert_eq!(builder.next_sequence(), 1);
    let built = builder.finish(-5, RULESET).unwrap();
    let block = Block::decode(&built.bytes).unwrap();
    assert_eq!(
        (block.header.first_offset, block.header.last_offset),
        (Some(0), Some(3))
    );
    assert_eq!(
        (block.header.gaps, block.header.recorded_time_ns),
        ([0, 0, 3], 0)
    );
    assert_eq!(built.head_after.next_offset, Some(4));
}

#[test]
fn blocks_are_cut_and_long_entries_stand_alone() {
    let head = ShardHead::of(&shard(0));
    let mut builder = BlockBuilder::new(LedgerId([0; 16]), &head);
    builder
        .push(&entry(Some(0), TARGET_BODY_BYTES / 2))
        .unwrap();
    assert!(!builder.is_full());
    builder
        .push(&entry(Some(1), TARGET_BODY_BYTES / 2))
        .unwrap();
    assert!(builder.is_full());
    let before = builder.body_bytes();
    assert!(matches!(
        builder.push(&entry(Some(2), 1 << 20)),
        Err(BuildError::BlockFull { .. })
    ));
    assert_eq!(builder.body_bytes(), before);
    let built = builder.finish(TIME, RULESET).unwrap();

    let mut builder = BlockBuilder::new(LedgerId([0; 16]), &built.head_after);
    assert!(matches!(
        builder.push(&entry(Some(2), MAX_ENTRY_BYTES)),
        Err(BuildError::Entry(_))
    ));
    assert_eq!(builder.push(&entry(Some(2), 1 << 20)).unwrap(), 2);
    Block::decode(&builder.finish(TIME, RULESET).unwrap().bytes).unwrap();
}

/// In segments of any size a block of any size goes into the log, never into
/// a file of its own, which sled would not sync.
#[test]
fn long_blocks_leave_no_unsynced_files() {
    for (segment_bytes, sealed) in [
        (64 << 10, 1 << 20),
        (256 << 10, 1 << 20),
        (8 << 20, 1 << 20),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let open = || {
            Ledger::open(
                dir.path(),
                LedgerOptions {
                    segment_bytes,
                    ..options()
                },
            )
            .unwrap()
        };
        let ledger = open();
        let mut head = ledger.open_shard(&shard(0)).unwrap();
        let blobs = || {
            std::fs::read_dir(dir.path().join("db.0/blobs"))
                .unwrap()
                .count()
        };
        let mut built = Vec::new();
        for count in 0..24 {
            let next = block(
                &ledger,
                &head,
                1,
                if count % 3 == 0 { sealed } else { 50_000 },
            );
            head = ledger.commit(next.clone()).unwrap();
            built.push(next.bytes);
            assert_eq!(blobs(), 0, "segments of {segment_bytes}, block {count}");
        }
        ledger.close().unwrap();
        assert_eq!(blobs(), 0);
        let ledger = open();
        let read = ledger.read_blocks(head.shard, 0, usize::MAX).unwrap();
        assert_eq!(
            read.into_iter().map(Block::into_bytes).collect::<Vec<_>>(),
            built
        );
        ledger.close().unwrap();
        assert_whole(dir.path());
    }
}

#[test]
fn house_entries_of_several_threads_all_arrive() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(dir.path(), options()).unwrap();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..10 {
                    ledger
                        .append_house(vec![entry(None, 5), entry(None, 6)], TIME, RULESET)
                        .unwrap();
                }
            });
        }
    });
    let house = ShardDescriptor::house();
    assert_eq!(ledger.head(house.id()).unwrap().size, 80);
    assert!(matches!(
        ledger.append_house(Vec::new(), TIME, RULESET),
        Err(LedgerError::Build(BuildError::Empty))
    ));
    let refused = ledger.append_house(vec![entry(None, 5), entry(Some(1), 5)], TIME, RULESET);
    assert!(matches!(
        refused,
        Err(LedgerError::Build(BuildError::Offset))
    ));
    assert_eq!(ledger.head(house.id()).unwrap().size, 80);
    // Made when their place is known, while others append.
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| ledger.append_house(vec![entry(None, 5)], TIME, RULESET));
            scope.spawn(|| {
                let made = ledger.append_house_made(
                    |first| {
                        let mut made = vec![entry(None, 5), entry(None, 6)];
                        made[0].event_time_ns = i64::try_from(first).unwrap();
                        made
                    },
                    100,
                    TIME,
                    RULESET,
                );
                made.unwrap();
            });
        }
    });
    let read = ledger.read_blocks(house.id(), 0, usize::MAX).unwrap();
    let entries = read.iter().flat_map(Block::entries);
    let late = entries.map(|read| read.unwrap()).filter(|(at, _)| *at >= 80);
    let placed = late.filter(|(at, entry)| entry.event_time_ns == i64::try_from(*at).unwrap());
    assert_eq!(placed.count(), 2);
    assert!(matches!(
        ledger.append_house_made(|_| panic!("no"), 0, TIME, RULESET),
        Err(LedgerError::Build(BuildError::Empty))
    ));
    assert_eq!(ledger.head(house.id()).unwrap().size, 86);
    // More than one block.
    let many = (0..3).map(|_| entry(None, 400_000)).collect();
    assert_eq!(ledger.append_house(many, TIME, RULESET).unwrap().size, 89);
    assert_eq!(ledger.shards().len(), 1);
    ledger.close().unwrap();
    assert_whole(dir.path());
}

#[test]
fn subscribers_wake_on_commits_and_on_closing() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(dir.path(), options()).unwrap();
    let mut subscription = ledger.subscribe();
    assert!(!subscription.wait(Duration::from_millis(10)));
    ledger
        .append_house(vec![entry(None, 5)], TIME, RULESET)
        .unwrap();
    assert!(subscription.wait(Duration::from_secs(20)));
    assert!(!subscription.wait(Duration::ZERO));
    let woken = Arc::new(Mutex::new(None));
    thread::scope(|scope| {
        let woken = woken.clone();
        let mut subscription = ledger.subscribe();
        scope.spawn(move || *woken.lock().unwrap() = Some(subscription.wait(Duration::MAX)));
        ledger.close().unwrap();
    });
    assert_eq!(*woken.lock().unwrap(), Some(false));
    assert!(subscription.is_closed());
}

#[test]
fn a_closed_ledger_answers_that_it_is_closed() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(dir.path(), options()).unwrap();
    let other = ledger.clone();
    let head = ledger.open_shard(&shard(0)).unwrap();
    let built = block(&ledger, &head, 1, 10);
    ledger.commit(built.clone()).unwrap();
    ledger.close().unwrap();
    other.close().unwrap();
    assert!(matches!(other.commit(built), Err(LedgerError::Closed)));
    assert!(matches!(
        other.read_block(head.shard, 0),
        Err(LedgerError::Closed)
    ));
    // The files are free although handles live.
    let again = Ledger::open(dir.path(), options()).unwrap();
    assert_eq!(again.id(), ledger.id());
    assert_eq!(again.head(head.shard).unwrap().blocks, 1);
    // Dropping closes too.
    drop(again);
    assert_eq!(assert_whole(dir.path()).warnings, Vec::<String>::new());
}
