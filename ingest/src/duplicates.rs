//! Which events were stored within the window.
//!
//! The same `source` + `id` delivered again within the window (7 days, all
//! shards) is a duplicate; with other content it is a conflict. The index is
//! derived from the ledger and holds digests only, keyed by a key a day that
//! is destroyed when the day leaves the window: after that nobody can ask the
//! index whether an event was there.

mod index;
mod store;

mod recover;

pub use index::{Digests, DuplicateIndex, Sighting};
pub use recover::catch_up;
pub use store::StoreError;

/// What can go wrong with the index.
#[derive(Debug, thiserror::Error)]
pub enum DuplicatesError {
    /// The store failed.
    #[error("duplicates index: {0}")]
    Store(#[from] StoreError),
    /// A stored row has another shape than ours.
    #[error(
        "duplicates index: malformed row in {place}; delete the directory to have it made again"
    )]
    Malformed {
        /// Which part.
        place: &'static str,
    },
    /// The vault gave no window key.
    #[error("duplicates index: {0}")]
    Vault(#[from] custody_vault::VaultError),
    /// The ledger could not be read.
    #[error("duplicates index: {0}")]
    Ledger(#[from] custody_ledger::LedgerError),
}
