//! What can go wrong with a vault. No case holds an identifier.

use std::io;
use std::path::PathBuf;

use crate::entry::SealError;
use crate::key::RandomnessError;
use crate::store::StoreError;

/// Why the vault did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// A file could not be read or written.
    #[error("could not {doing} at {}", path.display())]
    Io {
        /// What was being done.
        doing: &'static str,
        /// To which file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// There is a vault and no root key.
    #[error(
        "the vault has no root key at {}: give the path where the key file is, or restore it \
         from its backup; without it nothing in the vault can be read",
        path.display()
    )]
    RootKeyMissing {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// Neither slot of the root key file can be read.
    #[error(
        "the root key file {} is damaged ({reason}): restore it from its backup; delete it only \
         if no vault was ever made with it",
        path.display()
    )]
    RootKeyDamaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The root key is whole, and is not this vault's.
    #[error(
        "the root key at {} (generation {generation}) is not the key of this vault: give the \
         path of the right one, or restore vault and key from the same backup",
        path.display()
    )]
    RootKeyWrong {
        /// The file.
        path: PathBuf,
        /// Generation of the key in it.
        generation: u64,
    },
    /// Written by a newer version.
    #[error("the {what} has format {found}, newer than this version reads ({known}): upgrade")]
    TooNew {
        /// Which part.
        what: &'static str,
        /// Its format.
        found: u16,
        /// The format of this version.
        known: u16,
    },
    /// Written by a version that is too old.
    #[error("the {what} has format {found}, older than this version reads ({known})")]
    TooOld {
        /// Which part.
        what: &'static str,
        /// Its format.
        found: u16,
        /// The format of this version.
        known: u16,
    },
    /// The directory holds something else, or a vault that lost its head.
    #[error("{} is not a vault, or a damaged one: restore it from a backup", path.display())]
    NotAVault {
        /// The directory.
        path: PathBuf,
    },
    /// The schemes that link persons are fixed when a vault is made: an
    /// identifier that was admitted as a shared one cannot be found as a
    /// unique one.
    #[error("the vault was made with the unique schemes [{}]: configure those", made_with.join(", "))]
    SchemesChanged {
        /// What it was made with, sorted.
        made_with: Vec<String>,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Sealing or opening failed.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// No random bytes.
    #[error(transparent)]
    Randomness(#[from] RandomnessError),
    /// An event without a person.
    #[error("no identifier was given")]
    NoIdentifier,
    /// More identifiers than one event may have.
    #[error("{count} identifiers, the limit is {limit}")]
    TooManyIdentifiers {
        /// How many were given.
        count: usize,
        /// How many may be.
        limit: usize,
    },
    /// Not `scheme:value`, or too long.
    #[error("identifier {position} {reason}")]
    InvalidIdentifier {
        /// Its place in the list, from 0.
        position: usize,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A shared identifier that is several persons'.
    #[error("the identifier is shared by {count} persons: ask by one that is unique")]
    Ambiguous {
        /// How many persons, counted to [`crate::AMBIGUOUS_COUNT_LIMIT`].
        count: usize,
    },
    /// The directory names a person whose key is not there.
    #[error(
        "the vault lacks the key of a person that its directory names: restore it from a backup"
    )]
    PersonKeyMissing,
    /// The window's key was destroyed; it does not come back.
    #[error("the key of window {window} was destroyed")]
    WindowDestroyed {
        /// The window.
        window: u64,
    },
}

impl VaultError {
    pub(crate) fn wrong_version(what: &'static str, found: u16, known: u16) -> Self {
        if found > known {
            Self::TooNew { what, found, known }
        } else {
            Self::TooOld { what, found, known }
        }
    }

    /// Whether the input is to blame, so that the same call fails again and
    /// the event is to be rejected; everything else is the vault's trouble.
    pub fn is_input(&self) -> bool {
        matches!(
            self,
            Self::NoIdentifier
                | Self::TooManyIdentifiers { .. }
                | Self::InvalidIdentifier { .. }
                | Self::Ambiguous { .. }
                | Self::Seal(SealError::TooLarge { .. })
        )
    }
}
