use std::path::Path;

use custody_ledger::{Act, BlockBuilder, Entry, HouseRecord, Kind, ShardDescriptor, VerifyOptions};

use super::*;
use crate::data_dir::DataDir;

fn shard() -> ShardDescriptor {
    ShardDescriptor {
        cluster_id: "cluster".to_owned(),
        topic: "events".to_owned(),
        topic_id: String::new(),
        partition: 0,
        epoch: 0,
    }
}

/// Appends entries, each a block of its own.
fn append(config: &Config, entries: i64) {
    let data = DataDir::open_signing(config, None).unwrap();
    let mut head = data.ledger.open_shard(&shard()).unwrap();
    for _ in 0..entries {
        let mut block = BlockBuilder::new(data.ledger.id(), &head);
        let mut entry = Entry::new(Kind::Collection, 1);
        entry.offset = head.next_offset;
        block.push(&entry).unwrap();
        head = data
            .ledger
            .commit(block.finish(1, Digest([0; 32])).unwrap())
            .unwrap();
    }
    data.close().unwrap();
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// A ledger of 3 entries, restored after 7 were signed into an anchor that lies
/// elsewhere.
fn restored() -> (tempfile::TempDir, Config) {
    let dir = tempfile::tempdir().unwrap();
    let mut config = Config {
        data_dir: dir.path().join("data"),
        ..Config::default()
    };
    config.ledger.segment_bytes = 64 << 10;
    config.ledger.signed_anchor_dir = dir.path().join("anchor");
    std::fs::create_dir(&config.ledger.signed_anchor_dir).unwrap();
    append(&config, 3);
    let ledger = ledger_dir(&config.data_dir);
    copy(&ledger, &dir.path().join("backup"));
    append(&config, 4);
    std::fs::remove_dir_all(&ledger).unwrap();
    std::fs::rename(dir.path().join("backup"), &ledger).unwrap();
    (dir, config)
}

fn command(
    shards: &[ShardId],
    all: bool,
    yes: bool,
    config: &Config,
) -> Result<Exit, CommandError> {
    let resume = Resume {
        shards: shards.to_vec(),
        all,
        yes,
        place: Where { data: None },
    };
    resume.in_place(config)
}

#[test]
fn an_older_copy_opens_only_after_what_it_lost_is_given_up() {
    let (_dir, config) = restored();
    let error = DataDir::open_signing(&config, None).err().unwrap();
    let text = format!("{:#}", anyhow::Error::new(error));
    assert!(text.contains("custody shard resume"), "{text}");

    let lost = lost(&config).unwrap();
    let end = lost.iter().find(|end| end.shard == shard().id()).unwrap();
    assert_eq!((end.abandoned.size, end.surviving.size), (7, 3));
    let mut told = Vec::new();
    explain(&mut told, end).unwrap();
    let told = String::from_utf8(told).unwrap();
    for expected in ["events/0", "was:    7", "is:     3", "lost:   4", "epoch 1"] {
        assert!(told.contains(expected), "{told}");
    }

    // Nothing happens by accident.
    let other = ShardId([9; 16]);
    let error = command(&[other], false, true, &config).unwrap_err();
    assert!(error.to_string().contains("has not lost"), "{error}");
    assert!(lost_ends(&ledger_dir(&config.data_dir), &ledger_options(&config)).is_ok());

    assert_eq!(command(&[], true, true, &config).unwrap(), Exit::Done);
    append(&config, 2);
    let data = DataDir::open(&config).unwrap();
    let head = data.ledger.head(shard().id()).unwrap();
    assert_eq!((head.epoch, head.size), (1, 5));
    let said = data
        .ledger
        .read_blocks(ShardDescriptor::house().id(), 0, 1 << 20)
        .unwrap()
        .iter()
        .flat_map(|block| block.entries().map(Result::unwrap).collect::<Vec<_>>())
        .any(|(_, entry)| {
            matches!(&entry.act, Act::House(HouseRecord::ShardResumed { abandoned, .. })
                if abandoned.size == 7)
        });
    assert!(said, "the house says what was given up");
    data.close().unwrap();
    let report = custody_ledger::verify(&ledger_dir(&config.data_dir), &VerifyOptions::default());
    let report = report.unwrap();
    assert!(report.ok(), "{:?}", report.faults);
}

#[test]
fn where_nothing_is_lost_nothing_changes() {
    let dir = tempfile::tempdir().unwrap();
    let config = Config {
        data_dir: dir.path().join("data"),
        ..Config::default()
    };
    let error = command(&[], true, true, &config).unwrap_err();
    assert!(matches!(error, CommandError::NoLedger { .. }), "{error}");
    append(&config, 2);
    assert_eq!(command(&[], true, true, &config).unwrap(), Exit::Done);
    let data = DataDir::open(&config).unwrap();
    assert_eq!(data.ledger.head(shard().id()).unwrap().epoch, 0);
    data.close().unwrap();
}
