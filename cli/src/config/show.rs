//! The effective settings, as text, without secrets.

use super::{Config, ConfigError, KafkaProperties};

/// Every key with its default and what it means.
pub const EXAMPLE: &str = include_str!("example.toml");

/// What stands in place of a secret.
const REDACTED: &str = "(redacted)";

/// The settings as TOML. Secrets are redacted.
///
/// # Errors
/// [`ConfigError::Show`] where a path is not UTF-8.
pub fn to_toml(config: &Config) -> Result<String, ConfigError> {
    toml::to_string_pretty(&redacted(config)).map_err(|error| ConfigError::Show(error.to_string()))
}

/// The settings as JSON. Secrets are redacted.
///
/// # Errors
/// [`ConfigError::Show`] where a path is not UTF-8.
pub fn to_json(config: &Config) -> Result<String, ConfigError> {
    serde_json::to_string_pretty(&redacted(config))
        .map_err(|error| ConfigError::Show(error.to_string()))
}

fn redacted(config: &Config) -> Config {
    let mut shown = config.clone();
    shown.root_key = config.root_key_path();
    shown.signing.key = config.signing_key_path();
    shown.erasure.register = config.register_path();
    for (name, value) in &mut shown.kafka.properties.0 {
        if KafkaProperties::is_secret(name) {
            *value = REDACTED.to_owned();
        }
    }
    shown
}
