//! Buckets: where rows are, one by one, under one key.
//!
//! ```text
//! name   bucket id 16 | PRF(kind, position) 8 | PRF(kind, path) 16
//! value  sealed: kind 1 | path 32 | content
//! ```
//!
//! One by one and not as one page, so that a new person costs a few small rows.
//! The name says nothing without the bucket's key, and with it finds a row, or
//! all rows of one kind at one position, without reading the others.

use zeroize::Zeroizing;

use super::StoreError;
use super::page::Link;
use super::seal::{SEAL_BYTES, Sealer};
use super::space::{Path, Space};
use crate::derive::{self, Name};

const ID_BYTES: usize = 16;
const FIRST_BYTES: usize = 8;
const SECOND_BYTES: usize = 16;
pub(super) const NAME_BYTES: usize = ID_BYTES + FIRST_BYTES + SECOND_BYTES;

/// How long the value of a row of so many bytes is: kind and path stand before
/// them.
pub(super) const fn value_bytes(content: usize) -> usize {
    SEAL_BYTES + 1 + 32 + content
}

/// Of a row in the engine.
pub(super) type RowName = [u8; NAME_BYTES];

/// A row, opened.
pub(super) struct Row {
    pub(super) space: Space,
    pub(super) path: Path,
    pub(super) content: Zeroizing<Vec<u8>>,
}

/// A bucket, ready to seal and open its rows.
pub(super) struct Bucket<'a> {
    link: &'a Link,
    sealer: Sealer,
}

impl<'a> Bucket<'a> {
    pub(super) fn new(link: &'a Link) -> Result<Self, StoreError> {
        let sealer = Sealer::new(&derive::bucket_rows_key(&link.key))
            .ok_or(StoreError::Seal { space: "rows" })?;
        Ok(Self { link, sealer })
    }

    pub(super) fn name(&self, space: Space, path: &Path) -> RowName {
        row_name(self.link, space, path)
    }

    pub(super) fn seal(
        &self,
        space: Space,
        path: &Path,
        content: &[u8],
    ) -> Result<(RowName, Vec<u8>), StoreError> {
        let name = self.name(space, path);
        let sealed = self
            .sealer
            .seal(&name, &[&[space.byte()], path.bytes(), content])
            .ok_or(StoreError::Seal {
                space: space.name(),
            })?;
        Ok((name, sealed))
    }

    /// Opens whatever row of this bucket has this name.
    pub(super) fn open(&self, name: &[u8], sealed: &[u8]) -> Result<Row, StoreError> {
        let bad = || StoreError::Damaged { space: "rows" };
        let mut plain = self.sealer.open(name, sealed).ok_or_else(bad)?;
        let (&space, rest) = plain.split_first().ok_or_else(bad)?;
        let space = Space::from_byte(space).ok_or_else(bad)?;
        let path = Path(*rest.first_chunk().ok_or_else(bad)?);
        if self.name(space, &path) != *name {
            return Err(bad());
        }
        // `truncate` leaves the tail in the buffer; dropping wipes all of its
        // capacity.
        let size = plain.len() - 33;
        plain.copy_within(33.., 0);
        plain.truncate(size);
        Ok(Row {
            space,
            path,
            content: plain,
        })
    }
}

pub(super) fn row_name(link: &Link, space: Space, path: &Path) -> RowName {
    let mut name = [0; NAME_BYTES];
    name[..ID_BYTES + FIRST_BYTES].copy_from_slice(&prefix(link, space, &path.position()));
    let second = derive::bucket_row_second(&link.key, space.byte(), path.bytes());
    name[ID_BYTES + FIRST_BYTES..].copy_from_slice(&second);
    name
}

/// How the names of all rows of a kind at a position begin.
pub(super) fn prefix(link: &Link, space: Space, position: &Name) -> [u8; ID_BYTES + FIRST_BYTES] {
    let mut prefix = [0; ID_BYTES + FIRST_BYTES];
    prefix[..ID_BYTES].copy_from_slice(&link.id);
    let first = derive::bucket_row_first(&link.key, space.byte(), position);
    prefix[ID_BYTES..].copy_from_slice(&first[..FIRST_BYTES]);
    prefix
}
