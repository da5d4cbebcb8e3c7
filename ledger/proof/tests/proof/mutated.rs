//! Evidence from which something was left out, or in which something was put in
//! the place of another, proves nothing.

use custody_proof::checkpoint::ShardCheckpoint;
use custody_proof::evidence::{Evidence, EvidenceError, SubjectEvidence, verify};
use custody_proof::id::{Digest, ShardId};
use custody_proof::map::MapProof;
use custody_proof::tree::{Hash, leaf_hash};

use crate::world::{SEQUENCE, World, reference, trusted};

pub(crate) fn check(evidence: &Evidence) -> Result<(), EvidenceError> {
    // Through JSON, as it comes.
    let again = Evidence::from_json(evidence.to_json().as_bytes())?;
    verify(&again, &trusted()).map(|_| ())
}

/// What the change of a good document leads to.
fn after(change: impl FnOnce(&mut Evidence)) -> EvidenceError {
    let mut evidence = World::small().evidence(&[1, 2, 4]);
    assert_eq!(check(&evidence), Ok(()));
    change(&mut evidence);
    check(&evidence).unwrap_err()
}

const SHARD: ShardId = ShardId([0x20; 16]);

#[test]
fn what_is_left_out_is_missed() {
    let one = reference(1);
    for index in 0..3 {
        let error = after(|e| drop(e.subjects[0].shards[1].entries.remove(index)));
        let count = EvidenceError::Count {
            reference: one,
            shard: SHARD,
            expected: 3,
            found: 2,
        };
        assert_eq!(error, count);
        let error = after(|e| drop(e.subjects[0].shards.remove(index)));
        let shard = ShardId([0x10 * (index as u8 + 1); 16]);
        let missing = EvidenceError::ShardMissing {
            reference: one,
            shard,
        };
        assert_eq!(error, missing);
        let error = after(|e| drop(e.checkpoints.remove(index)));
        let count = EvidenceError::ShardCount {
            expected: 3,
            found: 2,
        };
        assert_eq!(error, count);
    }
    assert_eq!(after(|e| e.subjects.clear()), EvidenceError::NoSubject);
    let error = after(|e| e.manifest_path.clear());
    assert!(matches!(error, EvidenceError::ManifestPath(_)));
    let error = after(|e| e.subjects[0].shards[1].map.clear());
    assert!(matches!(
        error,
        EvidenceError::MapBytes { shard: SHARD, .. }
    ));
    let error = after(|e| {
        let path = &mut e.subjects[0].shards[1].entries[0].path;
        path.as_mut().unwrap().pop();
    });
    assert!(matches!(
        error,
        EvidenceError::Path {
            shard: SHARD,
            sequence: 0,
            ..
        }
    ));
}

#[test]
fn a_shard_is_not_left_out_with_its_line() {
    let error = after(|e| {
        let lines: Vec<&str> = e.manifest.lines().collect();
        e.manifest = lines[..5].join("\n") + "\n";
        e.checkpoints.pop();
        e.subjects.iter_mut().for_each(|s| drop(s.shards.pop()));
    });
    assert_eq!(error, EvidenceError::OtherManifest);
}

#[test]
fn what_is_there_twice_is_too_much() {
    let reference = reference(1);
    let error = after(|e| {
        let subject = e.subjects[0].clone();
        e.subjects.push(subject);
    });
    assert_eq!(error, EvidenceError::SubjectTwice { reference });
    let error = after(|e| {
        let shard = e.subjects[0].shards[2].clone();
        e.subjects[0].shards.push(shard);
    });
    let shard = ShardId([0x30; 16]);
    assert_eq!(error, EvidenceError::ShardNeedless { reference, shard });
    let error = after(|e| {
        let entries = &mut e.subjects[0].shards[1].entries;
        entries.push(entries[2].clone());
    });
    assert!(matches!(error, EvidenceError::Count { found: 4, .. }));
    // One in the place of another.
    let error = after(|e| {
        let entries = &mut e.subjects[0].shards[1].entries;
        entries[1] = entries[0].clone();
    });
    let order = EvidenceError::Order {
        shard: SHARD,
        sequence: 0,
    };
    assert_eq!(error, order);
}

#[test]
fn what_is_in_anothers_place_is_noticed() {
    let swap = |e: &mut Evidence, part: fn(&mut SubjectEvidence) -> &mut Vec<u8>| {
        let (a, b) = e.subjects.split_at_mut(1);
        std::mem::swap(part(&mut a[0]), part(&mut b[0]));
    };
    let error = after(|e| swap(e, |s| &mut s.shards[1].map));
    assert!(matches!(error, EvidenceError::Map { shard: SHARD, .. }));
    let error = after(|e| {
        let shards = &mut e.subjects[0].shards;
        let map = shards[1].map.clone();
        shards[2].map = map;
    });
    assert!(matches!(error, EvidenceError::Map { .. }));
    let error = after(|e| e.subjects[0].shards.swap(1, 2));
    assert!(matches!(
        error,
        EvidenceError::ShardMissing { shard: SHARD, .. }
    ));
    let error = after(|e| e.checkpoints.swap(1, 2));
    assert!(matches!(error, EvidenceError::Shard { shard: SHARD, .. }));
    let error = after(|e| e.subjects[0].shards[1].entries.swap(0, 1));
    assert!(matches!(error, EvidenceError::Order { sequence: 0, .. }));
    // Somebody else's entry, though the count is right.
    let error = after(|e| {
        let other = e.subjects[1].shards[1].entries[0].clone();
        e.subjects[0].shards[1].entries[1] = other;
    });
    let other = EvidenceError::OtherSubject {
        shard: SHARD,
        sequence: 2,
    };
    assert_eq!(error, other);
    let error = after(|e| {
        let entries = &mut e.subjects[0].shards[1].entries;
        let path = entries[0].path.clone();
        entries[1].path = path;
    });
    assert!(matches!(error, EvidenceError::Path { sequence: 3, .. }));
}

#[test]
fn another_entry_of_the_same_person_is_noticed() {
    let entries = |error| {
        let expected = EvidenceError::Entries {
            reference: reference(1),
            shard: SHARD,
        };
        assert_eq!(error, expected);
    };
    let without_paths = |e: &mut Evidence| {
        let shards = e.subjects[0].shards.iter_mut();
        shards
            .flat_map(|s| &mut s.entries)
            .for_each(|e| e.path = None);
    };
    entries(after(|e| {
        without_paths(e);
        let entry = &mut e.subjects[0].shards[1].entries[1];
        *entry.entry.last_mut().unwrap() ^= 1;
    }));
    entries(after(|e| {
        without_paths(e);
        e.subjects[0].shards[1].entries[1].previous = Digest([1; 32]);
    }));
    entries(after(|e| {
        without_paths(e);
        e.subjects[0].shards[1].entries[1].sequence = 2;
    }));
    let error = after(|e| e.subjects[0].shards[1].entries[2].sequence = 7);
    assert!(matches!(error, EvidenceError::Order { sequence: 7, .. }));
    let error = after(|e| e.subjects[0].shards[1].entries[2].sequence = u64::MAX);
    assert!(matches!(error, EvidenceError::Order { .. }));
    let error = after(|e| e.subjects[0].shards[1].entries[1].entry.clear());
    assert!(matches!(error, EvidenceError::Entry { sequence: 3, .. }));
}

#[test]
fn the_base_map_does_not_speak_where_the_recent_one_does() {
    // Person 1 has one entry in the base map of the shard and three in all.
    let world = World::small();
    let one = reference(1);
    let mut former = World::small();
    former.shards[1] = crate::world::Shard::new(0x20, 0, 3, &[1, 5, 2]);
    let mut evidence = world.evidence(&[1]);
    let shard = &mut evidence.subjects[0].shards[1];
    let mut proof = world.shards[1].map_proof(&one);
    assert!(proof.base.is_none());
    let base = former.shards[1].map_proof(&one).base;
    proof.base = base.clone();
    shard.map = proof.encode();
    shard.entries.truncate(1);
    shard.entries[0].path = None;
    assert!(matches!(
        check(&evidence),
        Err(EvidenceError::Map { shard: SHARD, .. })
    ));
    // The recent map is said not to have the person.
    proof.recent = MapProof::of_sorted(&[], &one);
    evidence.subjects[0].shards[1].map = proof.encode();
    assert!(matches!(
        check(&evidence),
        Err(EvidenceError::Map { shard: SHARD, .. })
    ));
    assert!(base.is_some());
}

#[test]
fn a_checkpoint_that_is_not_the_manifests_is_noticed() {
    // Signed by the ledger itself, of another moment.
    let mut later = World::small();
    later.shards[1] = crate::world::Shard::new(0x20, 0, 3, &[1, 5, 2, 1, 1, 3, 2, 1]);
    let note = later.shards[1].note();
    let error = after(|e| e.checkpoints[1] = note);
    assert_eq!(error, EvidenceError::OtherShard { shard: SHARD });
    let manifest = later.manifest().to_text();
    let error = after(|e| e.manifest = manifest);
    assert_eq!(error, EvidenceError::OtherManifest);
    // The ledger names a manifest that is not in its log.
    let mut checkpoint = later.checkpoint();
    checkpoint.checkpoint.root = World::small().checkpoint().checkpoint.root;
    let note = checkpoint.sign(&[&crate::world::key()]).unwrap();
    let manifest = later.manifest().to_text();
    let error = after(|e| {
        e.ledger_checkpoint = note;
        e.manifest = manifest;
    });
    assert!(matches!(error, EvidenceError::ManifestPath(_)));
    // A shard's checkpoint is not one of the ledger, nor the other way round.
    let error = after(|e| e.ledger_checkpoint = e.checkpoints[0].clone());
    assert!(matches!(error, EvidenceError::Ledger(_)));
    let error = after(|e| e.checkpoints[0] = e.ledger_checkpoint.clone());
    assert!(matches!(error, EvidenceError::Shard { .. }));
}

#[test]
fn every_root_of_a_shards_checkpoint_is_the_manifests() {
    let changes: [fn(&mut ShardCheckpoint); 5] = [
        |c| c.checkpoint.root = Hash([1; 32]),
        |c| c.map.base = Hash([1; 32]),
        |c| c.map.recent = Hash([1; 32]),
        |c| c.map.size = 6,
        |c| c.checkpoint.size = 8,
    ];
    for change in changes {
        let mut checkpoint = World::small().shards[1].checkpoint();
        change(&mut checkpoint);
        let key = crate::world::key().for_name(&checkpoint.checkpoint.origin);
        let note = checkpoint.sign(&[&key.unwrap()]).unwrap();
        let error = after(|e| e.checkpoints[1] = note);
        assert_eq!(error, EvidenceError::OtherShard { shard: SHARD });
    }
}

#[test]
fn the_manifest_is_the_last_leaf() {
    // One that the ledger has signed, and that is in its log, but is not the
    // newest.
    let world = World::small();
    let mut manifest = world.manifest();
    manifest.sequence -= 1;
    let mut log = world.log();
    log[SEQUENCE - 1] = leaf_hash(manifest.leaf().as_bytes());
    let mut checkpoint = world.checkpoint();
    checkpoint.checkpoint.root = crate::world::root(&log);
    checkpoint.manifest_leaf = manifest.leaf();
    let note = checkpoint.sign(&[&crate::world::key()]).unwrap();
    let error = after(|e| {
        e.ledger_checkpoint = note;
        e.manifest = manifest.to_text();
        e.manifest_path = crate::world::path(SEQUENCE - 1, &log);
    });
    assert_eq!(error, EvidenceError::OtherManifest);
}

#[test]
fn another_format_is_said_to_be_one() {
    let json = World::small().evidence(&[1]).to_json();
    let other = json.replace("evidence/v1", "evidence/v2");
    let expected = "custody.evidence/v1";
    assert_eq!(
        Evidence::from_json(other.as_bytes()),
        Err(EvidenceError::Format { expected })
    );
    let inclusion = World::small().inclusion(1, 3).to_json();
    assert_eq!(
        Evidence::from_json(inclusion.as_bytes()),
        Err(EvidenceError::Format { expected })
    );
    for wrong in [
        json.replacen("{\"format\"", "{\"more\":1,\"format\"", 1),
        json.replacen("{\"reference\"", "{\"more\":1,\"reference\"", 1),
        json.replacen("{\"sequence\":0", "{\"sequence\":0.0", 1),
        json.replacen("{\"sequence\":0", "{\"sequence\":-1", 1),
        json.replacen("{\"sequence\":0", "{\"sequence\":18446744073709551616", 1),
        json.clone() + "{}",
        "[".repeat(10_000),
        String::new(),
    ] {
        assert_ne!(wrong, json);
        assert!(matches!(
            Evidence::from_json(wrong.as_bytes()),
            Err(EvidenceError::Json { .. })
        ));
    }
}
