//! Who somebody is: looked up, linked, parted, and identifiers given up.

use crate::derive::Name;
use crate::directory::{self, Relation, Resolved};
use crate::error::VaultError;
use crate::identifier::{Class, Identifier};
use crate::person::Person;
use crate::store::View;
use crate::vault::{Inner, Vault};

/// How far [`VaultError::Ambiguous`] counts: telling 1000 persons from a
/// million helps nobody, and an address that millions shared must stay cheap
/// to ask for.
pub const AMBIGUOUS_COUNT_LIMIT: usize = 1000;

/// Everything that is known of who somebody is.
#[derive(Clone)]
pub struct Identity {
    /// The linked set: the one looked up first, the others by reference.
    pub persons: Vec<Person>,
    /// All their identifiers, those that they gave up included: unique ones
    /// first, then by their bytes.
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

impl Vault {
    /// Finds who somebody is now. A shared identifier finds its person when
    /// everybody whom it points at is linked. A unique one that was given up
    /// is nobody's until it is somebody's again; one that was several persons'
    /// over time needs a time ([`Vault::lookup_at`]).
    ///
    /// # Errors
    /// [`VaultError::Ambiguous`]; [`VaultError::InvalidIdentifier`];
    /// [`VaultError::Store`].
    pub fn lookup(&self, id: &str) -> Result<Option<Identity>, VaultError> {
        self.resolve(id, None)
    }

    /// Finds whose a unique identifier was at a time (nanoseconds since 1970,
    /// UTC). Of a shared one the directory keeps no times: as
    /// [`Vault::lookup`].
    ///
    /// # Errors
    /// As [`Vault::lookup`].
    pub fn lookup_at(&self, id: &str, at_ns: i64) -> Result<Option<Identity>, VaultError> {
        self.resolve(id, Some(at_ns))
    }

    fn resolve(&self, id: &str, at_ns: Option<i64>) -> Result<Option<Identity>, VaultError> {
        let vault = self.inner();
        let id = Identifier::parse(id, 0, &vault.schemes, &vault.names)?;
        let view = vault.store.view();
        match directory::resolve(&vault.names, &view, &id, at_ns, AMBIGUOUS_COUNT_LIMIT)? {
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
        let vault = self.inner();
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
        let vault = self.inner();
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
        let vault = self.inner();
        if !vault.linked.may_have(|| vault.names.person(reference)) {
            return Ok(Vec::new());
        }
        let mut set = directory::linked_set(&vault.names, &vault.store.view(), reference)?;
        set.remove(reference);
        Ok(set.into_iter().collect())
    }

    /// Reads in the background who is linked with anybody, once while the vault
    /// is open. When it is done, [`Vault::linked`] of who is not looks into
    /// memory only; until then, or where more than a million are, nothing
    /// changes. Reading passes by every row of the vault, about a second for a
    /// million persons. Returns at once; where the vault is being changed just
    /// now, the next call begins.
    pub fn learn_links(&self) {
        let vault = self.inner();
        if !vault.linked.is_asked_for()
            && let Some(_changing) = vault.change_at_once()
        {
            vault.linked.begin(&vault.store);
        }
    }

    /// Whether [`Vault::learn_links`] is done.
    pub fn knows_links(&self) -> bool {
        self.inner().linked.is_known()
    }

    /// Links two persons, because somebody says so, even where
    /// [`Vault::unlink`] was called for them before. `false`: they were linked
    /// already, directly or through others. Durable with the next
    /// [`Vault::flush`].
    ///
    /// # Errors
    /// [`VaultError::UnknownPerson`], [`VaultError::Erasing`];
    /// [`VaultError::Store`].
    pub fn link(&self, a: &[u8; 16], b: &[u8; 16]) -> Result<bool, VaultError> {
        let vault = self.inner();
        let _changing = vault.change()?;
        let view = vault.store.view();
        vault.check_both(&view, a, b)?;
        let parted = directory::relation(&vault.names, &view, a, b)? == Some(Relation::Parted);
        if !parted && directory::linked_set(&vault.names, &view, a)?.contains(b) {
            return Ok(false);
        }
        drop(view);
        let names = &vault.names;
        vault.linked.add([names.person(a), names.person(b)]);
        let mut batch = vault.store.batch();
        directory::put_relation(names, &mut batch, a, b, Relation::Linked)?;
        batch.commit()?;
        Ok(true)
    }

    /// Takes the direct link between two persons away, and remembers it: events
    /// that have identifiers of both do not link them again, only
    /// [`Vault::link`] does. They may go on being linked through others.
    /// `false`: there was no direct link; they are kept apart from now on all
    /// the same. Durable with the next [`Vault::flush`].
    ///
    /// # Errors
    /// As [`Vault::link`].
    pub fn unlink(&self, a: &[u8; 16], b: &[u8; 16]) -> Result<bool, VaultError> {
        let vault = self.inner();
        let _changing = vault.change()?;
        let view = vault.store.view();
        vault.check_both(&view, a, b)?;
        if a == b {
            return Ok(false);
        }
        let before = directory::relation(&vault.names, &view, a, b)?;
        drop(view);
        let mut batch = vault.store.batch();
        directory::put_relation(&vault.names, &mut batch, a, b, Relation::Parted)?;
        batch.commit()?;
        Ok(before == Some(Relation::Linked))
    }

    /// Gives a unique identifier up: from `from_ns` (nanoseconds since 1970,
    /// UTC) on it is nobody's, until somebody is admitted with it by an event
    /// of that time or later. Events of before still find the former person.
    /// Whose it was at `from_ns`, if anybody's. Durable with the next
    /// [`Vault::flush`].
    ///
    /// # Errors
    /// [`VaultError::SharedIdentifier`], [`VaultError::InvalidIdentifier`],
    /// [`VaultError::Erasing`]; [`VaultError::Store`].
    pub fn release(&self, id: &str, from_ns: i64) -> Result<Option<[u8; 16]>, VaultError> {
        let vault = self.inner();
        let id = Identifier::parse(id, 0, &vault.schemes, &vault.names)?;
        if id.class == Class::Shared {
            return Err(VaultError::SharedIdentifier);
        }
        let _changing = vault.change()?;
        let view = vault.store.view();
        let Some(mut history) = directory::history(&view, &id.digest, id.class)? else {
            return Ok(None);
        };
        drop(view);
        let Some(owner) = history.release(from_ns) else {
            return Ok(None);
        };
        vault.fence.check(&owner)?;
        let mut batch = vault.store.batch();
        directory::put_history(&mut batch, &id.digest, &history)?;
        batch.commit()?;
        // Which lists have the identifier is not known.
        vault.admitted.clear();
        Ok(Some(owner))
    }
}

impl Inner {
    fn check_both(&self, view: &View<'_>, a: &Name, b: &Name) -> Result<(), VaultError> {
        for reference in [a, b] {
            self.fence.check(reference)?;
            self.keyring
                .find(&self.names, view, reference)?
                .ok_or(VaultError::UnknownPerson)?;
        }
        Ok(())
    }

    pub(crate) fn known(&self, view: &View<'_>, reference: &Name) -> Result<Person, VaultError> {
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
