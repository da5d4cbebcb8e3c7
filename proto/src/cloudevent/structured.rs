//! Structured mode: attributes and data in one JSON object.
//! <https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md>

use std::borrow::Cow;
use std::fmt;

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::attributes::{Attributes, known_name};
use super::error::DecodeError;
use super::media_type::MediaType;
use super::{Data, Format, json};

/// RFC 4648 section 4; padding may be left out.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Reads the object's attributes and where its data is.
pub(super) fn read(payload: &[u8]) -> Result<(Attributes<'_>, Data<'_>), DecodeError> {
    let text = std::str::from_utf8(payload).map_err(|_| DecodeError::BadUtf8 {
        place: "payload".to_owned(),
    })?;
    let Members(members) = serde_json::from_str(text).map_err(|error| match error.classify() {
        serde_json::error::Category::Data => DecodeError::NotAnObject,
        _ => json::syntax(&error),
    })?;
    refuse_duplicates(&members)?;
    if !members.iter().any(|(name, _)| name == "specversion") {
        return Err(DecodeError::NotCloudEvent);
    }

    let mut attributes = Attributes::default();
    let (mut data, mut base64) = (None, None);
    for (name, value) in members {
        let value = value.get();
        // "null" means unset.
        if value == "null" {
            continue;
        }
        match name.as_ref() {
            "data" => data = Some(value),
            "data_base64" => base64 = Some(string(&name, value)?),
            _ => {
                let known = known_name(&name);
                // An extension is a string, a number or a boolean.
                if known.is_some() || value.starts_with(['{', '[', '"']) {
                    let text = string(&name, value)?;
                    if let Some(slot) = attributes.slot(&name) {
                        *slot = Some(text);
                    }
                }
            }
        }
    }
    let format = match attributes.content_type.as_deref().map(MediaType::parse) {
        None | Some(Ok(MediaType::Json)) => Format::Json,
        Some(Ok(MediaType::Protobuf)) => Format::Protobuf,
        Some(Ok(MediaType::CloudEventsJson)) => return Err(DecodeError::UnsupportedContentType),
        Some(Err(error)) => return Err(error),
    };
    let bytes = match (data, base64) {
        (None, None) => return Err(DecodeError::MissingData),
        (Some(_), Some(_)) => return Err(DecodeError::DataTwice),
        (Some(_), None) if format == Format::Protobuf => return Err(DecodeError::DataNotBase64),
        (Some(text), None) => Cow::Borrowed(text.as_bytes()),
        (None, Some(text)) => {
            Cow::Owned(BASE64.decode(&*text).map_err(|_| DecodeError::BadBase64)?)
        }
    };
    Ok((attributes, Data { format, bytes }))
}

/// A string, borrowed where it has no escapes.
fn string<'a>(name: &str, value: &'a str) -> Result<Cow<'a, str>, DecodeError> {
    serde_json::from_str(value)
        .map(|Text(text)| text)
        .map_err(|_| DecodeError::BadAttribute {
            name: match name {
                "data_base64" => Some("data_base64"),
                _ => known_name(name),
            },
        })
}

/// JSON readers differ in which of two members they take; none may choose
/// here. Sorting keeps a payload of many members from costing its square.
fn refuse_duplicates(members: &[(Cow<'_, str>, &RawValue)]) -> Result<(), DecodeError> {
    let mut names: Vec<&str> = members.iter().map(|(name, _)| name.as_ref()).collect();
    names.sort_unstable();
    for pair in names.windows(2) {
        if pair[0] == pair[1] {
            return Err(DecodeError::DuplicateAttribute {
                name: match pair[0] {
                    "data" => Some("data"),
                    "data_base64" => Some("data_base64"),
                    name => known_name(name),
                },
            });
        }
    }
    Ok(())
}

/// An object's members, in their order; values are not read.
pub(super) struct Members<'a>(pub(super) Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::with_capacity(16);
                while let Some(Text(name)) = map.next_key()? {
                    members.push((name, map.next_value()?));
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Object)
    }
}

/// A string, borrowed where the input allows. `Cow` itself always copies.
struct Text<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Str;
        impl<'de> Visitor<'de> for Str {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(Str)
    }
}
