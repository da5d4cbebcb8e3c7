//! The frame that Confluent's serialisers put before a payload.
//!
//! A byte 0, a schema id of four bytes, and before protobuf a list of message
//! indexes: its length and its members as zigzag varints, where the list `[0]`
//! is written as the one byte 0. See
//! <https://docs.confluent.io/platform/current/schema-registry/fundamentals/serdes-develop/index.html#wire-format>.
//! Neither JSON nor a protobuf message can begin with a byte 0 (a field number
//! is never 0), so the frame cannot be taken for either.

use super::error::DecodeError;

const MAGIC: u8 = 0;
const SCHEMA_ID_BYTES: usize = 4;

/// Messages nest; nobody nests them deeper.
const MAX_INDEXES: u64 = 32;

/// The JSON behind a frame, or all of it where there is none.
pub(super) fn before_json(payload: &[u8]) -> Result<&[u8], DecodeError> {
    let Some((&MAGIC, rest)) = payload.split_first() else {
        return Ok(payload);
    };
    rest.get(SCHEMA_ID_BYTES..).ok_or(DecodeError::BadFrame)
}

/// The protobuf behind a frame, or all of it where there is none. Which
/// message of a schema the indexes name is not looked at: a producer may have
/// the event in a file of its own.
pub(super) fn before_protobuf(payload: &[u8]) -> Result<&[u8], DecodeError> {
    if payload.first() != Some(&MAGIC) {
        return Ok(payload);
    }
    let mut rest = before_json(payload)?;
    let length = varint(&mut rest).ok_or(DecodeError::BadFrame)?;
    // Zigzag: even numbers are the ones from 0 up.
    if length % 2 != 0 || length / 2 > MAX_INDEXES {
        return Err(DecodeError::BadFrame);
    }
    for _ in 0..length / 2 {
        varint(&mut rest).ok_or(DecodeError::BadFrame)?;
    }
    Ok(rest)
}

/// A base-128 varint of at most ten bytes.
pub(super) fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..70).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f).checked_shl(shift)?;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn skips_frames_and_nothing_else() {
        assert_eq!(before_protobuf(&[10, 1]), Ok(&[10, 1][..]));
        assert_eq!(
            before_protobuf(&[0, 0, 0, 0, 7, 0, 10, 1]),
            Ok(&[10, 1][..])
        );
        // Indexes [1, 0].
        assert_eq!(
            before_protobuf(&[0, 0, 0, 0, 7, 4, 2, 0, 10]),
            Ok(&[10][..])
        );
        assert_eq!(before_json(&[0, 0, 0, 0, 7, b'{']), Ok(&b"{"[..]));
        assert_eq!(before_json(b"{}"), Ok(&b"{}"[..]));
    }

    #[test]
    fn refuses_frames_that_are_not_whole() {
        for bytes in [
            &[0][..],
            &[0, 0, 0, 0],
            &[0, 0, 0, 0, 7],
            &[0, 0, 0, 0, 7, 4, 2],
            &[0, 0, 0, 0, 7, 1],
            &[0, 0, 0, 0, 7, 0xff, 0xff, 0xff, 0xff, 0x0e],
        ] {
            assert_eq!(
                before_protobuf(bytes),
                Err(DecodeError::BadFrame),
                "{bytes:?}"
            );
        }
        assert_eq!(before_json(&[0, 0, 0, 0]), Err(DecodeError::BadFrame));
    }
}
