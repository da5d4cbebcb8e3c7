//! Adding to the tree: rows put into buckets, and buckets that have grown too
//! full split. The root key stays.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use zeroize::Zeroizing;

use super::StoreError;
use super::bucket::{Bucket, RowName};
use super::engine::Area;
use super::page::{Id, Link, Page, SLOTS, Slot};
use super::space::{PATH_STEPS, Path, Space, common_steps};
use super::tree::{Store, root_row};
use super::view::bucket_rows;
use crate::steps::Step;

/// A bucket with more rows than that is split. Erasing writes a bucket anew for
/// each identifier of a person, and one for the person: so many rows each.
const BUCKET_ROWS: usize = 64;

/// Changes of rows that are made all or not at all.
pub(crate) struct Batch<'a> {
    pub(super) store: &'a Store,
    pub(super) changes: BTreeMap<(Path, Space), Option<Zeroizing<Vec<u8>>>>,
    pub(super) meta: Vec<(Vec<u8>, Option<Vec<u8>>)>,
}

impl Store {
    pub(crate) fn batch(&self) -> Batch<'_> {
        Batch {
            store: self,
            changes: BTreeMap::new(),
            meta: Vec::new(),
        }
    }
}

impl Batch<'_> {
    pub(crate) fn put(&mut self, space: Space, row: &[u8], plain: &[u8]) -> Result<(), StoreError> {
        let path = self.path(space, row)?;
        let plain = Zeroizing::new(plain.to_vec());
        self.changes.insert((path, space), Some(plain));
        Ok(())
    }

    /// Only [`Batch::renew`] takes rows away: deleting one under a key that
    /// stays would leave it readable.
    pub(crate) fn delete(&mut self, space: Space, row: &[u8]) -> Result<(), StoreError> {
        let path = self.path(space, row)?;
        self.changes.insert((path, space), None);
        Ok(())
    }

    /// Of [`Area::Meta`], which is read before there is a key.
    pub(crate) fn put_plain(&mut self, row: &[u8], value: Vec<u8>) {
        self.meta.push((row.to_vec(), Some(value)));
    }

    fn path(&self, space: Space, row: &[u8]) -> Result<Path, StoreError> {
        Path::new(space, row, &self.store.secrets).ok_or(StoreError::Damaged {
            space: space.name(),
        })
    }

    /// Puts the rows. Readable at once; durable with the next flush. The caller
    /// is the only one who changes the store, and has no view.
    pub(crate) fn commit(self) -> Result<(), StoreError> {
        let store = self.store;
        if self.changes.is_empty() && self.meta.is_empty() {
            return Ok(());
        }
        let mut growth = Growth::new(store);
        // All splitting comes first: it moves the rows that are stored.
        for (path, _) in self.changes.keys().filter(|(path, _)| path.is_sampled()) {
            growth.bucket_for(path, true)?;
        }
        for ((path, space), content) in &self.changes {
            let Some(content) = content else {
                return Err(StoreError::Seal {
                    space: space.name(),
                });
            };
            let link = growth.bucket_for(path, false)?;
            let (name, sealed) = Bucket::new(&link)?.seal(*space, path, content)?;
            growth.rows.insert(name, Some(sealed));
        }
        growth.commit(self.meta)?;
        store
            .steps
            .passed(Step::Grown)
            .map_err(|source| StoreError::Stopped { source })
    }
}

/// Where a slot is: in the root, or in a node.
type Place = Option<Id>;

/// The tree as it will be.
struct Growth<'a> {
    store: &'a Store,
    root: Arc<Page>,
    root_changed: bool,
    /// Pages that are new or changed, with their keys.
    pages: HashMap<Id, (Link, Page)>,
    rows: BTreeMap<RowName, Option<Vec<u8>>>,
}

impl<'a> Growth<'a> {
    fn new(store: &'a Store) -> Self {
        Self {
            store,
            root: store.root.read_recursive().page.clone(),
            root_changed: false,
            pages: HashMap::new(),
            rows: BTreeMap::new(),
        }
    }

    /// The bucket in which a path lies; makes it where there is none, and
    /// splits it where it is too full and that is asked for.
    fn bucket_for(&mut self, path: &Path, split: bool) -> Result<Link, StoreError> {
        let mut place: Place = None;
        let mut looked = !split;
        let mut page = self.root.clone();
        // The link of `page`, where it is not the root.
        let mut at: Option<Link> = None;
        loop {
            let slot = page.slot(path).clone();
            match slot {
                Slot::Empty => {
                    let bucket = random_link()?;
                    self.set(
                        &place,
                        at.as_ref(),
                        &page,
                        path,
                        Slot::Bucket(bucket.clone()),
                    );
                    return Ok(bucket);
                }
                Slot::Bucket(bucket) => {
                    if looked {
                        return Ok(bucket);
                    }
                    looked = true;
                    let Some(node) = self.split(&bucket)? else {
                        return Ok(bucket);
                    };
                    self.set(&place, at.as_ref(), &page, path, Slot::Node(node));
                    page = self.current(&place, &page);
                }
                Slot::Node(link) => {
                    let below = self.load(&link, &page)?;
                    if below.covers(path.bytes()) {
                        place = Some(link.id);
                        page = below;
                        at = Some(link);
                    } else {
                        let bucket = random_link()?;
                        let node = self.between(&below, link, path, &bucket)?;
                        self.set(&place, at.as_ref(), &page, path, Slot::Node(node));
                        return Ok(bucket);
                    }
                }
            }
        }
    }

    fn load(&self, link: &Link, above: &Page) -> Result<Arc<Page>, StoreError> {
        match self.pages.get(&link.id) {
            Some((_, page)) => Ok(Arc::new(page.clone())),
            None => self.store.page(link, above),
        }
    }

    fn current(&self, place: &Place, page: &Arc<Page>) -> Arc<Page> {
        match place {
            None => self.root.clone(),
            Some(id) => self
                .pages
                .get(id)
                .map_or_else(|| page.clone(), |(_, page)| Arc::new(page.clone())),
        }
    }

    /// Changes the slot of a path in a page.
    fn set(&mut self, place: &Place, link: Option<&Link>, page: &Page, path: &Path, slot: Slot) {
        let mut page = page.clone();
        *page.slot_mut(path.bytes()) = slot;
        match (place, link) {
            (Some(id), Some(link)) => {
                self.pages.insert(*id, (link.clone(), page));
            }
            _ => {
                self.root = Arc::new(page);
                self.root_changed = true;
            }
        }
    }

    /// A node where a path leaves the steps that `below` passes over.
    fn between(
        &mut self,
        below: &Page,
        link: Link,
        path: &Path,
        bucket: &Link,
    ) -> Result<Link, StoreError> {
        let depth = common_steps(below.prefix(), path.bytes());
        let mut page = Page::new(depth, path.bytes());
        *page.slot_mut(below.prefix()) = Slot::Node(link);
        *page.slot_mut(path.bytes()) = Slot::Bucket(bucket.clone());
        let node = random_link()?;
        self.pages.insert(node.id, (node.clone(), page));
        Ok(node)
    }

    /// Moves the rows of a bucket that is too full into new ones below a new
    /// node. `None`: it is not, or cannot be split.
    fn split(&mut self, link: &Link) -> Result<Option<Link>, StoreError> {
        let view = self.store.engine.view();
        let rows = bucket_rows(&view, link)?;
        if rows.len() <= BUCKET_ROWS {
            return Ok(None);
        }
        let mut opened = Vec::with_capacity(rows.len());
        for (name, row) in rows {
            opened.push((name, row?));
        }
        let Some(first) = opened.first().map(|(_, row)| row.path) else {
            return Ok(None);
        };
        let depth = opened
            .iter()
            .map(|(_, row)| common_steps(first.bytes(), row.path.bytes()))
            .min()
            .unwrap_or(PATH_STEPS);
        if depth >= PATH_STEPS {
            return Ok(None);
        }
        let mut page = Page::new(depth, first.bytes());
        let mut links: [Option<Link>; SLOTS] = [const { None }; SLOTS];
        for (name, row) in &opened {
            let at = &mut links[row.path.step(depth)];
            let bucket = match at {
                Some(link) => link,
                None => at.insert(random_link()?),
            };
            let (new, sealed) = Bucket::new(bucket)?.seal(row.space, &row.path, &row.content)?;
            self.rows.insert(new, Some(sealed));
            let old = RowName::try_from(name.as_slice())
                .map_err(|_| StoreError::Damaged { space: "rows" })?;
            self.rows.insert(old, None);
        }
        for (slot, link) in page.slots.iter_mut().zip(links) {
            if let Some(link) = link {
                *slot = Slot::Bucket(link);
            }
        }
        let node = random_link()?;
        self.pages.insert(node.id, (node.clone(), page));
        Ok(Some(node))
    }

    fn commit(self, meta: Vec<(Vec<u8>, Option<Vec<u8>>)>) -> Result<(), StoreError> {
        let store = self.store;
        let mut batch = store.engine.batch();
        for (name, value) in &self.rows {
            match value {
                Some(value) => batch.put(Area::Rows, name, value),
                None => batch.delete(Area::Rows, name),
            }
        }
        for (id, (link, page)) in &self.pages {
            batch.put(Area::Nodes, id, &page.seal(link)?);
        }
        for (name, value) in &meta {
            match value {
                Some(value) => batch.put(Area::Meta, name, value),
                None => batch.delete(Area::Meta, name),
            }
        }
        if self.root_changed {
            let root = store.root_key();
            let sealed = store.seal_root(&root, &self.root)?;
            batch.put(Area::Meta, &root_row(root.generation()), &sealed);
        }
        let mut root = store.root.write();
        batch.commit()?;
        for (id, (_, page)) in self.pages {
            store.pages.insert(id, Arc::new(page));
        }
        root.page = self.root;
        Ok(())
    }
}

pub(super) fn random_link() -> Result<Link, StoreError> {
    Link::random().map_err(|_| StoreError::Seal { space: "nodes" })
}
