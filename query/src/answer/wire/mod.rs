//! Rows of answers, written as they go over the wire: the fields of protobuf
//! (<https://protobuf.dev/programming-guides/encoding/>) one by one, each text
//! straight from where it is stored.

mod entry;
mod recipient;

use custody_ledger::entry::PartyView;
use custody_proto::Timestamp;
use prost::encoding::{WireType, encode_key, encode_varint, encoded_len_varint};

pub(crate) use entry::EntryWriter;
pub(crate) use recipient::RecipientWriter;

use super::error::QueryError;
use super::registry::Registry;

/// As [`Registry::counterparty`].
fn counterparty(
    out: &mut Vec<u8>,
    number: u32,
    registry: &Registry<'_>,
    party: &PartyView<'_>,
) -> Result<(), QueryError> {
    let registered = registry.registered(party.id)?;
    let members = [
        (1, party.id),
        (2, &registered.name),
        (3, or(party.category, &registered.category)),
        (4, or(party.country, &registered.country)),
    ];
    let said = members.iter().filter(|(_, text)| !text.is_empty());
    let length: usize = said.map(|(_, text)| bytes_len(text.len())).sum();
    encode_key(number, WireType::LengthDelimited, out);
    encode_varint((length + 2 * usize::from(party.person)) as u64, out);
    for (member, value) in members {
        text(out, member, value);
    }
    flag(out, 5, party.person);
    Ok(())
}

fn or<'a>(said: &'a str, registered: &'a str) -> &'a str {
    if said.is_empty() { registered } else { said }
}

/// The length of a field of a number below 16 and so many bytes.
fn bytes_len(length: usize) -> usize {
    1 + encoded_len_varint(length as u64) + length
}

fn bytes(out: &mut Vec<u8>, number: u32, value: &[u8]) {
    encode_key(number, WireType::LengthDelimited, out);
    encode_varint(value.len() as u64, out);
    out.extend_from_slice(value);
}

/// An empty text is not written, as protobuf has it.
fn text(out: &mut Vec<u8>, number: u32, value: &str) {
    if !value.is_empty() {
        bytes(out, number, value.as_bytes());
    }
}

fn texts<'a>(out: &mut Vec<u8>, number: u32, values: impl Iterator<Item = &'a str>) {
    for value in values {
        bytes(out, number, value.as_bytes());
    }
}

fn flag(out: &mut Vec<u8>, number: u32, value: bool) {
    if value {
        prost::encoding::bool::encode(number, &value, out);
    }
}

fn moment(out: &mut Vec<u8>, number: u32, nanos: i64) {
    let moment = Timestamp::from_unix_nanos(nanos);
    prost::encoding::message::encode(number, &moment, out);
}
