//! From Kafka to the ledger.
//!
//! A message passes [`decode`] (CloudEvents, limits), [`normalise`] (what its
//! kind needs, terms), the [`duplicates`] index, the judge with the person's
//! [`state`], [`project`] (what of it is public) and the seal, and is appended to its shard's block.
//! [`pipeline`] runs these stages, one thread a shard; [`kafka`] feeds them
//! from a cluster. Input never stops a shard: what cannot be read becomes a
//! dead letter with a [`RejectionCode`]. [`erase`] takes persons away again.
//!
//! This crate writes the ledger and answers nothing; answers are `query`'s.
//!
//! ```
//! use std::sync::Arc;
//! use custody_ingest::{DecodeLimits, RawMessage, decode, normalise};
//!
//! let message = RawMessage {
//!     topic: Arc::from("events"),
//!     partition: 0,
//!     offset: 0,
//!     timestamp_ms: None,
//!     key: None,
//!     headers: Vec::new(),
//!     payload: Some(br#"{"specversion": "1.0", "id": "1", "source": "//shop.example",
//!         "type": "custody.collection.v1", "time": "2025-03-01T12:00:00Z",
//!         "data": {"subject": {"ids": ["account:1001"]}, "purposes": ["orders"],
//!                  "collection": {"origin": "subject"}}}"#.to_vec()),
//! };
//! let now_ns = 1_750_000_000_000_000_000;
//! let event = normalise(decode(&message, &DecodeLimits::default(), now_ns)?)?;
//! assert_eq!(event.data().purposes, ["custody:orders"]);
//! # Ok::<(), custody_ingest::Rejection>(())
//! ```

mod message;
mod rejection;

mod decode;
mod normalise;
mod project;
mod reread;

pub mod duplicates;
pub mod overdue;
pub mod pipeline;
pub mod state;

pub mod erase;

pub mod import;
pub mod kafka;

pub mod metric;

pub use decode::{DecodeLimits, DecodedEvent, decode};
pub use message::RawMessage;
pub use normalise::{NamedParty, NormalisedEvent, Terms, normalise};
pub use project::{judgement, project, seal_record};
pub use rejection::{Rejection, RejectionCode};
