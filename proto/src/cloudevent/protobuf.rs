//! Data as protobuf.

use prost::Message;

use super::error::DecodeError;
use super::frame::varint;
use crate::event::Event;

/// Field numbers of the blocks in `event.proto`'s oneof `act`.
const BLOCKS: std::ops::RangeInclusive<u64> = 20..=38;

/// Reads an event. Fields that it does not know are skipped, as protobuf
/// readers do; the original message keeps them.
pub(super) fn event(bytes: &[u8]) -> Result<Event, DecodeError> {
    let event = Event::decode(bytes).map_err(|error| explain(&error))?;
    if blocks(bytes) > 1 {
        return Err(DecodeError::TwoBlocks);
    }
    Ok(event)
}

/// How many blocks a well-formed event holds. Protobuf readers take the last
/// of a oneof and merge one that comes twice; an event that says two things
/// is refused instead.
fn blocks(mut bytes: &[u8]) -> usize {
    let mut count = 0;
    while let Some(key) = varint(&mut bytes) {
        if BLOCKS.contains(&(key >> 3)) {
            count += 1;
        }
        let skipped = match key & 7 {
            0 => match varint(&mut bytes) {
                Some(_) => 0,
                None => break,
            },
            1 => 8,
            2 => match varint(&mut bytes) {
                Some(length) => usize::try_from(length).unwrap_or(usize::MAX),
                None => break,
            },
            5 => 4,
            // A group of an unknown field: its members are counted as if they
            // were the event's, which can only refuse more.
            _ => 0,
        };
        match bytes.get(skipped..) {
            Some(rest) => bytes = rest,
            None => break,
        }
    }
    count
}

/// Sorts prost's error. Its text names messages and fields, from the inside
/// out, and may show numbers out of the payload, which are left away.
fn explain(error: &prost::DecodeError) -> DecodeError {
    let text = error.to_string();
    let mut fields: Vec<&str> = text
        .split(": ")
        .filter_map(|part| part.split_once('.'))
        .filter(|(message, _)| message.bytes().all(|b| b.is_ascii_alphanumeric()))
        .map(|(_, field)| field)
        .collect();
    fields.reverse();
    let field = fields.join(".");
    if text.ends_with("data is not UTF-8 encoded") {
        DecodeError::BadUtf8 { place: field }
    } else {
        DecodeError::Protobuf { field }
    }
}
