//! What can go wrong with a vault. No case holds an identifier.

use std::io;
use std::path::PathBuf;

use crate::entry::SealError;
use crate::key::RandomnessError;
use crate::root::EscrowError;
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
    /// The person is being erased: wait ([`crate::Vault::wait_while_erasing`])
    /// and admit again.
    #[error("a person of this event is being erased: wait until that is done")]
    Erasing,
    /// The root key is of another generation than the vault: an erasure made
    /// a new one since the vault, or the key, was copied.
    #[error(
        "the vault wants a root key of generation {need}, this one has {have}: every erasure          makes a new one and destroys the one before it. Restore vault and key of one time"
    )]
    RootKeyOld {
        /// Generation of the key that was given.
        have: u64,
        /// Generation that the vault wants.
        need: u64,
    },
    /// What keeps the root key did not do what was asked.
    #[error("the store of the root key could not {doing}: {reason}")]
    RootService {
        /// What was asked of it.
        doing: &'static str,
        /// What it said, without any key.
        reason: String,
    },
    /// The root key is kept under a passphrase, and none was given.
    #[error("the root key file is sealed under a passphrase: give it")]
    PassphraseMissing,
    /// It does not open the root key.
    #[error("the passphrase does not open the root key file")]
    PassphraseWrong,
    /// Shares of the root key.
    #[error(transparent)]
    Escrow(#[from] EscrowError),
    /// An erasure stopped half-way, and it is not known which half: nothing
    /// is written until the vault is opened again, which finds out.
    #[error("an erasure was cut off: open the vault again before anything is written")]
    Interrupted,
    /// There is a vault and no root key.
    #[error(
        "the vault has no root key at {place}: give the place where it is, or restore it from \
         its backup; without it nothing in the vault can be read"
    )]
    RootKeyMissing {
        /// Where it was looked for.
        place: String,
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
        "the root key at {place} (generation {generation}) is not the key of this vault: give \
         the place of the right one, or restore vault and key from the same backup"
    )]
    RootKeyWrong {
        /// Where it was found.
        place: String,
        /// Generation of the key.
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
    /// An identifier that is several persons', or was over time.
    #[error(
        "the identifier is, or was, that of {count} persons: ask by one that is unique, or for a \
         time"
    )]
    Ambiguous {
        /// How many persons, counted to [`crate::AMBIGUOUS_COUNT_LIMIT`].
        count: usize,
    },
    /// The directory names a person whose key is not there.
    #[error(
        "the vault lacks the key of a person that its directory names: restore it from a backup"
    )]
    PersonKeyMissing,
    /// No person has this reference.
    #[error("no person has this reference")]
    UnknownPerson,
    /// Only an identifier that is one person's alone can be released.
    #[error("the identifier is a shared one: it belongs to nobody who could give it up")]
    SharedIdentifier,
    /// The scope of a mark is too long.
    #[error("the scope of a mark has {size} bytes, the limit is {limit}")]
    ScopeTooLong {
        /// How many were given.
        size: usize,
        /// How many may be.
        limit: usize,
    },
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
                | Self::SharedIdentifier
                | Self::Seal(SealError::TooLarge { .. })
        )
    }
}
