//! Defaults, file, environment and flags, laid over each other.
//!
//! Each layer is checked alone before they are merged, so that an error names
//! the line of the file or the variable that is wrong. This is why the layers
//! are laid here, over the `toml` crate, and not by a configuration crate:
//! those merge first, and lower-case or split keys that are names of Kafka
//! properties and CloudEvents sources.

use std::fmt;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::Config;

/// What the name of every variable begins with.
const PREFIX: &str = "CUSTODY_";

/// The file that is read where none is named.
const DEFAULT_FILE: &str = "custody.toml";

/// Where a setting comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Not set anywhere.
    Default,
    /// The file.
    File(PathBuf),
    /// An environment variable.
    Variable(String),
    /// A flag.
    Flag(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Variable(name) => write!(f, "environment variable {name}"),
            Self::Flag(name) => f.write_str(name),
        }
    }
}

/// A setting that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not TOML, or has a key or value that is not known.
    #[error("{}:{line}: {message}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong.
        message: String,
    },
    /// A variable names no key, or its value does not fit.
    #[error("environment variable {name}: {message}")]
    Variable {
        /// The variable.
        name: String,
        /// What is wrong.
        message: String,
    },
    /// A flag's value does not fit.
    #[error("{flag}: {message}")]
    Flag {
        /// The flag.
        flag: &'static str,
        /// What is wrong.
        message: String,
    },
    /// A value is of the right type and makes no sense.
    #[error("{key} (from {origin}): {problem}")]
    Invalid {
        /// The key, such as `kafka.topics`.
        key: &'static str,
        /// Where it was set.
        origin: Origin,
        /// What is wrong and what to do.
        problem: String,
    },
    /// The effective settings cannot be shown.
    #[error("cannot show the configuration: {0}")]
    Show(String),
}

/// A flag and the key that it sets.
#[derive(Clone, Debug)]
pub struct Flag {
    /// As typed, such as `--brokers`.
    pub flag: &'static str,
    /// The key, such as `kafka.brokers`.
    pub key: &'static str,
    /// Its text; `None` where it was not given.
    pub value: Option<String>,
}

/// Effective settings and where they come from.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The settings, valid.
    pub config: Config,
    /// Variables that begin with `CUSTODY_` and name no key. They may belong
    /// to something else, so that they are no error.
    pub ignored: Vec<String>,
}

struct Layer {
    origin: Origin,
    table: Table,
}

impl Loaded {
    /// Reads and checks all layers.
    ///
    /// `file` is read where given; else `custody.toml` of the working
    /// directory, where there is one.
    ///
    /// # Errors
    /// [`ConfigError`], naming the file and line, the variable or the flag.
    pub fn read(
        file: Option<&Path>,
        variables: impl IntoIterator<Item = (String, String)>,
        flags: &[Flag],
    ) -> Result<Self, ConfigError> {
        let mut layers = Vec::new();
        if let Some(path) = file {
            layers.push(read_file(path)?);
        } else if Path::new(DEFAULT_FILE).exists() {
            layers.push(read_file(Path::new(DEFAULT_FILE))?);
        }
        let mut ignored = Vec::new();
        let mut variables: Vec<_> = variables
            .into_iter()
            .filter(|(name, _)| name.starts_with(PREFIX))
            .collect();
        variables.sort();
        for (name, text) in variables {
            match read_variable(&name, &text)? {
                Some(layer) => layers.push(layer),
                None => ignored.push(name),
            }
        }
        for flag in flags {
            if let Some(text) = &flag.value {
                layers.push(read_flag(flag, text)?);
            }
        }
        Self::merge(layers, ignored)
    }

    fn merge(layers: Vec<Layer>, ignored: Vec<String>) -> Result<Self, ConfigError> {
        let mut merged = Table::new();
        for layer in &layers {
            lay_over(&mut merged, &layer.table);
        }
        // Each layer fits by itself, and tables are only joined, so this fits.
        let config: Config = Value::Table(merged)
            .try_into()
            .map_err(|error: toml::de::Error| ConfigError::Show(error.to_string()))?;
        config.validate().map_err(|(key, problem)| {
            let path: Vec<&str> = key.split('.').collect();
            let origin = layers
                .iter()
                .rev()
                .find(|layer| sets(&layer.table, &path))
                .map_or(Origin::Default, |layer| layer.origin.clone());
            ConfigError::Invalid {
                key,
                origin,
                problem,
            }
        })?;
        Ok(Self { config, ignored })
    }
}

fn read_file(path: &Path) -> Result<Layer, ConfigError> {
    let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Read {
        path: path.to_owned(),
        source,
    })?;
    let fail = |error: toml::de::Error| ConfigError::File {
        path: path.to_owned(),
        line: error.span().map_or(1, |span| {
            1 + text
                .bytes()
                .take(span.start)
                .filter(|&b| b == b'\n')
                .count()
        }),
        message: one_line(error.message()),
    };
    let _: Config = toml::from_str(&text).map_err(fail)?;
    let table = toml::from_str(&text).map_err(fail)?;
    Ok(Layer {
        origin: Origin::File(path.to_owned()),
        table,
    })
}

fn read_variable(name: &str, text: &str) -> Result<Option<Layer>, ConfigError> {
    let rest = name.trim_start_matches(PREFIX).to_ascii_lowercase();
    let (section, nested) = match rest.split_once("__") {
        Some((section, key)) => (section, Some(key)),
        None => (rest.as_str(), None),
    };
    if nested.is_none() && !["data_dir", "root_key", "shutdown_deadline_s"].contains(&section) {
        return Ok(None);
    }
    let mut path: Vec<String> = vec![section.to_owned()];
    if let Some(nested) = nested {
        match nested.split_once("__") {
            // A property is `sasl.password`; no shell can set a variable with
            // dots in its name, and no property has an underscore in its own.
            Some((key @ "properties", property)) => {
                path.push(key.to_owned());
                path.push(property.replace('_', "."));
            }
            Some((key, inner)) => {
                path.push(key.to_owned());
                path.push(inner.to_owned());
            }
            None => path.push(nested.to_owned()),
        }
    }
    let table = fit(&path, text).map_err(|message| ConfigError::Variable {
        name: name.to_owned(),
        message,
    })?;
    Ok(Some(Layer {
        origin: Origin::Variable(name.to_owned()),
        table,
    }))
}

fn read_flag(flag: &Flag, text: &str) -> Result<Layer, ConfigError> {
    let path: Vec<String> = flag.key.split('.').map(str::to_owned).collect();
    let table = fit(&path, text).map_err(|message| ConfigError::Flag {
        flag: flag.flag,
        message,
    })?;
    Ok(Layer {
        origin: Origin::Flag(flag.flag),
        table,
    })
}

/// Finds the reading of `text` that fits the key: a plain string, a TOML
/// value, or a list with commas. The key's type decides, so that a directory
/// named `1234` stays a directory.
fn fit(path: &[String], text: &str) -> Result<Table, String> {
    let mut readings = vec![Value::String(text.to_owned())];
    if let Ok(mut table) = toml::from_str::<Table>(&format!("v = {text}"))
        && table.len() == 1
        && let Some(value) = table.remove("v")
    {
        readings.push(value);
    }
    let parts = text
        .split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty());
    readings.push(Value::Array(
        parts.map(|part| Value::String(part.to_owned())).collect(),
    ));
    let mut first_error = None;
    for reading in readings {
        let mut table = Table::new();
        put(&mut table, path, reading);
        match Value::Table(table.clone()).try_into::<Config>() {
            Ok(_) => return Ok(table),
            Err(error) => {
                first_error.get_or_insert_with(|| one_line(error.message()));
            }
        }
    }
    Err(first_error.unwrap_or_default())
}

fn put(table: &mut Table, path: &[String], value: Value) {
    match path {
        [] => {}
        [key] => {
            table.insert(key.clone(), value);
        }
        [key, rest @ ..] => {
            let mut inner = Table::new();
            put(&mut inner, rest, value);
            table.insert(key.clone(), Value::Table(inner));
        }
    }
}

fn lay_over(below: &mut Table, above: &Table) {
    for (key, value) in above {
        match (below.get_mut(key), value) {
            (Some(Value::Table(below)), Value::Table(above)) => lay_over(below, above),
            _ => {
                below.insert(key.clone(), value.clone());
            }
        }
    }
}

fn sets(table: &Table, path: &[&str]) -> bool {
    match path {
        [] => true,
        [key, rest @ ..] => match table.get(*key) {
            Some(Value::Table(inner)) => sets(inner, rest),
            Some(_) => true,
            None => false,
        },
    }
}

fn one_line(message: &str) -> String {
    message.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
#[path = "layers_tests.rs"]
mod tests;
