//! Why a message is no CloudEvent that can carry an event.

use std::fmt;

/// A message that cannot be read.
///
/// No text of the message is in here: names are ours, places are positions.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The payload is null, as of a tombstone.
    #[error("the payload is null; a tombstone says nothing that can be recorded")]
    NullPayload,
    /// The payload, or what stands after its frame, has no bytes.
    #[error("the payload is empty")]
    EmptyPayload,
    /// Neither `ce_*` headers nor a JSON object with `specversion`.
    #[error("not a CloudEvent: neither ce_* headers nor a JSON object with specversion as payload")]
    NotCloudEvent,
    /// The payload is JSON, but no object.
    #[error("the payload is not one JSON object; batches are not read")]
    NotAnObject,
    /// A required attribute is absent or empty.
    #[error("the attribute {name} is absent or empty")]
    MissingAttribute {
        /// Which.
        name: &'static str,
    },
    /// An attribute stands twice.
    #[error("the attribute {} stands twice", name.unwrap_or("(an extension)"))]
    DuplicateAttribute {
        /// Which, where it is not a producer's own.
        name: Option<&'static str>,
    },
    /// An attribute is no string, or an extension no string, number or boolean.
    #[error("the attribute {} has a value of the wrong type", name.unwrap_or("(an extension)"))]
    BadAttribute {
        /// Which, where it is not a producer's own.
        name: Option<&'static str>,
    },
    /// `specversion` is not 1.0.
    #[error("specversion is not 1.0")]
    UnsupportedSpecVersion,
    /// `time` is no RFC 3339 moment between 1677 and 2262.
    #[error("time is not an RFC 3339 time such as 2025-03-01T09:30:00Z")]
    BadTime,
    /// The media type is none that can be read.
    #[error(
        "the content type is none of application/cloudevents+json, application/json and \
         application/protobuf"
    )]
    UnsupportedContentType,
    /// The character set is not UTF-8.
    #[error("the charset is not utf-8")]
    UnsupportedCharset,
    /// Binary mode without `content-type`, and the payload is no JSON object.
    #[error("no content-type header, and the payload is not a JSON object")]
    MissingContentType,
    /// A text is not UTF-8.
    #[error("{place} is not UTF-8")]
    BadUtf8 {
        /// An attribute, `payload`, or a field of the data.
        place: String,
    },
    /// The payload begins like a Confluent frame that is not whole.
    #[error("the payload begins with a byte 0 but is not framed as Confluent does")]
    BadFrame,
    /// Neither `data` nor `data_base64`.
    #[error("neither data nor data_base64")]
    MissingData,
    /// Both `data` and `data_base64`.
    #[error("both data and data_base64")]
    DataTwice,
    /// Protobuf not in `data_base64`.
    #[error("data of this content type must be in data_base64")]
    DataNotBase64,
    /// `data_base64` is no Base64.
    #[error("data_base64 is not Base64")]
    BadBase64,
    /// The JSON is malformed or says what no event says.
    #[error("{fault} ({place})")]
    Json {
        /// What is wrong.
        fault: JsonFault,
        /// Where.
        place: Place,
    },
    /// The protobuf is malformed.
    #[error("the payload is not a custody.event.v1.Event in protobuf")]
    Protobuf {
        /// The field, such as `disclosure.recipient`; may be empty.
        field: String,
    },
    /// More than one block, or one twice.
    #[error("more than one of the blocks collection, use, disclosure and so on")]
    TwoBlocks,
}

/// What is wrong with JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JsonFault {
    /// It is no JSON.
    Syntax,
    /// It is nested more than 128 deep.
    TooDeep,
    /// A field that no event has.
    UnknownField {
        /// The field that may be meant.
        meant: Option<String>,
    },
    /// A field stands twice.
    DuplicateField,
    /// A value of the wrong type.
    WrongType,
    /// A word that is none of an enumeration's.
    UnknownWord,
    /// A text that is no RFC 3339 time.
    BadTime,
}

impl fmt::Display for JsonFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Syntax => f.write_str("malformed JSON"),
            Self::TooDeep => f.write_str("JSON nested more than 128 deep"),
            Self::UnknownField { meant: None } => f.write_str("unknown field"),
            Self::UnknownField { meant: Some(name) } => {
                write!(f, "unknown field; is {name} meant?")
            }
            Self::DuplicateField => f.write_str("a field stands twice"),
            Self::WrongType => f.write_str("a value of the wrong type"),
            Self::UnknownWord => f.write_str("a word that this enumeration does not have"),
            Self::BadTime => f.write_str("not an RFC 3339 time"),
        }
    }
}

/// Where in a JSON text something is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Place {
    /// The field, such as `disclosure.recipient`; empty at the top.
    pub field: String,
    /// The line, from 1; 0 where it is not known.
    pub line: usize,
    /// The byte in that line, from 1.
    pub column: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.field.as_str(), self.line) {
            ("", 0) => f.write_str("at the top"),
            (field, 0) => f.write_str(field),
            ("", line) => write!(f, "line {line} column {}", self.column),
            (field, line) => write!(f, "{field}, line {line} column {}", self.column),
        }
    }
}
