//! Checkpoints as files, for whoever serves or mirrors them.
//!
//! They are a copy of what the signed anchor holds, each written under another
//! name and renamed, so that a reader sees a whole one. They are not synced:
//! on opening they are written again.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use crate::error::Step;
use crate::notary::published::Published;
use crate::notary::{Notary, NotaryError};

/// The directory of published files in the ledger's.
pub(crate) const DIR: &str = "public";

impl Notary {
    /// Shows a checkpoint that the anchor holds.
    pub(super) fn publish(&self, published: Arc<Published>) -> Result<(), NotaryError> {
        let dir = self.dir.join(DIR);
        let before = self.shared.board.published();
        let write = || {
            for (shard, signed) in &published.shards {
                let known = before.as_ref().and_then(|before| before.shards.get(shard));
                if known.is_none_or(|known| known.note != signed.note) {
                    put(&dir.join(shard.to_string()), "checkpoint", &signed.note)?;
                }
            }
            put(&dir, "manifest", &published.manifest_text)?;
            put(&dir, "checkpoint", &published.note)
        };
        self.steps
            .take(Step::Publish, write)
            .map_err(NotaryError::step(Step::Publish))?;
        self.shared.board.publish(published);
        Ok(())
    }
}

/// Writes a file that is whole for whoever reads it.
pub(crate) fn put(dir: &Path, name: &str, text: &str) -> std::io::Result<()> {
    fs::create_dir_all(dir)?;
    let new = dir.join(format!("{name}.new"));
    fs::write(&new, text)?;
    fs::rename(new, dir.join(name))
}
