//! Answers over a real ledger and a real vault in a temporary directory.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod office;
mod oracle;
mod world;

mod backup;
mod consent;
mod consultations;
mod erasing;
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
mod watch;
