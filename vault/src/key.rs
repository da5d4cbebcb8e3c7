//! A 32-byte secret that wipes itself and never prints itself.

use std::fmt;

use aws_lc_rs::rand;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// The operating system or the library gave no random bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no random bytes could be had from the system")]
pub struct RandomnessError;

/// Fills `out` from the process's cryptographic generator (aws-lc, seeded by
/// the operating system).
pub(crate) fn fill_random(out: &mut [u8]) -> Result<(), RandomnessError> {
    rand::fill(out).map_err(|_| RandomnessError)
}

/// 32 secret bytes.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub(crate) struct Key([u8; 32]);

impl Key {
    pub(crate) const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    pub(crate) fn random() -> Result<Self, RandomnessError> {
        let mut key = Self([0; 32]);
        fill_random(&mut key.0)?;
        Ok(key)
    }

    /// `None` unless `bytes` is exactly a key long.
    pub(crate) fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    pub(crate) const fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(redacted)")
    }
}
