//! What can be typed.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::command;
use crate::config::{Config, Flag, Loaded, LogFormat};
use crate::error::{CommandError, Exit};
use crate::introduction::Caller;
use crate::telemetry;

/// A chain of custody for personal data: who received what, when, for which
/// purpose, on which basis, in which country, and is anything missing from
/// this answer?
#[derive(Parser)]
#[command(name = "custody", version, propagate_version = true, after_long_help = EXAMPLES)]
pub struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  custody demo                                  see it work, without Kafka
  custody serve --brokers kafka:9092 --data /var/lib/custody
  custody emit events.jsonl --topic custody.events
  custody subject account:1001 recipients
  custody requests --state overdue,open         what persons asked for
  custody erase account:1001 --preview          what would go, and what stays
  custody policy judge event.json               is it what the policy says?
  custody verify --data /var/lib/custody
  custody export evidence account:1001 --out evidence.json
  custody check evidence.json --key-file custody.vkey

Exit status: 0 done; 1 the answer is bad (verification failed, a message was
not delivered); 2 wrong usage, or the command could not run.";

/// Flags that every command takes.
#[derive(clap::Args)]
pub struct Global {
    /// The configuration file. Without it `custody.toml` of the working
    /// directory, where there is one
    #[arg(long, global = true, value_name = "FILE", env = "CUSTODY_CONFIG")]
    config: Option<PathBuf>,
    /// error, warn, info, debug, trace, or directives as in RUST_LOG
    #[arg(long, global = true, value_name = "LEVEL", help_heading = "Log")]
    log_level: Option<String>,
    /// The form of log lines on standard error
    #[arg(long, global = true, value_name = "FORMAT", help_heading = "Log")]
    log_format: Option<LogFormat>,
    #[command(flatten)]
    caller: Caller,
}

#[derive(Subcommand)]
enum Command {
    Demo(command::demo::Args),
    Serve(command::serve::Args),
    Emit(command::emit::Args),
    Import(command::import::Args),
    Subject(command::subject::Args),
    Requests(command::requests::Args),
    Erase(command::erase::Args),
    Erasure(command::erasure::Args),
    Hold(command::hold::Args),
    Identity(command::identity::Args),
    Findings(command::findings::Args),
    Watch(command::watch::Args),
    Policy(command::policy::Args),
    Waiver(command::waiver::Args),
    Verify(command::verify::Args),
    Checkpoint(command::checkpoint::Args),
    Prove(command::prove::Args),
    Export(command::export::Args),
    Check(command::check::Args),
    Backup(command::backup::Args),
    Restore(command::restore::Args),
    Keys(command::keys::Args),
    Root(command::root::Args),
    Shard(command::shard::Args),
    Rebuild(command::rebuild::Args),
    Config(command::config::Args),
    Generate(command::generate::Args),
    Completions(command::completions::Args),
}

impl Cli {
    /// Does what was asked for.
    ///
    /// # Errors
    /// [`CommandError`] where that is not possible.
    pub fn run(self) -> Result<Exit, CommandError> {
        let global = &self.global;
        global.caller.introduce();
        match self.command {
            Command::Demo(args) => args.run(global),
            Command::Serve(args) => args.run(global),
            Command::Emit(args) => args.run(global),
            Command::Import(args) => args.run(global),
            Command::Subject(args) => args.run(global),
            Command::Requests(args) => args.run(global),
            Command::Erase(args) => args.run(global),
            Command::Erasure(args) => args.run(global),
            Command::Hold(args) => args.run(global),
            Command::Identity(args) => args.run(global),
            Command::Findings(args) => args.run(global),
            Command::Watch(args) => args.run(global),
            Command::Policy(args) => args.run(global),
            Command::Waiver(args) => args.run(global),
            Command::Verify(args) => args.run(global),
            Command::Checkpoint(args) => args.run(global),
            Command::Prove(args) => args.run(global),
            Command::Export(args) => args.run(global),
            Command::Check(args) => args.run(global),
            Command::Backup(args) => args.run(global),
            Command::Restore(args) => args.run(global),
            Command::Keys(args) => args.run(global),
            Command::Root(args) => args.run(global),
            Command::Shard(args) => args.run(global),
            Command::Rebuild(args) => args.run(global),
            Command::Config(args) => args.run(global),
            Command::Generate(args) => args.run(global),
            Command::Completions(args) => args.run(),
        }
    }
}

impl Global {
    /// The effective settings under these flags.
    ///
    /// # Errors
    /// [`CommandError::Config`].
    pub fn load(&self, flags: &[Flag]) -> Result<Loaded, CommandError> {
        let mut flags = flags.to_vec();
        flags.push(Flag {
            flag: "--log-level",
            key: "log.level",
            value: self.log_level.clone(),
        });
        flags.push(Flag {
            flag: "--log-format",
            key: "log.format",
            value: self.log_format.map(|format| format.name().to_owned()),
        });
        // `to_str` keeps out of the way variables that are not UTF-8.
        let variables = std::env::vars_os().filter_map(|(name, value)| {
            Some((name.to_str()?.to_owned(), value.to_str()?.to_owned()))
        });
        Ok(Loaded::read(self.config.as_deref(), variables, &flags)?)
    }

    /// Starts logging as a service does: flag, then `RUST_LOG`, then settings.
    ///
    /// # Errors
    /// [`CommandError::Usage`] where the level is none.
    pub fn start_logs(&self, config: &Config) -> Result<(), CommandError> {
        let level = self.log_level.clone().or_else(rust_log);
        let level = level.unwrap_or_else(|| config.log.level.clone());
        telemetry::start_logs(&level, config.log.format)
    }

    /// Starts logging as a command does that ends by itself: what goes wrong
    /// is said once, by the command, so that only warnings of our own show.
    ///
    /// # Errors
    /// [`CommandError::Usage`] where the level is none.
    pub fn start_quiet_logs(&self) -> Result<(), CommandError> {
        let level = self.log_level.clone().or_else(rust_log);
        let level = level.unwrap_or_else(|| QUIET.to_owned());
        telemetry::start_logs(&level, self.log_format.unwrap_or_default())
    }
}

const QUIET: &str = "warn,rdkafka=off,librdkafka=off";

fn rust_log() -> Option<String> {
    std::env::var("RUST_LOG")
        .ok()
        .filter(|level| !level.is_empty())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_has_help_and_the_long_help_has_examples() {
        for command in Cli::command().get_subcommands() {
            let name = command.get_name();
            assert!(command.get_about().is_some(), "{name} has no about");
            let after = command.get_after_long_help().map(ToString::to_string);
            let after = after.unwrap_or_default();
            assert!(
                after.contains(&format!("custody {name}")),
                "{name} has no example"
            );
        }
    }
}
