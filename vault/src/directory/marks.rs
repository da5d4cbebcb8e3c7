//! What is left of an erased person where the operator wants it: that the
//! person of this identifier was erased, on which day, and for which scope.
//! Never the old reference.
//!
//! ```text
//! 1 | day 4 (since 1970, signed) | scope
//! ```

use crate::derive::Name;
use crate::error::VaultError;
use crate::store::{Batch, Space, StoreError, View};

use super::damaged;

const VERSION: u8 = 1;

/// Longest scope of a mark in bytes.
pub const MAX_SCOPE_BYTES: usize = 256;

/// What erasing leaves at the identifiers by which the erased would be found
/// again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EraseMark {
    /// Day of erasure, in days since 1970-01-01.
    pub day: i32,
    /// What was erased, in the caller's words; empty: everything. At most
    /// [`MAX_SCOPE_BYTES`], and no personal data.
    pub scope: String,
}

impl EraseMark {
    pub(crate) fn check(&self) -> Result<(), VaultError> {
        if self.scope.len() > MAX_SCOPE_BYTES {
            return Err(VaultError::ScopeTooLong {
                size: self.scope.len(),
                limit: MAX_SCOPE_BYTES,
            });
        }
        Ok(())
    }
}

pub(crate) fn put_mark(
    batch: &mut Batch<'_>,
    identifier: &Name,
    mark: &EraseMark,
) -> Result<(), StoreError> {
    let mut row = Vec::with_capacity(5 + mark.scope.len());
    row.push(VERSION);
    row.extend_from_slice(&mark.day.to_le_bytes());
    row.extend_from_slice(mark.scope.as_bytes());
    batch.put(Space::Marks, identifier, &row)
}

/// The day on which the person of this identifier was erased.
pub(crate) fn marked_day(view: &View<'_>, identifier: &Name) -> Result<Option<i32>, StoreError> {
    view.get(Space::Marks, identifier)?
        .map(|row| decode(&row).map(|mark| mark.day))
        .transpose()
}

pub(crate) fn decode(row: &[u8]) -> Result<EraseMark, StoreError> {
    let bad = || damaged(Space::Marks);
    let rest = row.strip_prefix(&[VERSION]).ok_or_else(bad)?;
    let (day, scope) = rest.split_first_chunk().ok_or_else(bad)?;
    let scope = std::str::from_utf8(scope).map_err(|_| bad())?;
    Ok(EraseMark {
        day: i32::from_le_bytes(*day),
        scope: scope.to_owned(),
    })
}
