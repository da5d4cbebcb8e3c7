//! Where an entry's data went: from which country to which, and to whom.

use custody_ledger::entry::{Act, Entry};

use super::error::QueryError;
use super::registry::Registry;
use crate::read_model::is_abroad;
pub(crate) use crate::read_model::{Recipient, safeguard};

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
                let abroad = is_abroad(&entry.location, &destination)
                    .then(|| (entry.location.clone(), destination.clone()));
                Self {
                    destination,
                    abroad,
                }
            }
            _ => Self::default(),
        }
    }
}
