//! One file a subcommand.

pub mod demo;

pub mod emit;
pub mod generate;
pub mod import;
pub mod serve;

mod asking;
mod trace;

pub mod findings;
pub mod policy;
pub mod registers;
pub mod waiver;
pub mod watch;

pub mod subject;
pub mod verify;

pub mod erase;
pub mod erasure;
pub mod hold;
pub mod identity;
pub mod requests;

pub mod check;
pub mod checkpoint;
pub mod export;
pub mod prove;

pub mod keys;
pub mod root;
pub mod shard;

pub mod backup;
pub mod rebuild;
pub mod restore;

pub mod completions;
pub mod config;
