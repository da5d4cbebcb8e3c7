//! The first fields of a stored entry, without reading the rest.

use crate::entry::{ENTRY_VERSION, MAX_ENTRY_BYTES, v1};
use crate::error::DecodeError;
use crate::id::SubjectReference;

/// What ties an entry to its place and its person. Whoever follows or checks
/// every entry of a ledger needs no more of most of them, and it costs a
/// fraction of [`crate::entry::Entry::decode`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outline {
    /// The stored number of the kind.
    pub kind_code: u8,
    /// The Kafka offset; `None` in the house shard.
    pub offset: Option<i64>,
    /// Kafka's timestamp, milliseconds since 1970 UTC.
    pub kafka_time_ms: Option<i64>,
    /// When it happened, nanoseconds since 1970 UTC.
    pub event_time_ns: i64,
    /// Whose data it is.
    pub subject: Option<SubjectReference>,
}

impl Outline {
    /// Reads the first fields of stored bytes, which may come from anybody.
    /// What follows them is not looked at.
    ///
    /// # Errors
    /// [`DecodeError`] where the version is not known or a field is malformed.
    pub fn read(bytes: &[u8]) -> Result<Self, DecodeError> {
        if bytes.len() > MAX_ENTRY_BYTES {
            return Err(DecodeError::TooLong {
                length: bytes.len(),
                limit: MAX_ENTRY_BYTES,
            });
        }
        let mut rest = bytes;
        match u16::from(take::<1>(&mut rest)?[0]) {
            version if version < u16::from(v1::VERSION) => Err(DecodeError::TooOld {
                version,
                oldest: u16::from(v1::VERSION),
            }),
            version if version > u16::from(ENTRY_VERSION) => Err(DecodeError::TooNew {
                version,
                newest: u16::from(ENTRY_VERSION),
            }),
            _ => Ok(Self {
                kind_code: take::<1>(&mut rest)?[0],
                offset: optional(&mut rest)?.map(i64::from_le_bytes),
                kafka_time_ms: optional(&mut rest)?.map(i64::from_le_bytes),
                event_time_ns: i64::from_le_bytes(take(&mut rest)?),
                subject: optional(&mut rest)?.map(SubjectReference),
            }),
        }
    }
}

fn optional<const SIZE: usize>(rest: &mut &[u8]) -> Result<Option<[u8; SIZE]>, DecodeError> {
    match take::<1>(rest)? {
        [0] => Ok(None),
        [1] => take(rest).map(Some),
        _ => Err(DecodeError::Malformed(
            "an optional field is neither there nor absent".to_owned(),
        )),
    }
}

fn take<const SIZE: usize>(rest: &mut &[u8]) -> Result<[u8; SIZE], DecodeError> {
    let (field, after) = rest.split_first_chunk().ok_or(DecodeError::Truncated)?;
    *rest = after;
    Ok(*field)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::entry::{Entry, Kind};

    proptest! {
        #[test]
        fn says_what_the_whole_entry_says(
            offset in proptest::option::of(any::<i64>()),
            kafka_time_ms in proptest::option::of(any::<i64>()),
            event_time_ns in any::<i64>(),
            subject in proptest::option::of(any::<[u8; 16]>()),
            cut in any::<proptest::sample::Index>(),
        ) {
            let mut entry = Entry::new(Kind::Use, event_time_ns);
            entry.offset = offset;
            entry.kafka_time_ms = kafka_time_ms;
            entry.subject = subject.map(SubjectReference);
            let bytes = entry.encode().unwrap();
            let outline = Outline::read(&bytes).unwrap();
            prop_assert_eq!(outline.kind_code, entry.kind_code);
            prop_assert_eq!(outline.offset, entry.offset);
            prop_assert_eq!(outline.kafka_time_ms, entry.kafka_time_ms);
            prop_assert_eq!(outline.event_time_ns, entry.event_time_ns);
            prop_assert_eq!(outline.subject, entry.subject);
            // Whatever is cut, it says the same or nothing.
            if let Ok(read) = Outline::read(&bytes[..cut.index(bytes.len())]) {
                prop_assert_eq!(read, outline);
            }
        }

        #[test]
        fn reads_whatever_the_whole_is_read_from(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let outline = Outline::read(&bytes);
            if let Ok(entry) = Entry::decode(&bytes) {
                prop_assert_eq!(outline.unwrap().subject, entry.subject);
            }
        }
    }

    #[test]
    fn too_old_and_too_new_differ() {
        assert!(matches!(
            Outline::read(&[0; 40]),
            Err(DecodeError::TooOld { .. })
        ));
        assert!(matches!(
            Outline::read(&[9; 40]),
            Err(DecodeError::TooNew { .. })
        ));
    }
}
