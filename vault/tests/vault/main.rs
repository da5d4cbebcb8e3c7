//! The vault from outside: what is true of its files, its answers and its
//! failures. One binary.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod backup;
mod concurrency;
mod directory_model;
mod durability;
mod entries;
mod erasing;
mod identity;
mod raw_bytes;
mod refusals;
mod roots;
mod windows;

use std::path::{Path, PathBuf};

use custody_vault::{Vault, VaultError, VaultOptions};

/// A directory with a vault and its root key.
struct Home {
    dir: tempfile::TempDir,
}

impl Home {
    fn new() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
        }
    }

    fn vault(&self) -> PathBuf {
        self.dir.path().join("vault")
    }

    fn root(&self) -> PathBuf {
        self.dir.path().join("root.key")
    }

    fn try_open(&self) -> Result<Vault, VaultError> {
        Vault::open(&self.vault(), &self.root(), small())
    }

    fn open(&self) -> Vault {
        self.try_open().unwrap()
    }

    /// What another process would find now: the files as they are, while the
    /// vault is open and without its leave.
    fn copy(&self) -> Self {
        let copy = Self::new();
        copy_dir(&self.vault(), &copy.vault());
        std::fs::copy(self.root(), copy.root()).unwrap();
        copy
    }
}

fn small() -> VaultOptions {
    VaultOptions {
        cache_persons: 1000,
        store_cache_bytes: 1 << 20,
        ..VaultOptions::default()
    }
}

fn copy_dir(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_dir(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}
