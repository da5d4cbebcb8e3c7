//! `custody completions`: what a shell needs to complete commands and flags.

use std::io::Write;

use clap::CommandFactory;
use clap_complete::Shell;

use crate::args::Cli;
use crate::error::{CommandError, Exit};

/// Prints a script that completes commands and flags in a shell
#[derive(clap::Args)]
#[command(after_long_help = "\
Examples:
  custody completions bash > /etc/bash_completion.d/custody
  custody completions zsh > ~/.zfunc/_custody
  custody completions fish > ~/.config/fish/completions/custody.fish")]
pub struct Args {
    /// The shell
    shell: Shell,
}

impl Args {
    pub(crate) fn run(self) -> Result<Exit, CommandError> {
        // Into memory first: the generator cannot report a closed pipe.
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "custody", &mut script);
        std::io::stdout().lock().write_all(&script)?;
        Ok(Exit::Done)
    }
}
