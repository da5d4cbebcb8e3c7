use std::fs::{self, OpenOptions};
use std::path::Path;

use custody_proof::tree::{
    Hash, empty_root, leaf_hash_32, node_hash, verify_consistency, verify_inclusion,
};
use proptest::prelude::*;

use super::*;
use crate::id::Digest;

mod measure;

const OWNER: [u8; 16] = [7; 16];

/// A log of which every leaf is known by its number.
struct Log(u64);

fn leaf(index: u64) -> Digest {
    let mut leaf = [3; 32];
    leaf[..8].copy_from_slice(&index.to_le_bytes());
    Digest(leaf)
}

impl Leaves for Log {
    fn leaves(&self, first: u64, count: usize) -> Result<Vec<Digest>, TreeError> {
        assert!(first + count as u64 <= self.0, "beyond the log");
        Ok((first..first + count as u64).map(leaf).collect())
    }
}

/// RFC 6962, section 2.1.
fn naive_root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => empty_root(),
        [leaf] => *leaf,
        leaves => {
            let half = leaves.len().next_power_of_two() / 2;
            node_hash(&naive_root(&leaves[..half]), &naive_root(&leaves[half..]))
        }
    }
}

fn leaf_hashes(count: u64) -> Vec<Hash> {
    (0..count).map(|n| leaf_hash_32(&leaf(n).0)).collect()
}

fn grown(dir: &Path, size: u64) -> Tree {
    let mut tree = Tree::create(dir, OWNER).unwrap();
    grow(&mut tree, size);
    tree
}

fn grow(tree: &mut Tree, size: u64) {
    (tree.size()..size).for_each(|n| tree.push(&leaf(n)));
    tree.flush().unwrap();
}

/// Proofs in the tree of `size` leaves, checked against the model.
fn check(tiles: &Tiles, size: u64, hashes: &[Hash], indices: &[u64]) {
    let log = Log(size);
    let mut prover = tiles.prover(size, &log).unwrap();
    let root = naive_root(&hashes[..size as usize]);
    assert_eq!(prover.root(), root);
    for &index in indices {
        if index < size {
            let path = prover.inclusion(index).unwrap();
            verify_inclusion(&hashes[index as usize], index, size, &path, &root).unwrap();
        } else {
            assert!(matches!(
                prover.inclusion(index),
                Err(TreeError::Beyond { .. })
            ));
        }
        if index <= size {
            let old_root = naive_root(&hashes[..index as usize]);
            assert_eq!(prover.root_at(index).unwrap(), old_root);
            let proof = prover.consistency(index).unwrap();
            verify_consistency(index, &old_root, size, &root, &proof).unwrap();
        } else {
            assert!(prover.consistency(index).is_err());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Push, flush, reopen at what was flushed or before, with torn ends.
    #[test]
    fn proofs_of_every_flushed_size(steps in prop::collection::vec((1..600_u64, 0..4_u8, 0..100_usize), 1..6), picks in prop::collection::vec(0..2000_u64, 6)) {
        let dir = tempfile::tempdir().unwrap();
        let hashes = leaf_hashes(4000);
        let mut tree = Tree::create(dir.path(), OWNER).unwrap();
        let mut flushed = vec![0];
        for (count, action, garbage) in steps {
            let before = tree.size();
            (before..before + count).for_each(|n| tree.push(&leaf(n)));
            prop_assert_eq!(tree.root(), naive_root(&hashes[..tree.size() as usize]));
            if action == 0 {
                continue;
            }
            tree.flush().unwrap();
            flushed.push(tree.size());
            check(&tree.tiles(), tree.size(), &hashes, &picks);
            if action == 1 {
                continue;
            }
            drop(tree);
            tear(dir.path(), garbage);
            let at = if action == 2 { *flushed.last().unwrap() } else { flushed[garbage % flushed.len()] };
            flushed.retain(|size| *size <= at);
            tree = Tree::open(dir.path(), OWNER, at, &Log(at)).unwrap();
            prop_assert_eq!(tree.root(), naive_root(&hashes[..at as usize]));
            let whole = |(level, bytes): (u32, u64)| bytes == 32 + 32 * (at >> (8 * level));
            prop_assert!(sizes(dir.path()).into_iter().all(whole), "torn ends are cut off");
        }
        tree.flush().unwrap();
        for size in flushed {
            check(&tree.tiles(), size, &hashes, &picks);
        }
        drop(tree);
    }
}

/// Adds what a crash may leave after the end.
fn tear(dir: &Path, garbage: usize) {
    for entry in fs::read_dir(dir).unwrap() {
        use std::io::Write as _;
        let mut options = OpenOptions::new();
        let mut file = options.append(true).open(entry.unwrap().path()).unwrap();
        file.write_all(&vec![0xee; garbage]).unwrap();
    }
}

#[test]
fn a_tree_of_three_levels() {
    let dir = tempfile::tempdir().unwrap();
    let size = 2 * 65536 + 3 * 256 + 5;
    let hashes = leaf_hashes(size);
    let tree = grown(dir.path(), size);
    let picks = [
        0,
        1,
        255,
        256,
        65535,
        65536,
        65792,
        131_071,
        131_072,
        size - 1,
        size,
    ];
    check(&tree.tiles(), size, &hashes, &picks);
    check(&tree.tiles(), 65536, &hashes, &picks);
    drop(tree);

    let reopened = Tree::open(dir.path(), OWNER, size, &Log(size)).unwrap();
    assert_eq!(reopened.root(), naive_root(&hashes));
    check(&reopened.tiles(), size - 700, &hashes, &picks);
    let tiles = reopened.tiles();
    let log = Log(size);
    // C2SP tlog-tiles: full tiles, partial ones, and hashes of whole tiles.
    assert_eq!(tiles.tile(0, 1, 256, &log).unwrap(), hashes[256..512]);
    let last = (size / 256 / 256, size / 256 % 256);
    assert_eq!(
        tiles.tile(1, last.0, last.1 as usize, &log).unwrap().len(),
        3
    );
    assert_eq!(
        tiles.tile(2, 0, 2, &log).unwrap()[1],
        naive_root(&hashes[65536..131_072])
    );
    for (level, index, width) in [
        (0, 515, 6),
        (1, 2, 4),
        (2, 0, 3),
        (3, 0, 1),
        (8, 0, 1),
        (0, 0, 0),
        (0, 0, 257),
        (0, u64::MAX, 1),
    ] {
        let beyond = tiles.tile(level, index, width, &log);
        assert!(
            matches!(beyond, Err(TreeError::Beyond { .. })),
            "{level}/{index}.{width}"
        );
    }
    assert_eq!(sizes(dir.path()), [(1, 32 + 515 * 32), (2, 32 + 2 * 32)]);
}

fn sizes(dir: &Path) -> Vec<(u32, u64)> {
    let mut sizes: Vec<(u32, u64)> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            let level = entry.file_name().into_string().unwrap().parse().unwrap();
            (level, entry.metadata().unwrap().len())
        })
        .collect();
    sizes.sort_unstable();
    sizes
}

#[test]
fn readers_see_what_was_flushed_and_no_more() {
    let dir = tempfile::tempdir().unwrap();
    let mut tree = grown(dir.path(), 600);
    let tiles = tree.tiles();
    (600..2000).for_each(|n| tree.push(&leaf(n)));
    let log = Log(2000);
    assert!(matches!(
        tiles.prover(601, &log),
        Err(TreeError::Beyond { size: 600 })
    ));
    tree.flush().unwrap();
    let root = naive_root(&leaf_hashes(2000));
    assert_eq!(tiles.prover(2000, &log).unwrap().root(), root);
    tree.sync().unwrap();
}

#[test]
fn what_is_missing_or_of_another_tree_asks_for_a_rebuild() {
    let dir = tempfile::tempdir().unwrap();
    let size = 65536 + 300;
    let path = dir.path().join("1");
    let open = || Tree::open(dir.path(), OWNER, size, &Log(size));
    let damage = |change: &dyn Fn(&mut Vec<u8>)| {
        drop(grown(dir.path(), size));
        let mut bytes = fs::read(&path).unwrap();
        change(&mut bytes);
        fs::write(&path, bytes).unwrap();
        let error = open().unwrap_err();
        assert!(error.needs_rebuild(), "{error}");
        error
    };
    let error = damage(&|bytes| bytes.truncate(32 + 256 * 32));
    assert!(matches!(
        error,
        TreeError::Missing {
            level: 1,
            expected: 257,
            found: 256
        }
    ));
    let error = damage(&Vec::clear);
    assert!(matches!(
        error,
        TreeError::Missing {
            level: 1,
            found: 0,
            ..
        }
    ));
    let error = damage(&|bytes| bytes[0] ^= 1);
    assert!(matches!(error, TreeError::File { .. }));
    let error = damage(&|bytes| bytes[4] += 1);
    assert!(error.to_string().contains("too new"), "{error}");
    let error = damage(&|bytes| bytes[31] ^= 1);
    assert!(matches!(error, TreeError::File { .. }), "another owner");
    // The last hash, and one below the last hash of level 2.
    let error = damage(&|bytes| *bytes.last_mut().unwrap() ^= 1);
    assert!(matches!(
        error,
        TreeError::Damaged {
            level: 1,
            index: 256
        }
    ));
    let error = damage(&|bytes| bytes[32 + 40] ^= 1);
    assert!(matches!(error, TreeError::Damaged { level: 2, index: 0 }));

    // Made anew, it is as before.
    drop(grown(dir.path(), size));
    assert_eq!(open().unwrap().root(), naive_root(&leaf_hashes(size)));
}

#[test]
fn a_damaged_tile_gives_no_proof() {
    let dir = tempfile::tempdir().unwrap();
    let size = 2 * 65536 + 10;
    let tree = grown(dir.path(), size);
    let path = dir.path().join("1");
    let mut bytes = fs::read(&path).unwrap();
    bytes[32 + 3 * 32] ^= 1;
    fs::write(&path, bytes).unwrap();
    let tiles = tree.tiles();
    let log = Log(size);
    let mut prover = tiles.prover(size, &log).unwrap();
    assert!(matches!(prover.inclusion(0), Err(TreeError::SelfCheck(_))));
    assert!(
        prover.inclusion(70_000).is_ok(),
        "elsewhere nothing is wrong"
    );
}

#[test]
fn stored_leaves() {
    let dir = tempfile::tempdir().unwrap();
    let leaves: Vec<Digest> = (0..300).map(leaf).collect();
    let stored = StoredLeaves::open(dir.path(), OWNER, 0).unwrap();
    stored.append(0, &leaves[..299]).unwrap();
    stored.append(299, &leaves[299..]).unwrap();
    assert_eq!(stored.leaves(250, 50).unwrap(), leaves[250..]);
    let mut tree = Tree::create(dir.path(), OWNER).unwrap();
    leaves.iter().for_each(|leaf| tree.push(leaf));
    tree.flush().unwrap();
    drop((tree, stored));

    // Opened where it was signed last, which is before the end.
    let stored = StoredLeaves::open(dir.path(), OWNER, 290).unwrap();
    let tree = Tree::open(dir.path(), OWNER, 290, &stored).unwrap();
    assert_eq!(tree.root(), naive_root(&leaf_hashes(290)));
    assert!(
        tree.tiles()
            .prover(290, &stored)
            .unwrap()
            .inclusion(289)
            .is_ok()
    );
    let fewer = StoredLeaves::open(dir.path(), OWNER, 291).unwrap_err();
    assert!(matches!(
        fewer,
        TreeError::Missing {
            level: 0,
            found: 290,
            ..
        }
    ));
}
