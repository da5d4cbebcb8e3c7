//! Where the vault's root key is kept.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Where the vault's root key is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Root {
    /// Default `file`.
    pub kind: RootKind,
    /// For `file`: the passphrase that the file is sealed under is in this
    /// file, without its line end. Empty: the key is not sealed.
    pub passphrase_file: PathBuf,
    /// For `command`: the program and its arguments.
    pub command: Vec<String>,
    /// For `http`: where questions are sent.
    pub url: String,
    /// For `http`: the value of the header `authorization` is in this file.
    /// Empty: none is sent.
    pub authorization_file: PathBuf,
    /// For `command` and `http`: how long a question may take, in seconds.
    /// Default 30.
    pub timeout_s: u64,
}

/// What keeps the root key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RootKind {
    /// The file that `root_key` names.
    #[default]
    File,
    /// A command of yours: a hardware module, a key service's own client.
    Command,
    /// A service at an address.
    Http,
}

impl Default for Root {
    fn default() -> Self {
        Self {
            kind: RootKind::File,
            passphrase_file: PathBuf::new(),
            command: Vec::new(),
            url: String::new(),
            authorization_file: PathBuf::new(),
            timeout_s: 30,
        }
    }
}
