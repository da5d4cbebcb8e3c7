//! The read model follows the ledger, survives crashes and makes itself anew.

use std::time::{Duration, Instant};

use custody_ledger::{BlockBuilder, Digest, Ledger, LedgerOptions, ShardId};
use custody_proto::v1;
use custody_query::{Deadline, Following, ReadModel, ReadModelError, ReadModelOptions};
use tonic::Code;
use tonic_types::StatusExt;

use crate::findings::finding;
use crate::world::{Draft, World};

fn subject(id: &str, at_least: Option<v1::AtLeast>) -> v1::GetSubjectRequest {
    v1::GetSubjectRequest {
        subject: id.to_owned(),
        at_least,
        ..Default::default()
    }
}

fn sizes(shards: &[(ShardId, u64)]) -> Option<v1::AtLeast> {
    let shards = shards.iter().map(|(shard, size)| v1::ShardHead {
        shard: shard.to_string(),
        size: *size,
        ..Default::default()
    });
    Some(v1::AtLeast {
        shards: shards.collect(),
    })
}

#[test]
fn one_reads_what_one_wrote() {
    let mut world = World::new();
    let follower = world.model().follow(&world.ledger).unwrap();
    for round in 1..=20u64 {
        world.commit(
            0,
            &[Draft::collection("account:1001", &format!("e-{round}"), 1)],
        );
        let wanted = sizes(&[(world.shards[0].id(), round)]);
        let summary = world.ask(subject("account:1001", wanted)).unwrap();
        assert_eq!(summary.entries, round);
        let head = summary.head.unwrap();
        let shard = head
            .shards
            .iter()
            .find(|shard| shard.size == round)
            .unwrap();
        let at = world.ledger.head(world.shards[0].id()).unwrap();
        assert_eq!(shard.block_digest, at.block_digest.as_bytes());
        assert_eq!(shard.next_offset, at.next_offset);
    }
    follower.stop();
}

#[test]
fn what_does_not_come_in_time_is_said() {
    let mut world = World::new();
    world.commit(0, &[Draft::collection("account:1001", "e-1", 1)]);
    world.catch_up();
    let soon = || Deadline::after(Duration::from_millis(30));
    let shard = world.shards[0].id();

    let late = world
        .api()
        .ask(subject("account:1001", sizes(&[(shard, 7)])), soon())
        .unwrap_err();
    assert_eq!(late.code(), Code::DeadlineExceeded);
    let info = late.get_details_error_info().unwrap();
    assert_eq!(info.metadata[&format!("shard-{shard}")], "size 1 of 7");

    let unknown = sizes(&[(ShardId([9; 16]), 1)]);
    let status = world
        .api()
        .ask(subject("account:1001", unknown), soon())
        .unwrap_err();
    assert_eq!(status.code(), Code::NotFound);
    assert_eq!(
        status.get_details_error_info().unwrap().reason,
        "SHARD_UNKNOWN"
    );

    let by_offset = |next_offset| {
        Some(v1::AtLeast {
            shards: vec![v1::ShardHead {
                shard: shard.to_string(),
                next_offset: Some(next_offset),
                ..Default::default()
            }],
        })
    };
    assert!(
        world
            .api()
            .ask(subject("account:1001", by_offset(1)), soon())
            .is_ok()
    );
    assert!(
        world
            .api()
            .ask(subject("account:1001", by_offset(2)), soon())
            .is_err()
    );
}

#[test]
fn before_it_has_caught_up_there_is_no_answer_but_the_checkpoint() {
    let mut world = World::new();
    world.commit(0, &[Draft::collection("account:1001", "e-1", 1)]);
    let soon = || Deadline::after(Duration::from_millis(30));
    let status = world
        .api()
        .ask(subject("account:1001", None), soon())
        .unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert_eq!(
        status.get_details_error_info().unwrap().reason,
        "READ_MODEL_CATCHING_UP"
    );

    let checkpoint = world
        .api()
        .ask(v1::GetCheckpointRequest::default(), soon())
        .unwrap();
    let total = |head: Option<v1::LedgerHead>| {
        head.unwrap()
            .shards
            .iter()
            .map(|shard| shard.size)
            .sum::<u64>()
    };
    assert_eq!(checkpoint.ledger, world.ledger.id().to_string());
    assert_eq!((total(checkpoint.head), total(checkpoint.visible)), (1, 0));
    world.catch_up();
    let checkpoint = world
        .api()
        .ask(v1::GetCheckpointRequest::default(), soon())
        .unwrap();
    assert_eq!(checkpoint.head, checkpoint.visible);
}

#[test]
fn after_a_crash_it_goes_on_from_its_position() {
    let mut world = World::new();
    world.commit(0, &[Draft::collection("account:1001", "e-1", 1)]);
    world.catch_up();
    let taken_in = world.model().visible().entries();
    world.drop_model();
    world.commit(1, &[Draft::collection("account:1001", "e-2", 2)]);
    world.open();
    // Nothing was read from the ledger yet: this came from the disk.
    assert_eq!(world.model().visible().entries(), taken_in);
    world.catch_up();
    assert_eq!(world.ask(subject("account:1001", None)).unwrap().entries, 2);
}

#[test]
fn another_format_another_ledger_and_rubbish_start_empty() {
    let mut world = World::new();
    world.commit(0, &[Draft::collection("account:1001", "e-1", 1)]);
    world.catch_up();
    let directory = world.read_model_directory();
    let stamp = directory.join("STAMP");
    let good = std::fs::read_to_string(&stamp).unwrap();
    let ours = world.api().state().read_model().ledger().to_string();
    let other_ledger = good.replace(&ours, &"0".repeat(32));
    let version = good.lines().next().unwrap();
    let number: u32 = version.rsplit(' ').next().unwrap().parse().unwrap();
    let of = |number: u32| good.replace(version, &format!("custody read model {number}"));
    for text in [
        "",
        "custody read model 0\n",
        &of(number + 1),
        &of(number - 1),
        &other_ledger,
    ] {
        world.drop_model();
        std::fs::write(&stamp, text).unwrap();
        world.open();
        assert_eq!(world.model().visible().entries(), 0);
        assert_eq!(std::fs::read_to_string(&stamp).unwrap(), good);
        world.catch_up();
        assert_eq!(world.ask(subject("account:1001", None)).unwrap().entries, 1);
    }
    world.drop_model();
    std::fs::remove_dir_all(directory.join("db")).unwrap();
    std::fs::create_dir(directory.join("db")).unwrap();
    std::fs::write(directory.join("db").join("version"), b"rubbish").unwrap();
    world.open();
    world.catch_up();
    assert_eq!(world.ask(subject("account:1001", None)).unwrap().entries, 1);
}

#[test]
fn a_read_model_that_is_ahead_of_a_restored_ledger_starts_empty() {
    let mut world = World::new();
    world.commit(0, &[Draft::collection("account:1001", "e-1", 1)]);
    world.catch_up();

    // Another ledger stands in for the same one restored: once without the
    // shard, once with less of it, once with other blocks.
    let stamp = world.read_model_directory().join("STAMP");
    let positions = |model: &ReadModel| model.visible().entries();
    let good = std::fs::read_to_string(&stamp).unwrap();
    let ours = world.ledger.id().to_string();
    for blocks in [None, Some(0), Some(1), Some(2)] {
        let backup = tempfile::tempdir().unwrap();
        let other = Ledger::open(&backup.path().join("ledger"), LedgerOptions::default()).unwrap();
        let shard = &world.shards[0];
        if let Some(blocks) = blocks {
            let mut head = other.open_shard(shard).unwrap();
            for _ in 0..blocks {
                let mut block = BlockBuilder::new(other.id(), &head);
                block.duplicate(head.next_offset.unwrap()).unwrap();
                head = other
                    .commit(block.finish(1, Digest([7; 32])).unwrap())
                    .unwrap();
            }
        }
        world.drop_model();
        world.open();
        world.catch_up();
        assert_eq!(positions(&world.model()), 1);
        world.drop_model();
        std::fs::write(&stamp, good.replace(&ours, &other.id().to_string())).unwrap();
        let model = ReadModel::open(
            &world.read_model_directory(),
            &other,
            &ReadModelOptions::default(),
        )
        .unwrap();
        assert_eq!(positions(&model), 0, "{blocks:?}");
        model.catch_up(&other, &mut |_| {}).unwrap();
        assert_eq!(positions(&model), 0, "{blocks:?}");
    }
}

#[test]
fn two_processes_do_not_share_it() {
    let world = World::new();
    let second = ReadModel::open(
        &world.read_model_directory(),
        &world.ledger,
        &ReadModelOptions::default(),
    );
    assert!(matches!(second.err(), Some(ReadModelError::Locked { .. })));
    let rebuilt = ReadModel::rebuild(
        &world.read_model_directory(),
        &world.ledger,
        &ReadModelOptions::default(),
        &mut |_| {},
    );
    assert!(matches!(rebuilt.err(), Some(ReadModelError::Locked { .. })));
}

#[test]
fn a_long_history_comes_in_as_sorted_tables() {
    let mut world = World::new();
    let drafts: Vec<Draft> = (0..500)
        .map(|n| {
            let mut draft = Draft::collection(
                &format!("account:{}", n % 100),
                &format!("e-{n}"),
                i64::from(n % 7),
            );
            draft.findings = vec![finding("sale")];
            draft
        })
        .collect();
    // More than one bulk of 30,000 events, in both shards.
    for round in 0..110 {
        world.commit(round % 2, &drafts);
    }
    let start = Instant::now();
    let mut steps = Vec::new();
    let reached = world
        .model()
        .catch_up(&world.ledger, &mut |step| steps.push(step))
        .unwrap();
    println!("{} entries in {:?}", reached.taken_in, start.elapsed());
    assert_eq!((reached.taken_in, reached.lag()), (55_000, 0));
    // In one go, so that it went past the journal.
    assert_eq!(steps.len(), 1);
    let summary = world.ask(subject("account:7", None)).unwrap();
    assert_eq!(summary.entries, 550);
    let found = world.ask(v1::OversightFindingSummaryRequest::default());
    assert_eq!(found.unwrap().counts[0].count, 55_000);

    // The same after a crash, and with the tail behind it.
    world.drop_model();
    world.open();
    world.commit(0, &[Draft::collection("account:7", "tail", 9)]);
    world.catch_up();
    assert_eq!(world.ask(subject("account:7", None)).unwrap().entries, 551);
}

#[test]
fn the_follower_catches_up_and_says_so() {
    let mut world = World::new();
    world.commit(0, &[Draft::collection("account:1001", "e-1", 1)]);
    let model = world.model();
    assert_eq!(model.visible().following, Following::CatchingUp);
    let follower = model.follow(&world.ledger).unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    let (_, live) = model.wait_until(deadline, |visible| visible.following == Following::Live);
    assert!(live);
    drop(follower);
}
