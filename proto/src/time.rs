//! Moments: `google.protobuf.Timestamp` and its RFC 3339 text.

use std::fmt;
use std::str::FromStr;

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

const NANOS_PER_SECOND: i64 = 1_000_000_000;

/// A moment in UTC; the `google.protobuf.Timestamp` of every message here.
///
/// Its JSON form is RFC 3339. Reading accepts any offset, lower-case `t` and
/// `z`, a blank instead of `T`, and a leap second, which counts as the next
/// second. Writing gives `Z` and as many of 0, 3, 6 or 9 digits as needed
/// (protobuf-JSON mapping).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Message)]
pub struct Timestamp {
    /// Seconds since 1970-01-01T00:00:00Z; negative before.
    #[prost(int64, tag = "1")]
    pub seconds: i64,
    /// Nanoseconds after that, 0 to 999,999,999, also before 1970.
    #[prost(int32, tag = "2")]
    pub nanos: i32,
}

/// A text that is no RFC 3339 moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParseTimeError;

impl fmt::Display for ParseTimeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not an RFC 3339 time such as 2025-03-01T09:30:00Z")
    }
}

impl std::error::Error for ParseTimeError {}

impl Timestamp {
    /// The moment `nanos` nanoseconds after 1970-01-01T00:00:00Z.
    pub const fn from_unix_nanos(nanos: i64) -> Self {
        Self {
            seconds: nanos.div_euclid(NANOS_PER_SECOND),
            // In 0..1e9 by `rem_euclid`, so the cast keeps it.
            nanos: nanos.rem_euclid(NANOS_PER_SECOND) as i32,
        }
    }

    /// Nanoseconds since 1970-01-01T00:00:00Z; `None` outside 1677 to 2262 or
    /// where `nanos` is out of its range.
    pub fn unix_nanos(&self) -> Option<i64> {
        if !(0..1_000_000_000).contains(&self.nanos) {
            return None;
        }
        self.seconds
            .checked_mul(NANOS_PER_SECOND)?
            .checked_add(i64::from(self.nanos))
    }
}

impl FromStr for Timestamp {
    type Err = ParseTimeError;

    /// Reads RFC 3339 section 5.6.
    ///
    /// # Errors
    /// [`ParseTimeError`] where the text is none, or its offset is missing.
    fn from_str(text: &str) -> Result<Self, ParseTimeError> {
        // Only ASCII is sliced below; a date without a time is no moment.
        if !text.is_ascii() || text.len() < 20 || text.len() > 64 {
            return Err(ParseTimeError);
        }
        let leap = &text[16..19] == ":60";
        let shown = if leap {
            format!("{}:59{}", &text[..16], &text[19..])
        } else {
            text.to_owned()
        };
        let moment: jiff::Timestamp = shown.parse().map_err(|_| ParseTimeError)?;
        let nanos = i64::try_from(moment.as_nanosecond()).map_err(|_| ParseTimeError)?;
        let nanos = if leap {
            nanos.checked_add(NANOS_PER_SECOND).ok_or(ParseTimeError)?
        } else {
            nanos
        };
        Ok(Self::from_unix_nanos(nanos))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Ok(moment) = jiff::Timestamp::new(self.seconds, self.nanos) else {
            return f.write_str("(out of range)");
        };
        match self.nanos {
            0 => write!(f, "{moment:.0}"),
            n if n % 1_000_000 == 0 => write!(f, "{moment:.3}"),
            n if n % 1_000 == 0 => write!(f, "{moment:.6}"),
            _ => write!(f, "{moment:.9}"),
        }
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Timestamp;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an RFC 3339 time")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Timestamp, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn nanos(text: &str) -> Option<i64> {
        text.parse::<Timestamp>().ok().and_then(|t| t.unix_nanos())
    }

    #[test]
    fn reads_what_rfc_3339_allows() {
        let noon = nanos("2025-03-01T12:00:00Z");
        assert_eq!(noon, Some(1_740_830_400_000_000_000));
        assert_eq!(nanos("2025-03-01t12:00:00z"), noon);
        assert_eq!(nanos("2025-03-01T13:00:00+01:00"), noon);
        assert_eq!(nanos("2025-03-01T12:00:00.000000000Z"), noon);
        assert_eq!(nanos("2025-03-01T12:00:00.000000001Z"), noon.map(|n| n + 1));
    }

    #[test]
    fn a_leap_second_is_the_next_second() {
        assert_eq!(nanos("2016-12-31T23:59:60Z"), nanos("2017-01-01T00:00:00Z"));
        assert_eq!(
            nanos("2016-12-31T23:59:60.5Z"),
            nanos("2017-01-01T00:00:00.5Z")
        );
    }

    #[test]
    fn refuses_what_is_no_moment() {
        for text in [
            "",
            "2025-03-01",
            "2025-03-01T12:00:00",
            "2025-13-01T12:00:00Z",
            "2025-03-01T25:00:00Z",
            "2025-03-01T12:00:61Z",
            "12:00:00 on the first of March",
            "2025-03-01T12:00:00Zzzzzzz",
            "２０２５-03-01T12:00:00Z",
            "99999-03-01T12:00:00Z",
        ] {
            assert_eq!(nanos(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn text_and_back(n in any::<i64>()) {
            let moment = Timestamp::from_unix_nanos(n);
            prop_assert_eq!(moment.unix_nanos(), Some(n));
            prop_assert_eq!(moment.to_string().parse(), Ok(moment));
        }

        #[test]
        fn no_text_panics(text in ".{0,70}") {
            let _ = text.parse::<Timestamp>();
        }
    }
}
