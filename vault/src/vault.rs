//! Opening a vault, and what the rooms above ask of it.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::{Mutex, MutexGuard};
use quick_cache::sync::Cache;

use crate::admit::{Admission, Admitted};
use crate::derive::{self, Name, Names};
use crate::error::VaultError;
use crate::fence::Fence;
use crate::head;
use crate::identifier::{Identifier, UniqueSchemes};
use crate::keyring::{Keyring, WindowKey};
use crate::linked::Linked;
use crate::person::Person;
use crate::root::{self, FileRootStore, RootStore, Share};
use crate::steps::Steps;
use crate::store::Store;

/// How to open a vault.
#[derive(Debug, Clone)]
pub struct VaultOptions {
    /// Schemes whose identifiers are one person's alone and link persons; all
    /// others are shared. Default `account`, `member`. Fixed when the vault is
    /// made.
    pub unique_schemes: Vec<String>,
    /// Persons kept in memory, ready to use: about 400 bytes each. Default
    /// 200,000.
    pub cache_persons: usize,
    /// Memory for blocks of the store in bytes. Default 64 MiB.
    pub store_cache_bytes: u64,
    /// For tests: called after each step of what takes several. Default: none.
    pub steps: Steps,
}

impl Default for VaultOptions {
    fn default() -> Self {
        Self {
            unique_schemes: vec!["account".to_owned(), "member".to_owned()],
            cache_persons: 200_000,
            store_cache_bytes: 64 << 20,
            steps: Steps::default(),
        }
    }
}

/// The root key that is in force, without the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RootInfo {
    /// From 1. Grows with every erasure.
    pub generation: u64,
    /// What the vault stores about the key: it tells the key from any other,
    /// and says nothing else.
    pub commitment: [u8; 32],
    /// Where it is kept: `file`, `command`, `http`.
    pub kind: &'static str,
    /// The last time that shares were made.
    pub escrow: Option<EscrowInfo>,
}

/// When shares of a root key were made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EscrowInfo {
    /// Of which key. Shares of an older one than that in force open nothing.
    pub generation: u64,
    /// When, in nanoseconds since 1970, UTC.
    pub made_ns: i64,
    /// How many shares.
    pub shares: u8,
    /// How many of them give the key back.
    pub threshold: u8,
}

/// A vault. A clone is one more handle to the same one; all may be used from
/// several threads.
#[derive(Clone)]
pub struct Vault(Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) store: Arc<Store>,
    pub(crate) names: Names,
    pub(crate) keyring: Keyring,
    pub(crate) schemes: UniqueSchemes,
    /// Digest of a list of identifiers → whose it is. A list that was admitted
    /// once says nothing new the second time, so that one look-up answers for
    /// all of its identifiers.
    pub(crate) admitted: Cache<Name, Admitted>,
    pub(crate) fence: Fence,
    pub(crate) linked: Linked,
    /// Erasures so far, since the vault was opened.
    pub(crate) erased: AtomicU64,
    vault_id: [u8; 16],
    pub(crate) roots: Box<dyn RootStore>,
    escrow: Mutex<Option<EscrowInfo>>,
    /// Held by whoever changes the directory, from the first look to the
    /// commit: two threads that meet the same new identifier make one person.
    changing: Mutex<()>,
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Vault(redacted)")
    }
}

impl Vault {
    /// Opens the vault in `dir` with the root key at `root_key`. Makes the
    /// vault when `dir` is absent or empty, and the root key file (mode 0600)
    /// when it is absent too.
    ///
    /// # Errors
    /// [`VaultError::RootKeyMissing`], [`VaultError::RootKeyDamaged`],
    /// [`VaultError::RootKeyWrong`]; [`VaultError::SchemesChanged`];
    /// [`VaultError::Store`] with [`crate::StoreError::Locked`] when another
    /// process has it open; [`VaultError::TooNew`], [`VaultError::NotAVault`].
    pub fn open(dir: &Path, root_key: &Path, options: VaultOptions) -> Result<Self, VaultError> {
        Self::open_with(dir, Box::new(FileRootStore::new(root_key)), options)
    }

    /// As [`Vault::open`], with the root key kept by `roots`.
    ///
    /// # Errors
    /// As [`Vault::open`], and what the store of the root key says.
    pub fn open_with(
        dir: &Path,
        roots: Box<dyn RootStore>,
        options: VaultOptions,
    ) -> Result<Self, VaultError> {
        let schemes = UniqueSchemes::new(options.unique_schemes);
        let opened = head::open(
            dir,
            &*roots,
            options.store_cache_bytes,
            &schemes,
            options.steps,
        )?;
        let keyring = Keyring::open(&opened.store, options.cache_persons)?;
        let escrow = keyring.escrow(&opened.store)?;
        Ok(Self(Arc::new(Inner {
            names: Names::new(opened.store.names_key()),
            store: Arc::new(opened.store),
            keyring,
            schemes,
            admitted: Cache::new(options.cache_persons),
            fence: Fence::default(),
            linked: Linked::default(),
            erased: AtomicU64::new(0),
            vault_id: opened.vault_id,
            roots,
            escrow: Mutex::new(escrow),
            changing: Mutex::new(()),
        })))
    }

    pub(crate) fn inner(&self) -> &Inner {
        &self.0
    }

    /// Finds the person of an event by its identifiers, or makes one.
    ///
    /// `ids` are `scheme:value`, the primary one first. The person is that of
    /// the first unique identifier that is known; unknown ones become that
    /// person's. Where unique identifiers are several persons', these are
    /// linked. Shared identifiers are written down as pointing at the person,
    /// and link nobody. Without a unique identifier the event belongs to the
    /// person who is known by shared identifiers only and has the first of
    /// them as primary one: never to somebody with a unique identifier, even
    /// if only one person was ever seen with that address, because the next
    /// one may be another member of the family.
    ///
    /// What is made here is durable after the next [`Vault::flush`].
    ///
    /// # Errors
    /// [`VaultError::Erasing`] while somebody whose identifiers these are is
    /// being erased; [`VaultError::NoIdentifier`], [`VaultError::InvalidIdentifier`],
    /// [`VaultError::TooManyIdentifiers`]; [`VaultError::Store`].
    pub fn admit(&self, ids: &[&str]) -> Result<Admission, VaultError> {
        self.admit_at(ids, i64::MAX)
    }

    /// As [`Vault::admit`], of an event of this time (nanoseconds since 1970,
    /// UTC): an identifier that was given up finds the one whose it was then.
    ///
    /// # Errors
    /// As [`Vault::admit`].
    pub fn admit_at(&self, ids: &[&str], event_ns: i64) -> Result<Admission, VaultError> {
        let vault = &*self.0;
        let list = vault.names.list(ids);
        if let Some(known) = vault.admitted.get(&list)
            && event_ns >= known.from_ns
            && let Some(person) = vault.keyring.cached(&known.reference)
        {
            vault.fence.check(&known.reference)?;
            return Ok(Admission {
                person,
                is_new: false,
                linked: Vec::new(),
                erased_day: None,
            });
        }
        let ids = Identifier::parse_all(ids, &vault.schemes, &vault.names)?;
        let _changing = vault.change()?;
        let (admission, from_ns) = vault.admit_slowly(&ids, event_ns)?;
        if event_ns >= from_ns {
            let reference = admission.person.reference();
            vault.admitted.insert(list, Admitted { reference, from_ns });
        }
        Ok(admission)
    }

    /// Random, made with the vault, and never changed: what tells it from any
    /// other.
    pub fn id(&self) -> [u8; 16] {
        self.0.vault_id
    }

    /// The root key in force.
    pub fn root(&self) -> RootInfo {
        self.0.root_info()
    }

    /// Grows with each erasure while the vault is open: who keeps something of
    /// persons beside it compares.
    pub fn epoch(&self) -> u64 {
        self.0.erased.load(Ordering::SeqCst)
    }

    /// Cuts the root key into `shares` shares of which `threshold` give it
    /// back, and remembers that it did, durably. `now_ns` is the time in
    /// nanoseconds since 1970, UTC. The next erasure makes a new root key, and
    /// these shares then open only backups of before.
    ///
    /// # Errors
    /// [`VaultError::Escrow`] unless 2 ≤ `threshold` ≤ `shares`;
    /// [`VaultError::Store`].
    pub fn escrow(&self, threshold: u8, shares: u8, now_ns: i64) -> Result<Vec<Share>, VaultError> {
        let vault = &*self.0;
        let _changing = vault.change()?;
        let root = vault.store.root_key();
        let made = root::split(&root, &vault.vault_id, threshold, shares)?;
        let info = EscrowInfo {
            generation: root.generation(),
            made_ns: now_ns,
            shares,
            threshold,
        };
        vault.keyring.put_escrow(&vault.store, &info)?;
        *vault.escrow.lock() = Some(info);
        Ok(made)
    }

    /// The keys for entries that are nobody's.
    pub fn house(&self) -> Person {
        self.0.keyring.house().clone()
    }

    /// The key of a window of the duplicates index. A new window gets a random
    /// one, durable before this returns.
    ///
    /// # Errors
    /// [`VaultError::WindowDestroyed`]; [`VaultError::Store`].
    pub fn window_key(&self, window: u64) -> Result<WindowKey, VaultError> {
        let vault = &*self.0;
        if let Some(key) = vault.keyring.cached_window(window) {
            return Ok(key);
        }
        let _changing = vault.change()?;
        vault.keyring.window(&vault.store, window)
    }

    /// Overwrites the key of a window, durably, whether or not there was one. It
    /// does not come back: asking for it is an error from now on.
    ///
    /// Old copies of the vault's files still hold it, until the root key is
    /// changed: by the next erasure, or by [`Vault::rotate`]. Not here: a root
    /// key that changed with every window, each day, could not be kept a second
    /// time anywhere, and no backup would open on the day after.
    ///
    /// # Errors
    /// [`VaultError::Store`].
    pub fn destroy_window(&self, window: u64) -> Result<(), VaultError> {
        let vault = &*self.0;
        let _changing = vault.change()?;
        vault.keyring.destroy_window(&vault.store, window)
    }

    /// Makes a new root key and destroys the one before it, as erasing does,
    /// and erases nobody. Keys of windows that were destroyed since the last
    /// change are gone from every copy of the files.
    ///
    /// # Errors
    /// As [`crate::Erasing::erase`].
    pub fn rotate(&self) -> Result<RootInfo, VaultError> {
        let vault = &*self.0;
        let _changing = vault.change()?;
        let mut batch = vault.store.batch();
        vault
            .keyring
            .take_windows(&vault.store.view(), &mut batch)?;
        batch.renew(&*vault.roots, || {})?;
        Ok(vault.root_info())
    }

    /// Returns when all that was admitted before the call is on disk. Costs
    /// next to nothing when there is nothing new.
    ///
    /// # Errors
    /// What the system said. After a failure the store takes no more writes
    /// until it is opened again.
    pub fn flush(&self) -> io::Result<()> {
        self.0.store.flush().map_err(io::Error::other)
    }

    /// Copies the vault into `to`, which is absent or empty, while it is in
    /// use: everything that was admitted before the call, and whole admissions
    /// only. Returns the bytes copied; `progress` gets them on the way.
    ///
    /// The copy opens with the same root key, which is **not** copied. A key
    /// that is destroyed later stays in the copy, sealed under the root key.
    /// Copy a ledger before its vault: then every key that a block needs is in
    /// the copy.
    ///
    /// # Errors
    /// [`VaultError::Io`] where `to` is not empty; [`VaultError::Store`]. What
    /// was written of the copy stays.
    pub fn backup(&self, to: &Path, progress: &mut dyn FnMut(u64)) -> Result<u64, VaultError> {
        if !head::is_empty(to)? {
            return Err(VaultError::Io {
                doing: "copy the vault",
                path: to.into(),
                source: io::ErrorKind::DirectoryNotEmpty.into(),
            });
        }
        self.0.store.flush()?;
        Ok(self.0.store.copy(to, progress)?.bytes)
    }

    /// Makes everything durable. The files are let go when the last handle is
    /// dropped.
    ///
    /// # Errors
    /// As [`Vault::flush`].
    pub fn close(&self) -> io::Result<()> {
        self.flush()
    }
}

impl Inner {
    /// Waits for whoever changes the directory.
    pub(crate) fn change(&self) -> Result<MutexGuard<'_, ()>, VaultError> {
        let changing = self.changing.lock();
        if self.store.is_cut_off() {
            return Err(VaultError::Interrupted);
        }
        Ok(changing)
    }

    /// As [`Inner::change`], where nobody changes it now.
    pub(crate) fn change_at_once(&self) -> Option<MutexGuard<'_, ()>> {
        let changing = self.changing.try_lock();
        changing.filter(|_| !self.store.is_cut_off())
    }

    pub(crate) fn root_info(&self) -> RootInfo {
        let root = self.store.root_key();
        RootInfo {
            generation: root.generation(),
            commitment: derive::root_commitment(root.key(), &self.vault_id),
            kind: self.roots.kind(),
            escrow: *self.escrow.lock(),
        }
    }
}
