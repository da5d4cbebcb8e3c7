//! Whom a question is about.

use custody_ledger::id::SubjectReference;
use custody_vault::{MAX_IDENTIFIER_BYTES, Person, VaultError};

use super::QueryState;
use super::error::{Faults, QueryError};

/// A person: everybody in a linked set, the one who was looked up first.
pub(crate) struct Subject {
    pub(crate) persons: Vec<Person>,
    pub(crate) identifiers: Vec<String>,
}

/// Says what is wrong with an identifier, by the vault's own rule; never which
/// one it is.
pub(crate) fn check(identifier: &str, faults: &mut Faults) {
    check_field("subject", identifier, faults);
}

/// The same of a field of another name.
pub(crate) fn check_field(field: &str, identifier: &str, faults: &mut Faults) {
    let parts = identifier.split_once(':');
    if parts.is_none_or(|(scheme, value)| scheme.is_empty() || value.is_empty()) {
        faults.push(
            field,
            "must be `scheme:value`, such as `account:` and an account's id",
        );
    } else if identifier.len() > MAX_IDENTIFIER_BYTES {
        faults.push(field, "must not be longer than 1,024 bytes");
    }
}

impl Subject {
    /// Looks a person up. The identifier has been checked.
    pub(crate) fn find(state: &QueryState, identifier: &str) -> Result<Self, QueryError> {
        match state.vault.lookup(identifier) {
            Ok(Some(identity)) => Ok(Self {
                persons: identity.persons,
                identifiers: identity.identifiers,
            }),
            Ok(None) => Err(QueryError::SubjectNotFound),
            Err(VaultError::Ambiguous { count }) => Err(QueryError::SubjectAmbiguous { count }),
            Err(error) => Err(QueryError::Vault(error)),
        }
    }

    /// The references in the ledger, in the order of the persons.
    pub(crate) fn references(&self) -> impl Iterator<Item = SubjectReference> + '_ {
        self.persons
            .iter()
            .map(|person| SubjectReference(person.reference()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_is_no_identifier() {
        let is_good = |identifier: &str| {
            let mut faults = Faults::default();
            check(identifier, &mut faults);
            faults.or(()).is_ok()
        };
        for good in [
            "account:1001",
            "email:a@example.com",
            "device:a:b:c",
            "X y:z ",
        ] {
            assert!(is_good(good), "{good}");
        }
        let long = format!("account:{}", "1".repeat(1017));
        for bad in ["", "1001", ":1001", "account:", long.as_str()] {
            assert!(!is_good(bad), "{bad}");
        }
        assert!(is_good(&long[..1024]));
    }
}
