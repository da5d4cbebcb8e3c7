//! A message as one can read it where two of them differ: in `Debug` messages
//! say nothing, because of what they are about.

use prost::Message;
use prost::encoding::{WireType, decode_key, decode_varint};

/// Field by field, by their numbers.
pub(crate) fn readable(message: &impl Message) -> String {
    let bytes = message.encode_to_vec();
    fields(&bytes).unwrap_or_default()
}

fn fields(mut bytes: &[u8]) -> Option<String> {
    let mut said = Vec::new();
    while !bytes.is_empty() {
        let (field, wire) = decode_key(&mut bytes).ok()?;
        let value = match wire {
            WireType::Varint => decode_varint(&mut bytes).ok()?.to_string(),
            WireType::LengthDelimited => {
                let size = usize::try_from(decode_varint(&mut bytes).ok()?).ok()?;
                let (value, rest) = bytes.split_at_checked(size)?;
                bytes = rest;
                text(value)
                    .or_else(|| fields(value))
                    .unwrap_or_else(|| format!("{value:02x?}"))
            }
            _ => return None,
        };
        said.push(format!("{field}: {value}"));
    }
    Some(format!("{{{}}}", said.join(", ")))
}

fn text(bytes: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(bytes).ok()?;
    let is_text = text.chars().all(|it| !it.is_control());
    is_text.then(|| format!("{text:?}"))
}
