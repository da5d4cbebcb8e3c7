//! Reading a vault of format 1: one key space a kind of row, everything under
//! keys derived from one root key.
//!
//! ```text
//! version 1 | nonce 12 | ciphertext | tag 16
//! ```
//!
//! AES-256-GCM under a key of the row's own, derived from the key of its
//! space.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use zeroize::Zeroizing;

use super::StoreError;
use super::engine::Engine;
use super::space::Space;
use crate::derive;
use crate::key::Key;

const VERSION: u8 = 1;
const TAG_BYTES: usize = 16;

/// The spaces that a vault of format 1 has.
pub(super) const SPACES: [Space; 6] = [
    Space::Directory,
    Space::Persons,
    Space::Identifiers,
    Space::Pointers,
    Space::Links,
    Space::Secrets,
];

/// Name and content of a row.
type NamedContent = (Vec<u8>, Zeroizing<Vec<u8>>);

/// The rows of a vault of format 1.
pub(super) struct OldRows<'a> {
    engine: &'a Engine,
    root: &'a Key,
}

impl<'a> OldRows<'a> {
    pub(super) fn new(engine: &'a Engine, root: &'a Key) -> Self {
        Self { engine, root }
    }

    pub(super) fn get(
        &self,
        space: Space,
        row: &[u8],
    ) -> Result<Option<Zeroizing<Vec<u8>>>, StoreError> {
        match self.engine.old_get(space.name(), row)? {
            Some(value) => self.open(space, row, &value).map(Some),
            None => Ok(None),
        }
    }

    /// Names and contents.
    pub(super) fn scan(
        &self,
        space: Space,
        prefix: &[u8],
    ) -> Result<impl Iterator<Item = Result<NamedContent, StoreError>>, StoreError> {
        let found = self.engine.old_scan(space.name(), prefix)?;
        Ok(found.map(move |row| {
            let (name, value) = row?;
            let content = self.open(space, &name, &value)?;
            Ok((name, content))
        }))
    }

    fn open(
        &self,
        space: Space,
        row: &[u8],
        value: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, StoreError> {
        let damaged = || StoreError::Damaged {
            space: space.name(),
        };
        let rest = value.strip_prefix(&[VERSION]).ok_or_else(damaged)?;
        let (&nonce, ciphertext) = rest.split_first_chunk().ok_or_else(damaged)?;
        let size = ciphertext
            .len()
            .checked_sub(TAG_BYTES)
            .ok_or_else(damaged)?;
        let key = derive::row_key(&derive::space_key(self.root, space.name()), row);
        let mut plain = Zeroizing::new(ciphertext.to_vec());
        UnboundKey::new(&AES_256_GCM, key.bytes())
            .map(LessSafeKey::new)
            .and_then(|key| {
                key.open_in_place(
                    Nonce::assume_unique_for_key(nonce),
                    Aad::from([VERSION]),
                    &mut plain,
                )
                .map(|_| ())
            })
            .map_err(|_| damaged())?;
        plain.truncate(size);
        Ok(plain)
    }
}
