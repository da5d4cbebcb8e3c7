//! What a third party needs to check the evidence of a Custody ledger.
//!
//! Pure: no input or output, no clock, no storage engine. It takes untrusted
//! bytes, and builds for `wasm32-unknown-unknown`.

pub mod error;
pub mod id;

pub mod chain;
pub mod entry;

pub mod map;
pub mod tree;

pub mod note;

pub mod checkpoint;
pub mod cosignature;
pub mod manifest;
pub mod tiles;
pub mod witness;

pub mod evidence;

mod field;
mod sha256;

pub use error::{DecodeError, ProofError};
