use proptest::prelude::*;

use super::*;
use crate::error::ProofError;

mod vectors;

/// RFC 6962, section 2.1, word for word.
fn naive_root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => empty_root(),
        [leaf] => *leaf,
        leaves => {
            let (left, right) = leaves.split_at(naive_split(leaves.len()));
            node_hash(&naive_root(left), &naive_root(right))
        }
    }
}

/// Section 2.1.1.
fn naive_path(index: usize, leaves: &[Hash]) -> Vec<Hash> {
    if leaves.len() == 1 {
        return Vec::new();
    }
    let (left, right) = leaves.split_at(naive_split(leaves.len()));
    let (mut path, beside) = if index < left.len() {
        (naive_path(index, left), right)
    } else {
        (naive_path(index - left.len(), right), left)
    };
    path.push(naive_root(beside));
    path
}

/// Section 2.1.2: SUBPROOF.
fn naive_consistency(old: usize, leaves: &[Hash], whole: bool) -> Vec<Hash> {
    if old == leaves.len() {
        return if whole {
            Vec::new()
        } else {
            vec![naive_root(leaves)]
        };
    }
    let (left, right) = leaves.split_at(naive_split(leaves.len()));
    let (mut proof, beside) = if old <= left.len() {
        (naive_consistency(old, left, whole), right)
    } else {
        (naive_consistency(old - left.len(), right, false), left)
    };
    proof.push(naive_root(beside));
    proof
}

fn naive_split(size: usize) -> usize {
    let mut split = 1;
    while split * 2 < size {
        split *= 2;
    }
    split
}

fn leaves(count: u32) -> Vec<Hash> {
    (0..count).map(|n| leaf_hash(&n.to_be_bytes())).collect()
}

/// The hashes of all complete subtrees: `[level][index]`.
struct Subtrees(Vec<Vec<Hash>>);

impl Subtrees {
    fn new(leaves: &[Hash]) -> Self {
        let mut levels = vec![leaves.to_vec()];
        while let Some(below) = levels.last().filter(|below| below.len() > 1) {
            let (pairs, _) = below.as_chunks::<2>();
            let level = pairs
                .iter()
                .map(|[left, right]| node_hash(left, right))
                .collect();
            levels.push(level);
        }
        Self(levels)
    }

    fn fold(&self, nodes: &[Node]) -> Hash {
        let hashes: Vec<Hash> = nodes
            .iter()
            .map(|node| self.0[node.level as usize][node.index as usize])
            .collect();
        fold(&hashes).unwrap()
    }

    fn inclusion(&self, index: u64, size: u64) -> Vec<Hash> {
        let plan = inclusion_nodes(index, size).unwrap();
        plan.iter().map(|nodes| self.fold(nodes)).collect()
    }

    fn consistency(&self, old: u64, size: u64) -> Vec<Hash> {
        let plan = consistency_nodes(old, size).unwrap();
        plan.iter().map(|nodes| self.fold(nodes)).collect()
    }
}

const LARGEST: u32 = 300;

#[test]
fn every_size_and_index_as_in_the_definition() {
    let leaves = leaves(LARGEST);
    let subtrees = Subtrees::new(&leaves);
    let mut frontier = Frontier::new();
    for size in 0..=leaves.len() {
        let tree = &leaves[..size];
        let root = naive_root(tree);
        assert_eq!(frontier.root(), root, "size {size}");
        let nodes = root_nodes(size as u64).unwrap();
        assert_eq!(nodes.len(), frontier.parts().1.len());
        if size > 0 {
            assert_eq!(subtrees.fold(&nodes), root);
            frontier_survives_storing(&frontier);
        }
        for (index, leaf) in tree.iter().enumerate() {
            let path = subtrees.inclusion(index as u64, size as u64);
            if size <= 40 || (index + size) % 23 == 0 || index + 2 > size {
                assert_eq!(path, naive_path(index, tree), "{index} of {size}");
            }
            verify_inclusion(leaf, index as u64, size as u64, &path, &root).unwrap();
        }
        if let Some(leaf) = leaves.get(size) {
            frontier.push(*leaf);
        }
    }
}

fn frontier_survives_storing(frontier: &Frontier) {
    let (size, subtrees) = frontier.parts();
    assert_eq!(
        &Frontier::from_parts(size, subtrees.to_vec()).unwrap(),
        frontier
    );
    assert_eq!(
        Frontier::from_parts(size, subtrees[1..].to_vec()),
        Err(ProofError::Length {
            expected: subtrees.len(),
            found: subtrees.len() - 1
        })
    );
}

#[test]
fn every_pair_of_sizes_as_in_the_definition() {
    let leaves = leaves(LARGEST);
    let subtrees = Subtrees::new(&leaves);
    let roots: Vec<Hash> = (0..=leaves.len())
        .map(|n| naive_root(&leaves[..n]))
        .collect();
    for size in 1..roots.len() {
        for old in 1..=size {
            let proof = subtrees.consistency(old as u64, size as u64);
            if size <= 40 || (old + size) % 23 == 0 {
                let naive = naive_consistency(old, &leaves[..size], true);
                assert_eq!(proof, naive, "{old} to {size}");
            }
            let (m, n) = (old as u64, size as u64);
            verify_consistency(m, &roots[old], n, &roots[size], &proof).unwrap();
            // No other root, on either side.
            let other = &roots[old - 1];
            assert!(verify_consistency(m, other, n, &roots[size], &proof).is_err());
            assert!(verify_consistency(m, &roots[old], n, other, &proof).is_err());
        }
    }
}

#[test]
fn from_the_empty_tree_and_to_itself() {
    let (empty, one) = (empty_root(), leaf_hash(b""));
    assert_eq!(verify_consistency(0, &empty, 0, &empty, &[]), Ok(()));
    assert_eq!(verify_consistency(0, &empty, 1, &one, &[]), Ok(()));
    assert_eq!(verify_consistency(1, &one, 1, &one, &[]), Ok(()));
    let refused = [
        verify_consistency(0, &one, 1, &one, &[]),
        verify_consistency(0, &empty, 0, &one, &[]),
        verify_consistency(0, &empty, 1, &one, &[one]),
        verify_consistency(1, &one, 1, &empty, &[]),
        verify_consistency(1, &one, 1, &one, &[one]),
        verify_consistency(2, &one, 1, &one, &[]),
        verify_consistency(1, &one, 2, &one, &[]),
    ];
    assert!(refused.iter().all(Result::is_err), "{refused:?}");
}

/// The directions of a path: what index and size say about its shape.
fn shape(index: u64, size: u64) -> Vec<bool> {
    let plan = inclusion_nodes(index, size).unwrap();
    plan.iter()
        .map(|nodes| nodes[0].leaves().start > index)
        .collect()
}

proptest! {
    #[test]
    fn a_changed_path_never_verifies(size in 1..200_u64, index in any::<u64>(), at in any::<usize>(), bit in 0..256_usize) {
        let index = index % size;
        let leaves = leaves(200);
        let subtrees = Subtrees::new(&leaves);
        let root = naive_root(&leaves[..size as usize]);
        let leaf = &leaves[index as usize];
        let path = subtrees.inclusion(index, size);
        let verify = |path: &[Hash]| verify_inclusion(leaf, index, size, path, &root);
        verify(&path).unwrap();

        if !path.is_empty() {
            let at = at % path.len();
            let mut flipped = path.clone();
            flipped[at].0[bit / 8] ^= 1 << (bit % 8);
            prop_assert_eq!(verify(&flipped), Err(ProofError::Root));
            let mut swapped = path.clone();
            swapped.swap(at, 0);
            prop_assert_eq!(verify(&swapped).is_ok(), at == 0);
            let mut dropped = path.clone();
            dropped.remove(at);
            prop_assert!(matches!(verify(&dropped), Err(ProofError::Length { .. })), "a hash too few");
        }
        let mut longer = path.clone();
        longer.insert(at % (path.len() + 1), root);
        prop_assert!(matches!(verify(&longer), Err(ProofError::Length { .. })), "a hash too much");

        for other in (0..210).filter(|other| *other != index) {
            prop_assert!(verify_inclusion(leaf, other, size, &path, &root).is_err());
        }
        // The size is bound only as far as it shapes the path.
        for other in 0..400 {
            let result = verify_inclusion(leaf, index, other, &path, &root);
            let same = other > index && shape(index, other) == shape(index, size);
            prop_assert_eq!(result.is_ok(), same, "size {} for {}", other, size);
        }
        prop_assert_eq!(verify_inclusion(&root, index, size, &path, &root).is_ok(), size == 1);
    }

    #[test]
    fn a_changed_consistency_proof_never_verifies(size in 2..200_u64, old in any::<u64>(), at in any::<usize>(), bit in 0..256_usize) {
        let old = 1 + old % (size - 1);
        let leaves = leaves(200);
        let roots = [old, size].map(|size| naive_root(&leaves[..size as usize]));
        let proof = Subtrees::new(&leaves).consistency(old, size);
        let verify = |proof: &[Hash]| verify_consistency(old, &roots[0], size, &roots[1], proof);
        verify(&proof).unwrap();

        let at = at % proof.len();
        let mut flipped = proof.clone();
        flipped[at].0[bit / 8] ^= 1 << (bit % 8);
        prop_assert!(matches!(verify(&flipped), Err(ProofError::OldRoot | ProofError::Root)));
        let mut swapped = proof.clone();
        swapped.swap(at, 0);
        prop_assert_eq!(verify(&swapped).is_ok(), at == 0);
        let mut dropped = proof.clone();
        dropped.remove(at);
        prop_assert!(matches!(verify(&dropped), Err(ProofError::Length { .. })), "a hash too few");
        let mut longer = proof.clone();
        longer.insert(at, roots[0]);
        prop_assert!(matches!(verify(&longer), Err(ProofError::Length { .. })), "a hash too much");

        // The old size decides which hashes make up the old root.
        for other in (0..210).filter(|other| *other != old) {
            prop_assert!(verify_consistency(other, &roots[0], size, &roots[1], &proof).is_err());
        }
        prop_assert!(verify_consistency(old, &roots[1], size, &roots[0], &proof).is_err());
    }

    #[test]
    fn hostile_sizes_are_refused_or_lead_elsewhere(index in any::<u64>(), size in any::<u64>(), length in 0..130_usize) {
        let proof = vec![Hash([7; 32]); length];
        let root = Hash([8; 32]);
        prop_assert!(verify_inclusion(&root, index, size, &proof, &root).is_err() || (size == 1 && length == 0));
        prop_assert!(verify_consistency(index, &proof.first().copied().unwrap_or(root), size, &root, &proof).is_err());
    }

    #[test]
    fn plans_of_large_trees_verify(size in 1..=MAX_SIZE, index in any::<u64>(), old in any::<u64>()) {
        // Trees whose leaves are all the same: every complete subtree of a
        // level has one hash.
        let mut levels = vec![leaf_hash_32(&[1; 32])];
        for level in 0..63 {
            levels.push(node_hash(&levels[level], &levels[level]));
        }
        let hash = |nodes: &Vec<Node>| {
            let hashes: Vec<Hash> = nodes.iter().map(|node| levels[node.level as usize]).collect();
            fold(&hashes).unwrap()
        };
        let root = |size: u64| hash(&root_nodes(size).unwrap());
        let index = index % size;
        let path: Vec<Hash> = inclusion_nodes(index, size).unwrap().iter().map(hash).collect();
        prop_assert!(path.len() <= 63);
        prop_assert_eq!(verify_inclusion(&levels[0], index, size, &path, &root(size)), Ok(()));
        let old = 1 + old % size;
        let proof: Vec<Hash> = consistency_nodes(old, size).unwrap().iter().map(hash).collect();
        prop_assert_eq!(verify_consistency(old, &root(old), size, &root(size), &proof), Ok(()));
    }
}

#[test]
fn sizes_beyond_the_largest_are_refused() {
    let root = Hash([0; 32]);
    for size in [MAX_SIZE + 1, u64::MAX] {
        assert_eq!(
            verify_inclusion(&root, 0, size, &[], &root),
            Err(ProofError::OutOfRange)
        );
        assert_eq!(
            verify_consistency(1, &root, size, &root, &[]),
            Err(ProofError::OutOfRange)
        );
        assert_eq!(inclusion_nodes(0, size), Err(ProofError::OutOfRange));
        assert_eq!(consistency_nodes(1, size), Err(ProofError::OutOfRange));
        assert_eq!(root_nodes(size), Err(ProofError::OutOfRange));
        assert_eq!(
            Frontier::from_parts(size, Vec::new()),
            Err(ProofError::OutOfRange)
        );
    }
    assert_eq!(
        root_nodes(MAX_SIZE).unwrap(),
        [Node {
            level: 63,
            index: 0
        }]
    );
    assert_eq!(
        Node {
            level: 63,
            index: 0
        }
        .leaves(),
        0..MAX_SIZE
    );
    assert_eq!(inclusion_nodes(MAX_SIZE - 1, MAX_SIZE).unwrap().len(), 63);
}
