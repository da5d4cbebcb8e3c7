//! How persons are erased.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// How persons are erased.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Erasure {
    /// Whether identifiers of who is erased are marked, where the order does
    /// not say. Default true.
    pub mark: bool,
    /// How old shares of the root key become, in days, before they are
    /// destroyed: from then on no backup can undo an erasure. Default 30.
    pub escrow_max_age_days: u32,
    /// The register of erasures, which a restore erases by. Empty: beside the
    /// root key file, with `.erasures` at the end of its name.
    pub register: PathBuf,
    /// How long an erasure waits for what is on its way to the disk, in
    /// seconds. Default 30.
    pub fence_timeout_s: u64,
}

impl Default for Erasure {
    fn default() -> Self {
        Self {
            mark: true,
            escrow_max_age_days: 30,
            register: PathBuf::new(),
            fence_timeout_s: 30,
        }
    }
}
