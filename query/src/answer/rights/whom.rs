//! Whom an erasure or a hold is about: several identifiers, and everybody who
//! is linked with those who have them.

use std::collections::{BTreeMap, BTreeSet};

use custody_ledger::id::SubjectReference;
use custody_vault::{Person, VaultError};

use crate::answer::QueryState;
use crate::answer::error::{Faults, FieldFault, QueryError};
use crate::answer::subject::{self, Subject};

/// The most identifiers of one request.
const MAX_IDENTIFIERS: usize = 10_000;

/// Persons by their reference, and all their identifiers.
#[derive(Default)]
pub(super) struct Whom {
    persons: BTreeMap<[u8; 16], Person>,
    identifiers: BTreeSet<String>,
}

/// Checks identifiers; `field` names each in what is said of it.
pub(super) fn check(identifiers: &[(String, &str)], faults: &mut Faults) {
    if identifiers.len() > MAX_IDENTIFIERS {
        faults.push("subjects", "must not be more than 10,000");
        return;
    }
    for (field, identifier) in identifiers {
        subject::check_field(field, identifier, faults);
    }
}

impl Whom {
    /// Looks everybody up. Where there is one identifier only, nobody or
    /// several are said as everywhere else; of several, by their place.
    pub(super) fn find(
        state: &QueryState,
        identifiers: &[(String, &str)],
    ) -> Result<Self, QueryError> {
        let mut whom = Self::default();
        let mut faults = Vec::new();
        for (field, identifier) in identifiers {
            let fault = match Subject::find(state, identifier) {
                Ok(subject) => {
                    whom.add(subject);
                    continue;
                }
                Err(error) if identifiers.len() == 1 => return Err(error),
                Err(QueryError::SubjectNotFound) => "is nobody's identifier",
                Err(QueryError::SubjectAmbiguous { .. }) => "is the identifier of several persons",
                Err(error) => return Err(error),
            };
            faults.push(FieldFault {
                field: field.clone(),
                description: fault.to_owned(),
            });
        }
        if faults.is_empty() {
            Ok(whom)
        } else {
            Err(QueryError::Invalid(faults))
        }
    }

    fn add(&mut self, subject: Subject) {
        let persons = subject.persons.into_iter();
        self.persons
            .extend(persons.map(|person| (person.reference(), person)));
        self.identifiers.extend(subject.identifiers);
    }

    /// As answers show them.
    pub(super) fn references(&self) -> BTreeSet<String> {
        let references = self.persons.keys();
        references
            .map(|reference| SubjectReference(*reference).to_string())
            .collect()
    }

    /// Number of identifiers by scheme.
    pub(super) fn schemes(&self) -> BTreeMap<String, u64> {
        let mut schemes = BTreeMap::new();
        for identifier in &self.identifiers {
            let scheme = identifier.split(':').next().unwrap_or_default();
            *schemes.entry(scheme.to_owned()).or_default() += 1;
        }
        schemes
    }

    /// In order of reference.
    pub(super) fn into_persons(self) -> Vec<Person> {
        self.persons.into_values().collect()
    }

    /// In order.
    pub(super) fn into_references(self) -> Vec<[u8; 16]> {
        self.persons.into_keys().collect()
    }
}

/// The reference of whoever has this identifier, of all in a linked set the one
/// whose it is.
pub(super) fn reference_of(state: &QueryState, identifier: &str) -> Result<[u8; 16], QueryError> {
    let subject = Subject::find(state, identifier)?;
    let first = subject.persons.first();
    first
        .map(Person::reference)
        .ok_or(QueryError::Vault(VaultError::PersonKeyMissing))
}
