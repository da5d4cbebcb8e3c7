//! How pages and rows are sealed.
//!
//! ```text
//! version 2 | nonce 12, random | ciphertext | tag 16
//! ```
//!
//! AES-256-GCM. A key of the tree seals one page, written anew with each
//! bucket that is split below it, or the few hundred rows of one bucket: far
//! below the number at which random nonces meet (2^32, NIST SP 800-38D,
//! section 8.3). Where something stands is in the additional data, so that
//! nothing opens in another place.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use zeroize::Zeroizing;

use crate::key::{Key, fill_random};

const VERSION: u8 = 2;
const NONCE_BYTES: usize = 12;
const TAG_BYTES: usize = 16;

/// How much longer something is when it is sealed.
pub(super) const SEAL_BYTES: usize = 1 + NONCE_BYTES + TAG_BYTES;

/// A key, made ready.
pub(super) struct Sealer(LessSafeKey);

impl Sealer {
    pub(super) fn new(key: &Key) -> Option<Self> {
        UnboundKey::new(&AES_256_GCM, key.bytes())
            .ok()
            .map(|key| Self(LessSafeKey::new(key)))
    }

    /// `None` where there are no random bytes, or the cipher fails.
    pub(super) fn seal(&self, place: &[u8], plain: &[&[u8]]) -> Option<Vec<u8>> {
        let size: usize = plain.iter().map(|part| part.len()).sum();
        let mut nonce = [0; NONCE_BYTES];
        fill_random(&mut nonce).ok()?;
        let mut sealed = Vec::with_capacity(1 + NONCE_BYTES + size + TAG_BYTES);
        sealed.push(VERSION);
        sealed.extend_from_slice(&nonce);
        for part in plain {
            sealed.extend_from_slice(part);
        }
        let tag = self
            .0
            .seal_in_place_separate_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(place),
                &mut sealed[1 + NONCE_BYTES..],
            )
            .ok();
        match tag {
            Some(tag) => sealed.extend_from_slice(tag.as_ref()),
            None => {
                zeroize::Zeroize::zeroize(&mut sealed);
                return None;
            }
        }
        Some(sealed)
    }

    /// `None` where it is not what was sealed there.
    pub(super) fn open(&self, place: &[u8], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let rest = sealed.strip_prefix(&[VERSION])?;
        let (&nonce, ciphertext) = rest.split_first_chunk()?;
        let size = ciphertext.len().checked_sub(TAG_BYTES)?;
        let mut plain = Zeroizing::new(ciphertext.to_vec());
        self.0
            .open_in_place(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(place),
                &mut plain,
            )
            .ok()?;
        plain.truncate(size);
        Some(plain)
    }
}
