//! A 32-byte secret that wipes itself and never prints itself.

use std::convert::Infallible;
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

/// A generator for libraries that want one which cannot fail: BLAKE3's output
/// stream under a random seed.
pub(crate) struct SeededRandom(blake3::OutputReader);

impl SeededRandom {
    pub(crate) fn new() -> Result<Self, RandomnessError> {
        let seed = Key::random()?;
        let stream = blake3::Hasher::new_keyed(seed.bytes()).finalize_xof();
        Ok(Self(stream))
    }
}

impl Drop for SeededRandom {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl rand_core::TryRng for SeededRandom {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.0.fill(&mut bytes);
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes);
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
        self.0.fill(out);
        Ok(())
    }
}

impl rand_core::TryCryptoRng for SeededRandom {}
