//! How checkpoints are made.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use custody_proof::note::SigningKey;

use crate::notary::published::Published;

/// Called on the notary's thread after a checkpoint was published. It should be
/// quick.
pub type OnSigned = Arc<dyn Fn(&Arc<Published>) + Send + Sync>;

/// How checkpoints are made.
#[derive(Clone)]
pub struct NotaryOptions {
    /// The keys that sign, the current one first. All have the same name: the
    /// ledger's origin. While keys are changed, several sign.
    pub signers: Vec<Arc<SigningKey>>,
    /// How often a checkpoint is signed, where anything was appended; by
    /// default once a second.
    pub interval: Duration,
    /// Told of every published checkpoint.
    pub on_signed: Option<OnSigned>,
    /// After how many entries the maps of recent persons are saved, so that
    /// opening need not read more than these again; by default 500,000.
    pub save_every_entries: u64,
    /// How many persons a shard's map of recent persons holds before it goes
    /// into the base map whatever the size of that; by default 262,144.
    pub max_recent_persons: usize,
}

impl NotaryOptions {
    /// Signed by one key, once a second.
    pub fn new(signer: SigningKey) -> Self {
        Self {
            signers: vec![Arc::new(signer)],
            interval: Duration::from_secs(1),
            on_signed: None,
            save_every_entries: 500_000,
            max_recent_persons: 1 << 18,
        }
    }

    /// The ledger's origin: the name of its current key.
    pub(crate) fn origin(&self) -> Option<&str> {
        self.signers.first().map(|key| key.verifying_key().name())
    }
}

impl fmt::Debug for NotaryOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NotaryOptions")
            .field("signers", &self.signers)
            .field("interval", &self.interval)
            .field("on_signed", &self.on_signed.is_some())
            .field("save_every_entries", &self.save_every_entries)
            .field("max_recent_persons", &self.max_recent_persons)
            .finish()
    }
}
