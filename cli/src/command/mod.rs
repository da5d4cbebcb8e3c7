//! One file a subcommand.


pub mod emit;

pub mod subject;


pub mod completions;
pub mod config;
