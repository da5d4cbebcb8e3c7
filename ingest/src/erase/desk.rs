//! What a registrar works with.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use custody_ledger::{Digest, Ledger};
use custody_vault::Vault;

use super::FaultPoints;
use crate::duplicates::DuplicateIndex;
use crate::overdue::Deadlines;
use crate::pipeline::{Clock, PipelineOptions, Reviews};
use crate::state::SubjectStates;

/// How persons are erased.
#[derive(Clone, Debug)]
pub struct EraseOptions {
    /// The [register](super::register) of erasures, which belongs beside the root
    /// key and not into a backup of the data. `None`, the default: there is none,
    /// and whoever restores a backup restores persons who were erased since.
    pub register: Option<PathBuf>,
    /// How long an erasure waits for what is on its way to the disk. Meanwhile
    /// events of the person wait too, and with them what comes after them in
    /// their shards. Default 30 s.
    pub fence_timeout: Duration,
    /// When an erasure that could not be done is tried again; each time twice as
    /// long, up to five minutes. Default 5 s.
    pub retry: Duration,
    /// For tests.
    pub faults: FaultPoints,
}

impl Default for EraseOptions {
    fn default() -> Self {
        Self {
            register: None,
            fence_timeout: Duration::from_secs(30),
            retry: Duration::from_secs(5),
            faults: FaultPoints::default(),
        }
    }
}

/// What a registrar works with that has no pipeline beside it.
pub struct RegistrarParts {
    /// What is said goes here.
    pub ledger: Ledger,
    /// Keys and identifiers.
    pub vault: Vault,
    /// Where the states of persons are kept. Made where it is absent.
    pub state_dir: PathBuf,
    /// Which events were stored within the window: it goes on knowing those of
    /// the persons who are erased.
    pub duplicates: DuplicateIndex,
    /// What time it is.
    pub clock: Clock,
    /// As the pipeline has them.
    pub options: PipelineOptions,
}

/// What a registrar works with.
pub(crate) struct Desk {
    pub(crate) ledger: Ledger,
    pub(crate) vault: Vault,
    pub(crate) states: Arc<SubjectStates>,
    pub(crate) duplicates: Arc<DuplicateIndex>,
    pub(crate) reviews: Arc<Reviews>,
    pub(crate) clock: Clock,
    pub(crate) ruleset: Digest,
    pub(crate) deadlines: Arc<dyn Deadlines>,
    pub(crate) options: EraseOptions,
}
