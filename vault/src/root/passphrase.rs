//! A root key sealed under a passphrase.
//!
//! ```text
//! memory in KiB 4 | passes 4 | lanes 4 | salt 16 | nonce 12 | sealed key 32 | tag 16
//! ```
//!
//! Argon2id (RFC 9106) makes a key of the passphrase, AES-256-GCM seals under
//! it, with the generation as additional data. 64 MiB, three passes and four
//! lanes are the RFC's second recommended choice (section 4).

use std::fmt;

use argon2::{Algorithm, Argon2, Params, Version};
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use parking_lot::Mutex;
use zeroize::Zeroizing;

use super::RootKey;
use crate::error::VaultError;
use crate::key::{Key, RandomnessError, fill_random};

const MEMORY_KIB: u32 = 64 << 10;
const PASSES: u32 = 3;
const LANES: u32 = 4;
/// What a file may ask for: it was written by whoever can write it.
const MOST_MEMORY_KIB: u32 = 1 << 20;
const MOST_PASSES: u32 = 16;
const MOST_LANES: u32 = 16;

const SALT_BYTES: usize = 16;
const NONCE_BYTES: usize = 12;
const AT_SALT: usize = 12;
const AT_NONCE: usize = AT_SALT + SALT_BYTES;
const AT_KEY: usize = AT_NONCE + NONCE_BYTES;
pub(super) const SEALED_BYTES: usize = AT_KEY + 32 + 16;

/// A passphrase. Wipes itself, and does not print.
#[derive(Clone)]
pub struct Passphrase(Zeroizing<String>);

impl Passphrase {
    /// Any text; its strength is that of the root key.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase(redacted)")
    }
}

/// What Argon2 was given besides the passphrase.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Cost {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
    salt: [u8; SALT_BYTES],
}

/// The key that a passphrase makes.
#[derive(Clone)]
pub(crate) struct Kek {
    cost: Cost,
    key: Key,
}

/// A passphrase with the last key that it made: making one is slow by design.
pub(super) struct Lock {
    passphrase: Passphrase,
    last: Mutex<Option<Kek>>,
}

impl fmt::Debug for Lock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Lock(redacted)")
    }
}

impl Lock {
    pub(super) fn new(passphrase: Passphrase) -> Self {
        Self {
            passphrase,
            last: Mutex::new(None),
        }
    }

    /// To seal with: the key that opened last, or a new one.
    pub(super) fn kek(&self) -> Result<Kek, VaultError> {
        if let Some(kek) = &*self.last.lock() {
            return Ok(kek.clone());
        }
        let mut salt = [0; SALT_BYTES];
        fill_random(&mut salt)?;
        self.make(Cost {
            memory_kib: MEMORY_KIB,
            passes: PASSES,
            lanes: LANES,
            salt,
        })
    }

    fn make(&self, cost: Cost) -> Result<Kek, VaultError> {
        let mut last = self.last.lock();
        if let Some(kek) = last.as_ref().filter(|kek| kek.cost == cost) {
            return Ok(kek.clone());
        }
        let sane = cost.memory_kib <= MOST_MEMORY_KIB
            && cost.passes <= MOST_PASSES
            && cost.lanes <= MOST_LANES;
        let params = Params::new(cost.memory_kib, cost.passes, cost.lanes, Some(32))
            .ok()
            .filter(|_| sane)
            .ok_or(VaultError::PassphraseWrong)?;
        let mut key = Zeroizing::new([0; 32]);
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into(self.passphrase.0.as_bytes(), &cost.salt, &mut *key)
            .map_err(|_| VaultError::PassphraseWrong)?;
        let kek = Kek {
            cost,
            key: Key::new(*key),
        };
        *last = Some(kek.clone());
        Ok(kek)
    }
}

pub(super) fn seal(kek: &Kek, root: &RootKey) -> Result<[u8; SEALED_BYTES], VaultError> {
    let mut out = [0; SEALED_BYTES];
    for (at, number) in [kek.cost.memory_kib, kek.cost.passes, kek.cost.lanes]
        .into_iter()
        .enumerate()
    {
        out[4 * at..4 * at + 4].copy_from_slice(&number.to_le_bytes());
    }
    out[AT_SALT..AT_NONCE].copy_from_slice(&kek.cost.salt);
    let mut nonce = [0; NONCE_BYTES];
    fill_random(&mut nonce)?;
    out[AT_NONCE..AT_KEY].copy_from_slice(&nonce);
    let mut key = Zeroizing::new(*root.expose());
    let tag = cipher(&kek.key)?
        .seal_in_place_separate_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(root.generation().to_le_bytes()),
            key.as_mut_slice(),
        )
        .map_err(|_| RandomnessError)?;
    out[AT_KEY..AT_KEY + 32].copy_from_slice(&*key);
    out[AT_KEY + 32..].copy_from_slice(tag.as_ref());
    Ok(out)
}

pub(super) fn open(
    lock: &Lock,
    generation: u64,
    sealed: &[u8; SEALED_BYTES],
) -> Result<Key, VaultError> {
    let number = |at: usize| {
        let mut bytes = [0; 4];
        bytes.copy_from_slice(&sealed[4 * at..4 * at + 4]);
        u32::from_le_bytes(bytes)
    };
    let mut salt = [0; SALT_BYTES];
    salt.copy_from_slice(&sealed[AT_SALT..AT_NONCE]);
    let kek = lock.make(Cost {
        memory_kib: number(0),
        passes: number(1),
        lanes: number(2),
        salt,
    })?;
    let mut nonce = [0; NONCE_BYTES];
    nonce.copy_from_slice(&sealed[AT_NONCE..AT_KEY]);
    let mut key = Zeroizing::new(sealed[AT_KEY..].to_vec());
    let plain = cipher(&kek.key)?
        .open_in_place(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(generation.to_le_bytes()),
            &mut key,
        )
        .map_err(|_| VaultError::PassphraseWrong)?;
    Key::from_slice(plain).ok_or(VaultError::PassphraseWrong)
}

fn cipher(key: &Key) -> Result<LessSafeKey, VaultError> {
    UnboundKey::new(&AES_256_GCM, key.bytes())
        .map(LessSafeKey::new)
        .map_err(|_| RandomnessError.into())
}
