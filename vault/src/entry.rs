//! The sealed part of an entry.
//!
//! ```text
//! suite 1 | codec 1 | salt 16 | commitment 32 | ciphertext 64·n | tag 16
//! ```
//!
//! **The nonce is fixed.** An AES-GCM nonce must not occur twice under one
//! key; here a key seals once. It is derived from the person's key, the place
//! (ledger, shard, sequence) and a salt of 16 fresh random bytes.
//!
//! **Why a salt, when a place occurs once.** It does not: a crash may lose a
//! block that was written and never committed, and the next block then seals
//! other content for the same sequence. The bytes of the lost block may still
//! lie on the disk. Under the same key and nonce the two ciphertexts would
//! give away the exclusive-or of their contents and the key of GCM's
//! authenticator. With a salt each sealing has a key of its own. The salt goes
//! into the key and not into the nonce, so that a key handed out with an
//! export opens the committed bytes only, not those of the lost block.
//!
//! **Why a commitment, and why of 32 bytes.** AES-GCM does not commit to its
//! key: one ciphertext can be made that opens under two keys to two contents
//! (Dodis et al., "Fast Message Franking", 2018). Evidence must have one
//! meaning. A forger would look for any two keys with equal commitments, which
//! is a birthday search: 32 bytes are 2^128 work, 16 would be 2^64. It is
//! compared, in constant time, before anything is decrypted.

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, Zeroizing};

use crate::codec;
use crate::derive;
use crate::key::{Key, RandomnessError};

/// Most bytes that one entry may seal: 16 MiB, well above what Kafka carries
/// in a message by default (1 MiB).
pub const MAX_PLAIN_BYTES: usize = 16 << 20;

/// Ciphertexts are multiples of this, after compression: a length says less.
pub const PADDING_BYTES: usize = 64;

pub(crate) const SALT_BYTES: usize = 16;
const COMMITMENT_BYTES: usize = 32;
const TAG_BYTES: usize = 16;
const HEADER_BYTES: usize = 2 + SALT_BYTES + COMMITMENT_BYTES;

/// AES-256-GCM under a one-time key, BLAKE3 commitment.
const SUITE: u8 = 1;

const DOMAIN: &[u8; 24] = b"custody sealed entry v1\0";
const AAD_BYTES: usize = DOMAIN.len() + 16 + 16 + 8 + 2;
const NONCE: [u8; 12] = *b"custody once";

/// The place of an entry in the ledger. What was sealed for one place does not
/// open for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct EntryContext {
    /// Id of the ledger.
    pub ledger: [u8; 16],
    /// Id of the shard.
    pub shard: [u8; 16],
    /// Sequence number of the entry within its shard.
    pub sequence: u64,
}

/// Why an entry could not be sealed or opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// More than [`MAX_PLAIN_BYTES`] to seal.
    #[error("{size} bytes to seal, the limit is {MAX_PLAIN_BYTES}")]
    TooLarge {
        /// What was given, in bytes.
        size: usize,
    },
    /// No random bytes.
    #[error(transparent)]
    Randomness(#[from] RandomnessError),
    /// The cipher or the compressor failed on good input.
    #[error("the cipher or the compressor failed")]
    Cipher,
    /// Too short, or not a whole number of padding steps.
    #[error("no sealed entry: {size} bytes is not a length that one can have")]
    Truncated {
        /// What was given, in bytes.
        size: usize,
    },
    /// Sealed by a newer version, or no sealed entry.
    #[error("sealed with suite {0}, which this version does not know")]
    UnknownSuite(u8),
    /// Sealed by a newer version, or no sealed entry.
    #[error("compressed with codec {0}, which this version does not know")]
    UnknownCodec(u8),
    /// The commitment is not that of the key: another person, or another
    /// place.
    #[error("sealed under another key or for another place")]
    OtherKey,
    /// The key fits and the bytes do not.
    #[error("the sealed bytes were changed")]
    Tampered,
    /// Authentic, and yet not what sealing makes.
    #[error("sealed content is malformed")]
    Malformed,
}

/// The key of one sealed entry.
pub struct EntryKey(Key);

impl EntryKey {
    /// From bytes that [`EntryKey::expose`] gave.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Key::new(bytes))
    }

    /// The secret bytes, to be handed out with an export.
    pub fn expose(&self) -> &[u8; 32] {
        self.0.bytes()
    }

    /// Opens the entry that this key belongs to.
    ///
    /// # Errors
    /// As [`crate::Person::open`].
    pub fn open(
        &self,
        context: &EntryContext,
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let parts = Parts::split(sealed)?;
        let commitment = derive::entry_commitment(&self.0);
        if !bool::from(commitment.ct_eq(parts.commitment)) {
            return Err(SealError::OtherKey);
        }
        let mut content = Zeroizing::new(parts.ciphertext.to_vec());
        cipher(&self.0)?
            .open_in_place(nonce(), Aad::from(aad(context, parts.codec)), &mut content)
            .map_err(|_| SealError::Tampered)?;
        content.truncate(parts.ciphertext.len() - TAG_BYTES);
        codec::unpack(parts.codec, content)
    }
}

impl fmt::Debug for EntryKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EntryKey(redacted)")
    }
}

/// A sealed entry, cut at its seams.
struct Parts<'a> {
    codec: u8,
    salt: &'a [u8; SALT_BYTES],
    commitment: &'a [u8],
    /// With its tag.
    ciphertext: &'a [u8],
}

impl<'a> Parts<'a> {
    fn split(sealed: &'a [u8]) -> Result<Self, SealError> {
        let truncated = SealError::Truncated { size: sealed.len() };
        let (&suite, rest) = sealed.split_first().ok_or(truncated)?;
        if suite != SUITE {
            return Err(SealError::UnknownSuite(suite));
        }
        let (&codec, rest) = rest.split_first().ok_or(truncated)?;
        let (salt, rest) = rest.split_first_chunk().ok_or(truncated)?;
        let (commitment, ciphertext) = rest.split_at_checked(COMMITMENT_BYTES).ok_or(truncated)?;
        let content = ciphertext.len().checked_sub(TAG_BYTES).ok_or(truncated)?;
        if content == 0 || content % PADDING_BYTES != 0 {
            return Err(truncated);
        }
        Ok(Self {
            codec,
            salt,
            commitment,
            ciphertext,
        })
    }
}

pub(crate) fn derive_key(
    entry_root: &Key,
    context: &EntryContext,
    sealed: &[u8],
) -> Result<EntryKey, SealError> {
    let parts = Parts::split(sealed)?;
    Ok(EntryKey(key_of(entry_root, context, parts.salt)))
}

fn key_of(entry_root: &Key, context: &EntryContext, salt: &[u8; SALT_BYTES]) -> Key {
    derive::entry_key(
        entry_root,
        &context.ledger,
        &context.shard,
        context.sequence,
        salt,
    )
}

pub(crate) fn seal(
    entry_root: &Key,
    context: &EntryContext,
    plain: &[u8],
    salt: &[u8; SALT_BYTES],
) -> Result<Vec<u8>, SealError> {
    if plain.len() > MAX_PLAIN_BYTES {
        return Err(SealError::TooLarge { size: plain.len() });
    }
    let key = key_of(entry_root, context, salt);

    // The plaintext is packed where the ciphertext will be, in a buffer that
    // never grows: it leaves no copy behind.
    let mut sealed = Vec::with_capacity(HEADER_BYTES + codec::room(plain.len()) + TAG_BYTES);
    sealed.push(SUITE);
    sealed.push(codec::STORED);
    sealed.extend_from_slice(salt);
    sealed.extend_from_slice(&derive::entry_commitment(&key));
    let codec = codec::pack(plain, &mut sealed)?;
    sealed[1] = codec;

    let tag = cipher(&key)?
        .seal_in_place_separate_tag(
            nonce(),
            Aad::from(aad(context, codec)),
            &mut sealed[HEADER_BYTES..],
        )
        .map_err(|_| SealError::Cipher);
    match tag {
        Ok(tag) => sealed.extend_from_slice(tag.as_ref()),
        Err(error) => {
            sealed.zeroize();
            return Err(error);
        }
    }
    Ok(sealed)
}

fn cipher(key: &Key) -> Result<LessSafeKey, SealError> {
    let key = UnboundKey::new(&AES_256_GCM, key.bytes()).map_err(|_| SealError::Cipher)?;
    Ok(LessSafeKey::new(key))
}

fn nonce() -> Nonce {
    Nonce::assume_unique_for_key(NONCE)
}

fn aad(context: &EntryContext, codec: u8) -> [u8; AAD_BYTES] {
    let mut aad = [0; AAD_BYTES];
    aad[..24].copy_from_slice(DOMAIN);
    aad[24..40].copy_from_slice(&context.ledger);
    aad[40..56].copy_from_slice(&context.shard);
    aad[56..64].copy_from_slice(&context.sequence.to_le_bytes());
    aad[64] = SUITE;
    aad[65] = codec;
    aad
}
