//! The vectors of the Certificate Transparency implementations
//! (`merkle_tree_test.cc` of google/certificate-transparency; today
//! `testonly/` of transparency-dev/merkle).

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
