//! What makes two deliveries the same event.

use prost::Message;

use super::DecodedEvent;

/// Separates this digest from every other use of BLAKE3 here.
const DOMAIN: &[u8] = b"custody event content v1";

/// Over domain, kind (1 byte), time (8, little-endian), then source and id,
/// each behind its length (8, little-endian), then the data in protobuf.
/// prost writes fields in order of their numbers and defaults not at all, and
/// an event holds no map, so equal data has equal bytes.
pub(super) fn digest(event: &DecodedEvent) -> [u8; 32] {
    let mut bytes = Vec::with_capacity(
        DOMAIN.len() + 25 + event.source.len() + event.id.len() + event.data.encoded_len(),
    );
    bytes.extend_from_slice(DOMAIN);
    bytes.push(event.kind.code());
    bytes.extend_from_slice(&event.time_ns.to_le_bytes());
    for text in [&event.source, &event.id] {
        bytes.extend_from_slice(&(text.len() as u64).to_le_bytes());
        bytes.extend_from_slice(text.as_bytes());
    }
    event.data.encode_raw(&mut bytes);
    *blake3::hash(&bytes).as_bytes()
}
