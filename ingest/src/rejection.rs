//! Why a message cannot be stored.

use std::borrow::Cow;
use std::fmt;

use custody_proto::cloudevent::{DecodeError, JsonFault};

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)+) => {
        /// What a dead letter's `custody-error-code` says. The names are a
        /// contract: none is renamed or given another meaning.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum RejectionCode {
            $($(#[$doc])* $name,)+
        }

        impl RejectionCode {
            /// Every code.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// The stable name, in `snake_case`.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)+
                }
            }
        }
    };
}

codes! {
    // The message.
    /// The payload is null: a tombstone.
    NullPayload = "null_payload",
    /// The payload, or what stands behind its frame, has no bytes.
    EmptyPayload = "empty_payload",
    /// Key, headers and payload are larger than is taken in.
    TooLarge = "too_large",
    /// A header's name is not UTF-8.
    BadHeaderName = "bad_header_name",
    /// A Confluent frame that is not whole.
    BadFrame = "bad_frame",

    // The CloudEvent.
    /// No CloudEvent in either mode.
    NotCloudEvent = "not_cloudevent",
    /// JSON, but not one object; a batch, for one.
    NotAnObject = "not_an_object",
    /// `specversion` is absent.
    MissingSpecVersion = "missing_specversion",
    /// `specversion` is not 1.0.
    UnsupportedSpecVersion = "unsupported_specversion",
    /// `id` is absent or empty.
    MissingId = "missing_id",
    /// `source` is absent or empty.
    MissingSource = "missing_source",
    /// `type` is absent or empty.
    MissingType = "missing_type",
    /// `time` is absent or empty.
    MissingTime = "missing_time",
    /// An attribute stands twice.
    DuplicateAttribute = "duplicate_attribute",
    /// An attribute's value is of the wrong type.
    BadAttribute = "bad_attribute",
    /// The media type is none that is read.
    UnsupportedContentType = "unsupported_content_type",
    /// The character set is not UTF-8.
    UnsupportedCharset = "unsupported_charset",
    /// No media type, and the payload is not JSON.
    MissingContentType = "missing_content_type",
    /// Neither `data` nor `data_base64`.
    MissingData = "missing_data",
    /// Both `data` and `data_base64`.
    DataTwice = "data_twice",
    /// Protobuf that is not in `data_base64`.
    DataNotBase64 = "data_not_base64",
    /// `data_base64` is not Base64.
    BadBase64 = "bad_base64",
    /// `type` is not `custody.<kind>.v<version>`.
    UnknownType = "unknown_type",
    /// A kind that there is not.
    UnknownKind = "unknown_kind",
    /// A version that is not read.
    UnknownVersion = "unknown_version",
    /// A text that is no RFC 3339 time, or a time outside 1677 to 2262.
    BadTime = "bad_time",
    /// `time` is before 1980.
    TimeTooOld = "time_too_old",
    /// `time` is more than 24 hours ahead.
    TimeInFuture = "time_in_future",

    // The data.
    /// A text that is not UTF-8.
    BadUtf8 = "bad_utf8",
    /// No JSON.
    MalformedJson = "malformed_json",
    /// JSON nested more than 128 deep.
    JsonTooDeep = "json_too_deep",
    /// No protobuf of an event.
    MalformedProtobuf = "malformed_protobuf",
    /// A field that no event has.
    UnknownField = "unknown_field",
    /// A field stands twice.
    DuplicateField = "duplicate_field",
    /// A value of the wrong type.
    WrongType = "wrong_type",
    /// A word or number that an enumeration does not have.
    BadEnum = "bad_enum",
    /// A list with too many members.
    ListTooLong = "list_too_long",
    /// A text that is too long.
    TextTooLong = "text_too_long",
    /// An identifier, an event's `id` or `source`, or a request's id that is
    /// too long.
    IdentifierTooLong = "identifier_too_long",

    // What the kind needs.
    /// No block for a kind that needs one.
    MissingBlock = "missing_block",
    /// A block that belongs to another kind.
    WrongBlock = "wrong_block",
    /// More than one block.
    TwoBlocks = "two_blocks",
    /// No identifier of the person.
    MissingSubject = "missing_subject",
    /// A subject where the kind has none.
    UnexpectedSubject = "unexpected_subject",
    /// An identifier that is not `scheme:value`.
    BadIdentifier = "bad_identifier",
    /// A reference to an event without `source` or `id`.
    BadReference = "bad_reference",
    /// An id of a service, controller, system, breach, policy or clause with
    /// characters that it may not have.
    BadId = "bad_id",
    /// No party where the kind needs one.
    MissingParty = "missing_party",
    /// A party without `id`.
    MissingPartyId = "missing_party_id",
    /// An organisation's id with characters that it may not have.
    BadPartyId = "bad_party_id",
    /// A code that ISO 3166 does not have.
    BadCountry = "bad_country",
    /// No country where the kind needs one.
    MissingCountry = "missing_country",
    /// A term that the vocabulary does not have in this field.
    UnknownTerm = "unknown_term",
    /// No term where one is needed.
    MissingTerm = "missing_term",
    /// `collection.origin` is absent.
    MissingOrigin = "missing_origin",
    /// `use.operation` is absent.
    MissingOperation = "missing_operation",
    /// The scope of a consent or objection is empty.
    MissingScope = "missing_scope",
    /// `objection.kind` is absent.
    MissingObjectionKind = "missing_objection_kind",
    /// `retraction.of` is absent, or without `source` or `id`.
    MissingRetractionTarget = "missing_retraction_target",
    /// `rights_request.right` is absent.
    MissingRight = "missing_right",
    /// The request's id is absent.
    MissingRequestId = "missing_request_id",
    /// `rights_response.outcome` is absent.
    MissingOutcome = "missing_outcome",
    /// `breach.breach_id` is absent.
    MissingBreachId = "missing_breach_id",
    /// A period that ends before it begins.
    BadPeriod = "bad_period",
    /// `policy_published` without policy, version or date.
    MissingPolicyVersion = "missing_policy_version",

    // What was said before, and who says it.
    /// The same `source` and `id` were stored with other content.
    ConflictingDuplicate = "conflicting_duplicate",
    /// The source may not use this topic.
    SourceNotAllowed = "source_not_allowed",
}

impl fmt::Display for RejectionCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A message that cannot be stored, and why. Says places and our own words,
/// nothing that the message says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    code: RejectionCode,
    place: String,
    message: Cow<'static, str>,
}

impl Rejection {
    /// A rejection of the message as a whole. `message` is free of anything
    /// that the message says.
    pub fn new(code: RejectionCode, message: impl Into<Cow<'static, str>>) -> Self {
        Self::at(code, String::new(), message)
    }

    /// A rejection for what stands at `place`, such as
    /// `disclosure.recipient.country`.
    pub fn at(
        code: RejectionCode,
        place: impl Into<String>,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            code,
            place: place.into(),
            message: message.into(),
        }
    }

    /// The code's name, as dead letters and metrics say it.
    pub fn code(&self) -> &'static str {
        self.code.name()
    }

    /// The code.
    pub fn kind(&self) -> RejectionCode {
        self.code
    }

    /// The attribute or field that it is about; empty where it is the message.
    pub fn place(&self) -> &str {
        &self.place
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.place.is_empty() {
            f.write_str(&self.message)
        } else {
            write!(f, "{}: {}", self.place, self.message)
        }
    }
}

impl std::error::Error for Rejection {}

impl From<DecodeError> for Rejection {
    fn from(error: DecodeError) -> Self {
        use RejectionCode as Code;
        let code = match &error {
            DecodeError::NullPayload => Code::NullPayload,
            DecodeError::EmptyPayload => Code::EmptyPayload,
            DecodeError::NotCloudEvent => Code::NotCloudEvent,
            DecodeError::NotAnObject => Code::NotAnObject,
            DecodeError::MissingAttribute { name } => match *name {
                "specversion" => Code::MissingSpecVersion,
                "id" => Code::MissingId,
                "source" => Code::MissingSource,
                "type" => Code::MissingType,
                _ => Code::MissingTime,
            },
            DecodeError::DuplicateAttribute { .. } => Code::DuplicateAttribute,
            DecodeError::BadAttribute { .. } => Code::BadAttribute,
            DecodeError::UnsupportedSpecVersion => Code::UnsupportedSpecVersion,
            DecodeError::BadTime => Code::BadTime,
            DecodeError::UnsupportedContentType => Code::UnsupportedContentType,
            DecodeError::UnsupportedCharset => Code::UnsupportedCharset,
            DecodeError::MissingContentType => Code::MissingContentType,
            DecodeError::BadUtf8 { .. } => Code::BadUtf8,
            DecodeError::BadFrame => Code::BadFrame,
            DecodeError::MissingData => Code::MissingData,
            DecodeError::DataTwice => Code::DataTwice,
            DecodeError::DataNotBase64 => Code::DataNotBase64,
            DecodeError::BadBase64 => Code::BadBase64,
            DecodeError::TwoBlocks => Code::TwoBlocks,
            DecodeError::Protobuf { field } => {
                return Self::at(Code::MalformedProtobuf, field.clone(), error.to_string());
            }
            DecodeError::Json { fault, place } => {
                let code = match fault {
                    JsonFault::Syntax => Code::MalformedJson,
                    JsonFault::TooDeep => Code::JsonTooDeep,
                    JsonFault::UnknownField { .. } => Code::UnknownField,
                    JsonFault::DuplicateField => Code::DuplicateField,
                    JsonFault::WrongType => Code::WrongType,
                    JsonFault::UnknownWord => Code::BadEnum,
                    JsonFault::BadTime => Code::BadTime,
                };
                let message = match place.line {
                    0 => fault.to_string(),
                    line => format!("{fault} (line {line} column {} of the data)", place.column),
                };
                return Self::at(code, place.field.clone(), message);
            }
        };
        Self::new(code, error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn names_are_distinct_and_in_snake_case() {
        let names: HashSet<&str> = RejectionCode::ALL.iter().map(|code| code.name()).collect();
        assert_eq!(names.len(), RejectionCode::ALL.len());
        for name in names {
            let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
            assert!(name.bytes().all(plain), "{name}");
        }
    }
}
