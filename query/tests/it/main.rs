//! Answers over a real ledger and a real vault in a temporary directory.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr
)]

mod office;
mod oracle;
mod world;

mod affected;
mod backup;
mod consent;
mod consultations;
mod erasing;
mod everybody_model;
mod evidence;
mod findings;
mod findings_model;
mod follow;
mod lineage;
mod model;
mod pages;
mod policy;
mod proofs;
mod proved;
mod requests;
mod server;
mod trace;
mod trace_model;
mod watch;
