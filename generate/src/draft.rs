//! An event before it is written as a message.

use std::fmt;

use custody_proto::event::{Event, EventReference};

/// The id of a CloudEvent, in the two shapes that services use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EventId {
    /// A random UUID (version 4).
    Uuid(u128),
    /// A prefix and a number, such as `o-123`.
    Count(char, u64),
    /// A name, for what happens without a person.
    Named(&'static str, u32),
}

/// Names an event of a person, for links to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) source: &'static str,
    pub(crate) id: EventId,
}

/// An event before it is written as a message.
pub(crate) struct Draft {
    /// When it happened, milliseconds since 1970 UTC.
    pub(crate) time_ms: i64,
    /// The kind, such as `disclosure`.
    pub(crate) kind: &'static str,
    pub(crate) link: Link,
    pub(crate) event: Event,
    /// The code that the judge is expected to find.
    pub(crate) expected: Option<&'static str>,
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Uuid(random) => {
                // RFC 9562 section 5.4: version and variant over random bits.
                let bits = (random & !(0xf << 76) & !(0x3 << 62)) | (0x4 << 76) | (0x2 << 62);
                write!(
                    f,
                    "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
                    bits >> 96,
                    (bits >> 80) & 0xffff,
                    (bits >> 64) & 0xffff,
                    (bits >> 48) & 0xffff,
                    bits & 0xffff_ffff_ffff
                )
            }
            Self::Count(prefix, number) => write!(f, "{prefix}-{number}"),
            Self::Named(name, number) => write!(f, "{name}-{number}"),
        }
    }
}

impl Link {
    pub(crate) fn reference(&self) -> EventReference {
        EventReference {
            source: self.source.to_owned(),
            id: self.id.to_string(),
        }
    }
}
