//! The root key: what it is, and where it is kept.
//!
//! Everything in the vault can be read with the root key and nothing without
//! it. Erasing makes a new one, of the next *generation*, and destroys the one
//! before it; so where the key is kept must be able to forget, which a store
//! that writes copies cannot.

mod escrow;
mod file;

use std::fmt;

use crate::error::VaultError;
use crate::key::{Key, RandomnessError};

pub(crate) use escrow::split;
pub use escrow::{EscrowError, Share};
pub use file::FileRootStore;
#[cfg(test)]
pub(crate) use file::{SLOT_BYTES, decode, encode};

/// The key that opens everything else, and how many came before it.
#[derive(Clone)]
pub struct RootKey {
    generation: u64,
    key: Key,
}

impl RootKey {
    /// From what [`RootKey::generation`] and [`RootKey::expose`] gave.
    pub fn new(generation: u64, key: [u8; 32]) -> Self {
        Self {
            generation,
            key: Key::new(key),
        }
    }

    pub(crate) fn generate(generation: u64) -> Result<Self, RandomnessError> {
        Ok(Self {
            generation,
            key: Key::random()?,
        })
    }

    /// From 1. Grows with every erasure.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// The secret bytes, for a [`RootStore`] to keep.
    pub fn expose(&self) -> &[u8; 32] {
        self.key.bytes()
    }

    pub(crate) fn key(&self) -> &Key {
        &self.key
    }
}

impl fmt::Debug for RootKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RootKey")
            .field("generation", &self.generation)
            .finish_non_exhaustive()
    }
}

/// Where root keys are kept. What it has destroyed it must not be able to give
/// again: that is all that erasing rests on.
///
/// The vault calls it from one thread at a time.
pub trait RootStore: Send + Sync {
    /// What it is, in a word: `file`, `command`, `http`.
    fn kind(&self) -> &'static str;

    /// Where it keeps them, for messages to the operator: a path, a command, an
    /// address. No secret.
    fn place(&self) -> String;

    /// All keys that it holds, the newest first. None: it never held any. More
    /// than one where a change of keys was cut off.
    ///
    /// # Errors
    /// The kinds of [`VaultError`] that speak of the root key.
    fn get(&self) -> Result<Vec<RootKey>, VaultError>;

    /// Keeps one more key, durably, beside the newest that it holds. The same
    /// key a second time changes nothing.
    ///
    /// # Errors
    /// As [`RootStore::get`]. After an error either may be: the vault asks.
    fn put(&self, key: &RootKey) -> Result<(), VaultError>;

    /// Destroys the key of a generation, durably. Changes nothing where it
    /// holds none of it, and refuses where it is the only one that it holds.
    ///
    /// # Errors
    /// As [`RootStore::get`].
    fn destroy(&self, generation: u64) -> Result<(), VaultError>;
}
