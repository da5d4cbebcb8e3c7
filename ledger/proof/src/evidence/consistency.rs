//! That a log has only grown.

use serde::{Deserialize, Serialize};

use super::format::{self, ConsistencyFormat};
use super::{EvidenceError, encoding};
use crate::checkpoint::{Checkpoint, LedgerCheckpoint, ShardCheckpoint, verifying_keys};
use crate::id::ShardId;
use crate::note::{Limits, Note, VerifyingKey};
use crate::tree::{Hash, verify_consistency};

/// That a later tree of a log begins with an earlier one (RFC 6962, section
/// 2.1.2). The earlier checkpoint is not in the document: it is the one that
/// whoever verifies has kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConsistencyProof {
    /// `custody.consistency/v1`.
    pub format: ConsistencyFormat,
    /// Which shard; absent for the ledger log.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "encoding::optional_id"
    )]
    pub shard: Option<ShardId>,
    /// The size of the earlier tree.
    pub from: u64,
    /// The size of the later tree.
    pub to: u64,
    /// The proof.
    #[serde(with = "encoding::hashes")]
    pub path: Vec<Hash>,
    /// The checkpoint of the later tree, a signed note, where the ledger still
    /// has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<String>,
}

/// What a consistency proof has proved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grown {
    /// The earlier checkpoint.
    pub earlier: Checkpoint,
    /// The later checkpoint, which has everything that the earlier one has.
    pub later: Checkpoint,
}

/// A verified checkpoint, and of which log it is.
struct Head {
    ledger: String,
    shard: Option<ShardId>,
    checkpoint: Checkpoint,
}

impl ConsistencyProof {
    /// Verifies the proof with the keys of ledgers that are trusted. `earlier`
    /// is the checkpoint that was kept; `later` may be given where it was kept
    /// too, and is otherwise the one in the document.
    ///
    /// A shard that was resumed in a later epoch goes on from an earlier
    /// checkpoint as long as that is not beyond what survived.
    ///
    /// # Errors
    /// [`EvidenceError`].
    pub fn verify(
        &self,
        earlier: &str,
        later: Option<&str>,
        keys: &[VerifyingKey],
    ) -> Result<Grown, EvidenceError> {
        let earlier = self.head("earlier", earlier, self.from, keys)?;
        let mut heads = Vec::new();
        for note in [later, self.checkpoint.as_deref()].into_iter().flatten() {
            heads.push(self.head("later", note, self.to, keys)?);
        }
        // Nothing in the document is passed over: two must be of one tree.
        let differ = heads
            .windows(2)
            .any(|heads| heads[0].checkpoint.root != heads[1].checkpoint.root);
        if differ || heads.iter().any(|head| head.ledger != earlier.ledger) {
            return Err(EvidenceError::OtherCheckpoint { which: "later" });
        }
        let later = heads.into_iter().next();
        let later = later.ok_or(EvidenceError::NoCheckpoint)?;
        verify_consistency(
            self.from,
            &earlier.checkpoint.root,
            self.to,
            &later.checkpoint.root,
            &self.path,
        )
        .map_err(EvidenceError::Consistency)?;
        Ok(Grown {
            earlier: earlier.checkpoint,
            later: later.checkpoint,
        })
    }

    fn head(
        &self,
        which: &'static str,
        note: &str,
        size: u64,
        keys: &[VerifyingKey],
    ) -> Result<Head, EvidenceError> {
        let head = Head::open(note, self.shard.is_some(), keys)
            .map_err(|error| EvidenceError::Checkpoint { which, error })?;
        if head.shard == self.shard && head.checkpoint.size == size {
            Ok(head)
        } else {
            Err(EvidenceError::OtherCheckpoint { which })
        }
    }

    /// The document, in one line.
    pub fn to_json(&self) -> String {
        format::write(self)
    }

    /// Reads a document, which may come from anybody.
    ///
    /// # Errors
    /// [`EvidenceError::Json`] or [`EvidenceError::Format`].
    pub fn from_json(json: &[u8]) -> Result<Self, EvidenceError> {
        format::read(json, "custody.consistency/v1")
    }
}

impl Head {
    fn open(
        note: &str,
        of_shard: bool,
        keys: &[VerifyingKey],
    ) -> Result<Self, crate::checkpoint::CheckpointError> {
        let note = Note::parse_within(note, Limits::CHECKPOINT)?;
        let origin = Checkpoint::parse(note.text())?.origin;
        let checkpoint = Checkpoint::of_note(&note, &verifying_keys(&origin, keys))?;
        if of_shard {
            let shard = ShardCheckpoint::try_from(checkpoint.clone())?;
            Ok(Self {
                ledger: shard.ledger_origin().to_owned(),
                shard: Some(shard.shard),
                checkpoint,
            })
        } else {
            LedgerCheckpoint::try_from(checkpoint.clone())?;
            Ok(Self {
                ledger: origin,
                shard: None,
                checkpoint,
            })
        }
    }
}
