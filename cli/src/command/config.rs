//! `custody config`: the effective settings.

use std::io::Write;

use crate::args::Global;
use crate::config::{EXAMPLE, to_json, to_toml};
use crate::error::{CommandError, Exit};

/// Prints the effective configuration, without secrets
///
/// Defaults, then the file, then CUSTODY_* variables, then flags; later ones
/// win. A key that is not known is an error.
#[derive(clap::Args)]
#[command(after_long_help = "\
Examples:
  custody config --default > custody.toml      a file to start from
  CUSTODY_KAFKA__BROKERS=kafka:9092 custody config
  custody config --config /etc/custody.toml --format json")]
pub struct Args {
    /// Prints every key with its default and what it means, instead
    #[arg(long)]
    default: bool,
    /// toml or json
    #[arg(long, value_enum, default_value = "toml", conflicts_with = "default")]
    format: ConfigFormat,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum ConfigFormat {
    Toml,
    Json,
}

impl Args {
    pub(crate) fn run(self, global: &Global) -> Result<Exit, CommandError> {
        let text = if self.default {
            EXAMPLE.to_owned()
        } else {
            let loaded = global.load(&[])?;
            if !loaded.ignored.is_empty() {
                let names = loaded.ignored.join(", ");
                writeln!(std::io::stderr(), "note: no key is set by {names}")?;
            }
            match self.format {
                ConfigFormat::Toml => to_toml(&loaded.config)?,
                ConfigFormat::Json => to_json(&loaded.config)? + "\n",
            }
        };
        std::io::stdout().lock().write_all(text.as_bytes())?;
        Ok(Exit::Done)
    }
}
