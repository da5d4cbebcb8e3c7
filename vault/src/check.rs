//! The vault read from end to end: whether every row opens, and whether what
//! the rows say of each other agrees.

use std::fmt;

use crate::derive::Name;
use crate::directory::{self, CLASS_UNIQUE, History};
use crate::error::VaultError;
use crate::keyring;
use crate::store::{Path, Space, StoreError, View, Visited};
use crate::vault::{Inner, Vault};

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
    /// Rows and pages that no key of the tree reaches: of an erasure under way.
    /// They mean nothing to anybody, and only take room.
    pub orphans: u64,
    /// An erasure was cut off; opening the vault again finishes it. The orphans
    /// are of it.
    pub pending: bool,
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
    /// Reads the vault from end to end, as it is at this moment; it may be in
    /// use meanwhile. `progress` gets the number of rows read so far.
    ///
    /// # Errors
    /// [`VaultError::Store`] where the store itself fails; what is wrong with
    /// what it holds is in the report.
    pub fn check(&self, progress: &mut dyn FnMut(u64)) -> Result<VaultReport, VaultError> {
        let vault = self.inner();
        let view = vault.store.view_of_now();
        let mut check = Check {
            vault,
            view: &view,
            report: VaultReport::default(),
        };
        view.walk(&mut |visited| {
            check.visit(visited)?;
            if check.report.rows.is_multiple_of(PROGRESS_ROWS) {
                progress(check.report.rows);
            }
            Ok::<_, VaultError>(())
        })?;
        let mut report = check.report;
        report.links /= 2;
        let stored = view.stored()?;
        report.orphans =
            stored.rows.saturating_sub(report.rows) + stored.nodes.saturating_sub(report.nodes);
        report.pending = stored.pending;
        progress(report.rows);
        Ok(report)
    }
}

const PROGRESS_ROWS: u64 = 1024;

struct Check<'a> {
    vault: &'a Inner,
    view: &'a View<'a>,
    report: VaultReport,
}

impl Check<'_> {
    fn visit(&mut self, visited: Visited) -> Result<(), VaultError> {
        match visited {
            Visited::Node => self.report.nodes += 1,
            Visited::Bucket => self.report.buckets += 1,
            Visited::Damaged(kind) => {
                if kind != "nodes" {
                    self.report.rows += 1;
                }
                self.report.fault(Fault::Damaged { kind });
            }
            Visited::Lost => self.report.fault(Fault::Missing {
                kind: "nodes",
                named_by: "nodes",
            }),
            Visited::Row {
                space,
                path,
                content,
            } => {
                self.report.rows += 1;
                // A row that another one is looked up for may be the damaged
                // one: that is told where it is visited.
                match self.row(space, &path, &content) {
                    Err(VaultError::Store(
                        StoreError::Damaged { .. } | StoreError::Lost { .. },
                    )) => self.report.fault(Fault::Damaged { kind: space.name() }),
                    other => other?,
                }
            }
        }
        Ok(())
    }

    fn row(&mut self, space: Space, path: &Path, content: &[u8]) -> Result<(), VaultError> {
        let position = path.position();
        match space {
            Space::Directory => self.directory(&position, content),
            Space::Persons => {
                self.report.persons += 1;
                let person = keyring::decode_person(content)?;
                let position = self.vault.names.person(&person.reference());
                self.agree(position == path.position(), space, Space::Persons);
                Ok(())
            }
            Space::Identifiers => {
                self.report.identifiers += 1;
                self.identifier(path, content)
            }
            Space::Pointers => self.pointer(path, content),
            Space::Links => {
                self.report.links += 1;
                self.link(path, content)
            }
            Space::Marks => {
                directory::decode_mark(content)?;
                Ok(())
            }
            Space::Secrets => Ok(()),
        }
    }

    fn directory(&mut self, identifier: &Name, content: &[u8]) -> Result<(), VaultError> {
        for owner in History::decode_any(content)?.owners() {
            self.person(&owner, Space::Directory)?;
            let row = self.vault.names.identifier_row(&owner, identifier);
            self.present(Space::Identifiers, &row, Space::Directory)?;
        }
        Ok(())
    }

    fn identifier(&mut self, path: &Path, content: &[u8]) -> Result<(), VaultError> {
        let names = &self.vault.names;
        let (class, text) = directory::decode_identifier(content)?;
        let digest = names.identifier(&text);
        let Some(person) = self.view.get(Space::Persons, &path.position())? else {
            self.report.fault(Fault::Missing {
                kind: Space::Persons.name(),
                named_by: Space::Identifiers.name(),
            });
            return Ok(());
        };
        let reference = keyring::decode_person(&person)?.reference();
        let row = names.identifier_row(&reference, &digest);
        self.agree(row == *path.bytes(), Space::Identifiers, Space::Persons);
        if class == CLASS_UNIQUE {
            self.present(Space::Directory, &digest, Space::Identifiers)
        } else {
            let row = names.pointer_row(&digest, &reference);
            self.present(Space::Pointers, &row, Space::Identifiers)
        }
    }

    fn pointer(&mut self, path: &Path, content: &[u8]) -> Result<(), VaultError> {
        let names = &self.vault.names;
        let reference = directory::decode_pointer(content)?;
        let identifier = path.position();
        let row = names.pointer_row(&identifier, &reference);
        self.agree(row == *path.bytes(), Space::Pointers, Space::Pointers);
        let row = names.identifier_row(&reference, &identifier);
        self.present(Space::Identifiers, &row, Space::Pointers)
    }

    fn link(&mut self, path: &Path, content: &[u8]) -> Result<(), VaultError> {
        let names = &self.vault.names;
        let (to, relation) = directory::decode_relation(content)?;
        let Some(person) = self.view.get(Space::Persons, &path.position())? else {
            self.report.fault(Fault::Missing {
                kind: Space::Persons.name(),
                named_by: Space::Links.name(),
            });
            return Ok(());
        };
        let from = keyring::decode_person(&person)?.reference();
        let agrees = names.link_row(&from, &to) == *path.bytes()
            && directory::relation(names, self.view, &to, &from)? == Some(relation);
        self.agree(agrees, Space::Links, Space::Links);
        self.person(&to, Space::Links)
    }

    fn person(&mut self, reference: &Name, named_by: Space) -> Result<(), VaultError> {
        let row = self.vault.names.person(reference);
        self.present(Space::Persons, &row, named_by)
    }

    fn present(&mut self, space: Space, row: &[u8], named_by: Space) -> Result<(), VaultError> {
        if !self.view.contains(space, row)? {
            self.report.fault(Fault::Missing {
                kind: space.name(),
                named_by: named_by.name(),
            });
        }
        Ok(())
    }

    fn agree(&mut self, agrees: bool, space: Space, with: Space) {
        if !agrees {
            self.report.fault(Fault::Disagree {
                kind: space.name(),
                with: with.name(),
            });
        }
    }
}
