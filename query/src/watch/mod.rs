//! Watching: entries and findings as they become visible, to one person's
//! watchers and to those of everybody.
//!
//! A watcher is no more than a place in every shard. It looks at what has
//! become visible beyond its place, tells what matches, and moves on: whoever
//! takes slowly falls behind and loses nothing, and whoever was cut off goes on
//! from the token of the last message that arrived. Blocks are read and decoded
//! once for all watchers that come by at about the same time.
//!
//! What is told is what was recorded, as it stood then. So the messages of an
//! entry are the same however late they are made, and a place between two of
//! them means the same after a restart.

mod blocks;

mod place;

mod told;

mod looker;
mod start;

pub use looker::Watching;

pub(crate) use blocks::Blocks;
pub(crate) use looker::Look;
