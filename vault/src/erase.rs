//! Erasing: a fence around persons, and then the end of their keys.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::derive::Name;
use crate::directory::{self, CLASS_UNIQUE, EraseMark, History};
use crate::error::VaultError;
use crate::identifier::Class;
use crate::store::{Batch, View};
use crate::vault::{Inner, Vault};

/// What erasing did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Erased {
    /// Of the root key as it is now.
    pub generation: u64,
    /// What the vault stores about that key: it tells the key from any other,
    /// and says nothing else.
    pub commitment: [u8; 32],
    /// Persons whose keys are gone.
    pub persons: u64,
    /// Identifiers of theirs that are gone.
    pub identifiers: u64,
}

/// Persons who are fenced: [`Vault::admit`] of one of them is
/// [`VaultError::Erasing`] until this is dropped or has erased them.
#[must_use = "dropping it lifts the fence and erases nobody"]
pub struct Erasing {
    vault: Vault,
    references: BTreeSet<Name>,
    known: usize,
}

impl std::fmt::Debug for Erasing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Erasing")
            .field("persons", &self.known)
            .finish_non_exhaustive()
    }
}

impl Vault {
    /// Puts a fence around these persons, and changes nothing: from now on they
    /// are not admitted, linked or given new identifiers. All else goes on,
    /// look-ups of them included. References that are nobody's are passed over,
    /// so that an erasure that was done before can be done again.
    ///
    /// Linked persons are not added: the caller says whom.
    ///
    /// # Errors
    /// [`VaultError::Erasing`] where one of them is being erased already;
    /// [`VaultError::Store`].
    pub fn begin_erasing(&self, references: &[[u8; 16]]) -> Result<Erasing, VaultError> {
        let vault = self.inner();
        let references: BTreeSet<Name> = references.iter().copied().collect();
        // Whoever changes the directory has finished, and finds the fence next
        // time.
        let _changing = vault.change()?;
        vault.fence.raise(&references)?;
        let mut erasing = Erasing {
            vault: self.clone(),
            references,
            known: 0,
        };
        let view = vault.store.view();
        for reference in &erasing.references {
            if vault
                .keyring
                .find(&vault.names, &view, reference)?
                .is_some()
            {
                erasing.known += 1;
            }
        }
        Ok(erasing)
    }

    /// Waits until nobody is being erased, at most so long. Whether that is so.
    pub fn wait_while_erasing(&self, timeout: Duration) -> bool {
        self.inner().fence.wait(timeout)
    }
}

impl Erasing {
    /// How many of the persons the vault knows: without those who were erased
    /// before.
    pub fn persons(&self) -> usize {
        self.known
    }

    /// Destroys the persons' keys, their identifiers and their links, under a
    /// new root key, and lifts the fence. It is done, durably, when this
    /// returns: whoever has every byte of the vault as it is and as it was, and
    /// the root key as it is, has nothing of them.
    ///
    /// With a mark, the identifiers by which somebody would be found to be the
    /// same person again keep it: unique ones that are theirs now, and the
    /// primary one of a person known by shared ones only. Other shared ones do
    /// not: they are other people's too.
    ///
    /// Where none of them is known, nothing is changed, but for what an erasure
    /// that was cut off has left to do.
    ///
    /// # Errors
    /// [`VaultError::ScopeTooLong`]; [`VaultError::Store`], and what the store
    /// of the root key says. After [`VaultError::Interrupted`] the vault must be
    /// opened again.
    pub fn erase(self, mark: Option<EraseMark>) -> Result<Erased, VaultError> {
        if let Some(mark) = &mark {
            mark.check()?;
        }
        let vault = self.vault.inner();
        let _changing = vault.change()?;
        vault.erase(&self.references, mark.as_ref())
    }
}

impl Drop for Erasing {
    fn drop(&mut self) {
        self.vault.inner().fence.lift(&self.references);
    }
}

impl Inner {
    /// The caller holds `changing`.
    fn erase(
        &self,
        references: &BTreeSet<Name>,
        mark: Option<&EraseMark>,
    ) -> Result<Erased, VaultError> {
        let mut batch = self.store.batch();
        let view = self.store.view();
        let mut gone = Gone::default();
        for reference in references {
            gone.take(self, &view, &mut batch, reference, references)?;
        }
        gone.settle(&mut batch, references, mark)?;
        drop(view);
        batch.commit()?;
        self.store.flush()?;
        for reference in references {
            self.keyring.forget(reference);
        }
        self.erased
            .fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        let root = self.root_info();
        Ok(Erased {
            generation: root.generation,
            commitment: root.commitment,
            persons: gone.persons,
            identifiers: gone.identifiers,
        })
    }
}

/// What goes with the persons, row by row.
#[derive(Default)]
struct Gone {
    persons: u64,
    identifiers: u64,
    /// Identifiers whose histories name the erased: two of them may have had
    /// the same one.
    histories: BTreeMap<Name, History>,
}

impl Gone {
    fn take(
        &mut self,
        vault: &Inner,
        view: &View<'_>,
        batch: &mut Batch<'_>,
        reference: &Name,
        all: &BTreeSet<Name>,
    ) -> Result<(), VaultError> {
        let names = &vault.names;
        if vault.keyring.find(names, view, reference)?.is_none() {
            return Ok(());
        }
        self.persons += 1;
        vault.keyring.delete(names, batch, reference);
        for (class, text) in directory::identifiers(names, view, reference)? {
            self.identifiers += 1;
            let digest = names.identifier(&text);
            let class = if class == CLASS_UNIQUE {
                Class::Unique
            } else {
                Class::Shared
            };
            directory::delete_identifier(names, batch, &digest, reference);
            if class == Class::Shared {
                directory::delete_pointer(names, batch, &digest, reference);
            }
            if let Some(history) = directory::history(view, &digest, class)?
                && history.owners().iter().any(|owner| all.contains(owner))
            {
                self.histories.insert(digest, history);
            }
        }
        for (other, _) in directory::relations(names, view, reference)? {
            directory::delete_relation(names, batch, reference, &other);
        }
        Ok(())
    }

    fn settle(
        &mut self,
        batch: &mut Batch<'_>,
        references: &BTreeSet<Name>,
        mark: Option<&EraseMark>,
    ) -> Result<(), VaultError> {
        for (identifier, history) in &mut self.histories {
            let was_theirs = history
                .owner_at(i64::MAX)
                .is_some_and(|owner| references.contains(&owner));
            history.forget(references);
            if history.is_nobodys() {
                directory::delete_history(batch, identifier);
            } else {
                directory::put_history(batch, identifier, history)?;
            }
            // One that was given up is, next time, somebody else's.
            if let Some(mark) = mark
                && was_theirs
            {
                directory::put_mark(batch, identifier, mark)?;
            }
        }
        Ok(())
    }
}
