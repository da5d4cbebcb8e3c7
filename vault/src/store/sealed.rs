//! Rows with sealed values.
//!
//! ```text
//! version 1 | nonce 12 | ciphertext | tag 16
//! ```
//!
//! AES-256-GCM under a key of the row's own, derived from the key of its
//! space; nonces are random, and a row is rewritten a few times at most.

use std::path::Path;
use std::sync::Arc;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use zeroize::Zeroizing;

use super::StoreError;
use super::copy::Copied;
use super::engine::{Engine, EngineBatch, EngineView, Space};
use crate::derive;
use crate::key::{Key, fill_random};

const VERSION: u8 = 1;
const NONCE_BYTES: usize = 12;
const TAG_BYTES: usize = 16;

struct SpaceKeys([Key; 7]);

impl SpaceKeys {
    fn new(root: &Key) -> Self {
        Self(
            [
                Space::Directory,
                Space::Persons,
                Space::Identifiers,
                Space::Pointers,
                Space::Links,
                Space::Secrets,
                Space::Marks,
            ]
            .map(|space| derive::space_key(root, space.name())),
        )
    }

    fn cipher(&self, space: Space, row: &[u8]) -> Option<LessSafeKey> {
        // `Meta` has no key, and is reached through `Engine` only.
        let space_key = (space as usize)
            .checked_sub(1)
            .and_then(|index| self.0.get(index))?;
        let key = derive::row_key(space_key, row);
        UnboundKey::new(&AES_256_GCM, key.bytes())
            .ok()
            .map(LessSafeKey::new)
    }

    fn seal(&self, space: Space, row: &[u8], plain: &[u8]) -> Result<Vec<u8>, StoreError> {
        let failed = StoreError::Seal {
            space: space.name(),
        };
        let Some(cipher) = self.cipher(space, row) else {
            return Err(failed);
        };
        let mut nonce = [0; NONCE_BYTES];
        if fill_random(&mut nonce).is_err() {
            return Err(failed);
        }
        let mut value = Vec::with_capacity(1 + NONCE_BYTES + plain.len() + TAG_BYTES);
        value.push(VERSION);
        value.extend_from_slice(&nonce);
        value.extend_from_slice(plain);
        let tag = cipher
            .seal_in_place_separate_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from([VERSION]),
                &mut value[1 + NONCE_BYTES..],
            )
            .map_err(|_| failed)?;
        value.extend_from_slice(tag.as_ref());
        Ok(value)
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
        let (&version, rest) = value.split_first().ok_or_else(damaged)?;
        let (&nonce, ciphertext) = rest.split_first_chunk().ok_or_else(damaged)?;
        let size = ciphertext
            .len()
            .checked_sub(TAG_BYTES)
            .ok_or_else(damaged)?;
        if version != VERSION {
            return Err(damaged());
        }
        let mut plain = Zeroizing::new(ciphertext.to_vec());
        self.cipher(space, row)
            .ok_or_else(damaged)?
            .open_in_place(
                Nonce::assume_unique_for_key(nonce),
                Aad::from([VERSION]),
                &mut plain,
            )
            .map_err(|_| damaged())?;
        plain.truncate(size);
        Ok(plain)
    }
}

/// The vault's rows, with the keys that open them.
#[derive(Clone)]
pub(crate) struct Store(Arc<Inner>);

struct Inner {
    engine: Engine,
    keys: SpaceKeys,
}

impl Store {
    pub(crate) fn new(engine: Engine, root: &Key) -> Self {
        Self(Arc::new(Inner {
            engine,
            keys: SpaceKeys::new(root),
        }))
    }

    pub(crate) fn view(&self) -> View<'_> {
        View {
            keys: &self.0.keys,
            view: self.0.engine.view(),
        }
    }

    pub(crate) fn batch(&self) -> Batch<'_> {
        Batch {
            keys: &self.0.keys,
            batch: self.0.engine.batch(),
        }
    }

    pub(crate) fn flush(&self) -> Result<(), StoreError> {
        self.0.engine.flush()
    }

    /// As [`Engine::copy`].
    pub(crate) fn copy(
        &self,
        to: &Path,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Copied, StoreError> {
        self.0.engine.copy(to, progress)
    }
}

/// All rows as they were at one moment.
pub(crate) struct View<'a> {
    keys: &'a SpaceKeys,
    view: EngineView<'a>,
}

impl View<'_> {
    pub(crate) fn get(
        &self,
        space: Space,
        row: &[u8],
    ) -> Result<Option<Zeroizing<Vec<u8>>>, StoreError> {
        match self.view.get(space, row)? {
            Some(value) => self.keys.open(space, row, value.as_ref()).map(Some),
            None => Ok(None),
        }
    }

    pub(crate) fn contains(&self, space: Space, row: &[u8]) -> Result<bool, StoreError> {
        self.view.contains(space, row)
    }

    pub(crate) fn scan(
        &self,
        space: Space,
        prefix: &[u8],
    ) -> impl Iterator<Item = Result<Zeroizing<Vec<u8>>, StoreError>> {
        self.view.scan(space, prefix).map(move |found| {
            let (row, value) = found?;
            self.keys.open(space, row.as_ref(), value.as_ref())
        })
    }
}

/// Rows that are written all or not at all.
pub(crate) struct Batch<'a> {
    keys: &'a SpaceKeys,
    batch: EngineBatch<'a>,
}

impl Batch<'_> {
    pub(crate) fn put(&mut self, space: Space, row: &[u8], plain: &[u8]) -> Result<(), StoreError> {
        let value = self.keys.seal(space, row, plain)?;
        self.batch.put(space, row, &value);
        Ok(())
    }

    pub(crate) fn delete(&mut self, space: Space, row: &[u8]) {
        self.batch.delete(space, row);
    }

    /// Of [`Space::Meta`], which is read before there is a key.
    pub(crate) fn put_plain(&mut self, space: Space, row: &[u8], value: &[u8]) {
        self.batch.put(space, row, value);
    }

    pub(crate) fn commit(self) -> Result<(), StoreError> {
        self.batch.commit()
    }
}
