//! `custody policy check`: what is wrong with a pack.

use std::io::{self, Write};
use std::path::PathBuf;

use custody_policy::Ruleset;

use super::packs::PackFlags;
use crate::args::Global;
use crate::error::{CommandError, Exit};
use crate::ruleset::{BadPacks, read_pack};

/// Reads packs and says everything that is wrong with them
///
/// By file, line and column. Whether a pack fits the others (two versions from
/// the same day, a version that it succeeds) is checked too.
#[derive(clap::Args)]
#[command(after_long_help = "\
Examples:
  custody policy check corner-shop.toml
  custody policy check packs/*.toml --no-builtin")]
pub(super) struct Args {
    /// The packs
    #[arg(required = true)]
    files: Vec<PathBuf>,
    #[command(flatten)]
    packs: PackFlags,
    /// Says nothing where all is well
    #[arg(long)]
    quiet: bool,
}

impl Args {
    pub(super) fn run(mut self, global: &Global) -> Result<Exit, CommandError> {
        let mut out = io::stdout().lock();
        let mut wrong = Vec::new();
        let mut read = Vec::new();
        for path in &self.files {
            match read_pack(path)? {
                Ok(pack) => read.push(pack),
                Err(errors) => wrong.push(BadPacks::from(errors)),
            }
        }
        if wrong.is_empty() {
            self.packs.packs.append(&mut self.files);
            let packs = self.packs.sources(global)?.packs()?;
            match Ruleset::compile(packs) {
                Ok(_) if self.quiet => {}
                Ok(_) => {
                    for pack in &read {
                        let (id, clauses) = (pack.id(), pack.clauses().len());
                        let s = if clauses == 1 { "" } else { "s" };
                        writeln!(
                            out,
                            "{}: {id}, {clauses} clause{s}, nothing is wrong",
                            pack.name()
                        )?;
                    }
                }
                Err(errors) => wrong.push(errors.into()),
            }
        }
        for error in wrong.iter().flat_map(BadPacks::iter) {
            writeln!(out, "{error}")?;
        }
        Ok(if wrong.is_empty() {
            Exit::Done
        } else {
            Exit::Bad
        })
    }
}
