//! `custody policy`: packs, and what the judge makes of events.

mod check;
mod coverage;
mod diff;
mod judge;
mod list;
mod message;
mod packs;
mod rejudge;
mod test;

use std::io::Write;

use crate::args::Global;
use crate::error::{CommandError, Exit};

/// Looks at policies, and judges events without storing them
///
/// A policy pack says in rules what one version of a privacy policy says in
/// sentences. Five are built in; `policy.packs` of the configuration and
/// `--pack` add more.
#[derive(clap::Args)]
#[command(after_long_help = "\
Examples:
  custody policy list
  custody policy check corner-shop.toml
  custody policy judge event.json --pack corner-shop.toml
  custody policy test cases.jsonl --pack corner-shop.toml
  custody policy diff ALB-2020 ALB-2025

Exit status: 0 all is well; 1 it is not: a pack is wrong, a case failed, a
clause is not covered; 2 wrong usage, or a file cannot be read.")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    List(list::List),
    Show(list::Show),
    Check(check::Args),
    Coverage(coverage::Args),
    Judge(Box<judge::Args>),
    Test(test::Args),
    Diff(diff::Args),
    Rejudge(rejudge::Args),
}

impl Args {
    pub(crate) fn run(self, global: &Global) -> Result<Exit, CommandError> {
        global.start_quiet_logs()?;
        let done = match self.command {
            Command::List(args) => args.run(global),
            Command::Show(args) => args.run(global),
            Command::Check(args) => args.run(global),
            Command::Coverage(args) => args.run(global),
            Command::Judge(args) => args.run(global),
            Command::Test(args) => args.run(global),
            Command::Diff(args) => args.run(global),
            Command::Rejudge(args) => args.run(global),
        };
        match done {
            // A bad pack is an answer, of which every line counts.
            Err(CommandError::Packs(bad)) => {
                let mut err = std::io::stderr().lock();
                for error in bad.iter() {
                    writeln!(err, "{error}")?;
                }
                Ok(Exit::Bad)
            }
            done => done,
        }
    }
}
