//! A copy of the store while it is in use.
//!
//! Copying its files would tear: the engine writes journals and tables by
//! itself. So every row of one moment is written into a new store, and the new
//! store is opened again and read to its end before the copy counts.

use std::path::Path;

use super::StoreError;
use super::engine::{Area, Engine};

/// Memory for blocks while the copy is read again, in bytes.
const CACHE_BYTES: u64 = 8 << 20;

/// Progress is told once for so many rows.
const ROWS_A_STEP: u64 = 4096;

/// What a copy holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Copied {
    pub(crate) rows: u64,
    /// Of row names and sealed values.
    pub(crate) bytes: u64,
    digest: blake3::Hash,
}

impl Engine {
    /// Writes all rows of this moment into a new store in `to`, which is
    /// absent or empty, and makes it durable. Values stay sealed as they are.
    /// `progress` gets the number of bytes so far.
    pub(crate) fn copy(
        &self,
        to: &Path,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Copied, StoreError> {
        let view = self.view();
        let copy = Self::open(to, CACHE_BYTES)?;
        if !copy.view().is_empty()? {
            return Err(StoreError::CopyDiffers);
        }
        let mut count = Count::new(progress);
        for area in Area::ALL {
            let rows = view.rows(area).map(|row| {
                let (name, value) = row?;
                count.take(area, name.as_ref(), value.as_ref());
                Ok((name, value))
            });
            copy.fill(area, rows)?;
        }
        let written = count.done();
        copy.persist()?;
        drop(copy);

        let again = Self::open(to, CACHE_BYTES)?;
        let mut nobody = |_| {};
        let mut count = Count::new(&mut nobody);
        let view = again.view();
        for area in Area::ALL {
            for row in view.rows(area) {
                let (name, value) = row?;
                count.take(area, name.as_ref(), value.as_ref());
            }
        }
        if count.done() == written {
            Ok(written)
        } else {
            Err(StoreError::CopyDiffers)
        }
    }
}

/// Counts rows and digests them, with lengths, so that two stores with the
/// same digest have the same rows.
struct Count<'a> {
    rows: u64,
    bytes: u64,
    hasher: blake3::Hasher,
    progress: &'a mut dyn FnMut(u64),
}

impl<'a> Count<'a> {
    fn new(progress: &'a mut dyn FnMut(u64)) -> Self {
        Self {
            rows: 0,
            bytes: 0,
            hasher: blake3::Hasher::new(),
            progress,
        }
    }

    fn take(&mut self, area: Area, name: &[u8], value: &[u8]) {
        self.hasher.update(&[area as u8]);
        for part in [name, value] {
            self.hasher.update(&(part.len() as u64).to_le_bytes());
            self.hasher.update(part);
        }
        self.rows += 1;
        self.bytes += (name.len() + value.len()) as u64;
        if self.rows.is_multiple_of(ROWS_A_STEP) {
            (self.progress)(self.bytes);
        }
    }

    fn done(self) -> Copied {
        (self.progress)(self.bytes);
        Copied {
            rows: self.rows,
            bytes: self.bytes,
            digest: self.hasher.finalize(),
        }
    }
}
