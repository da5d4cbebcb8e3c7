//! Copies of databases, to be opened without touching the files.

use std::io;
use std::path::Path;

use crate::durable;
use crate::store::{Store, StoreError, dir_name};

/// How the directories of copies begin.
pub(crate) const COPY_PREFIX: &str = "custody-probe-";

const DIR: &str = "db";

/// A copy of a database, so that the files themselves stay as they are when it
/// is opened. It is removed when dropped.
#[derive(Debug)]
pub(crate) struct Copy {
    dir: tempfile::TempDir,
}

impl Copy {
    /// Copies a database of the ledger in `dir` into `scratch`.
    pub(crate) fn make(dir: &Path, generation: u64, scratch: &Path) -> io::Result<Self> {
        let copy = tempfile::Builder::new()
            .prefix(COPY_PREFIX)
            .tempdir_in(scratch)?;
        durable::copy_dir(&dir.join(dir_name(generation)), &copy.path().join(DIR))?;
        Ok(Self { dir: copy })
    }

    /// Opens the copy.
    pub(crate) fn open(&self, segment_bytes: usize, cache_bytes: u64) -> Result<Store, StoreError> {
        Store::open(&self.dir.path().join(DIR), segment_bytes, cache_bytes)
    }
}
