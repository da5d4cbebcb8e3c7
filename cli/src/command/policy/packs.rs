//! The flags that say by which packs.

use std::path::PathBuf;

use custody_policy::{Policy, Ruleset};

use crate::args::Global;
use crate::error::CommandError;
use crate::ruleset::PackSources;

#[derive(clap::Args, Clone, Debug, Default)]
#[command(next_help_heading = "By which packs")]
pub(super) struct PackFlags {
    /// Adds a pack, or those of a directory; one with the id of another takes
    /// its place. May be given several times
    #[arg(long = "pack", value_name = "FILE")]
    pub(super) packs: Vec<PathBuf>,
    /// Leaves out the packs that are built in and those of the configuration
    #[arg(long)]
    pub(super) no_builtin: bool,
}

impl PackFlags {
    /// The packs of the flags, over those of the configuration, over the five.
    pub(super) fn sources(&self, global: &Global) -> Result<PackSources, CommandError> {
        let mut files = Vec::new();
        if !self.no_builtin {
            files = global.load(&[])?.config.policy.packs;
        }
        files.extend(self.packs.iter().cloned());
        Ok(PackSources {
            files,
            no_builtin: self.no_builtin,
        })
    }

    /// The ids of the packs of the flags.
    pub(super) fn given(&self) -> Result<Vec<String>, CommandError> {
        let own = PackSources {
            files: self.packs.clone(),
            no_builtin: true,
        };
        Ok(own
            .packs()?
            .iter()
            .map(|pack| pack.id().to_owned())
            .collect())
    }

    pub(super) fn compile(&self, global: &Global) -> Result<Ruleset, CommandError> {
        self.sources(global)?.compile()
    }
}

/// A version by its id, whatever the case of its letters.
pub(super) fn policy<'r>(rules: &'r Ruleset, id: &str) -> Result<&'r Policy, CommandError> {
    let found = rules.policies().find(|it| it.id().eq_ignore_ascii_case(id));
    found.ok_or_else(|| {
        let known: Vec<&str> = rules.policies().map(Policy::id).collect();
        CommandError::Usage(format!(
            "no policy has the id {id}; there are {}",
            known.join(", ")
        ))
    })
}
