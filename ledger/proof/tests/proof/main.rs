//! What outsiders build on: documents that are frozen, that cannot be changed
//! unnoticed, and that other implementations read.

// clippy.toml allows these in the body of a test, not in what tests share.
#![allow(clippy::unwrap_used)]

mod world;

mod bytes;
mod complete;
mod counts;
mod erasure;
mod frozen;
mod go;
mod growth;
mod mutated;
