use proptest::prelude::*;

use super::*;
use crate::error::ProofError;

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

/// The vectors of the Certificate Transparency implementations
/// (`merkle_tree_test.cc` of google/certificate-transparency; today
/// `testonly/` of transparency-dev/merkle).
mod vectors {
    use super::*;

    const LEAVES: [&str; 8] = [
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    ];
    const ROOTS: [&str; 9] = [
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];
    const LEAF_1: &str = "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7";
    const LEAVES_2_3: &str = "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e";
    const LEAF_4: &str = "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b";
    const LEAVES_4_5: &str = "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a";
    const LEAVES_4_7: &str = "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4";
    const LEAF_6: &str = "b08693ec2e721597130641e8211e7eedccb4c26413963eee6c1e2ed16ffb1a5f";
    const LEAVES_6_7: &str = "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0";

    fn hash(text: &str) -> Hash {
        let mut hash = Hash([0; 32]);
        hex::decode_to_slice(text, &mut hash.0).unwrap();
        hash
    }

    fn leaf(index: usize) -> Hash {
        leaf_hash(&hex::decode(LEAVES[index]).unwrap())
    }

    #[test]
    fn roots() {
        let mut frontier = Frontier::new();
        assert_eq!(empty_root(), hash(ROOTS[0]));
        for (index, root) in ROOTS.iter().enumerate() {
            assert_eq!(frontier.root(), hash(root), "size {index}");
            if index < LEAVES.len() {
                frontier.push(leaf(index));
            }
        }
    }

    #[test]
    fn inclusion() {
        let vectors: [(usize, u64, &[&str]); 7] = [
            (0, 1, &[]),
            (0, 2, &[LEAF_1]),
            (0, 8, &[LEAF_1, LEAVES_2_3, LEAVES_4_7]),
            (5, 8, &[LEAF_4, LEAVES_6_7, ROOTS[4]]),
            (2, 3, &[ROOTS[2]]),
            (1, 5, &[ROOTS[1], LEAVES_2_3, LEAF_4]),
            (1, 2, &[ROOTS[1]]),
        ];
        for (index, size, path) in vectors {
            let path: Vec<Hash> = path.iter().map(|text| hash(text)).collect();
            let root = hash(ROOTS[size as usize]);
            verify_inclusion(&leaf(index), index as u64, size, &path, &root).unwrap();
        }
    }

    #[test]
    fn consistency() {
        let vectors: [(u64, u64, &[&str]); 6] = [
            (1, 1, &[]),
            (1, 8, &[LEAF_1, LEAVES_2_3, LEAVES_4_7]),
            (6, 8, &[LEAVES_4_5, LEAVES_6_7, ROOTS[4]]),
            (2, 5, &[LEAVES_2_3, LEAF_4]),
            (6, 7, &[LEAVES_4_5, LEAF_6, ROOTS[4]]),
            (4, 5, &[LEAF_4]),
        ];
        for (old, size, proof) in vectors {
            let proof: Vec<Hash> = proof.iter().map(|text| hash(text)).collect();
            let (old_root, root) = (hash(ROOTS[old as usize]), hash(ROOTS[size as usize]));
            verify_consistency(old, &old_root, size, &root, &proof).unwrap();
        }
    }

    #[test]
    fn a_leaf_of_32_bytes_is_a_leaf() {
        let leaf: [u8; 32] = std::array::from_fn(|n| n as u8);
        assert_eq!(leaf_hash_32(&leaf), leaf_hash(&leaf));
    }
}
