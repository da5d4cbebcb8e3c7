//! What was stored, read again as it was when it came in.

use std::sync::Arc;

use custody_proto::sealed::SealedMessage;
use custody_vault::{EntryContext, Person};

use crate::decode::{DecodeLimits, DecodedEvent, decode};
use crate::message::RawMessage;
use crate::normalise::{NormalisedEvent, normalise};

/// The event in a sealed record.
pub(crate) fn decoded(plain: &[u8]) -> Option<DecodedEvent> {
    let sealed = SealedMessage::from_bytes(plain).ok()?;
    let message = RawMessage {
        topic: Arc::from(""),
        partition: 0,
        offset: 0,
        timestamp_ms: None,
        key: sealed.key,
        headers: sealed
            .headers
            .into_iter()
            .map(|header| (header.name, header.value))
            .collect(),
        payload: Some(sealed.payload),
    };
    // It passed the limits of its day, which may have been wider, and was not in
    // the future by a clock that may have stepped back before the block was
    // recorded.
    decode(&message, &DecodeLimits::NONE, i64::MAX).ok()
}

/// The event in the sealed part of an entry. `None` where it does not open, or
/// names what the vocabulary no longer has.
pub(crate) fn normalised(
    person: &Person,
    context: &EntryContext,
    sealed: &[u8],
) -> Option<NormalisedEvent> {
    let plain = person.open(context, sealed).ok()?;
    normalise(decoded(&plain)?).ok()
}

#[cfg(test)]
mod tests {
    use custody_proto::sealed::SealedMessage;

    use super::decoded;

    #[test]
    fn a_message_is_read_again_whatever_the_clock_said() {
        let payload = r#"{"specversion":"1.0","id":"e","source":"//model.example","type":"custody.notice.v1","time":"2199-01-01T00:00:00Z","data":{"notice":{}}}"#;
        let sealed = SealedMessage {
            key: None,
            headers: Vec::new(),
            payload: payload.as_bytes().to_vec(),
        };
        assert!(decoded(&sealed.to_bytes()).is_some());
    }
}
