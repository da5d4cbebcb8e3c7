//! Data as JSON, and what its errors may say.
//!
//! An error of serde_json quotes the text that it stumbled over, so it is
//! never passed on: it is sorted into a [`JsonFault`] and a [`Place`].

use serde_json::error::{Category, Error};
use serde_json::value::RawValue;
use serde_path_to_error::Segment;

use super::error::{DecodeError, JsonFault, Place};
use super::structured::Members;
use crate::event::Event;

/// Reads an event. The way with a good event is short; with a bad one it is
/// read again to find the field.
pub(super) fn event(bytes: &[u8]) -> Result<Event, DecodeError> {
    let text = std::str::from_utf8(bytes).map_err(|_| DecodeError::BadUtf8 {
        place: "payload".to_owned(),
    })?;
    let error = match serde_json::from_str(text) {
        Ok(event) => return Ok(event),
        Err(error) => error,
    };
    let Some(shorter) = without_nulls(text) else {
        return Err(explain(text, &error));
    };
    serde_json::from_str(&shorter).map_err(|error| {
        let mut explained = explain(&shorter, &error);
        if let DecodeError::Json { place, .. } = &mut explained {
            // Not where it is in the text that was sent.
            (place.line, place.column) = (0, 0);
        }
        explained
    })
}

/// The text without the members that are null; `None` where there is none.
///
/// In protobuf-JSON null is the default of any field, and serialisers that
/// write every field write it; the generated reader takes it for messages only.
fn without_nulls(text: &str) -> Option<String> {
    if !text.contains("null") {
        return None;
    }
    let mut out = String::with_capacity(text.len());
    let dropped = copy_without_nulls(text, MAX_EVENT_DEPTH, &mut out)?;
    dropped.then_some(out)
}

/// Deeper than any event nests, and little enough that reading every level
/// anew costs nothing to speak of.
const MAX_EVENT_DEPTH: usize = 8;

/// Copies one JSON value; whether anything was left out, or `None` where it
/// is no JSON.
fn copy_without_nulls(text: &str, depth: usize, out: &mut String) -> Option<bool> {
    let text = text.trim_ascii();
    let mut dropped = false;
    match text.as_bytes().first()? {
        b'{' if depth > 0 => {
            let Members(members) = serde_json::from_str(text).ok()?;
            out.push('{');
            for (name, value) in members {
                if value.get() == "null" {
                    dropped = true;
                    continue;
                }
                if !out.ends_with('{') {
                    out.push(',');
                }
                out.push_str(&serde_json::to_string(&name).ok()?);
                out.push(':');
                dropped |= copy_without_nulls(value.get(), depth - 1, out)?;
            }
            out.push('}');
        }
        b'[' if depth > 0 => {
            let members: Vec<&RawValue> = serde_json::from_str(text).ok()?;
            out.push('[');
            for (index, value) in members.into_iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                dropped |= copy_without_nulls(value.get(), depth - 1, out)?;
            }
            out.push(']');
        }
        _ => out.push_str(text),
    }
    Some(dropped)
}

/// What is wrong with a text that is no JSON.
pub(super) fn syntax(error: &Error) -> DecodeError {
    let fault = if error.to_string().starts_with("recursion limit exceeded") {
        JsonFault::TooDeep
    } else {
        JsonFault::Syntax
    };
    DecodeError::Json {
        fault,
        place: place(String::new(), error),
    }
}

fn place(field: String, error: &Error) -> Place {
    Place {
        field,
        line: error.line(),
        column: error.column(),
    }
}

fn explain(text: &str, error: &Error) -> DecodeError {
    if super::first_of(text.as_bytes()) == Some(b'[') {
        return DecodeError::NotAnObject;
    }
    if deeper_than_128(text) {
        return DecodeError::Json {
            fault: JsonFault::TooDeep,
            place: place(String::new(), error),
        };
    }
    if error.classify() != Category::Data {
        return syntax(error);
    }
    let message = error.to_string();
    let unknown = message.starts_with("unknown field `");
    let mut field = field_of(text, unknown);
    let fault = if unknown {
        JsonFault::UnknownField {
            meant: meant(&message),
        }
    } else if let Some(rest) = message.strip_prefix("duplicate field `") {
        let name = rest.split('`').next().unwrap_or_default();
        if field.is_empty() && is_block(name) {
            return DecodeError::TwoBlocks;
        }
        // One of the event's own names, or it would be unknown.
        if !field.is_empty() {
            field.push('.');
        }
        field.push_str(name);
        JsonFault::DuplicateField
    } else if message.starts_with("unknown variant `")
        || message.starts_with("invalid value: integer")
    {
        JsonFault::UnknownWord
    } else if message.starts_with("not an RFC 3339 time") {
        JsonFault::BadTime
    } else {
        JsonFault::WrongType
    };
    DecodeError::Json {
        fault,
        place: place(field, error),
    }
}

/// The field that an error is about. Where the fault is a field that no event
/// has, it is the message that the field stands in: the name itself is a text
/// that a producer chose.
fn field_of(text: &str, unknown: bool) -> String {
    let mut reader = serde_json::Deserializer::from_str(text);
    let Err(error) = serde_path_to_error::deserialize::<_, Event>(&mut reader) else {
        return String::new();
    };
    let mut segments: Vec<&Segment> = error.path().iter().collect();
    if unknown {
        segments.pop();
    }
    let mut field = String::new();
    for segment in segments {
        match segment {
            Segment::Seq { index } => field.push_str(&format!("[{index}]")),
            Segment::Map { key } => {
                if !field.is_empty() {
                    field.push('.');
                }
                field.push_str(key);
            }
            Segment::Enum { .. } | Segment::Unknown => {}
        }
    }
    field
}

/// The known field that an unknown one may stand for. The unknown name itself
/// is a text that a producer chose, and stays unsaid.
fn meant(message: &str) -> Option<String> {
    let name = message.strip_prefix("unknown field `")?;
    // The names expected stand last, and have no backtick in them.
    let (name, expected) = name.rsplit_once("`, expected ")?;
    expected
        .split('`')
        .skip(1)
        .step_by(2)
        .map(|known| (distance(name, known), known))
        .filter(|(distance, known)| *distance <= 2 && *distance < known.len() / 2)
        .min()
        .map(|(_, known)| known.to_owned())
}

/// Levenshtein's distance in bytes; `usize::MAX` where it cannot be small.
fn distance(a: &str, b: &str) -> usize {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    if a.len().abs_diff(b.len()) > 2 {
        return usize::MAX;
    }
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

/// Whether brackets nest deeper than serde_json's limit. What an event may
/// hold is flat, so a deep text always stumbles over something else first;
/// this finds the reason that says more.
fn deeper_than_128(text: &str) -> bool {
    let (mut depth, mut quoted, mut escaped) = (0_usize, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'{' | b'[' if !quoted => {
                depth += 1;
                if depth > 128 {
                    return true;
                }
            }
            b'}' | b']' if !quoted => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    false
}

/// The blocks of which an event has one, by their JSON names.
fn is_block(name: &str) -> bool {
    matches!(
        name,
        "collection"
            | "use"
            | "disclosure"
            | "transfer"
            | "consent"
            | "objection"
            | "restriction"
            | "restriction_lifted"
            | "restrictionLifted"
            | "rectification"
            | "erasure"
            | "anonymisation"
            | "retraction"
            | "rights_request"
            | "rightsRequest"
            | "rights_response"
            | "rightsResponse"
            | "breach"
            | "notice"
            | "policy_published"
            | "policyPublished"
            | "account_closed"
            | "accountClosed"
            | "consultation"
    )
}
