//! The checkpoint of the ledger log.

use super::{Checkpoint, CheckpointError, Lines};
use crate::field;
use crate::note::{SigningKey, VerifyingKey};
use crate::tree::Hash;

const MANIFEST: &str = "manifest";

/// The checkpoint of the ledger log, which names the newest manifest in its
/// extension line `manifest <hex of the leaf>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerCheckpoint {
    /// Origin, size (the manifest's sequence and one), root, and the extension
    /// lines after ours.
    pub checkpoint: Checkpoint,
    /// The last leaf: see [`Manifest::leaf`](crate::manifest::Manifest::leaf).
    pub manifest_leaf: Hash,
}

impl LedgerCheckpoint {
    /// With its own line before the others.
    pub fn to_checkpoint(&self) -> Checkpoint {
        let mut checkpoint = self.checkpoint.clone();
        let line = format!("{MANIFEST} {}", self.manifest_leaf);
        checkpoint.extensions.insert(0, line);
        checkpoint
    }

    /// The text of the note.
    pub fn to_text(&self) -> String {
        self.to_checkpoint().to_text()
    }

    /// Reads the text of a note, which is not to be believed before a signature
    /// was verified.
    ///
    /// # Errors
    /// [`CheckpointError`], with the line.
    pub fn parse(text: &str) -> Result<Self, CheckpointError> {
        Self::try_from(Checkpoint::parse(text)?)
    }

    /// The checkpoint as a note with a signature by each key.
    ///
    /// # Errors
    /// [`CheckpointError::Unsayable`] where a field holds what a line cannot
    /// say.
    pub fn sign(&self, keys: &[&SigningKey]) -> Result<String, CheckpointError> {
        if Self::parse(&self.to_text()).as_ref() != Ok(self) {
            return Err(CheckpointError::Unsayable);
        }
        self.to_checkpoint().sign(keys)
    }

    /// Opens a signed checkpoint, as [`Checkpoint::open`].
    ///
    /// # Errors
    /// As [`Checkpoint::open`] and [`parse`](Self::parse).
    pub fn open(note: &str, keys: &[VerifyingKey]) -> Result<Self, CheckpointError> {
        Self::try_from(Checkpoint::open(note, keys)?)
    }
}

impl TryFrom<Checkpoint> for LedgerCheckpoint {
    type Error = CheckpointError;

    fn try_from(mut checkpoint: Checkpoint) -> Result<Self, CheckpointError> {
        let mut lines = Lines {
            rest: &checkpoint.extensions,
        };
        let malformed = CheckpointError::Malformed { line: MANIFEST };
        let manifest_leaf = match lines.required(MANIFEST)?.as_slice() {
            [leaf] => field::hex_hash(leaf).ok_or(malformed)?,
            _ => return Err(malformed),
        };
        // There is a manifest, so there is a leaf.
        if checkpoint.size == 0 {
            return Err(CheckpointError::Malformed { line: "size" });
        }
        checkpoint.extensions = lines.others(&[MANIFEST])?;
        Ok(Self {
            checkpoint,
            manifest_leaf,
        })
    }
}
