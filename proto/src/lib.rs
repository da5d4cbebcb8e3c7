//! Events and services of Custody: the `.proto` files under `custody/` and the
//! code generated from them.
//!
//! [`event`] is what producers say on Kafka, as protobuf or as protobuf-JSON
//! with original field names; [`cloudevent`] reads the message that carries it;
//! [`sealed`] keeps that message as it came. [`v1`] is what the gRPC services
//! answer. This crate checks shapes only: which terms exist and which fields a
//! kind needs is decided further on.
//!
//! ```
//! use custody_proto::event::{Event, event::Act};
//!
//! let event: Event = serde_json::from_str(
//!     r#"{"subject": {"ids": ["account:1"]}, "purposes": ["custody:orders"],
//!         "collection": {"origin": "subject"}}"#,
//! )?;
//! assert!(matches!(event.act, Some(Act::Collection(_))));
//! # Ok::<(), serde_json::Error>(())
//! ```

mod time;

pub mod cloudevent;

pub mod sealed;

mod redacted;

pub use time::{ParseTimeError, Timestamp};

// The modules stand as the packages do, because the generated code refers to
// its neighbours by that path.
#[allow(missing_docs, unreachable_pub, clippy::all)]
mod custody {
    pub mod event {
        pub mod v1 {
            include!(concat!(env!("OUT_DIR"), "/custody.event.v1.rs"));
            include!(concat!(env!("OUT_DIR"), "/custody.event.v1.serde.rs"));
        }
    }
    pub mod v1 {
        include!(concat!(env!("OUT_DIR"), "/custody.v1.rs"));
        include!(concat!(env!("OUT_DIR"), "/custody.v1.serde.rs"));
    }
}

/// `custody.event.v1`: what a service says that it did with somebody's data.
pub use custody::event::v1 as event;
/// `custody.v1`: the services and their messages.
pub use custody::v1;

/// The compiled descriptors of every file, for gRPC reflection: an encoded
/// `google.protobuf.FileDescriptorSet`.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
