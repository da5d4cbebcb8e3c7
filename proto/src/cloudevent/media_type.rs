//! The media types that are read (RFC 9110 section 8.3.1).

use super::error::DecodeError;

/// What a `content-type` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MediaType {
    /// A CloudEvent in structured mode.
    CloudEventsJson,
    /// Data as JSON.
    Json,
    /// Data as protobuf.
    Protobuf,
}

impl MediaType {
    /// Reads `type/subtype; parameter=value`. Of the parameters only `charset`
    /// matters: JSON is UTF-8 (RFC 8259 section 8.1).
    pub(super) fn parse(text: &str) -> Result<Self, DecodeError> {
        let mut parts = text.split(';').map(str::trim);
        let essence = parts.next().unwrap_or_default();
        let is = |name: &str| essence.eq_ignore_ascii_case(name);
        let media_type = if is("application/cloudevents+json") {
            Self::CloudEventsJson
        } else if is("application/json") || is("text/json") {
            Self::Json
        } else if is("application/protobuf")
            || is("application/x-protobuf")
            || is("application/vnd.google.protobuf")
        {
            Self::Protobuf
        } else {
            return Err(DecodeError::UnsupportedContentType);
        };
        for parameter in parts {
            let Some((name, value)) = parameter.split_once('=') else {
                continue;
            };
            let value = value.trim().trim_matches('"');
            let utf_8 = ["utf-8", "utf8", "us-ascii"]
                .iter()
                .any(|charset| value.eq_ignore_ascii_case(charset));
            if name.trim().eq_ignore_ascii_case("charset") && !utf_8 {
                return Err(DecodeError::UnsupportedCharset);
            }
        }
        Ok(media_type)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_types_in_any_case_and_with_parameters() {
        for (text, expected) in [
            ("application/json", Ok(MediaType::Json)),
            ("Application/JSON; charset=UTF-8", Ok(MediaType::Json)),
            (
                "application/cloudevents+json;charset=\"utf-8\"",
                Ok(MediaType::CloudEventsJson),
            ),
            (
                "application/x-protobuf; messageType=\"custody.event.v1.Event\"",
                Ok(MediaType::Protobuf),
            ),
            (
                "application/json; charset=latin1",
                Err(DecodeError::UnsupportedCharset),
            ),
            (
                "application/cloudevents-batch+json",
                Err(DecodeError::UnsupportedContentType),
            ),
            ("application/avro", Err(DecodeError::UnsupportedContentType)),
            ("", Err(DecodeError::UnsupportedContentType)),
        ] {
            assert_eq!(MediaType::parse(text), expected, "{text}");
        }
    }
}
