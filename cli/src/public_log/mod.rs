//! The log for outsiders, over HTTP: checkpoints, the manifest, and tiles of
//! digests.
//!
//! Paths are those of [C2SP tlog-tiles](https://c2sp.org/tlog-tiles), once for
//! the ledger's own log and once below each shard's id. Nothing here needs a
//! secret and nothing tells of an event or a person: a leaf is a digest. It is
//! for anybody, so that each answer is bounded in size, each connection in
//! time, and all of them in number.

mod answer;
mod path;
mod serve;

pub mod metric;

pub use path::Path;
pub use serve::{PublicLog, serve};
