//! What every document of evidence stands on: the ledger's checkpoint, and the
//! shards that it vouches for.

use super::EvidenceError;
use crate::checkpoint::{
    Checkpoint, CheckpointError, LedgerCheckpoint, ShardCheckpoint, shard_origin, verifying_keys,
};
use crate::manifest::{self, Manifest, ShardLine};
use crate::note::{Limits, Note, VerifyingKey};
use crate::tree::{Hash, leaf_hash, verify_inclusion};

/// The ledger's checkpoint and its manifest, verified: a trusted key has signed
/// the checkpoint, the manifest is the one that it names, and it is the last
/// leaf of the ledger log.
///
/// The last is not the same as being named: witnesses sign what is in the log,
/// and do not look at lines of the checkpoint beside it.
pub(super) fn verify_ledger(
    note: &str,
    manifest: &str,
    path: &[Hash],
    keys: &[VerifyingKey],
) -> Result<(LedgerCheckpoint, Manifest), EvidenceError> {
    // A key for the ledger is one for each epoch of its log.
    let origin = Note::parse_within(note, Limits::CHECKPOINT)
        .map_err(CheckpointError::Note)
        .and_then(|note| Ok(Checkpoint::parse(note.text())?.origin))
        .map_err(EvidenceError::Ledger)?;
    let keys = verifying_keys(&origin, keys);
    let head = LedgerCheckpoint::open(note, &keys).map_err(EvidenceError::Ledger)?;
    let leaf = manifest::leaf(manifest);
    if leaf != head.manifest_leaf {
        return Err(EvidenceError::OtherManifest);
    }
    let manifest = Manifest::parse(manifest).map_err(EvidenceError::Manifest)?;
    let size = head.checkpoint.size;
    if manifest.sequence.checked_add(1) != Some(size) {
        return Err(EvidenceError::OtherManifest);
    }
    verify_inclusion(
        &leaf_hash(leaf.as_bytes()),
        manifest.sequence,
        size,
        path,
        &head.checkpoint.root,
    )
    .map_err(EvidenceError::ManifestPath)?;
    Ok((head, manifest))
}

/// The checkpoint of a shard, verified: signed for the shard by a key that is
/// trusted for its ledger, and the one of the manifest. Its maps cover all of
/// the log.
pub(super) fn verify_shard(
    note: &str,
    line: &ShardLine,
    head: &LedgerCheckpoint,
    keys: &[VerifyingKey],
) -> Result<ShardCheckpoint, EvidenceError> {
    let shard = line.shard;
    // Of the keys, only those for this ledger.
    let ledger = &head.checkpoint.origin;
    let keys = verifying_keys(ledger, keys);
    let origin = shard_origin(ledger, &shard, line.epoch);
    let checkpoint = ShardCheckpoint::open(note, &verifying_keys(&origin, &keys))
        .map_err(|error| EvidenceError::Shard { shard, error })?;
    let same = checkpoint.shard == shard
        && checkpoint.epoch == line.epoch
        && checkpoint.checkpoint.size == line.size
        && checkpoint.checkpoint.root == line.root
        && checkpoint.map.size == line.size
        && checkpoint.map.base == line.base
        && checkpoint.map.recent == line.recent;
    if same {
        Ok(checkpoint)
    } else {
        Err(EvidenceError::OtherShard { shard })
    }
}
