//! Witnesses: checkpoints go to them as they are signed, their cosignatures
//! come back.
//!
//! By [C2SP tlog-witness](https://c2sp.org/tlog-witness). One thread sends the
//! last checkpoint to each witness that does not have it yet, with the proof
//! that it continues the one that the witness saw last. Signing never waits
//! for it. A witness that has seen a larger or another tree of this ledger is
//! the one thing that ends signing: an older copy was restored, or two copies
//! are at work.

pub mod metric;

mod memory;
mod post;
mod send;

mod standing;
mod thread;

pub use post::Post;
pub use send::{SendError, Sender};
pub use standing::Standing;
pub use thread::Witnesses;

#[cfg(test)]
mod tests;
