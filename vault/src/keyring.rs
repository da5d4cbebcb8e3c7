//! Where data keys are kept: persons', the house's, the windows'.
//!
//! The only place that knows how a key is stored. The key tree, and with it
//! erasing, will take the place of the rows read and written here; nothing
//! above needs to know.

use std::collections::HashMap;
use std::fmt;
use std::ops::Deref;

use parking_lot::Mutex;
use quick_cache::sync::Cache;

use crate::derive::{Name, Names};
use crate::error::VaultError;
use crate::key::Key;
use crate::person::Person;
use crate::store::{Batch, Space, Store, StoreError, View};
use crate::vault::EscrowInfo;

const PERSON_VERSION: u8 = 1;
const HOUSE: &[u8] = b"house";
const WINDOW: &[u8] = b"window";
const ESCROW: &[u8] = b"escrow";
const ESCROW_VERSION: u8 = 1;

/// A window's row: its key, or that it had one.
const WINDOW_ALIVE: u8 = 1;
const WINDOW_DESTROYED: u8 = 2;

/// The key of one window of the duplicates index. Reads as 32 bytes, wipes
/// itself, and does not print.
#[derive(Clone)]
pub struct WindowKey(Key);

impl Deref for WindowKey {
    type Target = [u8; 32];

    fn deref(&self) -> &[u8; 32] {
        self.0.bytes()
    }
}

impl AsRef<[u8]> for WindowKey {
    fn as_ref(&self) -> &[u8] {
        self.0.bytes()
    }
}

impl fmt::Debug for WindowKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WindowKey(redacted)")
    }
}

pub(crate) struct Keyring {
    house: Person,
    /// Reference → person.
    persons: Cache<Name, Person>,
    windows: Mutex<HashMap<u64, WindowKey>>,
}

impl Keyring {
    pub(crate) fn open(store: &Store, cache_persons: usize) -> Result<Self, VaultError> {
        let house = match store.view().get(Space::Secrets, HOUSE)? {
            Some(row) => Person::from_data_key(&data_key(&row, Space::Secrets)?),
            None => {
                let key = Key::random()?;
                let mut batch = store.batch();
                batch.put(Space::Secrets, HOUSE, encode(&key).as_slice())?;
                batch.commit()?;
                store.flush()?;
                Person::from_data_key(&key)
            }
        };
        Ok(Self {
            house,
            persons: Cache::new(cache_persons),
            windows: Mutex::default(),
        })
    }

    /// The last time that shares of a root key were made.
    pub(crate) fn escrow(&self, store: &Store) -> Result<Option<EscrowInfo>, VaultError> {
        store
            .view()
            .get(Space::Secrets, ESCROW)?
            .map(|row| decode_escrow(&row).ok_or_else(|| damaged_secret().into()))
            .transpose()
    }

    pub(crate) fn put_escrow(&self, store: &Store, info: &EscrowInfo) -> Result<(), VaultError> {
        let mut row = vec![ESCROW_VERSION];
        row.extend_from_slice(&info.generation.to_le_bytes());
        row.extend_from_slice(&info.made_ns.to_le_bytes());
        row.extend_from_slice(&[info.shares, info.threshold]);
        let mut batch = store.batch();
        batch.put(Space::Secrets, ESCROW, &row)?;
        batch.commit()?;
        Ok(store.flush()?)
    }

    pub(crate) fn house(&self) -> &Person {
        &self.house
    }

    /// A person with a new random key, written with the batch.
    pub(crate) fn create(
        &self,
        names: &Names,
        batch: &mut Batch<'_>,
    ) -> Result<Person, VaultError> {
        let key = Key::random()?;
        let person = Person::from_data_key(&key);
        batch.put(
            Space::Persons,
            &names.person(&person.reference()),
            encode(&key).as_slice(),
        )?;
        Ok(person)
    }

    /// From memory only.
    pub(crate) fn cached(&self, reference: &Name) -> Option<Person> {
        self.persons.get(reference)
    }

    pub(crate) fn keep(&self, person: &Person) {
        self.persons.insert(person.reference(), person.clone());
    }

    /// Lets go of a person that is no more.
    pub(crate) fn forget(&self, reference: &Name) {
        self.persons.remove(reference);
    }

    /// `None` when there is no such person.
    pub(crate) fn find(
        &self,
        names: &Names,
        view: &View<'_>,
        reference: &Name,
    ) -> Result<Option<Person>, VaultError> {
        if let Some(person) = self.persons.get(reference) {
            return Ok(Some(person));
        }
        let Some(row) = view.get(Space::Persons, &names.person(reference))? else {
            return Ok(None);
        };
        let person = Person::from_data_key(&data_key(&row, Space::Persons)?);
        if person.reference() != *reference {
            return Err(StoreError::Damaged {
                space: Space::Persons.name(),
            }
            .into());
        }
        self.persons.insert(*reference, person.clone());
        Ok(Some(person))
    }

    pub(crate) fn delete(&self, names: &Names, batch: &mut Batch<'_>, reference: &Name) {
        batch.delete(Space::Persons, &names.person(reference));
    }

    /// The key of a window; makes it, durably, when the window is new.
    pub(crate) fn window(&self, store: &Store, window: u64) -> Result<WindowKey, VaultError> {
        let mut windows = self.windows.lock();
        if let Some(key) = windows.get(&window) {
            return Ok(key.clone());
        }
        let row = window_row(window);
        let key = match store.view().get(Space::Secrets, &row)? {
            Some(value) => match value.split_first() {
                Some((&WINDOW_ALIVE, key)) => Key::from_slice(key).ok_or(damaged_secret())?,
                Some((&WINDOW_DESTROYED, _)) => return Err(VaultError::WindowDestroyed { window }),
                _ => return Err(damaged_secret().into()),
            },
            None => {
                let key = Key::random()?;
                let mut value = zeroize::Zeroizing::new([WINDOW_ALIVE; 33]);
                value[1..].copy_from_slice(key.bytes());
                let mut batch = store.batch();
                batch.put(Space::Secrets, &row, value.as_slice())?;
                batch.commit()?;
                store.flush()?;
                key
            }
        };
        let key = WindowKey(key);
        windows.insert(window, key.clone());
        Ok(key)
    }

    pub(crate) fn destroy_window(&self, store: &Store, window: u64) -> Result<(), VaultError> {
        let mut windows = self.windows.lock();
        let mut batch = store.batch();
        batch.put(Space::Secrets, &window_row(window), &[WINDOW_DESTROYED; 33])?;
        batch.commit()?;
        store.flush()?;
        windows.remove(&window);
        Ok(())
    }
}

fn decode_escrow(row: &[u8]) -> Option<EscrowInfo> {
    let rest = row.strip_prefix(&[ESCROW_VERSION])?;
    let (generation, rest) = rest.split_first_chunk()?;
    let (made_ns, rest) = rest.split_first_chunk()?;
    let &[shares, threshold] = rest else {
        return None;
    };
    Some(EscrowInfo {
        generation: u64::from_le_bytes(*generation),
        made_ns: i64::from_le_bytes(*made_ns),
        shares,
        threshold,
    })
}

fn encode(key: &Key) -> zeroize::Zeroizing<[u8; 33]> {
    let mut row = zeroize::Zeroizing::new([PERSON_VERSION; 33]);
    row[1..].copy_from_slice(key.bytes());
    row
}

fn data_key(row: &[u8], space: Space) -> Result<Key, StoreError> {
    match row.split_first() {
        Some((&PERSON_VERSION, key)) => Key::from_slice(key),
        _ => None,
    }
    .ok_or(StoreError::Damaged {
        space: space.name(),
    })
}

fn window_row(window: u64) -> Vec<u8> {
    [WINDOW, &window.to_be_bytes()].concat()
}

fn damaged_secret() -> StoreError {
    StoreError::Damaged {
        space: Space::Secrets.name(),
    }
}
