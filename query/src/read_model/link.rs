//! What leads from one entry to others: from a tag to the events that carry it
//! or came from it, from an entry to what time found about it, from a
//! recipient or a system to the persons whose data it had.

use bincode::{Decode, Encode};
use custody_ledger::entry::{Act, Entry, EntryRef, HouseRecord};
use custody_ledger::id::{EventTag, SubjectReference};

use super::ReadModelError;
use super::key::{self, Place};

/// How an event stands to a tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tie {
    /// It is the event of this tag.
    Is = 0,
    /// It came from the event of this tag.
    CameFrom = 1,
}

/// Place: time, shard, sequence.
const PLACE_BYTES: usize = 8 + 16 + 8;

fn put_place(key: &mut Vec<u8>, place: &Place) {
    key.extend_from_slice(&key::ordered(place.event_time_ns));
    key.extend_from_slice(place.shard.as_bytes());
    key.extend_from_slice(&place.sequence.to_be_bytes());
}

/// The place at the end of a key.
pub(super) fn place_of(key: &[u8]) -> Option<Place> {
    let mut place: &[u8] = key.last_chunk::<PLACE_BYTES>()?;
    Some(Place {
        event_time_ns: key::time_of(key::take(&mut place)?),
        shard: custody_ledger::id::ShardId(key::take(&mut place)?),
        sequence: u64::from_be_bytes(key::take(&mut place)?),
    })
}

/// What all events tied to a tag in this way begin with.
pub(super) fn tie_prefix(subject: &SubjectReference, tag: &EventTag, tie: Tie) -> [u8; 33] {
    let mut prefix = [0; 33];
    prefix[..32].copy_from_slice(&key::retraction_prefix(subject, tag));
    prefix[32] = tie as u8;
    prefix
}

fn tie_key(subject: &SubjectReference, tag: &EventTag, tie: Tie, place: &Place) -> Vec<u8> {
    let mut key = Vec::with_capacity(33 + PLACE_BYTES);
    key.extend_from_slice(&tie_prefix(subject, tag, tie));
    put_place(&mut key, place);
    key
}

/// What all entries about an entry begin with.
pub(super) fn about_prefix(subject: &SubjectReference, of: &EntryRef) -> [u8; 40] {
    key::rejudgement_prefix(subject, of)
}

/// The keys of the rows that lead to this entry by its tags.
pub(super) fn ties_of(entry: &Entry, place: &Place) -> Vec<Vec<u8>> {
    let Some(subject) = &entry.subject else {
        return Vec::new();
    };
    let own = entry
        .event_tag
        .iter()
        .map(|tag| tie_key(subject, tag, Tie::Is, place));
    let parents = entry
        .parent_tags
        .iter()
        .map(|tag| tie_key(subject, tag, Tie::CameFrom, place));
    own.chain(parents).collect()
}

/// The key of the row that leads to what time found, from what began the time.
pub(super) fn about_of(entry: &Entry, place: &Place) -> Option<Vec<u8>> {
    let (Some(subject), Act::House(HouseRecord::OverdueFound { of, .. })) =
        (&entry.subject, &entry.act)
    else {
        return None;
    };
    let mut key = about_prefix(subject, of).to_vec();
    put_place(&mut key, place);
    Some(key)
}

/// Who or what had data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holder {
    /// An organisation, by its id.
    Recipient(String),
    /// A system, by its id.
    System(String),
}

impl Holder {
    fn of(entry: &Entry) -> Option<Self> {
        match &entry.act {
            Act::Use { system, .. } if !system.is_empty() => Some(Self::System(system.clone())),
            _ => entry
                .recipient()
                .filter(|party| !party.id.is_empty())
                .map(|party| Self::Recipient(party.id.clone())),
        }
    }

    pub(super) fn prefix(&self) -> Vec<u8> {
        let (letter, id) = match self {
            Self::Recipient(id) => (b'r', id),
            Self::System(id) => (b's', id),
        };
        let mut key = Vec::with_capacity(id.len() + 2 + 16 + PLACE_BYTES);
        key.push(letter);
        key.extend_from_slice(id.as_bytes());
        key.push(0);
        key
    }
}

/// What a recipient or a system had of a person at one event, without the
/// event's own row being read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldRow {
    /// Whose.
    pub subject: SubjectReference,
    /// Where the event stands.
    pub place: Place,
    /// The rest.
    pub held: Held,
}

/// The value of such a row.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Held {
    /// When it was recorded, nanoseconds since 1970 UTC.
    pub recorded_time_ns: i64,
    /// The event's tag.
    pub event_tag: Option<EventTag>,
    /// Data categories.
    pub categories: Vec<String>,
}

/// Key and value.
type HeldPair = (Vec<u8>, Vec<u8>);

/// The row that leads to a person from who had the data.
pub(super) fn held_of(
    recorded_time_ns: i64,
    entry: &Entry,
    place: &Place,
) -> Result<Option<HeldPair>, ReadModelError> {
    let (Some(subject), Some(holder)) = (&entry.subject, Holder::of(entry)) else {
        return Ok(None);
    };
    let mut key = holder.prefix();
    key.extend_from_slice(subject.as_bytes());
    put_place(&mut key, place);
    let held = Held {
        recorded_time_ns,
        event_tag: entry.event_tag,
        categories: entry.categories.clone(),
    };
    Ok(Some((key, super::row::encode_short(&held)?)))
}

pub(super) fn read_held(key: &[u8], value: &[u8]) -> Result<HeldRow, ReadModelError> {
    let damaged = || ReadModelError::DamagedRow { rows: "held" };
    let place = place_of(key).ok_or_else(damaged)?;
    let subject = &key[..key.len() - PLACE_BYTES];
    let subject = subject.last_chunk::<16>().ok_or_else(damaged)?;
    Ok(HeldRow {
        subject: SubjectReference(*subject),
        place,
        held: super::row::decode_short("held", value)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use custody_ledger::entry::{Kind, PartyPart};
    use custody_ledger::id::ShardId;

    const SUBJECT: SubjectReference = SubjectReference([3; 16]);

    fn place() -> Place {
        Place {
            event_time_ns: -5,
            shard: ShardId([7; 16]),
            sequence: 9,
        }
    }

    #[test]
    fn rows_lead_back_to_their_entry() {
        let mut entry = Entry::new(Kind::Disclosure, -5);
        entry.subject = Some(SUBJECT);
        entry.event_tag = Some(EventTag([1; 16]));
        entry.parent_tags = vec![EventTag([2; 16])];
        entry.categories = vec!["pd:EmailAddress".to_owned()];
        entry.act = Act::Disclosure {
            recipient: PartyPart {
                id: "dhl".to_owned(),
                ..PartyPart::default()
            },
            means: 1,
            sale: false,
            safeguard: String::new(),
        };
        let ties = ties_of(&entry, &place());
        assert!(ties[0].starts_with(&tie_prefix(&SUBJECT, &EventTag([1; 16]), Tie::Is)));
        assert!(ties[1].starts_with(&tie_prefix(&SUBJECT, &EventTag([2; 16]), Tie::CameFrom)));
        assert!(ties.iter().all(|key| place_of(key) == Some(place())));

        let (key, value) = held_of(11, &entry, &place()).unwrap().unwrap();
        assert!(key.starts_with(&Holder::Recipient("dhl".to_owned()).prefix()));
        assert!(!key.starts_with(&Holder::Recipient("dh".to_owned()).prefix()));
        let row = read_held(&key, &value).unwrap();
        assert_eq!((row.subject, row.place), (SUBJECT, place()));
        assert_eq!(row.held.recorded_time_ns, 11);
        assert!(read_held(&key[..40], &value).is_err());
        assert!(read_held(&key, &value[..value.len() - 1]).is_err());
    }

    #[test]
    fn what_no_organisation_and_no_system_had_has_no_row() {
        let mut entry = Entry::new(Kind::Use, 0);
        entry.subject = Some(SUBJECT);
        let used = |system: &str| Act::Use {
            operation: String::new(),
            system: system.to_owned(),
        };
        entry.act = used("");
        assert_eq!(held_of(0, &entry, &place()).unwrap(), None);
        entry.act = used("crm");
        assert!(held_of(0, &entry, &place()).unwrap().is_some());
        entry.subject = None;
        assert_eq!(held_of(0, &entry, &place()).unwrap(), None);
    }
}
