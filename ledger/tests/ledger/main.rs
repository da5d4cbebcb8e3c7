//! The ledger from outside: what it promises of its disk.

// clippy.toml allows these in the body of a test, not in what tests share.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

mod at_rest;
mod backup;
mod damage;
mod faults;
mod fixture;
mod model;
mod notary;
mod operation;
mod process;
mod reread;
mod rotation;
mod rotation_faults;
