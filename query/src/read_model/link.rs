//! What leads from one entry to others: from a tag to the events that carry it
//! or came from it, from an entry to what time found about it, from a
//! recipient or a system to the persons whose data it had.

use bincode::{Decode, Encode};
use custody_ledger::entry::{ActView, EntryRef};
use custody_ledger::id::{EventTag, SubjectReference};

use super::ReadModelError;
use super::key::{self, PLACE_BYTES, Place};
use super::said::{Said, Texts};

/// How an event stands to a tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tie {
    /// It is the event of this tag.
    Is = 0,
    /// It came from the event of this tag.
    CameFrom = 1,
}

/// Prefix of a tie and place.
pub(super) const TIE_KEY_BYTES: usize = 33 + PLACE_BYTES;

/// Person and entry, and place.
pub(super) const ABOUT_KEY_BYTES: usize = 40 + PLACE_BYTES;

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

/// A row that leads from a tag to an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TieRow {
    /// The tag.
    pub tag: EventTag,
    /// How the event stands to it.
    pub tie: Tie,
    /// Where the event stands.
    pub place: Place,
}

pub(super) fn read_tie(key: &[u8]) -> Option<TieRow> {
    let (tied, place) = key.split_at_checked(33)?;
    let tie = match tied[32] {
        0 => Tie::Is,
        1 => Tie::CameFrom,
        _ => return None,
    };
    let tag = EventTag(*tied[16..].first_chunk()?);
    let place = place_of(place).filter(|_| place.len() == PLACE_BYTES)?;
    Some(TieRow { tag, tie, place })
}

/// What all entries about an entry begin with.
pub(super) fn about_prefix(subject: &SubjectReference, of: &EntryRef) -> [u8; 40] {
    key::rejudgement_prefix(subject, of)
}

/// The keys of the rows that lead to this entry by its tags.
pub(super) fn ties_of<'a>(
    said: &Said<'a>,
    place: Place,
) -> impl Iterator<Item = [u8; TIE_KEY_BYTES]> + use<'a> {
    let own = said.event_tag.into_iter().map(|tag| (tag, Tie::Is));
    let parents = said.parents().map(|tag| (tag, Tie::CameFrom));
    let tags = own.chain(parents);
    let all = said.subject.map(|subject| {
        tags.map(move |(tag, tie)| {
            let mut key = [0; TIE_KEY_BYTES];
            key[..33].copy_from_slice(&tie_prefix(&subject, &tag, tie));
            key[33..].copy_from_slice(&key::place_bytes(&place));
            key
        })
    });
    all.into_iter().flatten()
}

/// The key of the row that leads to what time found, from what began the time.
pub(super) fn about_of(said: &Said<'_>, place: &Place) -> Option<[u8; ABOUT_KEY_BYTES]> {
    let (subject, of) = (said.subject?, said.overdue_of()?);
    let mut key = [0; ABOUT_KEY_BYTES];
    key[..40].copy_from_slice(&about_prefix(&subject, &of));
    key[40..].copy_from_slice(&key::place_bytes(place));
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
    pub(super) fn prefix(&self) -> Vec<u8> {
        let (letter, id) = match self {
            Self::Recipient(id) => (b'r', id),
            Self::System(id) => (b's', id),
        };
        let mut key = Vec::with_capacity(id.len() + 2 + 16 + PLACE_BYTES);
        put_holder(&mut key, letter, id);
        key
    }
}

/// What a recipient or a system had of a person at one event, without the
/// event's own row being read.
#[derive(Clone)]
pub struct HeldRow {
    /// Whose.
    pub subject: SubjectReference,
    /// Where the event stands.
    pub place: Place,
    /// When it was recorded, nanoseconds since 1970 UTC.
    pub recorded_time_ns: i64,
    /// The event's tag.
    pub event_tag: Option<EventTag>,
    value: fjall::Slice,
    /// Where the categories begin in it.
    categories: usize,
}

impl HeldRow {
    /// The data categories as they are stored: the same bytes say the same.
    /// [`HeldRow::read_categories`] reads them.
    pub fn stored_categories(&self) -> &[u8] {
        self.value.get(self.categories..).unwrap_or_default()
    }

    /// The texts of [`HeldRow::stored_categories`].
    ///
    /// # Errors
    /// [`ReadModelError::DamagedRow`].
    pub fn read_categories(stored: &[u8]) -> Result<Vec<String>, ReadModelError> {
        super::row::decode_short("held", stored)
    }
}

/// What stands before the categories.
#[derive(Decode)]
struct HeldHead {
    recorded_time_ns: i64,
    event_tag: Option<EventTag>,
}

fn put_holder(key: &mut Vec<u8>, letter: u8, id: &str) {
    key.push(letter);
    key.extend_from_slice(id.as_bytes());
    key.push(0);
}

/// Makes the row that leads to a person from who had the data, in the place of
/// what `key` and `value` hold; `false` where there is none.
pub(super) fn held_of(
    recorded_time_ns: i64,
    said: &Said<'_>,
    place: &Place,
    key: &mut Vec<u8>,
    value: &mut Vec<u8>,
) -> Result<bool, ReadModelError> {
    let (letter, id) = match said.act {
        ActView::Use { system, .. } => (b's', system),
        _ => (b'r', said.recipient().map_or("", |party| party.id)),
    };
    let Some(subject) = said.subject.filter(|_| !id.is_empty()) else {
        return Ok(false);
    };
    key.clear();
    put_holder(key, letter, id);
    key.extend_from_slice(subject.as_bytes());
    key.extend_from_slice(&key::place_bytes(place));
    value.clear();
    let held = Held {
        recorded_time_ns,
        event_tag: said.event_tag,
        categories: said.categories,
    };
    super::row::encode_short_onto(value, &held)?;
    Ok(true)
}

/// The value of such a row; the categories come last.
#[derive(Encode)]
struct Held<'a> {
    recorded_time_ns: i64,
    event_tag: Option<EventTag>,
    categories: Texts<'a>,
}

/// The categories are left as they are: most rows have those of another one.
pub(super) fn read_held(key: &[u8], value: &fjall::Slice) -> Result<HeldRow, ReadModelError> {
    let damaged = || ReadModelError::DamagedRow { rows: "held" };
    let place = place_of(key).ok_or_else(damaged)?;
    let subject = &key[..key.len() - PLACE_BYTES];
    let subject = subject.last_chunk::<16>().ok_or_else(damaged)?;
    let head = bincode::decode_from_slice(value, bincode::config::standard());
    let (head, categories): (HeldHead, usize) = head.map_err(|_| damaged())?;
    Ok(HeldRow {
        subject: SubjectReference(*subject),
        place,
        recorded_time_ns: head.recorded_time_ns,
        event_tag: head.event_tag,
        value: value.clone(),
        categories,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use custody_ledger::entry::{Act, Entry, Kind, PartyPart};
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
        let said = Said::of(&entry);
        let ties: Vec<_> = ties_of(&said, place()).collect();
        assert!(ties[0].starts_with(&tie_prefix(&SUBJECT, &EventTag([1; 16]), Tie::Is)));
        assert!(ties[1].starts_with(&tie_prefix(&SUBJECT, &EventTag([2; 16]), Tie::CameFrom)));
        assert!(ties.iter().all(|key| place_of(key) == Some(place())));
        let read: Vec<_> = ties.iter().filter_map(|key| read_tie(key)).collect();
        let row = |tag, tie| TieRow {
            tag: EventTag(tag),
            tie,
            place: place(),
        };
        assert_eq!(read, [row([1; 16], Tie::Is), row([2; 16], Tie::CameFrom)]);
        assert!(read[0] < read[1] && ties[0] < ties[1]);
        assert_eq!(read_tie(&ties[0][..64]), None);
        assert_eq!(read_tie(&[&ties[0][..], &[0]].concat()), None);

        let (mut key, mut value) = (vec![1], vec![2]);
        assert!(held_of(11, &said, &place(), &mut key, &mut value).unwrap());
        assert!(key.starts_with(&Holder::Recipient("dhl".to_owned()).prefix()));
        assert!(!key.starts_with(&Holder::Recipient("dh".to_owned()).prefix()));
        let value = fjall::Slice::from(value);
        let row = read_held(&key, &value).unwrap();
        assert_eq!((row.subject, row.place), (SUBJECT, place()));
        assert_eq!(row.recorded_time_ns, 11);
        assert_eq!(row.event_tag, entry.event_tag);
        let stored = row.stored_categories();
        assert_eq!(HeldRow::read_categories(stored).unwrap(), entry.categories);
        assert!(read_held(&key[..40], &value).is_err());
        assert!(read_held(&key, &fjall::Slice::from(&value[..17])).is_err());
        for length in 0..stored.len() {
            assert!(HeldRow::read_categories(&stored[..length]).is_err());
        }
        let longer = [stored, &[0]].concat();
        assert!(HeldRow::read_categories(&longer).is_err());
    }

    #[test]
    fn what_no_organisation_and_no_system_had_has_no_row() {
        let mut entry = Entry::new(Kind::Use, 0);
        entry.subject = Some(SUBJECT);
        let used = |system: &str| Act::Use {
            operation: String::new(),
            system: system.to_owned(),
        };
        let has_row = |entry: &Entry| {
            let (mut key, mut value) = (Vec::new(), Vec::new());
            held_of(0, &Said::of(entry), &place(), &mut key, &mut value).unwrap()
        };
        entry.act = used("");
        assert!(!has_row(&entry));
        entry.act = used("crm");
        assert!(has_row(&entry));
        entry.subject = None;
        assert!(!has_row(&entry));
    }
}
