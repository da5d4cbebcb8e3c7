//! What was stored, read again as it was when it came in.

use std::sync::Arc;

use custody_proto::sealed::SealedMessage;
use custody_vault::{EntryContext, Person};

use crate::decode::{DecodeLimits, DecodedEvent, decode};
use crate::message::RawMessage;
use crate::normalise::{NormalisedEvent, normalise};

/// The event in a sealed record.
pub(crate) fn decoded(plain: &[u8], recorded_ns: i64) -> Option<DecodedEvent> {
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
    // It passed the limits of its day, which may have been wider.
    decode(&message, &DecodeLimits::NONE, recorded_ns).ok()
}

/// The event in the sealed part of an entry. `None` where it does not open, or
/// names what the vocabulary no longer has.
pub(crate) fn normalised(
    person: &Person,
    context: &EntryContext,
    sealed: &[u8],
    recorded_ns: i64,
) -> Option<NormalisedEvent> {
    let plain = person.open(context, sealed).ok()?;
    normalise(decoded(&plain, recorded_ns)?).ok()
}
