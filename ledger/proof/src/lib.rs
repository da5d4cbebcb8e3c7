//! What a third party needs to check the evidence of a Custody ledger.
//!
//! A ledger signs checkpoints; whoever has its public key can check, without
//! asking it, that an entry is in it, that it has only grown, and that an
//! export about a person is complete. The formats are those of transparency
//! logs ([C2SP](https://c2sp.org): signed notes, checkpoints, cosignatures,
//! tiles, witnesses), with a map of persons beside the log.
//!
//! Pure: no input or output, no clock, no randomness, no storage engine. It
//! takes untrusted bytes, and builds for `wasm32-unknown-unknown`. It does not
//! make proofs out of a ledger (`custody_ledger` does), does not judge what
//! entries say, and does not open what is sealed in them.
//!
//! ```
//! use custody_proof::evidence::{self, Evidence};
//! use custody_proof::note::VerifyingKey;
//!
//! // The ledger's key, which does not come with the export.
//! let key: VerifyingKey =
//!     "custody/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa+7713fb3c+AepKbGPinFIKvvVQexMuxfmVR3auvr57kkIe6mkURtIs"
//!         .parse()?;
//! let export = include_bytes!(concat!(
//!     env!("CARGO_MANIFEST_DIR"),
//!     "/tests/golden/evidence.json"
//! ));
//! let evidence = Evidence::from_json(export)?;
//! let verified = evidence::verify(&evidence, &[key])?;
//!
//! // Whom it should be about, the reader knows.
//! verified.is_about(&["02020202020202020202020202020202".parse()?])?;
//! for (_reference, shard, entry) in verified.entries() {
//!     println!("{shard} {}: {:?}", entry.sequence, entry.entry.kind());
//! }
//! # assert_eq!(verified.entries().count(), 10);
//!
//! // One entry less is an error, not a shorter answer.
//! let mut less = evidence.clone();
//! less.subjects[0].shards[1].entries.pop();
//! assert!(evidence::verify(&less, &["custody/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa+7713fb3c+AepKbGPinFIKvvVQexMuxfmVR3auvr57kkIe6mkURtIs".parse()?]).is_err());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

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

#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzz;

pub use error::{DecodeError, ProofError};

/// The program in the README compiles.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
