//! The binary `custody`: reads the command line, runs one command, and says
//! in one line what went wrong.

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use custody_cli::{Cli, CommandError, Exit};
use mimalloc::MiMalloc;

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    match Cli::parse().run() {
        Ok(Exit::Done) => ExitCode::SUCCESS,
        Ok(Exit::Bad) => ExitCode::from(1),
        Err(error) if error.is_broken_pipe() => ExitCode::SUCCESS,
        Err(error) => {
            report(error);
            ExitCode::from(2)
        }
    }
}

fn report(error: CommandError) {
    let hint = error.hint();
    // `{:#}` is the whole chain on one line, each cause once.
    let mut line = format!("error: {:#}", anyhow::Error::new(error)).replace('\n', " ");
    if let Some(hint) = hint {
        line.push_str("\nhint: ");
        line.push_str(&hint);
    }
    // Nobody is left to tell where standard error is closed.
    let _ = writeln!(std::io::stderr(), "{line}");
}
