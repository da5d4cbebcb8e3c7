//! Kept rows: who received what, what went abroad, what was processed for
//! which purpose, added up for a person or for everybody while entries come in,
//! so that nobody has to read them again to know.
//!
//! A row is kept by what the entry itself says. Where it names no country and
//! the recipient's registered one counts, the row says so, and the country is
//! looked up when it is asked for.

use bincode::{Decode, Encode};
use custody_ledger::entry::{Act, Entry, Kind, PartyPart};
use custody_ledger::id::SubjectReference;
use custody_policy::country;

/// Who got data, as far as the public part says. Persons have no id there, so
/// that all of one category are one recipient.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub struct Recipient {
    /// The organisation's id; empty of a person.
    pub id: String,
    /// Whether it is a person.
    pub person: bool,
    /// Of persons only: an organisation is one recipient whatever it is
    /// called.
    pub category: String,
}

impl Recipient {
    /// Who a party is.
    pub fn of(party: &PartyPart) -> Self {
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

    /// As it stands in the keys of who received what.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut key = Vec::new();
        put_recipient(&mut key, self);
        key
    }
}

/// Where data went, as the entry says it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Destination {
    /// To this country; empty where none is known.
    Said(String),
    /// To where the recipient is registered.
    Registered,
}

impl Destination {
    /// The country that was said; empty where the registered one counts.
    pub fn said(self) -> String {
        match self {
            Self::Said(country) => country,
            Self::Registered => String::new(),
        }
    }
}

/// Whether data that lies in the one country and goes to the other goes
/// abroad: both are known, and two places of one country (`US-CA`, `US`) are
/// not abroad of each other.
pub(crate) fn is_abroad(from: &str, to: &str) -> bool {
    match (country::country_of(from), country::country_of(to)) {
        (Some(from), Some(to)) => from != to,
        _ => false,
    }
}

/// What makes a row of who received what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceivedKey {
    /// Who.
    pub recipient: Recipient,
    /// Why; empty where no purpose was said.
    pub purpose: String,
    /// On which basis.
    pub legal_basis: String,
    /// Where.
    pub destination: Destination,
}

/// What makes a row of what went abroad.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AbroadKey {
    /// From where.
    pub from: String,
    /// To where; a row to a registered country may turn out not to be abroad.
    pub destination: Destination,
    /// Who got it.
    pub recipient: Option<Recipient>,
    /// Under which safeguard.
    pub safeguard: String,
}

/// What makes a row of the register of processing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActivityKey {
    /// Whose.
    pub controller: String,
    /// Why; empty where no purpose was said.
    pub purpose: String,
    /// Who got it.
    pub recipient: Option<Recipient>,
    /// Where it went.
    pub destination: Destination,
}

/// A kept table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Table<'a> {
    /// What a person's data was received, by recipient.
    Received(&'a SubjectReference),
    /// What of a person went abroad.
    Abroad(&'a SubjectReference),
    /// Over everybody.
    AllReceived,
    /// Over everybody.
    AllAbroad,
    /// The register of processing.
    Activities,
    /// Entries by kind.
    Kinds,
    /// Entries that were taken back.
    TakenBack,
}

impl Table<'_> {
    /// What the table's keys begin with.
    pub(super) fn prefix(self) -> Vec<u8> {
        let (table, person) = match self {
            Self::Received(person) => (b'R', Some(person)),
            Self::Abroad(person) => (b'T', Some(person)),
            Self::AllReceived => (b'r', None),
            Self::AllAbroad => (b't', None),
            Self::Activities => (b'a', None),
            Self::Kinds => (b'k', None),
            Self::TakenBack => (b'x', None),
        };
        let mut key = Vec::with_capacity(96);
        key.push(table);
        if let Some(person) = person {
            key.extend_from_slice(person.as_bytes());
        }
        key
    }
}

/// Texts end in a NUL, which none of them holds, so that the order of keys is
/// that of the texts.
pub(super) fn put(key: &mut Vec<u8>, text: &str) {
    key.extend_from_slice(text.as_bytes());
    key.push(0);
}

fn take(key: &mut &[u8]) -> Option<String> {
    let end = key.iter().position(|byte| *byte == 0)?;
    let (text, rest) = key.split_at(end);
    *key = &rest[1..];
    String::from_utf8(text.to_vec()).ok()
}

fn put_recipient(key: &mut Vec<u8>, recipient: &Recipient) {
    put(key, &recipient.id);
    key.push(u8::from(recipient.person));
    put(key, &recipient.category);
}

fn take_recipient(key: &mut &[u8]) -> Option<Recipient> {
    let id = take(key)?;
    let (person, rest) = key.split_first()?;
    *key = rest;
    Some(Recipient {
        id,
        person: *person != 0,
        category: take(key)?,
    })
}

fn take_optional(key: &mut &[u8]) -> Option<Option<Recipient>> {
    let (some, rest) = key.split_first()?;
    *key = rest;
    match some {
        0 => Some(None),
        _ => Some(Some(take_recipient(key)?)),
    }
}

fn take_destination(key: &mut &[u8]) -> Option<Destination> {
    let (said, rest) = key.split_first()?;
    *key = rest;
    match said {
        0 => Some(Destination::Registered),
        _ => Some(Destination::Said(take(key)?)),
    }
}

/// What makes a row, as it stands in a key behind the table's prefix.
pub(super) trait RowKey: Sized {
    fn take(key: &mut &[u8]) -> Option<Self>;
}

impl RowKey for ReceivedKey {
    fn take(key: &mut &[u8]) -> Option<Self> {
        Some(Self {
            recipient: take_recipient(key)?,
            purpose: take(key)?,
            legal_basis: take(key)?,
            destination: take_destination(key)?,
        })
    }
}

impl RowKey for AbroadKey {
    fn take(key: &mut &[u8]) -> Option<Self> {
        Some(Self {
            from: take(key)?,
            destination: take_destination(key)?,
            recipient: take_optional(key)?,
            safeguard: take(key)?,
        })
    }
}

impl RowKey for ActivityKey {
    fn take(key: &mut &[u8]) -> Option<Self> {
        Some(Self {
            controller: take(key)?,
            purpose: take(key)?,
            recipient: take_optional(key)?,
            destination: take_destination(key)?,
        })
    }
}

/// A kind's number, of [`Table::Kinds`].
impl RowKey for u8 {
    fn take(key: &mut &[u8]) -> Option<Self> {
        let (kind, rest) = key.split_first()?;
        *key = rest;
        Some(*kind)
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

/// Whether entries of this kind are processing of data.
pub(crate) fn is_processing(entry: &Entry) -> bool {
    entry.kind().is_some_and(is_processing_kind)
}

pub(super) const fn is_processing_kind(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Collection | Kind::Use | Kind::Disclosure | Kind::Transfer
    )
}

/// The distinct purposes that an entry is a row under: none is one too.
pub(crate) fn purposes_of(entry: &Entry) -> impl Iterator<Item = &str> {
    let said = &entry.purposes;
    let distinct = said
        .iter()
        .enumerate()
        .filter(|(index, purpose)| !said[..*index].contains(purpose))
        .map(|(_, purpose)| purpose.as_str());
    let none = said.is_empty().then_some("");
    distinct.chain(none)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn purposes_said_twice_count_once_and_none_is_one() {
        let mut entry = Entry::new(Kind::Use, 0);
        assert_eq!(purposes_of(&entry).collect::<Vec<_>>(), [""]);
        entry.purposes = ["b", "a", "b"].map(str::to_owned).to_vec();
        assert_eq!(purposes_of(&entry).collect::<Vec<_>>(), ["b", "a"]);
    }
}
