//! Everything that the root key reaches, one after the other.

use std::sync::Arc;

use zeroize::Zeroizing;

use super::StoreError;
use super::bucket::{self, Bucket};
use super::engine::Area;
use super::page::{Page, Slot};
use super::space::{Path, Space};
use super::tree::PENDING_ROW;
use super::view::{View, bucket_rows};
use crate::derive::Name;

/// What a walk comes by.
pub(crate) enum Visited {
    Node,
    Bucket,
    Row {
        space: Space,
        path: Path,
        content: Zeroizing<Vec<u8>>,
    },
    /// A page or row of this kind does not open.
    Damaged(&'static str),
    /// A page is not there.
    Lost,
}

/// What a store holds, whether or not the root key reaches it.
pub(crate) struct Stored {
    pub(crate) rows: u64,
    pub(crate) nodes: u64,
    pub(crate) pending: bool,
}

/// Takes a row and its position, or nothing, and says whether it wants more.
pub(crate) type TakeRow<'a> = &'a mut dyn FnMut(Option<(Name, &[u8])>) -> Result<bool, StoreError>;

impl View<'_> {
    pub(crate) fn walk<E: From<StoreError>>(
        &self,
        visit: &mut dyn FnMut(Visited) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut open: Vec<(Arc<Page>, Slot)> = below(&self.root);
        while let Some((above, slot)) = open.pop() {
            match slot {
                Slot::Empty => {}
                Slot::Node(link) => {
                    visit(Visited::Node)?;
                    match self.page(&link, &above) {
                        Ok(page) => open.extend(below(&page)),
                        Err(StoreError::Damaged { space }) => visit(Visited::Damaged(space))?,
                        Err(StoreError::Lost { .. }) => visit(Visited::Lost)?,
                        Err(error) => return Err(error.into()),
                    }
                }
                Slot::Bucket(link) => {
                    visit(Visited::Bucket)?;
                    for (_, row) in bucket_rows(&self.rows, &link)? {
                        match row {
                            Ok(row) => visit(Visited::Row {
                                space: row.space,
                                path: row.path,
                                content: row.content,
                            })?,
                            Err(StoreError::Damaged { space }) => {
                                visit(Visited::Damaged(space))?;
                            }
                            Err(error) => return Err(error.into()),
                        }
                    }
                }
            }
        }
        Ok(())
    }

    /// Every row of a kind whose rows have `content` bytes each, and its
    /// position, until `visit` has had enough and returns `false`; whether that
    /// did not happen. Rows of another length are not opened, so that this costs
    /// much less than a walk. `visit` is asked with nothing, too, a bucket.
    pub(crate) fn rows_of(
        &self,
        space: Space,
        content: usize,
        visit: TakeRow<'_>,
    ) -> Result<bool, StoreError> {
        let length = bucket::value_bytes(content);
        let mut open: Vec<(Arc<Page>, Slot)> = below(&self.root);
        while let Some((above, slot)) = open.pop() {
            match slot {
                Slot::Empty => {}
                Slot::Node(link) => open.extend(below(&self.page(&link, &above)?)),
                Slot::Bucket(link) => {
                    if !visit(None)? {
                        return Ok(false);
                    }
                    let mut bucket = None;
                    for found in self.rows.scan(Area::Rows, &link.id) {
                        let (name, sealed) = found?;
                        if sealed.as_ref().len() != length {
                            continue;
                        }
                        let bucket = match &bucket {
                            Some(bucket) => bucket,
                            None => bucket.insert(Bucket::new(&link)?),
                        };
                        let row = bucket.open(name.as_ref(), sealed.as_ref())?;
                        if row.space == space && !visit(Some((row.path.position(), &row.content)))?
                        {
                            return Ok(false);
                        }
                    }
                }
            }
        }
        Ok(true)
    }

    pub(crate) fn stored(&self) -> Result<Stored, StoreError> {
        let count = |area| {
            let mut rows = 0;
            for row in self.rows.scan(area, b"") {
                row?;
                rows += 1;
            }
            Ok::<u64, StoreError>(rows)
        };
        Ok(Stored {
            rows: count(Area::Rows)?,
            nodes: count(Area::Nodes)?,
            pending: self.rows.get(Area::Meta, PENDING_ROW)?.is_some(),
        })
    }
}

fn below(page: &Arc<Page>) -> Vec<(Arc<Page>, Slot)> {
    page.slots
        .iter()
        .filter(|slot| !matches!(slot, Slot::Empty))
        .map(|slot| (page.clone(), slot.clone()))
        .collect()
}
