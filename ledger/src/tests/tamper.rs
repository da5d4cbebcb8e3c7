//! Whoever can write every file, and has no key, is found, and where he was is
//! named.

use std::fs;
use std::path::Path;

use custody_proof::checkpoint::{LedgerCheckpoint, ShardCheckpoint};
use custody_proof::manifest::Manifest;
use custody_proof::note::{Note, SigningKey};
use custody_proof::tree::{Frontier, Hash, leaf_hash_32};

use crate::anchor::{self, AnchorState};
use crate::block::{HEADER_BYTES, TRAILER_BYTES};
use crate::chain;
use crate::fault::{Fault, Place};
use crate::id::ShardId;
use crate::notary::SignedState;
use crate::segment;
use crate::stamp::Stamp;
use crate::tests::forge::{
    blocks, check, entries, key, other_key, rechained, replace, resign, shard, signed_ledger,
};

/// The one fault that is named.
fn only_fault(dir: &Path) -> Fault {
    let faults = check(dir).faults;
    assert_eq!(faults.len(), 1, "{faults:?}");
    faults[0].clone()
}

fn in_segment(fault: &Fault, shard: ShardId) -> bool {
    match &fault.place {
        Place::File { path } => *path == segment::path(shard, 0),
        Place::Block { shard: found, .. } | Place::Entry { shard: found, .. } => *found == shard,
        _ => false,
    }
}

fn with_digest(mut block: Vec<u8>) -> Vec<u8> {
    let end = block.len() - TRAILER_BYTES;
    let digest = chain::block(&block[..end]);
    block[end..].copy_from_slice(digest.as_bytes());
    block
}

#[test]
fn blocks_dropped_swapped_repeated_or_changed_are_found_in_their_segment() {
    type Change = fn(&mut Vec<Vec<u8>>);
    let changes: [(&str, Change); 5] = [
        ("dropped", |blocks| drop(blocks.remove(2))),
        ("swapped", |blocks| blocks.swap(1, 3)),
        ("repeated", |blocks| blocks.insert(2, blocks[2].clone())),
        ("an entry changed", |blocks| {
            blocks[2][HEADER_BYTES + 60] ^= 1;
            blocks[2] = with_digest(blocks[2].clone());
        }),
        ("a count changed", |blocks| {
            blocks[4][128] += 1;
            blocks[4][104] += 1;
            blocks[4] = with_digest(blocks[4].clone());
        }),
    ];
    for (what, change) in changes {
        let dir = tempfile::tempdir().unwrap();
        signed_ledger(dir.path());
        let id = shard(0).id();
        let mut changed = blocks(dir.path(), id);
        change(&mut changed);
        replace(dir.path(), id, &changed);
        let fault = only_fault(dir.path());
        assert!(in_segment(&fault, id), "{what}: {fault}");
        let height = match fault.place {
            Place::Block { height, .. } | Place::Entry { height, .. } => Some(height),
            _ => None,
        };
        let expected = match what {
            "an entry changed" => Some(2),
            "a count changed" => Some(5),
            _ => height,
        };
        assert_eq!(height, expected, "{what}: {fault}");
    }
}

/// The whole shard chained anew, so that every block, chain and digest is
/// right: only the signed checkpoint is not.
#[test]
fn a_shard_that_was_chained_anew_without_the_key_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = signed_ledger(dir.path());
    let id = shard(0).id();
    let whole = entries(&blocks(dir.path(), id));
    let mut changed = whole.clone();
    changed[7].service = "elsewhere".to_owned();
    let mut swapped = whole.clone();
    swapped.swap(3, 9);
    let mut left_out = whole.clone();
    left_out.remove(8);
    let mut moved = whole.clone();
    moved[8].subject = moved[9].subject;
    for (entries, what) in [
        (&changed, "the root of the tree of its first 18 entries"),
        (&swapped, "the root of the tree of its first 18 entries"),
        (&moved, "the root of the tree of its first 18 entries"),
        (&left_out, "covers 18 entries, 17 are there"),
    ] {
        replace(dir.path(), id, &rechained(ledger, 0, entries));
        let fault = only_fault(dir.path());
        assert_eq!(fault.place, Place::Shard { shard: id });
        assert!(fault.what.contains(what), "{fault}");
    }
    replace(dir.path(), id, &rechained(ledger, 0, &whole));
    assert_eq!(check(dir.path()).faults, Vec::new());
}

#[test]
fn a_tail_that_was_cut_before_the_signed_end_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = signed_ledger(dir.path());
    let id = shard(1).id();
    let whole = blocks(dir.path(), id);
    replace(dir.path(), id, &whole[..5]);
    let fault = only_fault(dir.path());
    assert_eq!(fault.place, Place::Shard { shard: id });
    assert!(fault.what.contains("lost its end"), "{fault}");
    // A shard that is gone as a whole.
    replace(dir.path(), id, &whole);
    let mut manifest = crate::segment::Manifest::read(dir.path()).unwrap().unwrap();
    manifest.shards.remove(&id);
    for database in &mut manifest.databases {
        database.first.remove(&id);
    }
    manifest.write(dir.path()).unwrap();
    for (slot, name) in anchor::FILES.into_iter().enumerate() {
        let mut state = AnchorState::read(dir.path(), slot).unwrap().unwrap();
        state.heads.remove(&id);
        fs::write(dir.path().join(name), state.encode()).unwrap();
    }
    Stamp::write(dir.path(), ledger).unwrap();
    let fault = only_fault(dir.path());
    assert_eq!(fault.place, Place::Shard { shard: id });
    assert!(
        fault.what.contains("covers 18 entries, 0 are there"),
        "{fault}"
    );
}

#[test]
fn segments_of_two_shards_that_were_swapped_are_named() {
    let dir = tempfile::tempdir().unwrap();
    signed_ledger(dir.path());
    let paths = [0, 1].map(|partition| segment::path(shard(partition).id(), 0));
    let files = [0, 1].map(|at| fs::read(dir.path().join(&paths[at])).unwrap());
    for (path, bytes) in paths.iter().zip(files.iter().rev()) {
        fs::write(dir.path().join(path), bytes).unwrap();
    }
    let faults = check(dir.path()).faults;
    assert_eq!(faults.len(), 2, "{faults:?}");
    for path in paths {
        let place = Place::File { path };
        assert!(
            faults.iter().any(|fault| fault.place == place),
            "{faults:?}"
        );
    }
}

/// What the signed anchor says, signed again after a change.
fn forge_checkpoint(
    dir: &Path,
    state: &mut SignedState,
    key: &SigningKey,
    change: impl Fn(&mut ShardCheckpoint),
) {
    let named = |origin: &str| key.for_name(origin).unwrap();
    let mut manifest = Manifest::parse(&state.manifest).unwrap();
    for (shard, note) in &mut state.shards {
        let text = Note::parse(note).unwrap().text().to_owned();
        let mut checkpoint = ShardCheckpoint::parse(&text).unwrap();
        change(&mut checkpoint);
        let origin = &checkpoint.checkpoint.origin;
        *note = checkpoint.sign(&[&named(origin)]).unwrap();
        let line = manifest.shards.iter_mut().find(|line| line.shard == *shard);
        let line = line.unwrap();
        line.size = checkpoint.checkpoint.size;
        line.root = checkpoint.checkpoint.root;
        line.base = checkpoint.map.base;
        line.recent = checkpoint.map.recent;
    }
    state.manifest = manifest.to_text();
    // The ledger's own log.
    let path = dir.join("tiles/ledger/0");
    let mut log = fs::read(&path).unwrap();
    let mut tree = Frontier::new();
    let leaf = manifest.leaf();
    let end = 32 * (manifest.sequence as usize + 1);
    log[end..end + 32].copy_from_slice(leaf.as_bytes());
    fs::write(path, &log).unwrap();
    for leaf in log[32..end + 32].as_chunks().0 {
        tree.push(leaf_hash_32(leaf));
    }
    let text = Note::parse(&state.note).unwrap().text().to_owned();
    let mut checkpoint = LedgerCheckpoint::parse(&text).unwrap();
    checkpoint.manifest_leaf = leaf;
    checkpoint.checkpoint.root = tree.root();
    let origin = &checkpoint.checkpoint.origin;
    state.note = checkpoint.sign(&[&named(origin)]).unwrap();
}

#[test]
fn a_ledger_that_was_made_anew_with_another_key_is_found() {
    let dir = tempfile::tempdir().unwrap();
    signed_ledger(dir.path());
    fs::remove_dir_all(dir.path().join("public")).unwrap();
    resign(dir.path(), |state| {
        forge_checkpoint(dir.path(), state, &other_key(), |_| {});
    });
    let faults = check(dir.path()).faults;
    // The ledger's own and one of each shard.
    assert_eq!(faults.len(), 4, "{faults:?}");
    assert!(
        matches!(&faults[0].place, Place::File { path } if path.starts_with("signed.0") || path.starts_with("signed.1"))
    );
    for fault in &faults {
        assert!(fault.what.contains("nobody who is trusted"), "{fault}");
    }
    // Without a key only a warning is left.
    let report = crate::verify::verify(dir.path(), &Default::default()).unwrap();
    assert_eq!(report.faults, Vec::new());
    assert!(report.warnings.iter().any(|what| what.contains("no key")));
}

/// Signed by the right key: each thing that a checkpoint says is compared.
#[test]
fn a_signed_checkpoint_that_says_something_else_is_found() {
    type Change = fn(&mut ShardCheckpoint);
    let changes: [(&str, Change); 7] = [
        ("the map of its persons up to", |checkpoint| {
            checkpoint.map.base = Hash([9; 32]);
        }),
        ("the map of its persons from", |checkpoint| {
            checkpoint.map.recent = Hash([9; 32]);
        }),
        ("the root of the tree", |checkpoint| {
            checkpoint.checkpoint.root = Hash([9; 32]);
        }),
        ("the chain", |checkpoint| checkpoint.chain.0[3] ^= 1),
        ("the digest of the last block", |checkpoint| {
            checkpoint.last_block.0[3] ^= 1;
        }),
        ("what was counted", |checkpoint| {
            checkpoint.counts.rejected += 1;
            if let Some(kafka) = &mut checkpoint.kafka {
                kafka.next_offset += 1;
            }
        }),
        ("the place in Kafka", |checkpoint| {
            if let Some(kafka) = &mut checkpoint.kafka {
                kafka.partition += 1;
            }
        }),
    ];
    let dir = tempfile::tempdir().unwrap();
    signed_ledger(dir.path());
    fs::remove_dir_all(dir.path().join("public")).unwrap();
    let id = shard(0).id();
    for (what, change) in changes {
        let copy = tempfile::tempdir().unwrap();
        let copy = copy.path().join("copy");
        crate::durable::copy_dir(dir.path(), &copy).unwrap();
        resign(&copy, |state| {
            forge_checkpoint(&copy, state, &key(), |checkpoint| {
                if checkpoint.shard == id {
                    change(checkpoint);
                }
            });
        });
        let fault = only_fault(&copy);
        assert_eq!(fault.place, Place::Shard { shard: id }, "{what}");
        assert!(fault.what.starts_with(what), "{what}: {fault}");
    }
    // And where nothing was changed, signing again changes nothing.
    resign(dir.path(), |state| {
        forge_checkpoint(dir.path(), state, &key(), |_| {});
    });
    assert_eq!(check(dir.path()).faults, Vec::new());
}
