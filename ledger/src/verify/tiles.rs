//! The tiles of a shard's tree, which are derived: proofs are made from them,
//! and where they are not what the log says, they are to be made again.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use custody_proof::tree::Hash;

use crate::id::ShardId;
use crate::tree::{ARRAY_HEADER_BYTES, array_header, check_array_header};

/// How many levels are stored as files: from 1 up.
const LEVELS: usize = 8;
const HASH_BYTES: u64 = 32;

/// The root of 256^level leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tile {
    pub(super) level: u32,
    pub(super) index: u64,
    pub(super) hash: Hash,
}

/// The files of one shard's tiles.
#[derive(Debug)]
pub(super) struct TileFiles {
    /// In the ledger's directory.
    path: PathBuf,
    levels: [Option<File>; LEVELS],
    /// The first that is wrong.
    wrong: Option<String>,
}

impl TileFiles {
    /// Opens what is there.
    pub(super) fn open(dir: &Path, shard: ShardId) -> Self {
        let path: PathBuf = ["tiles", &shard.to_string()].iter().collect();
        let mut files = Self {
            levels: Default::default(),
            path,
            wrong: None,
        };
        for level in 1..LEVELS {
            let Ok(file) = File::open(dir.join(&files.path).join(level.to_string())) else {
                continue;
            };
            let mut header = [0; ARRAY_HEADER_BYTES];
            let checked = file.read_exact_at(&mut header, 0).is_ok_and(|()| {
                check_array_header(&header, &array_header(level as u32, shard.0)).is_ok()
            });
            if checked {
                files.levels[level] = Some(file);
            } else {
                files.note(level as u32, "its header is wrong");
            }
        }
        files
    }

    /// Compares with a computed hash, where one is stored.
    pub(super) fn compare(&mut self, tile: &Tile) {
        let Some(Some(file)) = self.levels.get(tile.level as usize) else {
            return;
        };
        let position = tile
            .index
            .checked_mul(HASH_BYTES)
            .and_then(|at| at.checked_add(ARRAY_HEADER_BYTES as u64));
        let mut stored = [0; HASH_BYTES as usize];
        let is_other = position
            .is_some_and(|at| file.read_exact_at(&mut stored, at).is_ok() && stored != tile.hash.0);
        if is_other {
            self.note(
                tile.level,
                &format!("hash {} is not what the log has", tile.index),
            );
        }
    }

    fn note(&mut self, level: u32, what: &str) {
        let path = self.path.join(level.to_string());
        self.wrong.get_or_insert_with(|| {
            format!(
                "{}: {what}; it is derived, and to be made again",
                path.display()
            )
        });
    }

    pub(super) fn wrong(self) -> Option<String> {
        self.wrong
    }
}
