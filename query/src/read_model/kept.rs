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

use super::cell::Brought;
use super::key::Place;

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

    fn of(entry: &Entry) -> Self {
        match &entry.act {
            Act::Disclosure { recipient, .. } if recipient.country.is_empty() => Self::Registered,
            Act::Disclosure { recipient, .. } => Self::Said(recipient.country.clone()),
            Act::Transfer { to_country, .. } => Self::Said(to_country.clone()),
            _ => Self::Said(String::new()),
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
fn put(key: &mut Vec<u8>, text: &str) {
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

fn put_optional(key: &mut Vec<u8>, recipient: Option<&Recipient>) {
    key.push(u8::from(recipient.is_some()));
    if let Some(recipient) = recipient {
        put_recipient(key, recipient);
    }
}

fn take_optional(key: &mut &[u8]) -> Option<Option<Recipient>> {
    let (some, rest) = key.split_first()?;
    *key = rest;
    match some {
        0 => Some(None),
        _ => Some(Some(take_recipient(key)?)),
    }
}

fn put_destination(key: &mut Vec<u8>, destination: &Destination) {
    match destination {
        Destination::Registered => key.push(0),
        Destination::Said(country) => {
            key.push(1);
            put(key, country);
        }
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
    fn put(&self, key: &mut Vec<u8>);
    fn take(key: &mut &[u8]) -> Option<Self>;
}

impl RowKey for ReceivedKey {
    fn put(&self, key: &mut Vec<u8>) {
        put_recipient(key, &self.recipient);
        put(key, &self.purpose);
        put(key, &self.legal_basis);
        put_destination(key, &self.destination);
    }

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
    fn put(&self, key: &mut Vec<u8>) {
        put(key, &self.from);
        put_destination(key, &self.destination);
        put_optional(key, self.recipient.as_ref());
        put(key, &self.safeguard);
    }

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
    fn put(&self, key: &mut Vec<u8>) {
        put(key, &self.controller);
        put(key, &self.purpose);
        put_optional(key, self.recipient.as_ref());
        put_destination(key, &self.destination);
    }

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
    fn put(&self, key: &mut Vec<u8>) {
        key.push(*self);
    }

    fn take(key: &mut &[u8]) -> Option<Self> {
        let (kind, rest) = key.split_first()?;
        *key = rest;
        Some(*kind)
    }
}

/// The row's key in the store.
pub(super) fn key_of(table: Table<'_>, row: &impl RowKey) -> Vec<u8> {
    let mut key = table.prefix();
    row.put(&mut key);
    key
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
    matches!(
        entry.kind(),
        Some(Kind::Collection | Kind::Use | Kind::Disclosure | Kind::Transfer)
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

/// The rows that an entry is counted in, each with what it brings to it.
pub(super) fn rows_of<'a>(
    entry: &'a Entry,
    place: Place,
    mut each: impl FnMut(Vec<u8>, Brought<'a>),
) {
    let bare = Brought::bare(place);
    each(key_of(Table::Kinds, &entry.kind_code), bare);
    let Some(subject) = &entry.subject else {
        return;
    };
    let party = entry.recipient();
    let recipient = party.map(Recipient::of);
    let destination = Destination::of(entry);
    let full = Brought {
        party: party.map_or(("", ""), |it| (&it.category, &it.country)),
        sale: matches!(entry.act, Act::Disclosure { sale: true, .. }),
        categories: &entry.categories,
        ..bare
    };
    let safeguard = safeguard(entry);
    if let Some(recipient) = &recipient {
        let brought = Brought {
            controller: &entry.controller,
            ..full
        };
        for purpose in purposes_of(entry) {
            let row = ReceivedKey {
                recipient: recipient.clone(),
                purpose: purpose.to_owned(),
                legal_basis: entry.legal_basis.clone(),
                destination: destination.clone(),
            };
            each(key_of(Table::Received(subject), &row), brought);
            each(key_of(Table::AllReceived, &row), brought);
        }
    }
    let from = match (&entry.act, &destination) {
        (Act::Transfer { from_country, .. }, _) => Some(from_country),
        (Act::Disclosure { .. }, Destination::Registered) => {
            country::country_of(&entry.location).map(|_| &entry.location)
        }
        (Act::Disclosure { .. }, Destination::Said(to)) => {
            is_abroad(&entry.location, to).then_some(&entry.location)
        }
        _ => None,
    };
    if let Some(from) = from {
        let row = AbroadKey {
            from: from.clone(),
            destination: destination.clone(),
            recipient: recipient.clone(),
            safeguard: safeguard.to_owned(),
        };
        let brought = Brought {
            purposes: &entry.purposes,
            ..full
        };
        each(key_of(Table::Abroad(subject), &row), brought);
        each(key_of(Table::AllAbroad, &row), brought);
    }
    if is_processing(entry) {
        let brought = Brought {
            safeguard,
            party: ("", ""),
            sale: false,
            ..full
        };
        for purpose in purposes_of(entry) {
            let row = ActivityKey {
                controller: entry.controller.clone(),
                purpose: purpose.to_owned(),
                recipient: recipient.clone(),
                destination: destination.clone(),
            };
            each(key_of(Table::Activities, &row), brought);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn recipient() -> impl Strategy<Value = Recipient> {
        ("[a-z]{0,3}", any::<bool>(), "[a-z:]{0,3}").prop_map(|(id, person, category)| Recipient {
            id,
            person,
            category,
        })
    }

    fn destination() -> impl Strategy<Value = Destination> {
        prop_oneof![
            Just(Destination::Registered),
            "[A-Z-]{0,5}".prop_map(Destination::Said)
        ]
    }

    fn read<K: RowKey>(table: Table<'_>, row: &K) -> Option<K> {
        let key = key_of(table, row);
        let mut rest = key.strip_prefix(&table.prefix()[..])?;
        let row = K::take(&mut rest)?;
        rest.is_empty().then_some(row)
    }

    proptest! {
        #[test]
        fn keys_and_back(
            recipient in recipient(),
            other in prop::option::of(recipient()),
            destination in destination(),
            texts in ["[a-z:A-Z]{0,4}", "[a-z:A-Z]{0,4}"],
            person in any::<[u8; 16]>(),
        ) {
            let [one, two] = texts;
            let person = SubjectReference(person);
            let row = ReceivedKey { recipient, purpose: one.clone(), legal_basis: two.clone(), destination: destination.clone() };
            prop_assert_eq!(read(Table::Received(&person), &row), Some(row));
            let row = AbroadKey { from: one.clone(), destination: destination.clone(), recipient: other.clone(), safeguard: two.clone() };
            prop_assert_eq!(read(Table::AllAbroad, &row), Some(row));
            let row = ActivityKey { controller: one, purpose: two, recipient: other, destination };
            prop_assert_eq!(read(Table::Activities, &row), Some(row));
        }

        #[test]
        fn rows_of_who_received_stand_in_the_order_of_recipients(a in recipient(), b in recipient()) {
            let key = |recipient: &Recipient| {
                let row = ReceivedKey {
                    recipient: recipient.clone(),
                    purpose: String::new(),
                    legal_basis: String::new(),
                    destination: Destination::Registered,
                };
                key_of(Table::AllReceived, &row)
            };
            prop_assert_eq!(a.cmp(&b), key(&a).cmp(&key(&b)));
        }
    }

    #[test]
    fn purposes_said_twice_count_once_and_none_is_one() {
        let mut entry = Entry::new(Kind::Use, 0);
        assert_eq!(purposes_of(&entry).collect::<Vec<_>>(), [""]);
        entry.purposes = ["b", "a", "b"].map(str::to_owned).to_vec();
        assert_eq!(purposes_of(&entry).collect::<Vec<_>>(), ["b", "a"]);
    }
}
