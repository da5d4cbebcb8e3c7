//! The command line of Custody: one file a subcommand, and what they share.
//!
//! This crate wires the rooms of the house together: configuration, telemetry,
//! the admin server, the order of starting and stopping. It holds no rule about
//! events or the ledger; those live in the rooms. It is a library only so that
//! tests can use what the binary uses.
//!
//! ```
//! use custody_cli::config::{Config, Loaded};
//!
//! let variables = [("CUSTODY_KAFKA__BROKERS".to_owned(), "kafka:9092".to_owned())];
//! let loaded = Loaded::read(Some("/dev/null".as_ref()), variables, &[])?;
//! assert_eq!(loaded.config.kafka.brokers, "kafka:9092");
//! assert_eq!(loaded.config.listen, Config::default().listen);
//! # Ok::<(), custody_cli::config::ConfigError>(())
//! ```

mod args;
pub mod command;
mod error;

pub mod config;
pub mod telemetry;

pub mod event_line;
pub mod kafka;

pub mod signing;
pub mod witness;

pub mod admin;
pub mod heads;
pub mod node;
mod overdue;
pub mod public_log;

pub mod client;
mod custodian;
pub mod data_dir;
pub mod evidence;
mod introduction;
mod offline;
pub mod output;
mod reach;
pub mod rejudge;
pub mod rights;
mod root_store;
pub mod ruleset;
pub mod watch;

pub use args::{Cli, Global};
pub use error::{CommandError, Exit};
