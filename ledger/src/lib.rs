//! The append-only, hash-chained log.
pub mod error;
pub mod entry;
pub mod id;
