//! From format 1 into a tree.
//!
//! The rows are copied under a new root key and under names of their own, so
//! that nothing that the old root key opens leads to anything new. Until the
//! new root key is put where root keys are kept, the old format counts, and
//! what was copied is made again from the beginning.

use zeroize::Zeroizing;

use super::StoreError;
use super::engine::{Area, Engine};
use super::grow::Batch;
use super::space::Space;
use super::tree::{PENDING_ROW, ROOT_ROW, Store, root_row};
use super::v1::{OldRows, SPACES};
use crate::derive::{self, Name, Names};
use crate::directory;
use crate::error::VaultError;
use crate::key::Key;
use crate::root::{RootKey, RootStore};
use crate::steps::{Step, Steps};

/// Persons that are copied in one batch.
const PERSONS_AT_ONCE: u32 = 100;

/// Copies a vault of format 1, whose root key is `old`, and puts the new root
/// key. The row that says which format it is stays as it is.
pub(crate) fn migrate(
    engine: Engine,
    vault_id: [u8; 16],
    old: &RootKey,
    roots: &dyn RootStore,
    steps: Steps,
) -> Result<Store, VaultError> {
    clear(&engine, old.generation())?;
    let new = RootKey::generate(old.generation() + 1)?;
    let store = Store::create(engine, vault_id, new.clone(), steps)?;
    let rows = OldRows::new(&store.engine, old.key());
    let copy = Copy {
        old_names: Names::new(old.key()),
        names: Names::new(store.names_key()),
        rows: &rows,
    };
    // Not empty, so that the root page is written even where nobody is.
    let mut batch = store.batch();
    for row in rows.scan(Space::Secrets, b"")? {
        let (name, content) = row?;
        batch.put(Space::Secrets, &name, &content)?;
    }
    let mut count = 0_u32;
    for row in rows.scan(Space::Persons, b"")? {
        let (name, content) = row?;
        copy.person(&mut batch, &name, &content)?;
        count += 1;
        if count.is_multiple_of(PERSONS_AT_ONCE) {
            std::mem::replace(&mut batch, store.batch()).commit()?;
        }
    }
    batch.commit()?;
    store.flush()?;
    store.step(Step::Migrated)?;
    roots.put(&new)?;
    store.step(Step::RootKeyPut)?;
    tracing::info!(persons = count, "the vault was moved into a key tree");
    Ok(store)
}

/// Takes away what an earlier attempt has left.
fn clear(engine: &Engine, generation: u64) -> Result<(), StoreError> {
    for area in [Area::Nodes, Area::Rows] {
        engine.delete_where(area, b"", |_| true)?;
    }
    let keep = root_row(generation);
    engine.delete_where(Area::Meta, ROOT_ROW, |name| name != keep)?;
    engine.delete_where(Area::Meta, PENDING_ROW, |_| true)
}

impl Store {
    /// Deletes what is left of format 1.
    pub(super) fn drop_old_format(&self) -> Result<(), StoreError> {
        if self.engine.drop_old(&SPACES.map(Space::name))? {
            self.step(Step::OldFormatDeleted)?;
        }
        Ok(())
    }
}

struct Copy<'a> {
    old_names: Names,
    names: Names,
    rows: &'a OldRows<'a>,
}

impl Copy<'_> {
    /// One person with all that hangs on it.
    fn person(
        &self,
        batch: &mut Batch<'_>,
        old_name: &[u8],
        content: &Zeroizing<Vec<u8>>,
    ) -> Result<(), StoreError> {
        let bad = |space: Space| StoreError::Damaged {
            space: space.name(),
        };
        let key = content
            .split_first()
            .and_then(|(_, key)| Key::from_slice(key))
            .ok_or_else(|| bad(Space::Persons))?;
        let reference = derive::reference(&key);
        if self.old_names.person(&reference) != *old_name {
            return Err(bad(Space::Persons));
        }
        batch.put(Space::Persons, &self.names.person(&reference), content)?;
        for row in self.rows.scan(Space::Identifiers, old_name)? {
            let (_, content) = row?;
            self.identifier(batch, &reference, &content)?;
        }
        for row in self.rows.scan(Space::Links, old_name)? {
            let (_, content) = row?;
            let other: Name = content
                .get(1..)
                .and_then(|other| other.try_into().ok())
                .ok_or_else(|| bad(Space::Links))?;
            let name = self.names.link_row(&reference, &other);
            batch.put(Space::Links, &name, &content)?;
        }
        Ok(())
    }

    fn identifier(
        &self,
        batch: &mut Batch<'_>,
        reference: &Name,
        content: &Zeroizing<Vec<u8>>,
    ) -> Result<(), StoreError> {
        let (_, text) = directory::decode_identifier(content)?;
        let (old, new) = (
            self.old_names.identifier(&text),
            self.names.identifier(&text),
        );
        let name = self.names.identifier_row(reference, &new);
        batch.put(Space::Identifiers, &name, content)?;
        if let Some(owner) = self.rows.get(Space::Directory, &old)? {
            batch.put(Space::Directory, &new, &owner)?;
        }
        let pointer = self.old_names.pointer_row(&old, reference);
        if let Some(pointer) = self.rows.get(Space::Pointers, &pointer)? {
            let name = self.names.pointer_row(&new, reference);
            batch.put(Space::Pointers, &name, &pointer)?;
        }
        Ok(())
    }
}
