//! Values: what stands under a key. Times and numbers are big-endian; the
//! records are bincode's legacy configuration, as in the ledger.

use bincode::{Decode, Encode};
use custody_ledger::entry::{Entry, EntryView, MAX_ENTRY_BYTES};
use custody_ledger::id::{Digest, ShardId};

use super::ReadModelError;
use super::key::Place;

/// One event as the read model holds it: the public part, and where the
/// sealed part stands in the ledger.
#[derive(Clone, Debug)]
pub struct EventRow {
    /// Where it stands among the person's events.
    pub place: Place,
    /// When it was recorded, nanoseconds since 1970 UTC.
    pub recorded_time_ns: i64,
    /// The height of its block.
    pub height: u64,
    /// Whether the ledger's entry has a sealed part.
    pub has_sealed: bool,
    /// The public part; its `sealed` is empty.
    pub entry: Entry,
}

/// Recorded time, height, whether a sealed part exists.
const EVENT_HEADER_BYTES: usize = 8 + 8 + 1;

/// What stands before the entry in the value of an event's row.
pub(super) fn event_header(
    recorded_time_ns: i64,
    height: u64,
    has_sealed: bool,
) -> [u8; EVENT_HEADER_BYTES] {
    let mut header = [0; EVENT_HEADER_BYTES];
    header[..8].copy_from_slice(&recorded_time_ns.to_be_bytes());
    header[8..16].copy_from_slice(&height.to_be_bytes());
    header[16] = u8::from(has_sealed);
    header
}

/// When the event was recorded, and its entry, of the value of its row.
pub(super) fn split_event(value: &[u8]) -> Result<(i64, &[u8]), ReadModelError> {
    let damaged = ReadModelError::DamagedRow { rows: "events" };
    match (value.first_chunk(), value.get(EVENT_HEADER_BYTES..)) {
        (Some(recorded), Some(entry)) => Ok((i64::from_be_bytes(*recorded), entry)),
        _ => Err(damaged),
    }
}

/// One event as it is stored: what stands before the entry, read, and the entry
/// as its bytes.
#[derive(Clone)]
pub struct StoredEvent {
    /// Where it stands among the person's events.
    pub place: Place,
    /// When it was recorded, nanoseconds since 1970 UTC.
    pub recorded_time_ns: i64,
    /// The height of its block.
    pub height: u64,
    /// Whether the ledger's entry has a sealed part.
    pub has_sealed: bool,
    value: fjall::Slice,
}

impl StoredEvent {
    pub(super) fn read(place: Place, value: fjall::Slice) -> Result<Self, ReadModelError> {
        let damaged = || ReadModelError::DamagedRow { rows: "events" };
        let (recorded, rest) = value.split_first_chunk::<8>().ok_or_else(damaged)?;
        let (height, rest) = rest.split_first_chunk::<8>().ok_or_else(damaged)?;
        let has_sealed = rest.first().ok_or_else(damaged)?;
        Ok(Self {
            place,
            recorded_time_ns: i64::from_be_bytes(*recorded),
            height: u64::from_be_bytes(*height),
            has_sealed: *has_sealed != 0,
            value,
        })
    }

    fn entry(&self) -> &[u8] {
        self.value.get(EVENT_HEADER_BYTES..).unwrap_or_default()
    }

    /// The public part, read in place; `None` of one that only
    /// [`StoredEvent::decode`] reads.
    ///
    /// # Errors
    /// [`ReadModelError::DamagedRow`].
    pub fn view(&self) -> Result<Option<EntryView<'_>>, ReadModelError> {
        EntryView::read(self.entry()).map_err(|_| ReadModelError::DamagedRow { rows: "events" })
    }

    /// The whole row.
    ///
    /// # Errors
    /// [`ReadModelError::DamagedRow`].
    pub fn decode(&self) -> Result<EventRow, ReadModelError> {
        let entry = Entry::decode(self.entry());
        Ok(EventRow {
            place: self.place,
            recorded_time_ns: self.recorded_time_ns,
            height: self.height,
            has_sealed: self.has_sealed,
            entry: entry.map_err(|_| ReadModelError::DamagedRow { rows: "events" })?,
        })
    }
}

pub(super) fn decode_event(
    place: Place,
    value: impl Into<fjall::Slice>,
) -> Result<EventRow, ReadModelError> {
    StoredEvent::read(place, value.into())?.decode()
}

/// When a retraction was recorded.
pub(super) fn encode_recorded(recorded_time_ns: i64) -> [u8; 8] {
    recorded_time_ns.to_be_bytes()
}

pub(super) fn decode_recorded(value: &[u8]) -> Result<i64, ReadModelError> {
    let bytes: [u8; 8] = value.try_into().map_err(|_| ReadModelError::DamagedRow {
        rows: "retractions",
    })?;
    Ok(i64::from_be_bytes(bytes))
}

/// One registration of an organisation.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(super) struct PartyRow {
    pub(super) recorded_time_ns: i64,
    pub(super) name: String,
    pub(super) category: String,
    pub(super) country: String,
}

/// How far one shard has been taken in.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(super) struct PositionRow {
    pub(super) blocks: u64,
    pub(super) size: u64,
    pub(super) next_offset: Option<i64>,
    pub(super) chain_head: Digest,
    pub(super) block_digest: Digest,
    pub(super) recorded_time_ns: i64,
    pub(super) epoch: u32,
}

pub(super) fn encode<T: Encode>(row: &T) -> Result<Vec<u8>, ReadModelError> {
    bincode::encode_to_vec(row, bincode::config::legacy())
        .map_err(|error| ReadModelError::EncodeRow(error.to_string()))
}

pub(super) fn decode<T: Decode<()>>(rows: &'static str, value: &[u8]) -> Result<T, ReadModelError> {
    let config = bincode::config::legacy().with_limit::<MAX_ENTRY_BYTES>();
    match bincode::decode_from_slice(value, config) {
        Ok((row, read)) if read == value.len() => Ok(row),
        _ => Err(ReadModelError::DamagedRow { rows }),
    }
}

/// Rows that there are many of: bincode's standard configuration, in which a
/// small number is one byte. Appends.
pub(super) fn encode_short_onto<T: Encode>(
    bytes: &mut Vec<u8>,
    row: &T,
) -> Result<(), ReadModelError> {
    bincode::encode_into_std_write(row, bytes, bincode::config::standard())
        .map_err(|error| ReadModelError::EncodeRow(error.to_string()))?;
    Ok(())
}

pub(super) fn decode_short<T: Decode<()>>(
    rows: &'static str,
    value: &[u8],
) -> Result<T, ReadModelError> {
    let config = bincode::config::standard().with_limit::<MAX_ENTRY_BYTES>();
    match bincode::decode_from_slice(value, config) {
        Ok((row, read)) if read == value.len() => Ok(row),
        _ => Err(ReadModelError::DamagedRow { rows }),
    }
}

pub(super) fn decode_shard(key: &[u8]) -> Result<ShardId, ReadModelError> {
    let bytes: [u8; 16] = key
        .try_into()
        .map_err(|_| ReadModelError::DamagedRow { rows: "positions" })?;
    Ok(ShardId(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use custody_ledger::entry::Kind;

    fn place() -> Place {
        Place {
            event_time_ns: -5,
            shard: ShardId([7; 16]),
            sequence: 9,
        }
    }

    fn encode_event(recorded_ns: i64, height: u64, has_sealed: bool, entry: &Entry) -> Vec<u8> {
        let mut value = event_header(recorded_ns, height, has_sealed).to_vec();
        entry.encode_onto(&mut value).unwrap();
        value
    }

    #[test]
    fn an_event_and_back() {
        let entry = Entry::new(Kind::Use, -5);
        let value = encode_event(11, 3, true, &entry);
        let row = decode_event(place(), &value).unwrap();
        assert_eq!(
            (row.recorded_time_ns, row.height, row.has_sealed),
            (11, 3, true)
        );
        assert!(row.entry == entry);
    }

    #[test]
    fn every_shorter_event_is_damage() {
        let value = encode_event(11, 3, true, &Entry::new(Kind::Use, -5));
        for length in 0..value.len() {
            assert!(decode_event(place(), &value[..length]).is_err(), "{length}");
        }
    }

    #[test]
    fn a_position_with_bytes_left_over_is_damage() {
        let row = PositionRow {
            blocks: 1,
            size: 2,
            next_offset: Some(3),
            chain_head: Digest([4; 32]),
            block_digest: Digest([5; 32]),
            recorded_time_ns: 6,
            epoch: 7,
        };
        let mut value = encode(&row).unwrap();
        assert_eq!(decode::<PositionRow>("positions", &value).unwrap(), row);
        value.push(0);
        assert!(decode::<PositionRow>("positions", &value).is_err());
    }
}
