//! How the ledger is kept, signed, watched and copied.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// How the ledger is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Ledger {
    /// The size of a segment of the store, in bytes: a power of two from
    /// 64 KiB to 16 MiB. Counts when a ledger is made. Default 8 MiB.
    pub segment_bytes: usize,
    /// Memory for recently read blocks, in bytes. Default 64 MiB.
    pub cache_bytes: u64,
    /// From which size on the open segment is sealed, in bytes. Default
    /// 64 MiB.
    pub rotate_bytes: u64,
    /// From which age on the open segment is sealed, in seconds. Default 1 hour.
    pub rotate_age_s: u64,
    /// How often a checkpoint is signed at most, in milliseconds. Default 1000.
    pub checkpoint_interval_ms: u64,
    /// Where the signed anchor lies. Empty: in the ledger.
    pub signed_anchor_dir: PathBuf,
}

/// What checkpoints are signed with.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Signing {
    /// The file of the signing keys. Empty: `signing.key` in the data
    /// directory.
    pub key: PathBuf,
    /// The name that checkpoints are signed under, for good. Empty:
    /// `custody/` and the ledger's id.
    pub origin: String,
}

/// Who cosigns checkpoints.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Witness {
    /// How many of them must have cosigned, or the node says that it is
    /// degraded. Default 1.
    pub quorum: usize,
    /// How long that may take, in seconds. Default 60.
    pub timeout_s: u64,
    /// The witnesses. Default none.
    pub list: Vec<WitnessAt>,
}

/// One witness.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WitnessAt {
    /// Its submission prefix: `add-checkpoint` is below it.
    pub url: String,
    /// Its verifier key, `name+hash+base64`, of cosignature/v1.
    pub key: String,
}

/// Where backups of a running node go.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Backup {
    /// The directory in which each backup makes its own. Empty, the default:
    /// none can be asked for.
    pub dir: PathBuf,
}

impl Default for Ledger {
    fn default() -> Self {
        Self {
            segment_bytes: 8 << 20,
            cache_bytes: 64 << 20,
            rotate_bytes: 64 << 20,
            rotate_age_s: 3_600,
            checkpoint_interval_ms: 1_000,
            signed_anchor_dir: PathBuf::new(),
        }
    }
}

impl Default for Witness {
    fn default() -> Self {
        Self {
            quorum: 1,
            timeout_s: 60,
            list: Vec::new(),
        }
    }
}
