//! The key tree: what opens what, from the root key down to a row.
//!
//! **Whoever holds the root key holds everything that hangs on it, and nothing
//! else.** A page holds the keys of the nodes and buckets below it and is
//! sealed under the key that the page above holds; the uppermost is sealed
//! under the root key. So a row is out of reach once its bucket has another
//! key, the pages above it hold that key and not the old one, and each of these
//! pages in turn has another key, up to the root ([`super::renew`]).
//!
//! What was stored before stays out of reach too, in every copy of the files:
//! an old page opens under a key that only old pages above it hold. A node or
//! bucket that ever held a row stays above that row's path, because a prefix
//! never changes; so each of them was given a new key, or taken away, when the
//! row was erased.

use std::path::Path as FilePath;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::{Mutex, RwLock};
use quick_cache::sync::Cache;

use super::StoreError;
use super::copy::Copied;
use super::engine::{Area, Engine};
use super::page::{Link, Page};
use super::renew::Unfinished;
use super::seal::Sealer;
use super::view::{Pages, PagesOf, View, load, read_page};
use crate::derive;
use crate::key::Key;
use crate::root::RootKey;
use crate::steps::Steps;

/// Followed by the generation of the key, big-endian.
pub(crate) const ROOT_ROW: &[u8] = b"root ";
pub(super) const PENDING_ROW: &[u8] = b"pending";
pub(crate) const COMMITMENT_BYTES: usize = 32;

/// Pages kept in memory, below a kilobyte each.
const PAGES: usize = 32_768;
/// For a view that is kept.
const PAGES_THEN: usize = 8_192;

/// The vault's rows, with the keys that open them.
pub(crate) struct Store {
    pub(super) engine: Engine,
    pub(super) vault_id: [u8; 16],
    /// Read by whoever looks at rows, written by whoever commits, while the
    /// rows are changing only: a page is changed in place, and a reader must
    /// not see one of before and one of after.
    pub(super) root: RwLock<Root>,
    pub(super) pages: Pages,
    pub(super) names: Key,
    pub(super) secrets: Key,
    /// A change of root keys was cut off, and how it went is not known.
    pub(super) cut_off: AtomicBool,
    /// What the last erasure has left to do.
    pub(super) unfinished: Mutex<Option<Unfinished>>,
    pub(super) steps: Steps,
}

/// Where all reading begins.
pub(crate) struct Root {
    pub(super) key: RootKey,
    pub(super) page: Arc<Page>,
}

impl Store {
    /// An empty tree; nothing is written yet.
    pub(crate) fn create(
        engine: Engine,
        vault_id: [u8; 16],
        root: RootKey,
        steps: Steps,
    ) -> Result<Self, StoreError> {
        let names = Key::random().map_err(|_| StoreError::Seal { space: "meta" })?;
        Ok(Self::with(
            engine,
            vault_id,
            root,
            Page::root(),
            names,
            steps,
        ))
    }

    /// The tree that this root key opens. `sealed` is its row in
    /// [`Area::Meta`], without the commitment, which was checked.
    pub(crate) fn open(
        engine: Engine,
        vault_id: [u8; 16],
        root: RootKey,
        sealed: &[u8],
        steps: Steps,
    ) -> Result<Self, StoreError> {
        let bad = || StoreError::Damaged { space: "meta" };
        let plain = Sealer::new(&derive::root_page_key(root.key()))
            .and_then(|sealer| sealer.open(&root_row(root.generation()), sealed))
            .ok_or_else(bad)?;
        let (names, page) = plain.split_at_checked(32).ok_or_else(bad)?;
        let names = Key::from_slice(names).ok_or_else(bad)?;
        let page = Page::decode(page)
            .filter(|page| page.depth() == 0)
            .ok_or_else(bad)?;
        Ok(Self::with(engine, vault_id, root, page, names, steps))
    }

    fn with(
        engine: Engine,
        vault_id: [u8; 16],
        root: RootKey,
        page: Page,
        names: Key,
        steps: Steps,
    ) -> Self {
        Self {
            engine,
            vault_id,
            root: RwLock::new(Root {
                key: root,
                page: Arc::new(page),
            }),
            pages: Cache::new(PAGES),
            secrets: derive::secret_names(&names),
            names,
            cut_off: AtomicBool::new(false),
            unfinished: Mutex::new(None),
            steps,
        }
    }

    /// What all positions are made with. Never changes.
    pub(crate) fn names_key(&self) -> &Key {
        &self.names
    }

    pub(crate) fn root_key(&self) -> RootKey {
        self.root.read_recursive().key.clone()
    }

    /// An earlier change was cut off: nothing may be written any more.
    pub(crate) fn is_cut_off(&self) -> bool {
        self.cut_off.load(Ordering::SeqCst)
    }

    /// All rows as they are. Nothing is committed until it is dropped; a thread
    /// that has one must not commit.
    pub(crate) fn view(&self) -> View<'_> {
        // Recursive: a thread may look while it looks.
        let lock = self.root.read_recursive();
        View {
            rows: self.engine.view(),
            root: lock.page.clone(),
            pages: PagesOf::Now(&self.pages),
            secrets: &self.secrets,
            _lock: Some(lock),
        }
    }

    /// All rows as they are at this moment, for long.
    pub(crate) fn view_of_now(&self) -> View<'_> {
        let lock = self.root.read_recursive();
        View {
            rows: self.engine.view(),
            root: lock.page.clone(),
            pages: PagesOf::Then(Box::new(Cache::new(PAGES_THEN))),
            secrets: &self.secrets,
            _lock: None,
        }
    }

    pub(crate) fn flush(&self) -> Result<(), StoreError> {
        self.engine.flush()
    }

    /// As [`Engine::copy`].
    pub(crate) fn copy(
        &self,
        to: &FilePath,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Copied, StoreError> {
        self.engine.copy(to, progress)
    }

    /// A page, for whoever changes the tree.
    pub(super) fn page(&self, link: &Link, above: &Page) -> Result<Arc<Page>, StoreError> {
        load(&self.pages, link, above, || {
            read_page(&self.engine.view(), &link.id)
        })
    }

    /// The row of a root key: its commitment, the names key and the page.
    pub(super) fn seal_root(&self, root: &RootKey, page: &Page) -> Result<Vec<u8>, StoreError> {
        let sealed = Sealer::new(&derive::root_page_key(root.key()))
            .and_then(|sealer| {
                sealer.seal(
                    &root_row(root.generation()),
                    &[self.names.bytes(), &page.encode()],
                )
            })
            .ok_or(StoreError::Seal { space: "meta" })?;
        let commitment = derive::root_commitment(root.key(), &self.vault_id);
        Ok([&commitment[..], &sealed].concat())
    }
}

pub(crate) fn root_row(generation: u64) -> Vec<u8> {
    [ROOT_ROW, &generation.to_be_bytes()].concat()
}

/// Rows of the root keys in [`Area::Meta`]: generations and values.
pub(crate) fn root_rows(engine: &Engine) -> Result<Vec<(u64, Vec<u8>)>, StoreError> {
    let mut rows = Vec::new();
    for row in engine.view().scan(Area::Meta, ROOT_ROW) {
        let (name, value) = row?;
        let generation = name
            .as_ref()
            .get(ROOT_ROW.len()..)
            .and_then(|rest| rest.try_into().ok())
            .map(u64::from_be_bytes)
            .ok_or(StoreError::Damaged { space: "meta" })?;
        rows.push((generation, value.as_ref().to_vec()));
    }
    Ok(rows)
}
