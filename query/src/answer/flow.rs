//! Where an entry's data went: from which country to which, and to whom.

use bincode::{Decode, Encode};
use custody_ledger::entry::{Act, Entry, PartyPart};
use custody_policy::country;

use super::error::QueryError;
use super::registry::Registry;

/// Who got data, as far as the public part says. Persons have no id there, so
/// that all of one category are one recipient.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub(crate) struct Recipient {
    pub(crate) id: String,
    pub(crate) person: bool,
    /// Of persons only: an organisation is one recipient whatever it is
    /// called.
    pub(crate) category: String,
}

impl Recipient {
    pub(crate) fn of(party: &PartyPart) -> Self {
        Self {
            id: party.id.clone(),
            person: party.person,
            category: if party.person {
                party.category.clone()
            } else {
                String::new()
            },
        }
    }
}

/// Where an entry's data went.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Flow {
    /// The country that it went to; empty where none is known.
    pub(crate) destination: String,
    /// From where and to where, of a transfer and of a disclosure abroad.
    pub(crate) abroad: Option<(String, String)>,
}

impl Flow {
    /// Of a transfer, what it says. Of a disclosure, the recipient's country,
    /// as the event says it or else as it is registered; it is one abroad
    /// where the data's location is known and in another country. Two places
    /// of one country (`US-CA`, `US`) are not abroad of each other.
    pub(crate) fn of(registry: &Registry<'_>, entry: &Entry) -> Result<Self, QueryError> {
        let destination = match &entry.act {
            Act::Disclosure { recipient, .. } => registry.counterparty(recipient)?.country,
            _ => String::new(),
        };
        Ok(Self::to(entry, destination))
    }

    /// As [`Flow::of`], of a disclosure to this country.
    pub(crate) fn to(entry: &Entry, destination: String) -> Self {
        match &entry.act {
            Act::Transfer {
                from_country,
                to_country,
                ..
            } => Self {
                destination: to_country.clone(),
                abroad: Some((from_country.clone(), to_country.clone())),
            },
            Act::Disclosure { .. } => {
                let countries = (
                    country::country_of(&entry.location),
                    country::country_of(&destination),
                );
                let abroad = match countries {
                    (Some(from), Some(to)) if from != to => {
                        Some((entry.location.clone(), destination.clone()))
                    }
                    _ => None,
                };
                Self {
                    destination,
                    abroad,
                }
            }
            _ => Self::default(),
        }
    }
}

/// The safeguard that a disclosure or transfer rests on; empty where none is
/// named.
pub(crate) fn safeguard(entry: &Entry) -> &str {
    match &entry.act {
        Act::Disclosure { safeguard, .. } | Act::Transfer { safeguard, .. } => safeguard,
        _ => "",
    }
}
