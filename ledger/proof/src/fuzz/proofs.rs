//! Proofs of a tree and of maps that are known: what verifies is true, and is
//! the one proof that there is.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use crate::id::{Digest, SubjectReference};
use crate::map::{MapProof, Record, ShardMapProof, extend, root_of_sorted};
use crate::tree::{Hash, empty_root, leaf_hash, node_hash, verify_consistency, verify_inclusion};

/// How many leaves the largest tree has.
const LEAVES: usize = 40;

/// A proof in a tree of up to 40 leaves. Bytes: 0 and size, index and which
/// leaf, or 1 and both sizes and nothing; then the hashes.
pub fn tree_proof(bytes: &[u8]) {
    let Some((&[kind, a, b, leaf], hashes)) = bytes.split_first_chunk() else {
        return;
    };
    let path: Vec<Hash> = hashes.as_chunks().0.iter().copied().map(Hash).collect();
    let leaves: Vec<Hash> = (0..LEAVES as u8).map(|n| leaf_hash(&[n; 32])).collect();
    let (size, index) = (usize::from(a), usize::from(b));
    let Some(root) = leaves.get(..size).map(root) else {
        return;
    };
    if kind == 0 {
        let Some(claimed) = leaves.get(usize::from(leaf)) else {
            return;
        };
        if verify_inclusion(claimed, index as u64, size as u64, &path, &root).is_ok() {
            assert_eq!(usize::from(leaf), index, "a leaf of another place");
            assert_eq!(path, inclusion(index, &leaves[..size]));
        }
    } else {
        let Some(former) = leaves.get(..index) else {
            return;
        };
        let former = self::root(former);
        if verify_consistency(index as u64, &former, size as u64, &root, &path).is_ok() {
            assert!(index <= size);
            assert_eq!(path, consistency(index, &leaves[..size]));
        }
    }
}

fn middle(leaves: &[Hash]) -> usize {
    leaves.len().next_power_of_two() / 2
}

/// RFC 6962, section 2.1.
fn root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => empty_root(),
        [leaf] => *leaf,
        leaves => {
            let (left, right) = leaves.split_at(middle(leaves));
            node_hash(&root(left), &root(right))
        }
    }
}

/// RFC 6962, section 2.1.1.
fn inclusion(index: usize, leaves: &[Hash]) -> Vec<Hash> {
    if leaves.len() < 2 {
        return Vec::new();
    }
    let middle = middle(leaves);
    let (left, right) = leaves.split_at(middle);
    let (mut path, sibling) = if index < middle {
        (inclusion(index, left), root(right))
    } else {
        (inclusion(index - middle, right), root(left))
    };
    path.push(sibling);
    path
}

/// RFC 6962, section 2.1.2.
fn consistency(from: usize, leaves: &[Hash]) -> Vec<Hash> {
    fn part(from: usize, leaves: &[Hash], complete: bool) -> Vec<Hash> {
        if from == leaves.len() {
            return if complete { vec![] } else { vec![root(leaves)] };
        }
        let middle = middle(leaves);
        let (left, right) = leaves.split_at(middle);
        let (mut proof, sibling) = if from <= middle {
            (part(from, left, complete), root(right))
        } else {
            (part(from - middle, right, false), root(left))
        };
        proof.push(sibling);
        proof
    }
    // From the empty tree there is nothing to prove.
    if from == 0 {
        return Vec::new();
    }
    part(from, leaves, true)
}

/// A base map and a recent one that goes before it.
struct Maps {
    base: Vec<Record>,
    recent: Vec<Record>,
    roots: (Hash, Hash),
    /// Everybody who is in one of them, and some who are not.
    asked: Vec<SubjectReference>,
}

static MAPS: LazyLock<Maps> = LazyLock::new(|| {
    let base = records(0..13, 1);
    let recent = records(9..17, 2);
    Maps {
        roots: (root_of_sorted(&base), root_of_sorted(&recent)),
        asked: (0..20).map(person).collect(),
        base,
        recent,
    }
});

/// Some differ from the one before in their last bits only.
fn person(number: u8) -> SubjectReference {
    let mut reference = *blake3::hash(&[number / 3])
        .as_bytes()
        .first_chunk()
        .unwrap();
    let bytes: &mut [u8; 16] = &mut reference;
    bytes[15] ^= number % 3;
    SubjectReference(reference)
}

fn records(numbers: std::ops::Range<u8>, count: u64) -> Vec<Record> {
    let records: BTreeMap<_, _> = numbers
        .map(|number| {
            let reference = person(number);
            let digest = extend(&crate::map::NO_ENTRIES, count, &Digest([number; 32]));
            let record = Record {
                reference,
                count,
                digest,
            };
            (reference, record)
        })
        .collect();
    records.into_values().collect()
}

fn record_of(records: &[Record], reference: &SubjectReference) -> Option<Record> {
    let mut records = records.iter();
    records
        .find(|record| record.reference == *reference)
        .copied()
}

/// A proof of one map, and of the two maps of a shard.
pub fn map_proof(bytes: &[u8]) {
    let maps = &*MAPS;
    if let Ok(proof) = MapProof::decode(bytes) {
        assert_eq!(proof.encode(), bytes);
        let again = MapProof::new(proof.siblings().to_vec(), *proof.terminal());
        assert_eq!(again.as_ref(), Ok(&proof));
        for reference in &maps.asked {
            if let Ok(found) = proof.verify(&maps.roots.0, reference) {
                assert_eq!(found, record_of(&maps.base, reference), "a false proof");
                assert_eq!(proof, MapProof::of_sorted(&maps.base, reference));
            }
        }
    }
    if let Ok(proof) = ShardMapProof::decode(bytes) {
        assert_eq!(proof.encode(), bytes);
        for reference in &maps.asked {
            if let Ok(found) = proof.verify(&maps.roots.0, &maps.roots.1, reference) {
                let recent = record_of(&maps.recent, reference);
                let record = recent.or_else(|| record_of(&maps.base, reference));
                assert_eq!(found, record, "a false proof");
                assert_eq!(proof, of_shard(reference));
            }
        }
    }
}

fn of_shard(reference: &SubjectReference) -> ShardMapProof {
    let maps = &*MAPS;
    let is_recent = record_of(&maps.recent, reference).is_some();
    ShardMapProof {
        recent: MapProof::of_sorted(&maps.recent, reference),
        base: (!is_recent).then(|| MapProof::of_sorted(&maps.base, reference)),
    }
}

/// Good proofs, as a corpus begins.
#[cfg(test)]
pub(super) fn good() -> (Vec<Vec<u8>>, Vec<Vec<u8>>) {
    let leaves: Vec<Hash> = (0..LEAVES as u8).map(|n| leaf_hash(&[n; 32])).collect();
    let put = |head: [u8; 4], path: Vec<Hash>| {
        let hashes = path.into_iter().flat_map(|hash| hash.0);
        head.into_iter().chain(hashes).collect()
    };
    let mut tree = Vec::new();
    for (size, index) in [(1, 0), (2, 1), (7, 6), (8, 3), (33, 32), (40, 17)] {
        let path = inclusion(usize::from(index), &leaves[..usize::from(size)]);
        tree.push(put([0, size, index, index], path));
        let path = consistency(usize::from(index), &leaves[..usize::from(size)]);
        tree.push(put([1, size, index, 0], path));
    }
    let maps = &*MAPS;
    let mut of_maps = Vec::new();
    for number in [0, 1, 9, 12, 14, 16, 17, 19] {
        of_maps.push(MapProof::of_sorted(&maps.base, &person(number)).encode());
        of_maps.push(of_shard(&person(number)).encode());
    }
    (tree, of_maps)
}
