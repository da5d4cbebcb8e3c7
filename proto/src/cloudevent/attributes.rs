//! CloudEvents attributes, from headers.

use std::borrow::Cow;

use super::error::DecodeError;

/// The attributes that matter here, as they were said.
#[derive(Default)]
pub(super) struct Attributes<'a> {
    /// Whether there was any `ce_*` header.
    pub(super) named: bool,
    pub(super) spec_version: Option<Cow<'a, str>>,
    pub(super) id: Option<Cow<'a, str>>,
    pub(super) source: Option<Cow<'a, str>>,
    pub(super) event_type: Option<Cow<'a, str>>,
    pub(super) time: Option<Cow<'a, str>>,
    /// `datacontenttype`, which is the header `content-type` in binary mode.
    pub(super) content_type: Option<Cow<'a, str>>,
    pub(super) trace_parent: Option<Cow<'a, str>>,
}

/// The attributes that a message may say, by their names in the CloudEvents
/// specification and its tracing extension.
const NAMES: [&str; 10] = [
    "specversion",
    "id",
    "source",
    "type",
    "time",
    "datacontenttype",
    "dataschema",
    "subject",
    "traceparent",
    "tracestate",
];

/// `name` where it is one of ours, so that an error may say it. Any other name
/// is a text that a producer chose.
pub(super) fn known_name(name: &str) -> Option<&'static str> {
    NAMES.into_iter().find(|known| *known == name)
}

impl<'a> Attributes<'a> {
    /// Where the attribute of this name is kept; `None` for those that are
    /// only kept with the original message.
    pub(super) fn slot(&mut self, name: &str) -> Option<&mut Option<Cow<'a, str>>> {
        Some(match name {
            "specversion" => &mut self.spec_version,
            "id" => &mut self.id,
            "source" => &mut self.source,
            "type" => &mut self.event_type,
            "time" => &mut self.time,
            "datacontenttype" => &mut self.content_type,
            "traceparent" => &mut self.trace_parent,
            _ => return None,
        })
    }

    /// Reads `ce_*`, `content-type` and `traceparent` headers. Others, and
    /// null values, say nothing.
    pub(super) fn of_headers(
        headers: impl IntoIterator<Item = (&'a str, Option<&'a [u8]>)>,
    ) -> Result<Self, DecodeError> {
        let mut attributes = Self::default();
        let mut plain_trace = None;
        for (header, value) in headers {
            let Some(value) = value else { continue };
            let name = if let Some(name) = header.strip_prefix("ce_") {
                attributes.named = true;
                // Said by `content-type` in binary mode.
                if name == "datacontenttype" {
                    continue;
                }
                name
            } else if header.eq_ignore_ascii_case("content-type") {
                "datacontenttype"
            } else {
                if header == "traceparent" {
                    plain_trace = std::str::from_utf8(value).ok();
                }
                continue;
            };
            let Some(slot) = attributes.slot(name) else {
                continue;
            };
            if slot.is_some() {
                return Err(DecodeError::DuplicateAttribute {
                    name: known_name(name),
                });
            }
            let text = std::str::from_utf8(value).map_err(|_| DecodeError::BadUtf8 {
                place: known_name(name).unwrap_or("header").to_owned(),
            })?;
            *slot = Some(Cow::Borrowed(text));
        }
        if attributes.trace_parent.is_none() {
            attributes.trace_parent = plain_trace.map(Cow::Borrowed);
        }
        Ok(attributes)
    }
}
