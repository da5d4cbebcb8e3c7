//! Databases that become segments, while the ledger goes on.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use custody_ledger::{
    AbandonedHead, Act, Block, BlockBuilder, BuiltBlock, Compression, Digest, Entry, Head,
    HouseRecord, Kind, Ledger, LedgerError, LedgerOptions, OpenError, Place, ShardDescriptor,
    ShardId, SurvivingHead,
};

use crate::fixture::{
    RULESET, TIME, assert_whole, block, check, contents, copy_dir, entry, options, shard,
};

/// Rotates by hand only.
fn by_hand() -> LedgerOptions {
    options()
}

/// A ledger with `rotations` rotations, blocks before, between and after them.
fn rotated(dir: &Path, rotations: usize) -> (Ledger, Vec<BuiltBlock>) {
    rotated_with(dir, rotations, by_hand())
}

fn rotated_with(dir: &Path, rotations: usize, options: LedgerOptions) -> (Ledger, Vec<BuiltBlock>) {
    let ledger = Ledger::open(dir, options).unwrap();
    let mut built = Vec::new();
    let mut head = ledger.open_shard(&shard(0)).unwrap();
    for round in 0..=rotations {
        for count in 0..4 {
            let next = block(&ledger, &head, count * 3, 200);
            head = ledger.commit(next.clone()).unwrap();
            built.push(next);
        }
        ledger
            .append_house(vec![entry(None, 10)], TIME, RULESET)
            .unwrap();
        if round < rotations {
            ledger.rotate().unwrap();
        }
    }
    (ledger, built)
}

fn read_all(ledger: &Ledger, shard: ShardId) -> Vec<Vec<u8>> {
    let blocks = ledger.read_blocks(shard, 0, usize::MAX).unwrap();
    blocks.into_iter().map(Block::into_bytes).collect()
}

fn bytes(built: &[BuiltBlock]) -> Vec<Vec<u8>> {
    built.iter().map(|block| block.bytes.clone()).collect()
}

/// How many segments there are, also while there come more.
fn segments(dir: &Path) -> usize {
    let mut count = 0;
    for shard in fs::read_dir(dir.join("segments")).unwrap() {
        let shard = shard.unwrap().path();
        if shard.is_dir() {
            let files = fs::read_dir(shard).unwrap();
            let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
            count += names.filter(|name| name.ends_with(".seg")).count();
        }
    }
    count
}

#[test]
fn what_is_sealed_is_read_found_and_read_again() {
    for compression in [Compression::None, Compression::Zstd(3)] {
        let dir = tempfile::tempdir().unwrap();
        let options = LedgerOptions {
            compression,
            ..by_hand()
        };
        let (ledger, built) = rotated_with(dir.path(), 3, options);
        let id = shard(0).id();
        assert_eq!(segments(dir.path()), 6);
        assert_eq!(ledger.sealing_failed(), None);
        let check = |ledger: &Ledger| {
            assert_eq!(read_all(ledger, id), bytes(&built));
            let mut rereader = ledger.rereader();
            for (height, block) in built.iter().enumerate() {
                let height = height as u64;
                assert_eq!(
                    rereader.block(id, height).unwrap().as_bytes(),
                    block.bytes,
                    "block {height}"
                );
                assert_eq!(ledger.reread(id, height).unwrap().into_bytes(), block.bytes);
                let one = ledger.read_block(id, height).unwrap().unwrap();
                for entry in one.entries() {
                    let sequence = entry.unwrap().0;
                    assert_eq!(ledger.find_block(id, sequence).unwrap(), Some(height));
                }
            }
            let head = ledger.head(id).unwrap();
            assert_eq!(ledger.find_block(id, head.size).unwrap(), None);
            assert!(matches!(
                rereader.block(id, head.blocks),
                Err(LedgerError::Damaged { .. })
            ));
        };
        check(&ledger);
        ledger.close().unwrap();
        assert_eq!(assert_whole(dir.path()).warnings, Vec::<String>::new());
        let ledger = Ledger::open(dir.path(), by_hand()).unwrap();
        check(&ledger);
        // Nothing to seal the second time.
        ledger.rotate().unwrap();
        ledger.rotate().unwrap();
        check(&ledger);
        ledger.close().unwrap();
        assert_whole(dir.path());
    }
}

#[test]
fn a_full_or_old_database_is_sealed_by_itself() {
    let by_size = LedgerOptions {
        rotate_bytes: 20_000,
        ..options()
    };
    let by_age = LedgerOptions {
        rotate_age: Duration::from_millis(30),
        ..options()
    };
    for options in [by_size, by_age] {
        let dir = tempfile::tempdir().unwrap();
        let ledger = Ledger::open(dir.path(), options.clone()).unwrap();
        let mut head = ledger.open_shard(&shard(0)).unwrap();
        let mut built = Vec::new();
        let started = Instant::now();
        while segments(dir.path()) < 3 {
            assert!(started.elapsed() < Duration::from_secs(60));
            let next = block(&ledger, &head, 5, 400);
            head = ledger.commit(next.clone()).unwrap();
            built.push(next);
            thread::sleep(Duration::from_millis(2));
        }
        assert_eq!(read_all(&ledger, head.shard), bytes(&built));
        if options.rotate_age < Duration::from_secs(1) {
            // Also when nothing more comes.
            let before = segments(dir.path());
            ledger.commit(block(&ledger, &head, 5, 400)).unwrap();
            while segments(dir.path()) == before {
                assert!(started.elapsed() < Duration::from_secs(60));
                thread::sleep(Duration::from_millis(5));
            }
        }
        ledger.close().unwrap();
        assert_whole(dir.path());
    }
}

/// Readers and appends while databases come and go.
#[test]
fn reading_goes_on_while_databases_are_sealed() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(
        dir.path(),
        LedgerOptions {
            rotate_bytes: 30_000,
            ..options()
        },
    )
    .unwrap();
    let shards: Vec<_> = (0..3).map(shard).collect();
    let mut heads: Vec<Head> = shards
        .iter()
        .map(|shard| ledger.open_shard(shard).unwrap())
        .collect();
    let done = std::sync::atomic::AtomicBool::new(false);
    thread::scope(|scope| {
        for shard in &shards {
            let (ledger, done) = (&ledger, &done);
            scope.spawn(move || {
                let id = shard.id();
                let mut rereader = ledger.rereader();
                let mut at = 0;
                while !done.load(std::sync::atomic::Ordering::Relaxed) {
                    let Some(head) = ledger.head(id) else {
                        continue;
                    };
                    while at < head.blocks {
                        let block = rereader.block(id, at).unwrap();
                        let read = ledger.read_block(id, at).unwrap().unwrap();
                        assert_eq!(block, read);
                        if block.header.entries > 0 {
                            let found = ledger.find_block(id, block.header.first_sequence);
                            assert_eq!(found.unwrap(), Some(at));
                        }
                        at += 1;
                    }
                    thread::sleep(Duration::from_millis(1));
                }
                assert!(at > 100, "{at}");
            });
        }
        for round in 0..150 {
            for head in &mut heads {
                // Some in several parts.
                let built = block(&ledger, head, round % 4, 700);
                *head = ledger.commit(built).unwrap();
            }
        }
        thread::sleep(Duration::from_millis(200));
        done.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    assert!(segments(dir.path()) > 6);
    assert_eq!(ledger.sealing_failed(), None);
    ledger.close().unwrap();
    assert_whole(dir.path());
}

/// A flipped byte anywhere in a sealed file: verify names it, and reading says
/// so where it matters.
#[test]
fn a_damaged_segment_is_found_by_open_verify_and_read() {
    let dir = tempfile::tempdir().unwrap();
    let (ledger, built) = rotated(dir.path(), 1);
    ledger.close().unwrap();
    let id = shard(0).id();
    let name = format!("segments/{id}/000000000000.seg");
    let path = dir.path().join(&name);
    let whole = fs::read(&path).unwrap();
    for at in (0..whole.len()).step_by(31) {
        let mut changed = whole.clone();
        changed[at] ^= 0x10;
        fs::write(&path, &changed).unwrap();
        let report = check(dir.path());
        let names_it = report.faults.iter().any(|fault| match &fault.place {
            Place::File { path } => *path == Path::new(&name),
            Place::Block { shard, .. } => *shard == id,
            _ => false,
        });
        assert!(names_it, "byte {at}: {:?}", report.faults);
        let scratch = tempfile::tempdir().unwrap();
        copy_dir(dir.path(), scratch.path());
        match Ledger::open(scratch.path(), by_hand()) {
            Err(OpenError::Damaged { .. }) => {}
            Err(error) => panic!("byte {at}: {error}"),
            Ok(ledger) => {
                // In a frame: only its block is damaged.
                let mut damaged = 0;
                for (height, block) in built.iter().enumerate() {
                    match ledger.read_block(id, height as u64) {
                        Ok(read) => assert_eq!(read.unwrap().into_bytes(), block.bytes),
                        Err(LedgerError::Damaged { fault }) => {
                            let height = height as u64;
                            assert_eq!(fault.place, Place::Block { shard: id, height });
                            damaged += 1;
                        }
                        Err(error) => panic!("{error}"),
                    }
                }
                assert_eq!(damaged, 1, "byte {at}");
            }
        }
    }
    // Shortened, and gone.
    fs::write(&path, &whole[..whole.len() - 1]).unwrap();
    let opened = Ledger::open(dir.path(), by_hand());
    assert!(
        matches!(opened, Err(OpenError::Damaged { .. })),
        "{opened:?}"
    );
    fs::remove_file(&path).unwrap();
    let opened = Ledger::open(dir.path(), by_hand());
    assert!(
        matches!(opened, Err(OpenError::Damaged { .. })),
        "{opened:?}"
    );
    assert!(!check(dir.path()).ok());
    fs::write(&path, &whole).unwrap();
    fs::remove_file(dir.path().join("stamp")).ok();
    Ledger::open(dir.path(), by_hand())
        .unwrap()
        .close()
        .unwrap();
    assert_whole(dir.path());
}

/// An older manifest, one of another ledger, none at all: an error, and
/// nothing is removed.
#[test]
fn a_wrong_manifest_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (ledger, _) = rotated(dir.path(), 1);
    ledger.close().unwrap();
    let path = dir.path().join("segments/manifest");
    let first = fs::read(&path).unwrap();
    let ledger = Ledger::open(dir.path(), by_hand()).unwrap();
    let head = ledger.head(shard(0).id()).unwrap();
    ledger.commit(block(&ledger, &head, 2, 50)).unwrap();
    ledger.rotate().unwrap();
    ledger.close().unwrap();
    let second = fs::read(&path).unwrap();
    assert_ne!(first, second);
    fs::remove_file(dir.path().join("stamp")).unwrap();

    let other = tempfile::tempdir().unwrap();
    rotated(other.path(), 1).0.close().unwrap();
    let of_other = fs::read(other.path().join("segments/manifest")).unwrap();
    let mut too_new = second.clone();
    too_new[4] = 9;
    for wrong in [&first, &of_other, &too_new, &second[..50].to_vec()] {
        fs::write(&path, wrong).unwrap();
        let before = contents(dir.path());
        assert!(Ledger::open(dir.path(), by_hand()).is_err());
        assert_eq!(contents(dir.path()), before);
        assert!(!check(dir.path()).ok());
    }
    fs::remove_file(&path).unwrap();
    assert!(matches!(
        Ledger::open(dir.path(), by_hand()),
        Err(OpenError::Incomplete { .. })
    ));
    assert!(!check(dir.path()).ok());
    fs::write(&path, &second).unwrap();
    Ledger::open(dir.path(), by_hand())
        .unwrap()
        .close()
        .unwrap();
    assert_whole(dir.path());
}

/// A shard that lost its end goes on in a greater epoch, where the operator
/// says so.
#[test]
fn a_lost_end_is_resumed_only_when_told() {
    let dir = tempfile::tempdir().unwrap();
    let (ledger, _) = rotated(dir.path(), 1);
    let id = shard(0).id();
    let surviving = ledger.head(id).unwrap();
    ledger.close().unwrap();
    let old = tempfile::tempdir().unwrap();
    copy_dir(dir.path(), old.path());
    let ledger = Ledger::open(dir.path(), by_hand()).unwrap();
    let lost = ledger.commit(block(&ledger, &surviving, 3, 20)).unwrap();
    ledger.close().unwrap();
    for slot in ["anchor.0", "anchor.1"] {
        fs::copy(dir.path().join(slot), old.path().join(slot)).unwrap();
    }
    fs::remove_file(old.path().join("stamp")).unwrap();
    assert!(matches!(
        Ledger::open(old.path(), by_hand()),
        Err(OpenError::LostTail { .. })
    ));
    let ledger = Ledger::open(
        old.path(),
        LedgerOptions {
            accept_lost: [id].into(),
            ..by_hand()
        },
    )
    .unwrap();
    assert_eq!(ledger.head(id), Some(surviving));
    let resuming = |epoch| {
        let mut block = BlockBuilder::resuming(ledger.id(), &surviving, epoch);
        block.push(&entry(surviving.next_offset, 5)).unwrap();
        block.finish(TIME, RULESET).unwrap()
    };
    assert!(matches!(
        ledger.commit(resuming(1)),
        Err(LedgerError::NotNext { .. })
    ));
    assert!(matches!(
        ledger.resume(resuming(0)),
        Err(LedgerError::NotNext { .. })
    ));
    let head = ledger.resume(resuming(1)).unwrap();
    assert_eq!(head.epoch, 1);
    ledger.close().unwrap();
    // Nobody says so.
    let faults = check(old.path()).faults;
    assert_eq!(faults.len(), 1, "{faults:?}");
    let place = Place::Block {
        shard: id,
        height: surviving.blocks,
    };
    assert_eq!(faults[0].place, place);
    let ledger = Ledger::open(old.path(), by_hand()).unwrap();
    let mut resumed = Entry::new(Kind::ShardResumed, TIME);
    resumed.act = Act::House(HouseRecord::ShardResumed {
        shard: id,
        epoch: 1,
        abandoned: AbandonedHead {
            size: lost.size,
            root: Digest([0; 32]),
            blocks: lost.blocks,
            chain_head: lost.chain_head,
            block_digest: lost.block_digest,
        },
        surviving: SurvivingHead {
            size: surviving.size,
            blocks: surviving.blocks,
        },
    });
    ledger.append_house(vec![resumed], TIME, RULESET).unwrap();
    let head = ledger.commit(block(&ledger, &head, 2, 20)).unwrap();
    assert_eq!(head.epoch, 1);
    // Sealed across the resumption too.
    ledger.rotate().unwrap();
    ledger.commit(block(&ledger, &head, 2, 20)).unwrap();
    ledger.close().unwrap();
    let report = assert_whole(old.path());
    let resumed = report
        .shards
        .iter()
        .map(|shard| shard.resumptions)
        .sum::<u64>();
    assert_eq!(resumed, 1);
    Ledger::open(old.path(), by_hand()).unwrap();
}

/// Shards that are opened between rotations, and one that never has a block.
#[test]
fn shards_come_between_rotations() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(dir.path(), by_hand()).unwrap();
    for partition in 0..4 {
        let head = ledger.open_shard(&shard(partition)).unwrap();
        if partition != 2 {
            ledger.commit(block(&ledger, &head, 1, 30)).unwrap();
        }
        ledger.rotate().unwrap();
    }
    let heads = ledger.shards();
    assert_eq!(heads.len(), 5);
    ledger.close().unwrap();
    fs::remove_file(dir.path().join("stamp")).unwrap();
    let ledger = Ledger::open(dir.path(), by_hand()).unwrap();
    assert_eq!(ledger.shards(), heads);
    let house = ShardDescriptor::house().id();
    assert_eq!(ledger.head(house).unwrap().blocks, 0);
    ledger.close().unwrap();
    assert_whole(dir.path());
}
