//! Opening a vault, and what the rooms above ask of it.

use std::io;
use std::path::Path;
use std::sync::Arc;

use parking_lot::Mutex;
use quick_cache::sync::Cache;

use crate::derive::{Name, Names};
use crate::directory::{self, Resolved};
use crate::error::VaultError;
use crate::head;
use crate::identifier::{Class, Identifier, UniqueSchemes};
use crate::keyring::{Keyring, WindowKey};
use crate::person::Person;
use crate::store::{Store, View};

/// How far [`VaultError::Ambiguous`] counts: telling 1000 persons from a
/// million helps nobody, and an address that millions shared must stay cheap
/// to ask for.
pub const AMBIGUOUS_COUNT_LIMIT: usize = 1000;

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
}

impl Default for VaultOptions {
    fn default() -> Self {
        Self {
            unique_schemes: vec!["account".to_owned(), "member".to_owned()],
            cache_persons: 200_000,
            store_cache_bytes: 64 << 20,
        }
    }
}

/// The person of an event.
#[derive(Debug, Clone)]
pub struct Admission {
    /// To whom the event belongs.
    pub person: Person,
    /// The person was not known before.
    pub is_new: bool,
    /// Pairs of references that this event linked, for the house entries that
    /// say so.
    pub linked: Vec<([u8; 16], [u8; 16])>,
}

/// Everything that is known of who somebody is.
#[derive(Clone)]
pub struct Identity {
    /// The linked set: the one looked up first, the others by reference.
    pub persons: Vec<Person>,
    /// All their identifiers: unique ones first, then by their bytes.
    pub identifiers: Vec<String>,
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity")
            .field("persons", &self.persons.len())
            .field("identifiers", &self.identifiers.len())
            .finish()
    }
}

/// A vault. A clone is one more handle to the same one; all may be used from
/// several threads.
#[derive(Clone)]
pub struct Vault(Arc<Inner>);

struct Inner {
    store: Store,
    names: Names,
    keyring: Keyring,
    schemes: UniqueSchemes,
    /// Digest of a list of identifiers → its person. A list that was admitted
    /// once says nothing new the second time, so that one look-up answers for
    /// all of its identifiers.
    admitted: Cache<Name, Person>,
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
        let schemes = UniqueSchemes::new(options.unique_schemes);
        let (store, root) = head::open(dir, root_key, options.store_cache_bytes, &schemes)?;
        let keyring = Keyring::open(&store, options.cache_persons)?;
        Ok(Self(Arc::new(Inner {
            store,
            names: Names::new(&root),
            keyring,
            schemes,
            admitted: Cache::new(options.cache_persons),
            changing: Mutex::new(()),
        })))
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
    /// [`VaultError::NoIdentifier`], [`VaultError::InvalidIdentifier`],
    /// [`VaultError::TooManyIdentifiers`]; [`VaultError::Store`].
    pub fn admit(&self, ids: &[&str]) -> Result<Admission, VaultError> {
        let vault = &*self.0;
        let list = vault.names.list(ids);
        if let Some(person) = vault.admitted.get(&list) {
            return Ok(Admission {
                person,
                is_new: false,
                linked: Vec::new(),
            });
        }
        let ids = Identifier::parse_all(ids, &vault.schemes, &vault.names)?;
        let admission = {
            let _changing = vault.changing.lock();
            vault.admit_slowly(&ids)?
        };
        vault.admitted.insert(list, admission.person.clone());
        Ok(admission)
    }

    /// Finds who somebody is. A shared identifier finds its person when
    /// everybody whom it points at is linked.
    ///
    /// # Errors
    /// [`VaultError::Ambiguous`]; [`VaultError::InvalidIdentifier`];
    /// [`VaultError::Store`].
    pub fn lookup(&self, id: &str) -> Result<Option<Identity>, VaultError> {
        let vault = &*self.0;
        let id = Identifier::parse(id, 0, &vault.schemes, &vault.names)?;
        let view = vault.store.view();
        match directory::resolve(&vault.names, &view, &id, AMBIGUOUS_COUNT_LIMIT)? {
            Resolved::Nobody => Ok(None),
            Resolved::Ambiguous(count) => Err(VaultError::Ambiguous { count }),
            Resolved::Set(references) => vault.identity(&view, &references).map(Some),
        }
    }

    /// The person with this reference.
    ///
    /// # Errors
    /// [`VaultError::Store`].
    pub fn person(&self, reference: &[u8; 16]) -> Result<Option<Person>, VaultError> {
        let vault = &*self.0;
        vault
            .keyring
            .find(&vault.names, &vault.store.view(), reference)
    }

    /// Everybody linked with the person of this reference, and their
    /// identifiers.
    ///
    /// # Errors
    /// [`VaultError::Store`].
    pub fn identity(&self, reference: &[u8; 16]) -> Result<Option<Identity>, VaultError> {
        let vault = &*self.0;
        let view = vault.store.view();
        if vault
            .keyring
            .find(&vault.names, &view, reference)?
            .is_none()
        {
            return Ok(None);
        }
        let set = directory::linked_set(&vault.names, &view, reference)?;
        let rest = set.into_iter().filter(|other| other != reference);
        let references: Vec<Name> = std::iter::once(*reference).chain(rest).collect();
        vault.identity(&view, &references).map(Some)
    }

    /// The references of everybody linked with the person of this reference,
    /// itself not included, in their order. No identifier is read for it. Empty
    /// for a reference that is nobody's.
    ///
    /// # Errors
    /// [`VaultError::Store`].
    pub fn linked(&self, reference: &[u8; 16]) -> Result<Vec<[u8; 16]>, VaultError> {
        let vault = &*self.0;
        let mut set = directory::linked_set(&vault.names, &vault.store.view(), reference)?;
        set.remove(reference);
        Ok(set.into_iter().collect())
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
        self.0.keyring.window(&self.0.store, window)
    }

    /// Destroys the key of a window, durably, whether or not there was one. It
    /// does not come back: asking for it is an error from now on.
    ///
    /// Until the key tree is there, the old key lies, sealed under the root
    /// key, in the store's files until they are compacted.
    ///
    /// # Errors
    /// [`VaultError::Store`].
    pub fn destroy_window(&self, window: u64) -> Result<(), VaultError> {
        self.0.keyring.destroy_window(&self.0.store, window)
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
    /// The caller holds `changing`.
    fn admit_slowly(&self, ids: &[Identifier<'_>]) -> Result<Admission, VaultError> {
        let names = &self.names;
        let view = self.store.view();
        let mut batch = self.store.batch();

        let mut owners = Vec::with_capacity(ids.len());
        let unique = ids.iter().any(|id| id.class == Class::Unique);
        for (position, id) in ids.iter().enumerate() {
            let finds = match id.class {
                Class::Unique => true,
                Class::Shared => !unique && position == 0,
            };
            owners.push((
                id,
                finds,
                if finds {
                    directory::owner(&view, id)?
                } else {
                    None
                },
            ));
        }

        let known = owners.iter().find_map(|(_, _, owner)| *owner);
        let person = match known {
            Some(reference) => self.known(&view, &reference)?,
            None => self.keyring.create(names, &mut batch)?,
        };
        let reference = person.reference();

        for (id, finds, owner) in &owners {
            if *finds && owner.is_none() {
                directory::put_owner(&mut batch, id, &reference)?;
            }
            let is_written = match id.class {
                Class::Unique => owner.is_some(),
                Class::Shared => {
                    known.is_some() && directory::points_at(names, &view, id, &reference)?
                }
            };
            if !is_written {
                directory::put_identifier(names, &mut batch, id, &reference)?;
                if id.class == Class::Shared {
                    directory::put_pointer(names, &mut batch, id, &reference)?;
                }
            }
        }

        let mut linked = Vec::new();
        let mut set = None;
        for other in owners.iter().filter_map(|(_, _, owner)| *owner) {
            if other == reference {
                continue;
            }
            let set = match &mut set {
                Some(set) => set,
                None => set.insert(directory::linked_set(names, &view, &reference)?),
            };
            if !set.contains(&other) {
                directory::put_link(names, &mut batch, &reference, &other)?;
                linked.push((reference, other));
                set.extend(directory::linked_set(names, &view, &other)?);
            }
        }

        batch.commit()?;
        Ok(Admission {
            person,
            is_new: known.is_none(),
            linked,
        })
    }

    fn known(&self, view: &View<'_>, reference: &Name) -> Result<Person, VaultError> {
        self.keyring
            .find(&self.names, view, reference)?
            .ok_or(VaultError::PersonKeyMissing)
    }

    fn identity(&self, view: &View<'_>, references: &[Name]) -> Result<Identity, VaultError> {
        let mut persons = Vec::with_capacity(references.len());
        let mut identifiers = Vec::new();
        for reference in references {
            persons.push(self.known(view, reference)?);
            identifiers.extend(directory::identifiers(&self.names, view, reference)?);
        }
        identifiers.sort_unstable();
        identifiers.dedup();
        let identifiers = identifiers.into_iter().map(|(_, text)| text).collect();
        Ok(Identity {
            persons,
            identifiers,
        })
    }
}
