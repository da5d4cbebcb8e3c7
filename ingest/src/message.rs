//! A message as Kafka gave it.

use std::fmt;
use std::sync::Arc;

/// A Kafka message, copied out of the client's buffers.
#[derive(Clone, PartialEq, Eq)]
pub struct RawMessage {
    /// The topic.
    pub topic: Arc<str>,
    /// The partition.
    pub partition: i32,
    /// The offset.
    pub offset: i64,
    /// Kafka's timestamp, milliseconds since 1970 UTC; `None` where it has none.
    pub timestamp_ms: Option<i64>,
    /// The key; `None` where it is null.
    pub key: Option<Vec<u8>>,
    /// All headers, in their order. In a name, bytes that are not UTF-8 stand
    /// as U+FFFD, for which the message is rejected.
    pub headers: Vec<(String, Option<Vec<u8>>)>,
    /// The payload; `None` where it is null.
    pub payload: Option<Vec<u8>>,
}

impl RawMessage {
    /// The bytes of key, headers and payload.
    pub fn size(&self) -> usize {
        let headers: usize = self
            .headers
            .iter()
            .map(|(name, value)| name.len() + value.as_ref().map_or(0, Vec::len))
            .sum();
        let key = self.key.as_ref().map_or(0, Vec::len);
        key + headers + self.payload.as_ref().map_or(0, Vec::len)
    }

    /// About how much memory it takes, in bytes.
    pub(crate) fn memory(&self) -> usize {
        self.size()
            + size_of::<Self>()
            + self.headers.len() * size_of::<(String, Option<Vec<u8>>)>()
    }

    /// The headers, borrowed.
    pub(crate) fn borrowed_headers(&self) -> impl Iterator<Item = (&str, Option<&[u8]>)> {
        self.headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_deref()))
    }
}

impl fmt::Debug for RawMessage {
    /// Shows where it stands and how long it is, nothing of what it says.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawMessage")
            .field("topic", &self.topic)
            .field("partition", &self.partition)
            .field("offset", &self.offset)
            .field("bytes", &self.size())
            .finish_non_exhaustive()
    }
}
