//! Changing one bit of a copy of the ledger, as somebody would who wants an
//! entry to say something else.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use custody_ledger::{Ledger, LedgerError, ShardId};

/// How many bytes of a block are looked for in the files.
const NEEDLE_BYTES: usize = 48;

/// A block, and bytes of it by which it is found in the files.
pub(super) struct Target {
    shard: ShardId,
    needle: Vec<u8>,
}

/// Where a bit was changed.
pub(super) struct Flipped {
    pub(super) file: PathBuf,
    pub(super) offset: u64,
}

impl Target {
    /// The middle block of the largest shard.
    pub(super) fn choose(ledger: &Ledger) -> Result<Option<Self>, LedgerError> {
        let shards = ledger.shards();
        let Some((_, head)) = shards.iter().max_by_key(|(_, head)| head.size) else {
            return Ok(None);
        };
        let height = head.blocks / 2;
        let block = ledger.read_block(head.shard, height)?;
        Ok(block.map(|block| {
            let bytes = block.as_bytes();
            let middle = bytes.len() / 2;
            let end = bytes.len().min(middle + NEEDLE_BYTES);
            Self {
                shard: head.shard,
                needle: bytes[middle..end].to_vec(),
            }
        }))
    }

    /// Flips one bit of the block in the files under `dir`. `None` where the
    /// store does not keep it as it was written.
    pub(super) fn flip(&self, dir: &Path) -> io::Result<Option<Flipped>> {
        for path in files(dir)? {
            let mut bytes = Vec::new();
            File::open(&path)?.read_to_end(&mut bytes)?;
            let found = bytes
                .windows(self.needle.len())
                .position(|window| window == self.needle);
            if let Some(offset) = found {
                let mut file = OpenOptions::new().write(true).open(&path)?;
                file.seek(SeekFrom::Start(offset as u64))?;
                file.write_all(&[bytes[offset] ^ 1])?;
                return Ok(Some(Flipped {
                    file: path.strip_prefix(dir).unwrap_or(&path).to_owned(),
                    offset: offset as u64,
                }));
            }
        }
        self.flip_sealed(dir)
    }

    /// Flips one bit in the middle of a segment of the shard: a block that is
    /// sealed lies there compressed.
    fn flip_sealed(&self, dir: &Path) -> io::Result<Option<Flipped>> {
        let shard = self.shard.to_string();
        let is_of_shard = |path: &PathBuf| {
            path.extension().is_some_and(|extension| extension == "seg")
                && path
                    .components()
                    .any(|part| part.as_os_str() == shard.as_str())
        };
        let Some(path) = files(dir)?.into_iter().find(is_of_shard) else {
            return Ok(None);
        };
        let mut file = OpenOptions::new().read(true).write(true).open(&path)?;
        let offset = file.metadata()?.len() / 2;
        let mut byte = [0];
        file.seek(SeekFrom::Start(offset))?;
        file.read_exact(&mut byte)?;
        file.seek(SeekFrom::Start(offset))?;
        file.write_all(&[byte[0] ^ 1])?;
        Ok(Some(Flipped {
            file: path.strip_prefix(dir).unwrap_or(&path).to_owned(),
            offset,
        }))
    }
}

/// Copies a directory.
pub(super) fn copy(from: &Path, to: &Path) -> io::Result<()> {
    for path in files(from)? {
        let to = to.join(path.strip_prefix(from).unwrap_or(&path));
        if let Some(parent) = to.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::copy(&path, &to)?;
    }
    Ok(())
}

fn files(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            found.extend(files(&entry.path())?);
        } else {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}
