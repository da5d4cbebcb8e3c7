//! From a message to an event: what it says, in one form whatever the encoding.
//!
//! The reading itself is [`custody_proto::cloudevent`]'s; here is what is
//! *taken in* of what could be read: how large, of which type, from when.

mod content;
mod limits;

use std::fmt;

use custody_ledger::Kind;
use custody_proto::cloudevent::{Encoding, Envelope, TraceParent};
use custody_proto::event::Event;

use crate::message::RawMessage;
use crate::rejection::{Rejection, RejectionCode};

pub use limits::DecodeLimits;

/// 1980-01-01T00:00:00Z in nanoseconds: what is earlier is a clock that was
/// never set.
const EARLIEST_NS: i64 = 315_532_800_000_000_000;

/// 24 hours in nanoseconds: what is further ahead is a clock that is wrong.
const LATEST_AHEAD_NS: i64 = 86_400_000_000_000;

/// An event as it was said.
#[derive(Clone, PartialEq)]
pub struct DecodedEvent {
    /// The CloudEvents `id`.
    pub id: String,
    /// The CloudEvents `source`.
    pub source: String,
    /// What happened, from the CloudEvents `type`. Never one of the house.
    pub kind: Kind,
    /// When it happened, nanoseconds since 1970 UTC, from the CloudEvents `time`.
    pub time_ns: i64,
    /// The W3C trace context, where there is a well-formed one.
    pub trace_parent: Option<TraceParent>,
    /// How the message carried it.
    pub encoding: Encoding,
    /// The data, terms as the producer wrote them.
    pub data: Event,
}

impl DecodedEvent {
    /// A digest of what was said. Equal for the same event in any encoding,
    /// and different for any other content: BLAKE3 over kind, time, source,
    /// id and data. Terms count as they were written, so that a new
    /// vocabulary makes no conflict of what is delivered again.
    pub fn content_digest(&self) -> [u8; 32] {
        content::digest(self)
    }
}

impl fmt::Debug for DecodedEvent {
    /// Shows the kind, nothing of what was said.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DecodedEvent")
            .field("kind", &self.kind)
            .field("encoding", &self.encoding)
            .finish_non_exhaustive()
    }
}

/// Reads a message. `now_ns` is the present in nanoseconds since 1970 UTC.
///
/// # Errors
/// [`Rejection`] where it is too large, no CloudEvent, of an unknown type, of
/// an impossible time, or its data is no event.
pub fn decode(
    message: &RawMessage,
    limits: &DecodeLimits,
    now_ns: i64,
) -> Result<DecodedEvent, Rejection> {
    limits.check_size(message)?;
    // How a header's name that is not UTF-8 arrives here.
    if message
        .headers
        .iter()
        .any(|(name, _)| name.contains('\u{fffd}'))
    {
        return Err(Rejection::new(
            RejectionCode::BadHeaderName,
            "a header's name is not UTF-8",
        ));
    }
    let envelope = Envelope::read(message.borrowed_headers(), message.payload.as_deref())?;
    let kind = kind_of(&envelope.event_type)?;
    let time_ns = check_time(envelope.time.unix_nanos(), now_ns)?;
    limits.check_id("id", &envelope.id)?;
    limits.check_id("source", &envelope.source)?;
    let data = envelope.data()?;
    limits.check_event(&data)?;
    Ok(DecodedEvent {
        id: envelope.id.into_owned(),
        source: envelope.source.into_owned(),
        kind,
        time_ns,
        trace_parent: envelope.trace_parent,
        encoding: envelope.encoding,
        data,
    })
}

/// The kind in `custody.<kind>.v1`.
fn kind_of(event_type: &str) -> Result<Kind, Rejection> {
    let reject = |code, message: &'static str| Err(Rejection::at(code, "type", message));
    let parts = event_type
        .strip_prefix("custody.")
        .and_then(|rest| rest.rsplit_once(".v"));
    let Some((name, version)) = parts else {
        return reject(RejectionCode::UnknownType, "not custody.<kind>.v1");
    };
    if version.is_empty() || !version.bytes().all(|b| b.is_ascii_digit()) {
        return reject(RejectionCode::UnknownType, "not custody.<kind>.v1");
    }
    // What the house says is not for producers to say.
    let Some(kind) = Kind::from_name(name).filter(|kind| !kind.is_house()) else {
        return reject(RejectionCode::UnknownKind, "no such kind of event");
    };
    if version != "1" {
        return reject(RejectionCode::UnknownVersion, "only version 1 is read");
    }
    Ok(kind)
}

fn check_time(time_ns: Option<i64>, now_ns: i64) -> Result<i64, Rejection> {
    let reject = |code, message: &'static str| Err(Rejection::at(code, "time", message));
    let Some(time_ns) = time_ns else {
        return reject(RejectionCode::BadTime, "outside 1677 to 2262");
    };
    if time_ns < EARLIEST_NS {
        return reject(RejectionCode::TimeTooOld, "before 1980");
    }
    if time_ns > now_ns.saturating_add(LATEST_AHEAD_NS) {
        return reject(RejectionCode::TimeInFuture, "more than 24 hours ahead");
    }
    Ok(time_ns)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_told_apart() {
        let code = |text: &str| kind_of(text).map_err(|r| r.code());
        assert_eq!(code("custody.consent_given.v1"), Ok(Kind::ConsentGiven));
        for (text, expected) in [
            ("custody.use.v2", "unknown_version"),
            ("custody.use.v01", "unknown_version"),
            ("custody.sold.v1", "unknown_kind"),
            ("custody..v1", "unknown_kind"),
            ("custody.shard_opened.v1", "unknown_kind"),
            ("custody.use", "unknown_type"),
            ("custody.use.v", "unknown_type"),
            ("custody.use.v1x", "unknown_type"),
            ("Custody.use.v1", "unknown_type"),
            ("org.example.order", "unknown_type"),
        ] {
            assert_eq!(code(text), Err(expected), "{text}");
        }
    }

    #[test]
    fn times_have_bounds_that_are_included() {
        let now = EARLIEST_NS * 4;
        let code = |time| check_time(time, now).map_err(|r| r.code());
        assert_eq!(code(Some(EARLIEST_NS)), Ok(EARLIEST_NS));
        assert_eq!(code(Some(EARLIEST_NS - 1)), Err("time_too_old"));
        let latest = now + LATEST_AHEAD_NS;
        assert_eq!(code(Some(latest)), Ok(latest));
        assert_eq!(code(Some(latest + 1)), Err("time_in_future"));
        assert_eq!(code(None), Err("bad_time"));
    }
}
