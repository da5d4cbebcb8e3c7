//! Reading: from the root down to a row.

use std::sync::Arc;

use parking_lot::RwLockReadGuard;
use quick_cache::sync::Cache;
use zeroize::Zeroizing;

use super::StoreError;
use super::bucket::{self, Bucket, Row};
use super::engine::{Area, EngineView};
use super::page::{Id, Link, Page, Slot};
use super::space::{Path, Space, step};
use super::tree::Root;
use crate::derive::Name;
use crate::key::Key;

/// Opened pages by id. Pages change in place: a cache goes with one moment, or
/// with the lock under which pages are changed.
pub(super) type Pages = Cache<Id, Arc<Page>>;

/// The steps of a position; what branches below branches by second parts.
const POSITION_STEPS: usize = 32;

/// All rows as they were at one moment.
///
/// Either the present one: nothing is committed while such a view is there, so
/// that it must be short. Or a moment that is kept, for as long as it takes.
pub(crate) struct View<'a> {
    pub(super) rows: EngineView<'a>,
    pub(super) root: Arc<Page>,
    pub(super) pages: PagesOf<'a>,
    pub(super) secrets: &'a Key,
    /// Dropped last.
    pub(super) _lock: Option<RwLockReadGuard<'a, Root>>,
}

pub(super) enum PagesOf<'a> {
    Now(&'a Pages),
    Then(Box<Pages>),
}

/// Opens a page, and sees to it that a walk ends: below a node are deeper ones.
pub(super) fn load(
    pages: &Pages,
    link: &Link,
    above: &Page,
    read: impl FnOnce() -> Result<Option<Vec<u8>>, StoreError>,
) -> Result<Arc<Page>, StoreError> {
    let page = match pages.get(&link.id) {
        Some(page) => page,
        None => {
            let sealed = read()?.ok_or(StoreError::Lost { space: "nodes" })?;
            let page = Arc::new(Page::open(link, &sealed)?);
            pages.insert(link.id, page.clone());
            page
        }
    };
    if page.depth() <= above.depth() || !above.covers(page.prefix()) {
        return Err(StoreError::Damaged { space: "nodes" });
    }
    Ok(page)
}

pub(super) fn read_page(engine: &EngineView<'_>, id: &Id) -> Result<Option<Vec<u8>>, StoreError> {
    Ok(engine
        .get(Area::Nodes, id)?
        .map(|sealed| sealed.as_ref().to_vec()))
}

/// A row under its name in the engine, opened or damaged.
type NamedRow = (Vec<u8>, Result<Row, StoreError>);

/// Every row of a bucket, opened.
pub(super) fn bucket_rows(view: &EngineView<'_>, link: &Link) -> Result<Vec<NamedRow>, StoreError> {
    let bucket = Bucket::new(link)?;
    let mut rows = Vec::new();
    for found in view.scan(Area::Rows, &link.id) {
        let (name, sealed) = found?;
        let row = bucket.open(name.as_ref(), sealed.as_ref());
        rows.push((name.as_ref().to_vec(), row));
    }
    Ok(rows)
}

impl View<'_> {
    pub(super) fn page(&self, link: &Link, above: &Page) -> Result<Arc<Page>, StoreError> {
        let pages = match &self.pages {
            PagesOf::Now(pages) => pages,
            PagesOf::Then(pages) => &**pages,
        };
        load(pages, link, above, || read_page(&self.rows, &link.id))
    }

    fn path(&self, space: Space, row: &[u8]) -> Result<Path, StoreError> {
        Path::new(space, row, self.secrets).ok_or(StoreError::Damaged {
            space: space.name(),
        })
    }

    /// The bucket in which a path lies, whether or not it has a row there.
    fn bucket(&self, path: &Path) -> Result<Option<Link>, StoreError> {
        let mut page = self.root.clone();
        loop {
            page = match page.slot(path) {
                Slot::Empty => return Ok(None),
                Slot::Bucket(link) => return Ok(Some(link.clone())),
                Slot::Node(link) => self.page(link, &page)?,
            };
            if !page.covers(path.bytes()) {
                return Ok(None);
            }
        }
    }

    pub(crate) fn get(
        &self,
        space: Space,
        row: &[u8],
    ) -> Result<Option<Zeroizing<Vec<u8>>>, StoreError> {
        let path = self.path(space, row)?;
        let Some(link) = self.bucket(&path)? else {
            return Ok(None);
        };
        let name = bucket::row_name(&link, space, &path);
        let Some(sealed) = self.rows.get(Area::Rows, &name)? else {
            return Ok(None);
        };
        let row = Bucket::new(&link)?.open(&name, sealed.as_ref())?;
        Ok(Some(row.content))
    }

    pub(crate) fn contains(&self, space: Space, row: &[u8]) -> Result<bool, StoreError> {
        let path = self.path(space, row)?;
        let Some(link) = self.bucket(&path)? else {
            return Ok(false);
        };
        let name = bucket::row_name(&link, space, &path);
        Ok(self.rows.get(Area::Rows, &name)?.is_some())
    }

    /// The rows of a kind at a position.
    pub(crate) fn scan(
        &self,
        space: Space,
        position: &Name,
    ) -> impl Iterator<Item = Result<Zeroizing<Vec<u8>>, StoreError>> {
        let mut start = [0; 32];
        start[..16].copy_from_slice(position);
        Scan {
            view: self,
            space,
            position: *position,
            open: vec![(self.root.clone(), self.root.slots[step(&start, 0)].clone())],
            rows: Vec::new().into_iter(),
        }
    }
}

/// Rows of one kind at one position, bucket by bucket: there may be millions.
struct Scan<'a> {
    view: &'a View<'a>,
    space: Space,
    position: Name,
    /// What is still to be looked at, each with the page above it.
    open: Vec<(Arc<Page>, Slot)>,
    rows: std::vec::IntoIter<Zeroizing<Vec<u8>>>,
}

impl Scan<'_> {
    /// Whether there was anything left to look at.
    fn advance(&mut self) -> Result<bool, StoreError> {
        let Some((above, slot)) = self.open.pop() else {
            return Ok(false);
        };
        match slot {
            Slot::Empty => {}
            Slot::Bucket(link) => self.rows = self.read(&link)?.into_iter(),
            Slot::Node(link) => {
                let page = self.view.page(&link, &above)?;
                let mut path = *page.prefix();
                path[..16].copy_from_slice(&self.position);
                if page.covers(&path) {
                    if page.depth() < POSITION_STEPS {
                        let slot = page.slots[step(&path, page.depth())].clone();
                        self.open.push((page, slot));
                    } else {
                        let below = page.slots.iter().rev().cloned();
                        self.open.extend(below.map(|slot| (page.clone(), slot)));
                    }
                }
            }
        }
        Ok(true)
    }

    fn read(&self, link: &Link) -> Result<Vec<Zeroizing<Vec<u8>>>, StoreError> {
        let prefix = bucket::prefix(link, self.space, &self.position);
        let bucket = Bucket::new(link)?;
        let mut rows = Vec::new();
        for found in self.view.rows.scan(Area::Rows, &prefix) {
            let (name, sealed) = found?;
            let row = bucket.open(name.as_ref(), sealed.as_ref())?;
            // The prefix is eight bytes of a digest: it may be another's.
            if row.space == self.space && row.path.position() == self.position {
                rows.push(row.content);
            }
        }
        Ok(rows)
    }
}

impl Iterator for Scan<'_> {
    type Item = Result<Zeroizing<Vec<u8>>, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(row) = self.rows.next() {
                return Some(Ok(row));
            }
            match self.advance() {
                Ok(true) => {}
                Ok(false) => return None,
                Err(error) => {
                    self.open.clear();
                    return Some(Err(error));
                }
            }
        }
    }
}
