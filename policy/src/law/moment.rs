//! Points and spans of time in the data files.

use serde::{Deserialize, Deserializer, de};

use super::LawError;

/// A point of time, in nanoseconds since 1970 UTC. In a file, a TOML date (its
/// 00:00 UTC) or a date and time with offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(pub(crate) i64);

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let written = toml::value::Datetime::deserialize(deserializer)?;
        let text = if written.time.is_none() {
            format!("{written}T00:00:00Z")
        } else {
            written.to_string()
        };
        let time: jiff::Timestamp = text.parse().map_err(de::Error::custom)?;
        i64::try_from(time.as_nanosecond())
            .map(Self)
            .map_err(de::Error::custom)
    }
}

/// From a point of time, included, to another, not included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    from_ns: i64,
    until_ns: i64,
}

impl Span {
    pub(crate) fn new(from: Option<Moment>, until: Option<Moment>) -> Result<Self, LawError> {
        let span = Self {
            from_ns: from.map_or(i64::MIN, |moment| moment.0),
            until_ns: until.map_or(i64::MAX, |moment| moment.0),
        };
        if span.from_ns < span.until_ns {
            Ok(span)
        } else {
            Err(LawError::Backwards { what: "a span" })
        }
    }

    pub(crate) fn contains(&self, time_ns: i64) -> bool {
        self.from_ns <= time_ns && time_ns < self.until_ns
    }
}
