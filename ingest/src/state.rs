//! What is known of each person: the state that the judge needs.
//!
//! It is derived from the ledger, sealed under the person's key, and kept up to
//! date as events come in. An event's effect is there for the next event at
//! once; in the store it is only when its block is durable, together with how
//! far the store is in each shard. So the store is never ahead of the ledger,
//! and where it is behind, the blocks that are missing are read again.

mod batch;
mod effect;
mod session;
mod store;
mod table;

mod recover;
mod settle;

mod forget;

#[cfg(test)]
mod tests;

pub(crate) use batch::Batch;
pub(crate) use effect::{Effect, Origin, Review, is_judged, request_id, request_tag, to_policy};
pub(crate) use settle::Settled;
pub(crate) use store::{JudgedRow, Position, Store, encode_at, from_sortable, sortable};

pub use store::StateStoreError;
pub(crate) use table::{Arrival, SubjectStates};

/// A subject reference, as the vault gives it.
pub(crate) type Reference = [u8; 16];

/// What can go wrong with the states.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The store failed.
    #[error("subject states: {0}")]
    Store(#[from] StateStoreError),
    /// A stored row has another shape than ours.
    #[error("subject states: malformed row in {place}; delete the directory to have it made again")]
    Malformed {
        /// Which part.
        place: &'static str,
    },
    /// A state could not be sealed or opened.
    #[error("subject states: {0}")]
    Seal(#[from] custody_vault::SealError),
    /// The vault failed.
    #[error("subject states: {0}")]
    Vault(#[from] custody_vault::VaultError),
    /// The ledger could not be read.
    #[error("subject states: {0}")]
    Ledger(#[from] custody_ledger::LedgerError),
    /// An entry in the ledger could not be read.
    #[error("subject states: entry: {0}")]
    Entry(#[from] custody_ledger::DecodeError),
    /// The vault lacks a key that an entry was sealed with, and nobody erased it.
    #[error(
        "the vault has no key for the entry {sequence} of shard {shard}, and the ledger says of \
         no erasure of that person: the vault is older than the ledger, or another one; restore \
         both from the same backup"
    )]
    KeyLost {
        /// The shard.
        shard: custody_ledger::ShardId,
        /// The entry's sequence number.
        sequence: u64,
    },
}
