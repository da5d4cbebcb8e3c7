//! The file of the keys that sign checkpoints.
//!
//! One private note key a line, the current one first. Each key signs under
//! the ledger's origin, whatever name stands in the file: the name is there
//! for people.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use custody_ledger::ledger_id;
use custody_policy::generate_key;
use custody_proof::checkpoint::ledger_origin;
use custody_proof::note::{KeyError, SigningKey, VerifyingKey};
use tracing::info;
use zeroize::Zeroizing;

use crate::config::Config;
use crate::data_dir::ledger_dir;

/// More keys than any change of keys needs.
const MAX_KEYS: usize = 8;

/// What is wrong with a key file. Never shows a key.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// It is not there.
    #[error("{} is not there", path.display())]
    Absent {
        /// The file.
        path: PathBuf,
    },
    /// It is not there, and the ledger has signed with what was in it.
    #[error(
        "{} is not there, and this ledger has signed checkpoints: restore the file. A new key \
         (`custody keys generate`) is a new signer to everybody who trusts the old one",
        path.display()
    )]
    Lost {
        /// The file.
        path: PathBuf,
    },
    /// It is there already.
    #[error("{} is there already; `custody keys rotate` adds a key to it", path.display())]
    Present {
        /// The file.
        path: PathBuf,
    },
    /// Others than its owner can read it.
    #[error(
        "{} can be read by others than its owner (mode {mode:03o}); `chmod 600` it, and change \
         the key if anybody may have read it",
        path.display()
    )]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// It cannot be read or written.
    #[error("cannot use {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A line is no key.
    #[error("{}, line {line}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// Which line, from 1.
        line: usize,
        /// What is wrong with it.
        source: KeyError,
    },
    /// It holds no key, too many, or one twice.
    #[error("{}: {problem}", path.display())]
    Keys {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// The origin is no name that a key can have, or no key can be made.
    #[error("signing under `{origin}`")]
    Origin {
        /// The ledger's origin.
        origin: String,
        /// What is wrong.
        source: KeyError,
    },
    /// The ledger's identity cannot be read.
    #[error("the ledger's identity cannot be read")]
    Ledger(#[from] custody_ledger::OpenError),
    /// Without a ledger there is no default origin.
    #[error(
        "there is no ledger yet, and the name that it signs under has its id in it: start the \
         node once, or set signing.origin"
    )]
    NoOrigin,
}

/// The keys that sign a ledger's checkpoints, the current one first.
#[derive(Debug)]
pub struct KeyFile {
    path: PathBuf,
    keys: Vec<SigningKey>,
}

impl KeyFile {
    /// Reads the keys of a file that only its owner can read.
    ///
    /// # Errors
    /// [`KeyFileError`].
    pub fn read(path: &Path) -> Result<Self, KeyFileError> {
        let file_error = |source| KeyFileError::File {
            path: path.to_owned(),
            source,
        };
        let mut file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(KeyFileError::Absent {
                    path: path.to_owned(),
                });
            }
            Err(error) => return Err(file_error(error)),
        };
        // Of the open file: a name may come to mean another one.
        let mode = file.metadata().map_err(file_error)?.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(KeyFileError::Exposed {
                path: path.to_owned(),
                mode,
            });
        }
        let mut text = Zeroizing::new(String::new());
        io::Read::read_to_string(&mut file, &mut text).map_err(file_error)?;
        let mut keys = Vec::new();
        for (line, key) in (1..).zip(text.lines()) {
            if key.trim().is_empty() {
                continue;
            }
            let key = key.trim().parse().map_err(|source| KeyFileError::Line {
                path: path.to_owned(),
                line,
                source,
            })?;
            keys.push(key);
        }
        Self::of(path, keys)
    }

    /// Makes a file with one new key.
    ///
    /// # Errors
    /// [`KeyFileError::Present`] where the file is there, whatever it holds.
    pub fn create(path: &Path, name: &str) -> Result<Self, KeyFileError> {
        let new = Self::of(path, vec![new_key(name)?])?;
        if let Some(parent) = path
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty())
        {
            std::fs::create_dir_all(parent).map_err(|error| new.error(error))?;
        }
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path);
        match file {
            Ok(file) => new.write_to(file)?,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                return Err(KeyFileError::Present {
                    path: path.to_owned(),
                });
            }
            Err(error) => return Err(new.error(error)),
        }
        new.sync_directory()?;
        Ok(new)
    }

    fn of(path: &Path, keys: Vec<SigningKey>) -> Result<Self, KeyFileError> {
        // The same key under two names signs twice for nothing.
        let as_one_name = |key: &SigningKey| key.verifying_key().for_name("key").ok();
        let twice = (1..keys.len()).any(|n| {
            let (before, rest) = keys.split_at(n);
            let key = rest.first().and_then(as_one_name);
            before.iter().any(|other| as_one_name(other) == key)
        });
        let problem = match keys.len() {
            0 => Some("no key in it".to_owned()),
            number if number > MAX_KEYS => {
                Some(format!("{number} keys; at most {MAX_KEYS} can sign"))
            }
            _ if twice => Some("a key stands in it twice".to_owned()),
            _ => None,
        };
        match problem {
            Some(problem) => Err(KeyFileError::Keys {
                path: path.to_owned(),
                problem,
            }),
            None => Ok(Self {
                path: path.to_owned(),
                keys,
            }),
        }
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Keys that sign under an origin, the current one first. Never empty.
    ///
    /// # Errors
    /// [`KeyFileError::Origin`].
    pub fn signers(&self, origin: &str) -> Result<Vec<SigningKey>, KeyFileError> {
        self.keys
            .iter()
            .map(|key| key.for_name(origin).map_err(bad(origin)))
            .collect()
    }

    /// What verifies the signatures under an origin, the current key first.
    ///
    /// # Errors
    /// [`KeyFileError::Origin`].
    pub fn verifying_keys(&self, origin: &str) -> Result<Vec<VerifyingKey>, KeyFileError> {
        self.keys
            .iter()
            .map(|key| key.verifying_key().for_name(origin).map_err(bad(origin)))
            .collect()
    }

    /// The same under the names in the file, which are those that they were made
    /// for, whatever is configured now.
    pub fn named_keys(&self) -> Vec<VerifyingKey> {
        let keys = self.keys.iter();
        keys.map(|key| key.verifying_key().clone()).collect()
    }

    /// Puts a new key before the others.
    ///
    /// # Errors
    /// [`KeyFileError`]; the file is as it was.
    pub fn rotate(self, name: &str) -> Result<Self, KeyFileError> {
        let mut keys = vec![new_key(name)?];
        keys.extend(self.keys);
        Self::of(&self.path, keys)?.replaced()
    }

    /// Leaves out the key at this place, which is not the current one.
    ///
    /// # Errors
    /// [`KeyFileError`]; the file is as it was.
    pub fn retire(mut self, place: usize) -> Result<Self, KeyFileError> {
        if place == 0 || place >= self.keys.len() {
            return Err(KeyFileError::Keys {
                path: self.path,
                problem: "only a key after the current one can be retired".to_owned(),
            });
        }
        self.keys.remove(place);
        self.replaced()
    }

    /// Writes a whole new file and puts it in the place of the old one: at no
    /// moment is there no key.
    fn replaced(self) -> Result<Self, KeyFileError> {
        let new = self.path.with_extension("new");
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&new)
            .map_err(|error| self.error(error))?;
        self.write_to(file)?;
        std::fs::rename(&new, &self.path).map_err(|error| self.error(error))?;
        self.sync_directory()?;
        Ok(self)
    }

    fn write_to(&self, mut file: File) -> Result<(), KeyFileError> {
        for key in &self.keys {
            let secret = key.to_secret_string();
            file.write_all(secret.as_bytes())
                .and_then(|()| file.write_all(b"\n"))
                .map_err(|error| self.error(error))?;
        }
        file.sync_all().map_err(|error| self.error(error))
    }

    fn sync_directory(&self) -> Result<(), KeyFileError> {
        let parent = self.path.parent().filter(|dir| !dir.as_os_str().is_empty());
        File::open(parent.unwrap_or(Path::new(".")))
            .and_then(|dir| dir.sync_all())
            .map_err(|error| self.error(error))
    }

    fn error(&self, source: io::Error) -> KeyFileError {
        KeyFileError::File {
            path: self.path.clone(),
            source,
        }
    }
}

fn new_key(name: &str) -> Result<SigningKey, KeyFileError> {
    generate_key(name).map_err(bad(name))
}

fn bad(origin: &str) -> impl FnOnce(KeyError) -> KeyFileError {
    let origin = origin.to_owned();
    move |source| KeyFileError::Origin { origin, source }
}

/// The name that a ledger signs under, where it can be known: it is set, or
/// there is a ledger.
///
/// # Errors
/// [`KeyFileError::NoOrigin`], or [`KeyFileError::Ledger`] where the ledger's
/// identity is damaged.
pub fn origin(config: &Config) -> Result<String, KeyFileError> {
    if !config.signing.origin.is_empty() {
        return Ok(config.signing.origin.clone());
    }
    ledger_id(&ledger_dir(&config.data_dir))?
        .map(ledger_origin)
        .ok_or(KeyFileError::NoOrigin)
}

/// The keys that sign for a ledger that takes in entries, the current one
/// first; makes the first one where the ledger has signed nothing yet. Never
/// empty.
///
/// # Errors
/// [`KeyFileError`].
pub fn signers(config: &Config) -> Result<Vec<SigningKey>, KeyFileError> {
    let origin = origin(config)?;
    let path = config.signing_key_path();
    let file = match KeyFile::read(&path) {
        Err(KeyFileError::Absent { path }) if has_signed(config) => {
            return Err(KeyFileError::Lost { path });
        }
        Err(KeyFileError::Absent { path }) => {
            let made = KeyFile::create(&path, &origin)?;
            info!(file = %path.display(), "made a key that signs checkpoints; back it up by itself");
            made
        }
        read => read?,
    };
    file.signers(&origin)
}

/// Whether a signed anchor lies where the configuration says.
fn has_signed(config: &Config) -> bool {
    let dirs = [
        ledger_dir(&config.data_dir),
        config.ledger.signed_anchor_dir.clone(),
    ];
    dirs.iter()
        .filter(|dir| !dir.as_os_str().is_empty())
        .flat_map(|dir| ["signed.0", "signed.1"].map(|file| dir.join(file)))
        .any(|file| file.exists())
}

#[cfg(test)]
mod tests;
