//! A consistent copy of ledger and vault while both are in use.
//!
//! ```text
//! <name>/backup     what it is, and what is not in it
//! <name>/ledger/
//! <name>/vault/
//! ```
//!
//! The ledger is copied first: keys are durable before the blocks that need
//! them, so that a vault copied later holds the key of every block copied. The
//! root key is not copied; whoever holds a backup without it can check the
//! ledger and read nothing that is sealed. What is derived is not copied
//! either.
//!
//! On the ledger's own file system its sealed segments are linked, not copied:
//! a fault of the medium then hits both.
//!
//! A backup that broke off keeps the name `.<name>.partial`; one under its own
//! name is whole.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use custody_ledger::Ledger;
use custody_vault::{Vault, VaultError};

/// The file that makes a directory a backup.
pub const BACKUP_FILE: &str = "backup";

/// The first line of [`BACKUP_FILE`].
pub const BACKUP_FORMAT: &str = "custody.backup/v1";

/// The longest name of a backup.
pub const MAX_BACKUP_NAME_BYTES: usize = 64;

/// What a backup has besides [`BACKUP_FILE`].
pub const BACKUP_PARTS: [&str; 2] = ["ledger", "vault"];

/// How far a backup is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BackupProgress {
    /// Bytes that are copied.
    pub bytes: u64,
    /// Bytes in all, as far as is known: an estimate for the ledger, and the
    /// vault counts once it is copied.
    pub total_bytes: u64,
}

/// A backup that is whole and on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackedUp {
    /// Where it lies.
    pub directory: PathBuf,
    /// How many entries its ledger has.
    pub entries: u64,
    /// How many bytes were copied.
    pub bytes: u64,
}

/// Why there is no backup. What was copied so far has been deleted, unless it
/// says otherwise.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// Something of this name is there.
    #[error("{} is there already", path.display())]
    Exists {
        /// What.
        path: PathBuf,
    },
    /// A backup under this name is being made, or broke off.
    #[error(
        "{} is there: a backup of this name is being made, or broke off; delete it if none is",
        path.display()
    )]
    Partial {
        /// Where it lies.
        path: PathBuf,
    },
    /// The path has no last part, or one that is no UTF-8.
    #[error("{} is no name for a backup", path.display())]
    Name {
        /// The path.
        path: PathBuf,
    },
    /// A file could not be made or renamed.
    #[error("cannot write {}", path.display())]
    Write {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The ledger could not be copied.
    #[error("the ledger could not be copied")]
    Ledger(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The vault could not be copied.
    #[error("the vault could not be copied")]
    Vault(#[source] VaultError),
}

/// Whether a backup may have this name: 1 to 64 letters, digits, `.`, `_` and
/// `-`, the first of them no `.`.
pub fn is_backup_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (1..=MAX_BACKUP_NAME_BYTES).contains(&name.len())
        && !name.starts_with('.')
        && name.bytes().all(allowed)
}

/// Copies ledger and vault into the new directory `to`.
///
/// # Errors
/// [`BackupError`].
pub fn back_up(
    ledger: &Ledger,
    vault: &Vault,
    to: &Path,
    progress: &mut dyn FnMut(BackupProgress),
) -> Result<BackedUp, BackupError> {
    if fs::symlink_metadata(to).is_ok() {
        return Err(BackupError::Exists { path: to.into() });
    }
    let place = Place::of(to)?;
    fs::create_dir_all(&place.parent).map_err(writing(&place.parent))?;
    fs::create_dir(&place.partial).map_err(|source| match source.kind() {
        io::ErrorKind::AlreadyExists => BackupError::Partial {
            path: place.partial.clone(),
        },
        _ => writing(&place.partial)(source),
    })?;
    let made = fill(ledger, vault, &place.partial, progress).and_then(|made| {
        // Another one of this name may have been made meanwhile.
        if fs::symlink_metadata(to).is_ok() {
            return Err(BackupError::Exists { path: to.into() });
        }
        fs::rename(&place.partial, to).map_err(writing(to))?;
        sync_dir(&place.parent)?;
        Ok(made)
    });
    match made {
        Ok((entries, bytes)) => Ok(BackedUp {
            directory: to.into(),
            entries,
            bytes,
        }),
        Err(error) => {
            // What cannot be deleted stays under a name that is no backup's.
            let _ = fs::remove_dir_all(&place.partial);
            Err(error)
        }
    }
}

struct Place {
    parent: PathBuf,
    partial: PathBuf,
}

impl Place {
    fn of(to: &Path) -> Result<Self, BackupError> {
        let name = to.file_name().and_then(|name| name.to_str());
        let name = name.ok_or_else(|| BackupError::Name { path: to.into() })?;
        let parent = match to.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
            _ => PathBuf::from("."),
        };
        let partial = parent.join(format!(".{name}.partial"));
        Ok(Self { parent, partial })
    }
}

/// The number of entries and of bytes.
fn fill(
    ledger: &Ledger,
    vault: &Vault,
    dir: &Path,
    progress: &mut dyn FnMut(BackupProgress),
) -> Result<(u64, u64), BackupError> {
    let [ledger_part, vault_part] = BACKUP_PARTS.map(|part| dir.join(part));
    let report = ledger
        .backup(&ledger_part, |copied| {
            progress(BackupProgress {
                bytes: copied.bytes,
                total_bytes: expected(&copied),
            });
        })
        .map_err(|error| BackupError::Ledger(Box::new(error)))?;
    let of_vault = vault
        .backup(&vault_part, &mut |bytes| {
            progress(BackupProgress {
                bytes: report.bytes + bytes,
                total_bytes: report.bytes + bytes,
            });
        })
        .map_err(BackupError::Vault)?;
    let entries = report.heads.iter().map(|head| head.size).sum();
    describe(ledger, entries, &dir.join(BACKUP_FILE))?;
    sync_dir(dir)?;
    Ok((entries, report.bytes + of_vault))
}

/// Segments are of about one length.
fn expected(copied: &custody_ledger::BackupProgress) -> u64 {
    let mean = copied.bytes / copied.segments.max(1);
    let left = copied.total_segments.saturating_sub(copied.segments);
    copied.bytes.saturating_add(mean.saturating_mul(left))
}

fn describe(ledger: &Ledger, entries: u64, path: &Path) -> Result<(), BackupError> {
    let text = format!(
        "{BACKUP_FORMAT}\nledger {}\nentries {entries}\n\n\
         The root key is not in here: keep a copy of it elsewhere. What is derived is\n\
         not in here either: it is made again. `custody restore` puts this in place.\n",
        ledger.id()
    );
    let write = || {
        let mut file = File::create_new(path)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()
    };
    write().map_err(writing(path))
}

fn sync_dir(path: &Path) -> Result<(), BackupError> {
    File::open(path)
        .and_then(|dir| dir.sync_all())
        .map_err(writing(path))
}

fn writing(path: &Path) -> impl FnOnce(io::Error) -> BackupError {
    let path = path.to_owned();
    move |source| BackupError::Write { path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_in_the_directory() {
        for good in [
            "a",
            "20260131T235959Z",
            "before-upgrade_2.1",
            &"x".repeat(64),
        ] {
            assert!(is_backup_name(good), "{good}");
        }
        for bad in [
            "",
            ".",
            "..",
            ".a",
            "a/b",
            "/a",
            "a b",
            "é",
            "a\0",
            &"x".repeat(65),
        ] {
            assert!(!is_backup_name(bad), "{bad}");
        }
    }
}
