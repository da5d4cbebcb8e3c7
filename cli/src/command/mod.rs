//! One file a subcommand.

pub mod demo;

pub mod emit;
pub mod generate;
pub mod import;
pub mod serve;

mod asking;

pub mod findings;
pub mod policy;
pub mod waiver;

pub mod subject;
pub mod verify;

pub mod keys;
pub mod rebuild;
pub mod shard;

pub mod completions;
pub mod config;
