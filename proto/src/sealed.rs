//! What a sealed part holds: the message as Kafka gave it.
//!
//! The bytes are a version byte and a `custody.event.v1.SealedMessage` in
//! protobuf. What an entry's view shows of it is read from the message anew,
//! so that nothing is stored twice and nothing that was said is lost.

use prost::Message;

use crate::cloudevent::{self, Envelope};
use crate::event::Event;
use crate::{Timestamp, v1};

pub use crate::event::{SealedHeader, SealedMessage};

/// The version byte that [`SealedMessage::to_bytes`] writes.
pub const SEALED_VERSION: u8 = 1;

/// A sealed part that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SealedError {
    /// There are no bytes.
    #[error("the sealed part is empty")]
    Empty,
    /// Written by a version that is no longer read.
    #[error("sealed part of version {version} is too old: the oldest that is read is 1")]
    TooOld {
        /// The version found.
        version: u8,
    },
    /// Written by a version that is not known yet.
    #[error("sealed part of version {version} is too new: the newest that is known is 1")]
    TooNew {
        /// The version found.
        version: u8,
    },
    /// No `SealedMessage`.
    #[error("the sealed part is malformed")]
    Malformed,
    /// The message in it is not what would have been let in.
    #[error("the message in the sealed part cannot be read: {0}")]
    Message(#[from] cloudevent::DecodeError),
}

/// An event as it was said.
#[derive(Clone, PartialEq)]
pub struct Reopened {
    /// The CloudEvents `id`.
    pub id: String,
    /// The CloudEvents `source`.
    pub source: String,
    /// The CloudEvents `type`.
    pub event_type: String,
    /// When it happened.
    pub time: Timestamp,
    /// The media type of the payload.
    pub content_type: String,
    /// The size of the payload in bytes.
    pub payload_size: usize,
    /// The data, terms as the producer wrote them.
    pub data: Event,
}

impl std::fmt::Debug for Reopened {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Reopened { redacted }")
    }
}

impl SealedMessage {
    /// The bytes to be sealed.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(1 + self.encoded_len());
        bytes.push(SEALED_VERSION);
        self.encode_raw(&mut bytes);
        bytes
    }

    /// Reads what [`to_bytes`](Self::to_bytes) wrote.
    ///
    /// # Errors
    /// [`SealedError`], but never [`SealedError::Message`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SealedError> {
        match bytes.split_first() {
            None => Err(SealedError::Empty),
            Some((&SEALED_VERSION, rest)) => Self::decode(rest).map_err(|_| SealedError::Malformed),
            Some((0, _)) => Err(SealedError::TooOld { version: 0 }),
            Some((&version, _)) => Err(SealedError::TooNew { version }),
        }
    }

    /// Reads the event in it again.
    ///
    /// # Errors
    /// [`SealedError::Message`] where the message is no CloudEvent with an event.
    pub fn reopen(&self) -> Result<Reopened, SealedError> {
        let headers = self
            .headers
            .iter()
            .map(|header| (header.name.as_str(), header.value.as_deref()));
        let envelope = Envelope::read(headers, Some(&self.payload))?;
        let data = envelope.data()?;
        Ok(Reopened {
            id: envelope.id.into_owned(),
            source: envelope.source.into_owned(),
            event_type: envelope.event_type.into_owned(),
            time: envelope.time,
            content_type: envelope.content_type.into_owned(),
            payload_size: self.payload.len(),
            data,
        })
    }
}

impl From<Reopened> for v1::SealedPart {
    fn from(event: Reopened) -> Self {
        Self {
            id: event.id,
            source: event.source,
            data: Some(event.data),
            payload_size: event.payload_size as u64,
            content_type: event.content_type,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn header() -> impl Strategy<Value = SealedHeader> {
        (".{0,12}", proptest::option::of(any::<Vec<u8>>()))
            .prop_map(|(name, value)| SealedHeader { name, value })
    }

    proptest! {
        #[test]
        fn nothing_is_lost(
            key in proptest::option::of(any::<Vec<u8>>()),
            headers in proptest::collection::vec(header(), 0..6),
            payload in any::<Vec<u8>>(),
        ) {
            let message = SealedMessage { key, headers, payload };
            prop_assert!(SealedMessage::from_bytes(&message.to_bytes()) == Ok(message));
        }

        #[test]
        fn no_bytes_panic(bytes in any::<Vec<u8>>()) {
            if let Ok(message) = SealedMessage::from_bytes(&bytes) {
                let _ = message.reopen();
            }
        }
    }

    #[test]
    fn version_1_is_frozen() {
        let message = SealedMessage {
            key: Some(b"account:1001".to_vec()),
            headers: vec![
                SealedHeader {
                    name: "ce_id".into(),
                    value: Some(b"e-1".to_vec()),
                },
                SealedHeader {
                    name: "x".into(),
                    value: None,
                },
            ],
            payload: b"{}".to_vec(),
        };
        let golden =
            b"\x01\x0a\x0caccount:1001\x12\x0c\x0a\x05ce_id\x12\x03e-1\x12\x03\x0a\x01x\x1a\x02{}";
        assert_eq!(message.to_bytes(), golden);
    }

    #[test]
    fn other_versions_are_told_apart() {
        assert_eq!(
            SealedMessage::from_bytes(&[]).err(),
            Some(SealedError::Empty)
        );
        assert_eq!(
            SealedMessage::from_bytes(&[0]).err(),
            Some(SealedError::TooOld { version: 0 })
        );
        assert_eq!(
            SealedMessage::from_bytes(&[2]).err(),
            Some(SealedError::TooNew { version: 2 })
        );
        assert_eq!(
            SealedMessage::from_bytes(&[1, 0]).err(),
            Some(SealedError::Malformed)
        );
    }
}
