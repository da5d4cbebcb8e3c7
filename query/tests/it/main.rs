//! Answers over a real ledger and a real vault in a temporary directory.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr
)]

mod consent_model;
mod covered;
mod entry_model;
mod everybody_model;
mod findings_model;
mod later;
mod office;
mod oracle;
mod payload;
mod person_model;
mod trace_model;
mod wire;
mod world;

mod affected;
mod agreement;
mod model;

mod backup;
mod consent;
mod consultations;
mod erasing;
mod evidence;
mod findings;
mod follow;
mod lineage;
mod pages;
mod policy;
mod proofs;
mod proved;
mod requests;
mod server;
mod trace;
mod watch;
