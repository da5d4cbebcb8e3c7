//! Keys: fixed-width, big-endian, so that bytewise order is the order of
//! answers. `FORMAT.md` has the table.

use bincode::{Decode, Encode};
use custody_ledger::entry::EntryRef;
use custody_ledger::id::{EventTag, ShardId, SubjectReference};

/// Length of an event's key, in bytes.
pub(super) const EVENT_KEY_BYTES: usize = 16 + 8 + 16 + 8;

/// Length of a retraction's key, in bytes.
pub(super) const RETRACTION_KEY_BYTES: usize = 16 + 16 + 16 + 8;

/// Length of a re-judgement's key, in bytes.
pub(super) const REJUDGEMENT_KEY_BYTES: usize = 16 + 16 + 8 + 8;

const _: () =
    assert!(EVENT_KEY_BYTES == 48 && RETRACTION_KEY_BYTES == 56 && REJUDGEMENT_KEY_BYTES == 48);

/// Where an event stands among a person's events: by time, then shard, then
/// sequence. The derived order is the order of answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub struct Place {
    /// When it happened, nanoseconds since 1970 UTC.
    pub event_time_ns: i64,
    /// The shard that it stands in.
    pub shard: ShardId,
    /// Its number in the shard, from 0.
    pub sequence: u64,
}

impl Place {
    /// Before everything that happened at `event_time_ns`.
    pub const fn first_at(event_time_ns: i64) -> Self {
        Self {
            event_time_ns,
            shard: ShardId([0; 16]),
            sequence: 0,
        }
    }

    /// After everything that happened at `event_time_ns`.
    pub const fn last_at(event_time_ns: i64) -> Self {
        Self {
            event_time_ns,
            shard: ShardId([0xff; 16]),
            sequence: u64::MAX,
        }
    }
}

/// Length of a place at the end of a key, in bytes: time, shard, sequence.
pub(super) const PLACE_BYTES: usize = 8 + 16 + 8;

pub(super) fn place_bytes(place: &Place) -> [u8; PLACE_BYTES] {
    let mut bytes = [0; PLACE_BYTES];
    bytes[..8].copy_from_slice(&ordered(place.event_time_ns));
    bytes[8..24].copy_from_slice(place.shard.as_bytes());
    bytes[24..].copy_from_slice(&place.sequence.to_be_bytes());
    bytes
}

/// Flips the sign bit, so that unsigned bytewise order is signed order.
pub(super) fn ordered(time_ns: i64) -> [u8; 8] {
    (time_ns.cast_unsigned() ^ (1 << 63)).to_be_bytes()
}

pub(super) fn time_of(bytes: [u8; 8]) -> i64 {
    (u64::from_be_bytes(bytes) ^ (1 << 63)).cast_signed()
}

/// Splits the next `N` bytes off.
pub(super) fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (head, rest) = bytes.split_first_chunk::<N>()?;
    *bytes = rest;
    Some(*head)
}

pub(super) fn event_key(subject: &SubjectReference, place: &Place) -> [u8; EVENT_KEY_BYTES] {
    let mut key = [0; EVENT_KEY_BYTES];
    key[..16].copy_from_slice(subject.as_bytes());
    key[16..].copy_from_slice(&place_bytes(place));
    key
}

pub(super) fn read_event_key(mut key: &[u8]) -> Option<(SubjectReference, Place)> {
    let subject = SubjectReference(take(&mut key)?);
    let place = Place {
        event_time_ns: time_of(take(&mut key)?),
        shard: ShardId(take(&mut key)?),
        sequence: u64::from_be_bytes(take(&mut key)?),
    };
    key.is_empty().then_some((subject, place))
}

/// What all retractions of one event begin with.
pub(super) fn retraction_prefix(subject: &SubjectReference, of: &EventTag) -> [u8; 32] {
    let mut key = [0; 32];
    key[..16].copy_from_slice(subject.as_bytes());
    key[16..].copy_from_slice(of.as_bytes());
    key
}

/// What a retraction's key says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RetractionKey {
    pub(super) subject: SubjectReference,
    pub(super) of: EventTag,
    pub(super) shard: ShardId,
    pub(super) sequence: u64,
}

impl RetractionKey {
    pub(super) fn encode(&self) -> [u8; RETRACTION_KEY_BYTES] {
        let mut key = [0; RETRACTION_KEY_BYTES];
        key[..16].copy_from_slice(self.subject.as_bytes());
        key[16..32].copy_from_slice(self.of.as_bytes());
        key[32..48].copy_from_slice(self.shard.as_bytes());
        key[48..].copy_from_slice(&self.sequence.to_be_bytes());
        key
    }

    pub(super) fn decode(mut key: &[u8]) -> Option<Self> {
        let read = Self {
            subject: SubjectReference(take(&mut key)?),
            of: EventTag(take(&mut key)?),
            shard: ShardId(take(&mut key)?),
            sequence: u64::from_be_bytes(take(&mut key)?),
        };
        key.is_empty().then_some(read)
    }
}

/// What all re-judgements of one entry begin with.
pub(super) fn rejudgement_prefix(subject: &SubjectReference, of: &EntryRef) -> [u8; 40] {
    let mut key = [0; 40];
    key[..16].copy_from_slice(subject.as_bytes());
    key[16..32].copy_from_slice(of.shard.as_bytes());
    key[32..].copy_from_slice(&of.sequence.to_be_bytes());
    key
}

/// `sequence` is the re-judgement's number in the house shard.
pub(super) fn rejudgement_key(
    subject: &SubjectReference,
    of: &EntryRef,
    sequence: u64,
) -> [u8; REJUDGEMENT_KEY_BYTES] {
    let mut key = [0; REJUDGEMENT_KEY_BYTES];
    key[..40].copy_from_slice(&rejudgement_prefix(subject, of));
    key[40..].copy_from_slice(&sequence.to_be_bytes());
    key
}

/// The entry that was judged again, and the re-judgement's number.
pub(super) fn read_rejudgement_key(mut key: &[u8]) -> Option<(EntryRef, u64)> {
    take::<16>(&mut key)?;
    let of = EntryRef {
        shard: ShardId(take(&mut key)?),
        sequence: u64::from_be_bytes(take(&mut key)?),
    };
    let sequence = u64::from_be_bytes(take(&mut key)?);
    key.is_empty().then_some((of, sequence))
}

/// What all rows of a party begin with. Ids hold no NUL, so that no id's
/// prefix is the beginning of another's.
pub(super) fn party_prefix(id: &str) -> Vec<u8> {
    let mut key = Vec::with_capacity(id.len() + 9);
    key.extend_from_slice(id.as_bytes());
    key.push(0);
    key
}

/// `sequence` is the registration's number in the house shard.
pub(super) fn party_key(id: &str, sequence: u64) -> Vec<u8> {
    let mut key = party_prefix(id);
    key.extend_from_slice(&sequence.to_be_bytes());
    key
}

pub(super) fn read_party_sequence(key: &[u8]) -> Option<u64> {
    key.last_chunk::<8>()
        .map(|bytes| u64::from_be_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn place() -> impl Strategy<Value = Place> {
        (any::<i64>(), any::<[u8; 16]>(), any::<u64>()).prop_map(|(time, shard, sequence)| Place {
            event_time_ns: time,
            shard: ShardId(shard),
            sequence,
        })
    }

    proptest! {
        #[test]
        fn bytewise_order_is_the_order_of_answers(a in place(), b in place(), subject in any::<[u8; 16]>()) {
            let subject = SubjectReference(subject);
            prop_assert_eq!(a.cmp(&b), event_key(&subject, &a).cmp(&event_key(&subject, &b)));
        }

        #[test]
        fn keys_and_back(a in place(), subject in any::<[u8; 16]>(), tag in any::<[u8; 16]>()) {
            let subject = SubjectReference(subject);
            prop_assert_eq!(read_event_key(&event_key(&subject, &a)), Some((subject, a)));
            let retraction = RetractionKey { subject, of: EventTag(tag), shard: a.shard, sequence: a.sequence };
            prop_assert_eq!(RetractionKey::decode(&retraction.encode()), Some(retraction));
            let of = EntryRef { shard: a.shard, sequence: a.sequence };
            prop_assert_eq!(read_rejudgement_key(&rejudgement_key(&subject, &of, 7)), Some((of, 7)));
            prop_assert_eq!(read_party_sequence(&party_key("dhl", a.sequence)), Some(a.sequence));
        }
    }

    #[test]
    fn other_lengths_are_no_keys() {
        assert_eq!(read_event_key(&[0; 47]), None);
        assert_eq!(read_event_key(&[0; 49]), None);
        assert_eq!(RetractionKey::decode(&[0; 55]), None);
        assert_eq!(RetractionKey::decode(&[0; 57]), None);
        assert_eq!(read_rejudgement_key(&[0; 47]), None);
        assert_eq!(read_rejudgement_key(&[0; 49]), None);
    }
}
