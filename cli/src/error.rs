//! Why a command could not do its work.

use std::io;
use std::path::{Path, PathBuf};

use crate::config::ConfigError;
use crate::ruleset::BadPacks;
use crate::signing::KeyFileError;

/// How a command that did its work ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Exit {
    /// Done. Status 0.
    Done,
    /// Done, and the answer is bad: verification failed, something was not
    /// delivered. Status 1.
    Bad,
}

/// A command could not do its work. Status 2.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// Flags or arguments that do not go together.
    #[error("{0}")]
    Usage(String),
    /// The settings cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The signing keys cannot be used.
    #[error("signing keys")]
    SigningKeys(#[from] KeyFileError),
    /// Policy packs are wrong.
    #[error("policy packs: {0}")]
    Packs(BadPacks),
    /// A file cannot be opened or read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file cannot be created or written.
    #[error("cannot write {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Standard output cannot be written.
    #[error("cannot write to standard output")]
    Output(#[from] io::Error),
    /// A store of the data directory cannot be used.
    #[error("{store} in {}", dir.display())]
    Store {
        /// Which: `ledger`, `vault`, `read model`.
        store: &'static str,
        /// The data directory.
        dir: PathBuf,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Another process has the data directory open.
    #[error("{} is in use by process {process}", dir.display())]
    InUse {
        /// The data directory.
        dir: PathBuf,
        /// Its process id.
        process: String,
    },
    /// There is no data directory.
    #[error("{} holds no ledger", dir.display())]
    NoLedger {
        /// The data directory.
        dir: PathBuf,
    },
    /// An address cannot be listened on.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: String,
        /// Why.
        source: io::Error,
    },
    /// No server answers.
    #[error("no server answers at {server}: {reason}")]
    Connect {
        /// Its address.
        server: String,
        /// Why.
        reason: String,
    },
    /// The service answered with an error.
    #[error("no answer: {message} ({code})")]
    Refused {
        /// The gRPC code's name.
        code: String,
        /// What it said. Names no person.
        message: String,
    },
    /// Kafka cannot be used.
    #[error("Kafka: {0}")]
    Kafka(String),
    /// A line of input that is no event.
    #[error("line {line}: {reason}")]
    Line {
        /// The line, from 1.
        line: u64,
        /// What is wrong. Does not show the line.
        reason: String,
    },
    /// Something that was started ended by itself.
    #[error("{what} stopped: {reason}")]
    Stopped {
        /// What.
        what: &'static str,
        /// Why.
        reason: String,
    },
}

impl CommandError {
    /// A store's error with the data directory that it is in.
    pub fn store<E>(store: &'static str, dir: &Path) -> impl FnOnce(E) -> Self
    where
        E: std::error::Error + Send + Sync + 'static,
    {
        let dir = dir.to_owned();
        move |source| Self::Store {
            store,
            dir,
            source: Box::new(source),
        }
    }

    /// What the reader can do about it, where that is not in the message.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Config(ConfigError::File { .. } | ConfigError::Variable { .. }) => {
                Some("`custody config --default` shows every key and what it means".to_owned())
            }
            Self::NoLedger { .. } => Some(
                "name the directory of a ledger with --data, or make one with `custody serve`, \
                 `custody import` or `custody demo --data DIR`"
                    .to_owned(),
            ),
            Self::InUse { .. } => {
                Some("ask that process with --server, or stop it first".to_owned())
            }
            Self::Connect { .. } => Some(
                "start one with `custody serve`, name another with --server, or read a data \
                 directory that no server has open with --data DIR"
                    .to_owned(),
            ),
            Self::SigningKeys(KeyFileError::Absent { .. }) => {
                Some("`custody serve` makes one, and so does `custody keys generate`".to_owned())
            }
            Self::Packs(_) => {
                Some("`custody policy check FILE` says the same of a pack alone".to_owned())
            }
            Self::Line { .. } => {
                Some("--keep-going reports such lines and goes on with the next".to_owned())
            }
            _ => None,
        }
    }

    /// Whether the reader of standard output went away, which is its right.
    pub fn is_broken_pipe(&self) -> bool {
        matches!(self, Self::Output(source) if source.kind() == io::ErrorKind::BrokenPipe)
    }
}
