//! The CloudEvent that carries an event on Kafka.
//!
//! Reads [CloudEvents 1.0](https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md)
//! in its [Kafka binding](https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/kafka-protocol-binding.md):
//!
//! - *binary mode*: attributes in `ce_*` headers, the data as payload. Its
//!   media type is the `content-type` header: `application/json` or
//!   `application/protobuf` (also `application/x-protobuf` and
//!   `application/vnd.google.protobuf`). Without that header it is JSON, as
//!   the CloudEvents JSON format says of an absent `datacontenttype`.
//! - *structured mode*: `content-type: application/cloudevents+json`, all of
//!   it in the payload. Tools that cannot set headers send it bare, so a
//!   message with neither `ce_*` nor `content-type` header whose payload is a
//!   JSON object is read that way too.
//!
//! A Confluent frame before the payload is skipped. Nothing here knows which
//! types, terms or fields are allowed, and nothing is limited but by the size
//! of the message: that is for who takes messages in.
//!
//! ```
//! use custody_proto::cloudevent::Envelope;
//!
//! let payload = br#"{"specversion": "1.0", "id": "1", "source": "//shop.example",
//!     "type": "custody.restriction.v1", "time": "2025-03-01T12:00:00Z",
//!     "data": {"subject": {"ids": ["account:1001"]}}}"#;
//! let envelope = Envelope::read(std::iter::empty(), Some(payload))?;
//! assert_eq!(envelope.event_type, "custody.restriction.v1");
//! assert_eq!(envelope.data()?.subject.map(|s| s.ids.len()), Some(1));
//! # Ok::<(), custody_proto::cloudevent::DecodeError>(())
//! ```

mod attributes;
mod error;
mod frame;
mod media_type;
mod structured;
mod trace_parent;

mod json;
mod protobuf;

use std::borrow::Cow;
use std::fmt;

use crate::Timestamp;
use crate::event::Event;

use attributes::Attributes;
use media_type::MediaType;

pub use error::{DecodeError, JsonFault, Place};
pub use trace_parent::TraceParent;

/// How a message carried its event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// Attributes and data in one JSON object.
    Structured,
    /// Attributes in headers, data as JSON.
    BinaryJson,
    /// Attributes in headers, data as protobuf.
    BinaryProtobuf,
}

/// A CloudEvent whose attributes are read and whose data is not yet.
#[derive(Clone)]
pub struct Envelope<'a> {
    /// The attribute `id`; not empty.
    pub id: Cow<'a, str>,
    /// The attribute `source`; not empty.
    pub source: Cow<'a, str>,
    /// The attribute `type`; not empty.
    pub event_type: Cow<'a, str>,
    /// The attribute `time`.
    pub time: Timestamp,
    /// The W3C trace context, where there is a well-formed one.
    pub trace_parent: Option<TraceParent>,
    /// How the message carried it.
    pub encoding: Encoding,
    /// The payload's media type as the message says it, or the one that is
    /// taken where it says none.
    pub content_type: Cow<'a, str>,
    data: Data<'a>,
}

/// Data that is not read yet.
#[derive(Clone)]
struct Data<'a> {
    format: Format,
    bytes: Cow<'a, [u8]>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Format {
    Json,
    Protobuf,
}

const STRUCTURED: &str = "application/cloudevents+json";
const JSON: &str = "application/json";

impl<'a> Envelope<'a> {
    /// Reads the attributes of a message with these headers and this payload.
    ///
    /// # Errors
    /// [`DecodeError`] where it is no CloudEvent that can carry an event.
    pub fn read(
        headers: impl IntoIterator<Item = (&'a str, Option<&'a [u8]>)>,
        payload: Option<&'a [u8]>,
    ) -> Result<Self, DecodeError> {
        let payload = payload.ok_or(DecodeError::NullPayload)?;
        if payload.is_empty() {
            return Err(DecodeError::EmptyPayload);
        }
        let headers = Attributes::of_headers(headers)?;
        let content_type = headers.content_type.clone();
        let media_type = content_type.as_deref().map(MediaType::parse).transpose()?;
        match media_type {
            Some(MediaType::CloudEventsJson) => {
                Self::structured(headers, content_type, frame::before_json(payload)?)
            }
            None if !headers.named => {
                let payload = frame::before_json(payload)?;
                match first_of(payload) {
                    Some(b'{') => Self::structured(headers, None, payload),
                    Some(b'[') => Err(DecodeError::NotAnObject),
                    _ => Err(DecodeError::NotCloudEvent),
                }
            }
            _ if !headers.named => Err(DecodeError::NotCloudEvent),
            Some(MediaType::Json) => Self::binary_json(headers, content_type, payload),
            Some(MediaType::Protobuf) => {
                let data = Data {
                    format: Format::Protobuf,
                    bytes: Cow::Borrowed(frame::before_protobuf(payload)?),
                };
                let content_type = content_type.unwrap_or_default();
                Self::of(headers, Encoding::BinaryProtobuf, content_type, data)
            }
            None => {
                // Taken as JSON; what is none gets the reason that helps.
                if first_of(frame::before_json(payload)?) != Some(b'{') {
                    return Err(DecodeError::MissingContentType);
                }
                Self::binary_json(headers, None, payload)
            }
        }
    }

    fn binary_json(
        headers: Attributes<'a>,
        content_type: Option<Cow<'a, str>>,
        payload: &'a [u8],
    ) -> Result<Self, DecodeError> {
        let data = Data {
            format: Format::Json,
            bytes: Cow::Borrowed(frame::before_json(payload)?),
        };
        let content_type = content_type.unwrap_or(Cow::Borrowed(JSON));
        Self::of(headers, Encoding::BinaryJson, content_type, data)
    }

    fn structured(
        headers: Attributes<'a>,
        content_type: Option<Cow<'a, str>>,
        payload: &'a [u8],
    ) -> Result<Self, DecodeError> {
        let (mut attributes, data) = structured::read(payload)?;
        if attributes.trace_parent.is_none() {
            attributes.trace_parent = headers.trace_parent;
        }
        let content_type = content_type.unwrap_or(Cow::Borrowed(STRUCTURED));
        Self::of(attributes, Encoding::Structured, content_type, data)
    }

    fn of(
        attributes: Attributes<'a>,
        encoding: Encoding,
        content_type: Cow<'a, str>,
        data: Data<'a>,
    ) -> Result<Self, DecodeError> {
        let spec_version = required(attributes.spec_version, "specversion")?;
        if spec_version != "1.0" {
            return Err(DecodeError::UnsupportedSpecVersion);
        }
        let time = required(attributes.time, "time")?;
        Ok(Self {
            id: required(attributes.id, "id")?,
            source: required(attributes.source, "source")?,
            event_type: required(attributes.event_type, "type")?,
            time: time.parse().map_err(|_| DecodeError::BadTime)?,
            trace_parent: attributes
                .trace_parent
                .and_then(|text| TraceParent::parse(&text)),
            encoding,
            content_type,
            data,
        })
    }

    /// Reads the data.
    ///
    /// # Errors
    /// [`DecodeError`] where it is no `custody.event.v1.Event`.
    pub fn data(&self) -> Result<Event, DecodeError> {
        if self.data.bytes.is_empty() {
            return Err(DecodeError::EmptyPayload);
        }
        match self.data.format {
            Format::Json => json::event(&self.data.bytes),
            Format::Protobuf => protobuf::event(&self.data.bytes),
        }
    }
}

fn required<'a>(
    value: Option<Cow<'a, str>>,
    name: &'static str,
) -> Result<Cow<'a, str>, DecodeError> {
    value
        .filter(|text| !text.is_empty())
        .ok_or(DecodeError::MissingAttribute { name })
}

/// The first byte that is no JSON white space.
fn first_of(payload: &[u8]) -> Option<u8> {
    payload
        .iter()
        .copied()
        .find(|byte| !matches!(byte, b' ' | b'\t' | b'\n' | b'\r'))
}

impl fmt::Debug for Envelope<'_> {
    /// Shows how it came, nothing of what it says.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Envelope")
            .field("encoding", &self.encoding)
            .field("data_bytes", &self.data.bytes.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
