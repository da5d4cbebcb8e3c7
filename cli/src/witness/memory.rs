//! Which size each witness has seen last, over a restart.
//!
//! A line a witness, `<name>+<hash> <size>`. The file saves a question: a
//! witness tells its size where ours is wrong. It may be deleted.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use custody_proof::cosignature::CosignerKey;

const FILE: &str = "witnesses";

/// The sizes by witness.
#[derive(Debug)]
pub(super) struct Memory {
    path: PathBuf,
    sizes: BTreeMap<String, u64>,
}

impl Memory {
    /// Reads what is there; what cannot be read is not known.
    pub(super) fn open(data_dir: &Path) -> Self {
        let path = data_dir.join(FILE);
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        let sizes = text.lines().filter_map(|line| {
            let (witness, size) = line.split_once(' ')?;
            Some((witness.to_owned(), size.parse().ok()?))
        });
        Self {
            path,
            sizes: sizes.collect(),
        }
    }

    /// The size that a witness saw last; 0 where it has seen nothing.
    pub(super) fn size(&self, key: &CosignerKey) -> u64 {
        self.sizes.get(&name(key)).copied().unwrap_or(0)
    }

    /// Keeps a size. Whole or not at all, and without waiting for the disk.
    pub(super) fn keep(&mut self, key: &CosignerKey, size: u64) -> io::Result<()> {
        self.sizes.insert(name(key), size);
        let lines = self.sizes.iter();
        let text: String = lines
            .map(|(name, size)| format!("{name} {size}\n"))
            .collect();
        let new = self.path.with_extension("new");
        std::fs::write(&new, text)?;
        std::fs::rename(&new, &self.path)
    }
}

fn name(key: &CosignerKey) -> String {
    format!("{}+{}", key.name(), hex::encode(key.id()))
}

#[cfg(test)]
mod tests {
    use custody_proof::cosignature::CosigningKey;

    use super::*;

    #[test]
    fn sizes_outlive_the_process() {
        let key = |seed, name| {
            let key = CosigningKey::from_seed(name, &[seed; 32]).unwrap();
            key.cosigner_key().clone()
        };
        let (a, b) = (key(1, "a.example"), key(2, "b.example"));
        let dir = tempfile::tempdir().unwrap();
        let mut memory = Memory::open(dir.path());
        assert_eq!(memory.size(&a), 0);
        memory.keep(&a, 7).unwrap();
        memory.keep(&b, 9).unwrap();
        memory.keep(&a, 8).unwrap();
        let again = Memory::open(dir.path());
        assert_eq!((again.size(&a), again.size(&b)), (8, 9));
        // Another key of the same name is another witness.
        assert_eq!(again.size(&key(3, "a.example")), 0);
    }
}
