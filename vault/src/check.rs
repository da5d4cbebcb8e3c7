//! The vault read from end to end: whether every row opens, and whether what
//! the rows say of each other agrees.

use std::fmt;

use crate::error::VaultError;
use crate::store::{Space, StoreError};
use crate::vault::Vault;

/// What a check found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VaultReport {
    /// Persons.
    pub persons: u64,
    /// Identifiers, each once for each person whose it is.
    pub identifiers: u64,
    /// Links between persons.
    pub links: u64,
    /// Rows of all kinds.
    pub rows: u64,
    /// Inner nodes of the key tree.
    pub nodes: u64,
    /// Buckets of the key tree.
    pub buckets: u64,
    /// Rows and pages that no key of the tree reaches. Harmless: of an erasure
    /// that was cut off, and cleaned up when the vault is opened.
    pub orphans: u64,
    /// What is wrong, at most [`VaultReport::MAX_FAULTS`].
    pub faults: Vec<Fault>,
    /// Faults beyond those.
    pub more_faults: u64,
}

impl VaultReport {
    /// So many faults are told one by one.
    pub const MAX_FAULTS: usize = 100;

    /// Whether nothing is wrong.
    pub fn ok(&self) -> bool {
        self.faults.is_empty()
    }

    pub(crate) fn fault(&mut self, fault: Fault) {
        if self.faults.len() < Self::MAX_FAULTS {
            self.faults.push(fault);
        } else {
            self.more_faults += 1;
        }
    }
}

/// Something that is wrong with the vault. Names kinds, never anybody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// A row or page does not open, or is not what is written there.
    Damaged {
        /// Of which kind.
        kind: &'static str,
    },
    /// A row or page that another one names is not there.
    Missing {
        /// Of which kind.
        kind: &'static str,
        /// Which kind names it.
        named_by: &'static str,
    },
    /// Two rows contradict each other.
    Disagree {
        /// Of which kind the one is.
        kind: &'static str,
        /// Of which kind the other is.
        with: &'static str,
    },
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Damaged { kind } => write!(f, "{kind}: damaged"),
            Self::Missing { kind, named_by } => write!(f, "{kind}: missing, named by {named_by}"),
            Self::Disagree { kind, with } => write!(f, "{kind}: disagrees with {with}"),
        }
    }
}

impl Vault {
    /// Reads the vault from end to end. `progress` gets the number of rows read
    /// so far. It may be in use meanwhile.
    ///
    /// # Errors
    /// [`VaultError::Store`] where the store itself fails; what is wrong with
    /// what it holds is in the report.
    pub fn check(&self, progress: &mut dyn FnMut(u64)) -> Result<VaultReport, VaultError> {
        let vault = self.inner();
        let view = vault.store.view();
        let mut report = VaultReport::default();
        for space in [
            Space::Directory,
            Space::Persons,
            Space::Identifiers,
            Space::Pointers,
            Space::Links,
            Space::Secrets,
            Space::Marks,
        ] {
            for row in view.scan(space, &[]) {
                match row {
                    Ok(_) => {}
                    Err(StoreError::Damaged { space }) => {
                        report.fault(Fault::Damaged { kind: space });
                    }
                    Err(error) => return Err(error.into()),
                }
                match space {
                    Space::Persons => report.persons += 1,
                    Space::Identifiers => report.identifiers += 1,
                    Space::Links => report.links += 1,
                    _ => {}
                }
                report.rows += 1;
                progress(report.rows);
            }
        }
        report.links /= 2;
        Ok(report)
    }
}
