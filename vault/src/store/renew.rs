//! Taking away from the tree: every bucket in which something changes, and all
//! pages above it, get new names and new keys, up to a new root key.
//!
//! The order is what makes it safe to stop anywhere:
//!
//! 1. New rows, new pages and the new root page are written beside the old
//!    ones, with a row that says what is new and what is old: durable.
//! 2. The new root key is put where root keys are kept: durable. **From here
//!    on it counts**: the newest key that is kept decides.
//! 3. The old root key is destroyed. What it opened is noise from here on, in
//!    this store and in every copy of it.
//! 4. What is old is deleted, to save room; then the row of step 1.
//!
//! A vault that is opened finds that row, looks which key it has, and deletes
//! what is new or does steps 3 and 4 again ([`super::pending`]).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use zeroize::Zeroizing;

use super::StoreError;
use super::bucket::{Bucket, RowName};
use super::engine::Area;
use super::grow::{Batch, random_link};
use super::page::{Link, Page, Slot};
use super::pending::{Pending, Tree};
use super::space::{Path, Space, common_steps};
use super::tree::{PENDING_ROW, Store, root_row};
use super::view::bucket_rows;
use crate::error::VaultError;
use crate::root::{RootKey, RootStore};
use crate::steps::Step;

/// The rows of a bucket, opened.
type Rows = BTreeMap<(Path, Space), Zeroizing<Vec<u8>>>;

/// A change of one row.
type Change<'a> = (&'a Path, Space, Option<&'a Zeroizing<Vec<u8>>>);

impl Batch<'_> {
    /// Makes the changes under a new root key. When it returns, what was
    /// overwritten or deleted cannot be read any more, not even in older copies
    /// of the store's files. `switched` is called when nobody looks, at the
    /// moment from which on nothing of it is found.
    pub(crate) fn renew(
        self,
        roots: &dyn RootStore,
        switched: impl FnOnce(),
    ) -> Result<(), VaultError> {
        let store = self.store;
        store.finish_earlier(roots)?;
        let old_root = store.root_key();
        let old_page = store.root.read_recursive().page.clone();
        let mut renewal = Renewal {
            store,
            rows: Vec::new(),
            pages: Vec::new(),
            old_rows: Vec::new(),
            new: Tree::default(),
            old: Tree::default(),
        };
        let changes: Vec<Change<'_>> = self
            .changes
            .iter()
            .map(|((path, space), content)| (path, *space, content.as_ref()))
            .collect();
        let mut page = (*old_page).clone();
        for group in changes.chunk_by(|a, b| a.0.step(0) == b.0.step(0)) {
            if let Some((path, ..)) = group.first() {
                let slot = old_page.slot(path);
                *page.slot_mut(path.bytes()) = renewal.slot(slot, &old_page, group)?;
            }
        }
        let new_root = RootKey::generate(old_root.generation() + 1)?;
        let pending = Pending {
            from: old_root.generation(),
            to: new_root.generation(),
        };

        // 1.
        let mut batch = store.engine.batch();
        for (name, value) in &renewal.rows {
            batch.put(Area::Rows, name, value);
        }
        for (link, page) in &renewal.pages {
            batch.put(Area::Nodes, &link.id, &page.seal(link)?);
        }
        batch.put(
            Area::Meta,
            &root_row(new_root.generation()),
            &store.seal_root(&new_root, &page)?,
        );
        let said = pending.seal(&old_root, &renewal.new, &new_root, &renewal.old)?;
        batch.put(Area::Meta, PENDING_ROW, &said);
        batch.commit()?;
        store.flush()?;
        store.step(Step::Renewed)?;

        // 2. What is kept is read back before anything rests on it.
        let put = roots.put(&new_root);
        match roots.get() {
            Ok(kept) if is_newest(&kept, &new_root) => {}
            Ok(kept) if is_newest(&kept, &old_root) => {
                pending.undo(store, &renewal.new)?;
                put?;
                return Err(VaultError::RootService {
                    doing: "keep a new root key",
                    reason: "it was told to, and does not have it".to_owned(),
                });
            }
            kept => {
                // Nobody knows which of the two decides.
                store.cut_off.store(true, Ordering::SeqCst);
                put?;
                kept?;
                return Err(VaultError::Interrupted);
            }
        }
        store.step(Step::RootKeyPut)?;
        {
            let mut root = store.root.write();
            for id in &renewal.old.nodes {
                store.pages.remove(id);
            }
            for (link, page) in renewal.pages {
                store.pages.insert(link.id, Arc::new(page));
            }
            root.key = new_root;
            root.page = Arc::new(page);
            switched();
        }

        // 3 and 4.
        *store.unfinished.lock() = Some(Unfinished {
            pending,
            old_rows: renewal.old_rows,
            old: renewal.old,
        });
        store.finish_earlier(roots)
    }
}

/// A change that counts, and whose old root key is still there.
pub(super) struct Unfinished {
    pending: Pending,
    old_rows: Vec<RowName>,
    old: Tree,
}

fn is_newest(kept: &[RootKey], key: &RootKey) -> bool {
    kept.first().is_some_and(|newest| {
        newest.generation() == key.generation() && newest.expose() == key.expose()
    })
}

impl Store {
    /// A step is done. What stops there is not known to the rest of the
    /// process: only opening again finds out.
    pub(super) fn step(&self, step: Step) -> Result<(), StoreError> {
        self.steps.passed(step).map_err(|source| {
            self.cut_off.store(true, Ordering::SeqCst);
            StoreError::Stopped { source }
        })
    }

    /// Destroys the old root key and deletes what it opened, where that is
    /// still to be done: what keeps the root key may have been out of reach.
    pub(crate) fn finish_earlier(&self, roots: &dyn RootStore) -> Result<(), VaultError> {
        let mut unfinished = self.unfinished.lock();
        let Some(left) = &*unfinished else {
            return Ok(());
        };
        roots.destroy(left.pending.from)?;
        let kept = roots.get()?;
        if kept.iter().any(|key| key.generation() == left.pending.from) {
            return Err(VaultError::RootService {
                doing: "destroy a root key",
                reason: "it was told to, and still has it".to_owned(),
            });
        }
        self.step(Step::RootKeyDestroyed)?;
        left.pending
            .clean(self, left.pending.from, Some(&left.old_rows), &left.old)?;
        *unfinished = None;
        self.step(Step::Cleaned)?;
        Ok(())
    }
}

/// The part of the tree that is made anew.
struct Renewal<'a> {
    store: &'a Store,
    rows: Vec<(RowName, Vec<u8>)>,
    pages: Vec<(Link, Page)>,
    old_rows: Vec<RowName>,
    new: Tree,
    old: Tree,
}

impl Renewal<'_> {
    /// What takes the place of a slot when changes are made below it. None of
    /// them is empty; all lie below the slot.
    fn slot(
        &mut self,
        slot: &Slot,
        above: &Page,
        changes: &[Change<'_>],
    ) -> Result<Slot, StoreError> {
        match slot {
            Slot::Empty => self.bucket(BTreeMap::new(), changes),
            Slot::Bucket(link) => {
                let rows = self.take_rows(link)?;
                self.bucket(rows, changes)
            }
            Slot::Node(link) => {
                let page = self.store.page(link, above)?;
                self.node(link, &page, changes)
            }
        }
    }

    fn take_rows(&mut self, link: &Link) -> Result<Rows, StoreError> {
        let mut rows = BTreeMap::new();
        for (name, row) in bucket_rows(&self.store.engine.view(), link)? {
            let row = row?;
            rows.insert((row.path, row.space), row.content);
            let name = RowName::try_from(name.as_slice())
                .map_err(|_| StoreError::Damaged { space: "rows" })?;
            self.old_rows.push(name);
        }
        self.old.buckets.push(link.id);
        Ok(rows)
    }

    /// A new bucket with these rows as they are after the changes.
    fn bucket(&mut self, mut rows: Rows, changes: &[Change<'_>]) -> Result<Slot, StoreError> {
        for (path, space, content) in changes {
            match content {
                Some(content) => rows.insert((**path, *space), (*content).clone()),
                None => rows.remove(&(**path, *space)),
            };
        }
        if rows.is_empty() {
            return Ok(Slot::Empty);
        }
        let link = random_link()?;
        let bucket = Bucket::new(&link)?;
        for ((path, space), content) in &rows {
            self.rows.push(bucket.seal(*space, path, content)?);
        }
        self.new.buckets.push(link.id);
        Ok(Slot::Bucket(link))
    }

    fn node(
        &mut self,
        link: &Link,
        page: &Page,
        changes: &[Change<'_>],
    ) -> Result<Slot, StoreError> {
        let depth = changes
            .iter()
            .map(|(path, ..)| common_steps(page.prefix(), path.bytes()))
            .min()
            .unwrap_or(page.depth());
        if depth >= page.depth() {
            let mut new = page.clone();
            self.old.nodes.push(link.id);
            let depth = page.depth();
            for group in changes.chunk_by(|a, b| a.0.step(depth) == b.0.step(depth)) {
                if let Some((path, ..)) = group.first() {
                    *new.slot_mut(path.bytes()) = self.slot(page.slot(path), page, group)?;
                }
            }
            return self.settle(new);
        }
        // Some lie beside the node: one above it takes both.
        let mut new = Page::new(depth, page.prefix());
        *new.slot_mut(page.prefix()) = Slot::Node(link.clone());
        for group in changes.chunk_by(|a, b| a.0.step(depth) == b.0.step(depth)) {
            let Some((path, ..)) = group.first() else {
                continue;
            };
            let slot = match new.slot(path) {
                Slot::Node(_) => self.node(link, page, group)?,
                _ => self.bucket(BTreeMap::new(), group)?,
            };
            *new.slot_mut(path.bytes()) = slot;
        }
        self.settle(new)
    }

    /// A page below which nothing is left is left out, and so is one with a
    /// single slot: its prefix would go on telling of somebody who is gone.
    fn settle(&mut self, page: Page) -> Result<Slot, StoreError> {
        let mut taken = page
            .slots
            .iter()
            .filter(|slot| !matches!(slot, Slot::Empty));
        let (first, second) = (taken.next(), taken.next());
        match (first, second) {
            (None, _) => Ok(Slot::Empty),
            (Some(only), None) => Ok(only.clone()),
            _ => {
                let link = random_link()?;
                self.new.nodes.push(link.id);
                self.pages.push((link.clone(), page));
                Ok(Slot::Node(link))
            }
        }
    }
}
