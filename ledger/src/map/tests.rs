use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::Path;

use custody_proof::map::{MapProof, NO_ENTRIES, Record, ShardMapProof, extend, root_of_sorted};
use proptest::prelude::*;

use super::shard_map::{BASE_FILE, RECENT_FILE};
use super::*;
use crate::id::{Digest, ShardId, SubjectReference};

mod files;
mod measure;

const SHARD: ShardId = ShardId([4; 16]);
const GENESIS: Digest = Digest([9; 32]);

type Model = BTreeMap<SubjectReference, Record>;

/// h(sequence) of a log where each can be told from its number.
fn entry(sequence: u64) -> Digest {
    Digest(*blake3::hash(&sequence.to_le_bytes()).as_bytes())
}

fn chain_head(size: u64) -> Digest {
    size.checked_sub(1).map_or(GENESIS, entry)
}

fn account(model: &mut Model, reference: SubjectReference, sequence: u64) {
    let record = model.entry(reference).or_insert(Record {
        reference,
        count: 0,
        digest: NO_ENTRIES,
    });
    record.count += 1;
    record.digest = extend(&record.digest, sequence, &entry(sequence));
}

/// The persons of a log, `None` where an entry is of nobody.
type Log = Vec<Option<SubjectReference>>;

fn model_of(log: &[Option<SubjectReference>]) -> Model {
    let mut model = Model::new();
    for (sequence, person) in log.iter().enumerate() {
        if let Some(reference) = person {
            account(&mut model, *reference, sequence as u64);
        }
    }
    model
}

fn touch_all(map: &mut ShardMap, log: &[Option<SubjectReference>], from: u64, to: u64) {
    for sequence in from..to {
        if let Some(reference) = log[sequence as usize] {
            map.touch(reference, sequence, entry(sequence)).unwrap();
        }
    }
}

/// What is sealed proves what the model has, for everybody asked for.
fn check(map: &ShardMap, log: &[Option<SubjectReference>], asked: &[SubjectReference]) {
    let (covered, roots) = map.sealed();
    assert_eq!(covered.chain_head, chain_head(covered.size));
    let model = model_of(&log[..covered.size as usize]);
    let (of, against, proved) = map.reader().prove(asked).unwrap();
    assert_eq!((of, against), (covered, roots));
    for (reference, proved) in asked.iter().zip(&proved) {
        let record = model.get(reference).copied();
        assert_eq!(proved.record, record);
        let decoded = ShardMapProof::decode(&proved.proof.encode()).unwrap();
        let verified = decoded.verify(&roots.base, &roots.recent, reference);
        assert_eq!(verified, Ok(record));
    }
    // The two maps together are the model, and their roots are of them.
    let version = map.reader();
    let version = version.0.read();
    let recent: Vec<Record> = version.recent.iter().copied().collect();
    let mut base = Vec::new();
    version
        .base
        .for_each(|record| {
            base.push(*record);
            Ok(())
        })
        .unwrap();
    assert_eq!(root_of_sorted(&recent), roots.recent);
    assert_eq!(root_of_sorted(&base), roots.base);
    let both = base.into_iter().chain(recent);
    let both: Model = both.map(|record| (record.reference, record)).collect();
    assert_eq!(both, model);
    for reference in asked {
        let sorted: Vec<Record> = version.recent.iter().copied().collect();
        let expected = MapProof::of_sorted(&sorted, reference);
        assert_eq!(version.recent.prove(reference).unwrap(), expected);
    }
}

fn reference() -> impl Strategy<Value = SubjectReference> {
    prop_oneof![
        4 => any::<[u8; 16]>(),
        // Few, so that they come again.
        4 => (0..60_u8).prop_map(|n| *blake3::hash(&[n]).as_bytes().first_chunk().unwrap()),
        // Long common prefixes.
        2 => (0..2_u8, 0..128_u32).prop_map(|(base, bit)| {
            (u128::from_be_bytes([base * 0xff; 16]) ^ (1 << bit)).to_be_bytes()
        }),
    ]
    .prop_map(SubjectReference)
}

#[derive(Debug, Clone)]
enum Step {
    Append(Log),
    Seal,
    Merge,
    Save,
    Reopen,
    /// Reopen with a file gone, or torn.
    Crash(bool, u16),
}

fn step() -> impl Strategy<Value = Step> {
    let log = prop::collection::vec(prop::option::weighted(0.9, reference()), 1..120);
    prop_oneof![
        6 => log.prop_map(Step::Append),
        3 => Just(Step::Seal),
        2 => Just(Step::Merge),
        2 => Just(Step::Save),
        1 => Just(Step::Reopen),
        1 => (any::<bool>(), any::<u16>()).prop_map(|(base, at)| Step::Crash(base, at)),
    ]
}

/// Opens the maps, or begins anew, and touches what they do not account for.
fn reopened(dir: &Path, log: &Log, sealed: u64) -> ShardMap {
    let mut map = match ShardMap::open(dir, SHARD, GENESIS) {
        Ok(map) => map,
        Err(error) => {
            assert!(error.needs_rebuild(), "{error}");
            ShardMap::create(dir, SHARD, GENESIS).unwrap()
        }
    };
    let (covered, _) = map.sealed();
    assert!(covered.size <= log.len() as u64);
    assert_eq!(covered.chain_head, chain_head(covered.size));
    let sealed = sealed.max(covered.size);
    touch_all(&mut map, log, covered.size, sealed);
    map.roots(sealed, chain_head(sealed)).unwrap();
    touch_all(&mut map, log, sealed, log.len() as u64);
    map
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn as_the_model_through_merges_and_crashes(steps in prop::collection::vec(step(), 1..25), others in prop::collection::vec(reference(), 4)) {
        let dir = tempfile::tempdir().unwrap();
        let mut log: Log = Vec::new();
        let mut map = ShardMap::create(dir.path(), SHARD, GENESIS).unwrap();
        let mut sealed = 0;
        for step in steps {
            match step {
                Step::Append(entries) => {
                    let from = log.len() as u64;
                    log.extend(entries);
                    touch_all(&mut map, &log, from, log.len() as u64);
                }
                Step::Seal => {
                    sealed = log.len() as u64;
                    map.roots(sealed, chain_head(sealed)).unwrap();
                }
                Step::Merge => map.merge().unwrap(),
                Step::Save => map.save_recent().unwrap(),
                Step::Reopen => {
                    drop(map);
                    map = reopened(dir.path(), &log, sealed);
                }
                Step::Crash(base, at) => {
                    drop(map);
                    let path = dir.path().join(if base { BASE_FILE } else { RECENT_FILE });
                    if let Ok(bytes) = fs::read(&path) {
                        match usize::from(at) % bytes.len() {
                            0 => fs::remove_file(&path).unwrap(),
                            at => fs::write(&path, &bytes[..at]).unwrap(),
                        }
                    }
                    map = reopened(dir.path(), &log, sealed);
                }
            }
            let known: HashSet<SubjectReference> = log.iter().flatten().copied().collect();
            let asked: Vec<_> = known.into_iter().take(20).chain(others.iter().copied()).collect();
            check(&map, &log, &asked);
        }
        // Made anew in one go, the same.
        let all = log.len() as u64;
        map.roots(all, chain_head(all)).unwrap();
        map.merge().unwrap();
        let merged = map.roots(all, chain_head(all)).unwrap();
        let other = tempfile::tempdir().unwrap();
        let mut anew = ShardMap::create(other.path(), SHARD, GENESIS).unwrap();
        touch_all(&mut anew, &log, 0, all);
        let recent = anew.roots(all, chain_head(all)).unwrap();
        prop_assert_eq!(recent.recent, merged.base);
        anew.merge().unwrap();
        prop_assert_eq!(anew.roots(all, chain_head(all)).unwrap(), merged);
    }
}

fn person(n: u64) -> SubjectReference {
    let hash = blake3::hash(&n.to_be_bytes());
    SubjectReference(hash.as_bytes().first_chunk().copied().unwrap())
}

/// A log of `size` entries of `persons` persons, all of them with entries.
fn log(size: u64, persons: u64) -> Log {
    (0..size).map(|n| Some(person(n * 7 % persons))).collect()
}

fn built(dir: &Path, log: &Log) -> ShardMap {
    let mut map = ShardMap::create(dir, SHARD, GENESIS).unwrap();
    let size = log.len() as u64;
    touch_all(&mut map, log, 0, size);
    map.roots(size, chain_head(size)).unwrap();
    map
}

#[test]
fn touches_wait_until_they_are_sealed() {
    let dir = tempfile::tempdir().unwrap();
    let log = log(500, 100);
    let mut map = built(dir.path(), &log[..300].to_vec());
    let reader = map.reader();
    let asked: Vec<SubjectReference> = (0..110).map(person).collect();
    let before = reader.prove(&asked).unwrap();
    touch_all(&mut map, &log, 300, 500);
    assert_eq!(reader.prove(&asked).unwrap(), before);
    // Nor does a merge change what is sealed, until the next version.
    map.merge().unwrap();
    assert_eq!(reader.prove(&asked).unwrap(), before);
    check(&map, &log, &asked);
    let roots = map.roots(500, chain_head(500)).unwrap();
    assert_eq!(reader.sealed().1, roots);
    assert_ne!(before.1, roots);
    check(&map, &log, &asked);
    assert_eq!(map.persons(), (100, 100));
}

#[test]
fn many_touches_are_folded_before_a_version_is_sealed() {
    let dir = tempfile::tempdir().unwrap();
    let log = log(150_000, 9_001);
    let mut map = built(dir.path(), &log);
    let asked: Vec<SubjectReference> = (0..9_100).step_by(91).map(person).collect();
    check(&map, &log, &asked);
    map.merge().unwrap();
    map.roots(150_000, chain_head(150_000)).unwrap();
    check(&map, &log, &asked);
    assert_eq!(map.persons(), (0, 9_001));
}

#[test]
fn persons_alone_in_their_part_of_the_base() {
    let dir = tempfile::tempdir().unwrap();
    // 200 persons beside each other, so 8 buckets of which one is full, one
    // person alone in a half, and two who part late.
    let near = (0..200_u128).map(|n| n << 40);
    let far = [1 << 126, (1 << 126) + 1, 5 << 125];
    let references: Vec<SubjectReference> = near
        .chain(far)
        .map(|bits| SubjectReference(bits.to_be_bytes()))
        .collect();
    let log: Log = references.iter().copied().map(Some).collect();
    let mut map = built(dir.path(), &log);
    map.merge().unwrap();
    map.roots(203, chain_head(203)).unwrap();
    let absent = (0..128).map(|bit| SubjectReference((3_u128 << bit).to_be_bytes()));
    let asked: Vec<SubjectReference> = references.iter().copied().chain(absent).collect();
    check(&map, &log, &asked);
}

#[test]
fn an_entry_counts_once() {
    let dir = tempfile::tempdir().unwrap();
    let mut map = ShardMap::create(dir.path(), SHARD, GENESIS).unwrap();
    map.touch(person(1), 4, entry(4)).unwrap();
    for sequence in 0..5 {
        let error = map.touch(person(1), sequence, entry(sequence)).unwrap_err();
        assert!(matches!(error, MapError::Repeated { next: 5, .. }));
        assert!(!error.needs_rebuild());
    }
    map.roots(8, entry(7)).unwrap();
    let error = map.touch(person(1), 7, entry(7)).unwrap_err();
    assert!(matches!(error, MapError::Repeated { next: 8, .. }));
}

#[test]
fn a_merge_is_due_when_it_is_worth_it() {
    let policy = MergePolicy::default();
    assert!(!policy.is_due(4095, 0));
    assert!(policy.is_due(4096, 0));
    assert!(!policy.is_due(4096, 20_000));
    assert!(policy.is_due(5000, 20_000));
    assert!(policy.is_due(1 << 18, u64::MAX));
    assert!(
        !MergePolicy {
            minimum: 0,
            ..policy
        }
        .is_due(0, 0),
        "nothing to merge"
    );
}

#[test]
fn proofs_are_had_while_versions_are_sealed_and_merged() {
    let dir = tempfile::tempdir().unwrap();
    let log = log(6_000, 700);
    let mut map = ShardMap::create(dir.path(), SHARD, GENESIS).unwrap();
    let reader = map.reader();
    let ended = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let prover = scope.spawn(|| {
            let mut versions = HashSet::new();
            while !ended.load(std::sync::atomic::Ordering::Relaxed) {
                let asked = [person(3), person(699), person(700)];
                let (covered, _, proved) = reader.prove(&asked).unwrap();
                let model = model_of(&log[..covered.size as usize]);
                for (reference, proved) in asked.iter().zip(proved) {
                    assert_eq!(proved.record, model.get(reference).copied());
                }
                versions.insert(covered.size);
            }
            versions.len()
        });
        for size in (100..=6_000).step_by(100) {
            touch_all(&mut map, &log, size - 100, size);
            map.roots(size, chain_head(size)).unwrap();
            if size % 500 == 0 {
                map.merge().unwrap();
            }
        }
        ended.store(true, std::sync::atomic::Ordering::Relaxed);
        assert!(prover.join().unwrap() > 0);
    });
}
