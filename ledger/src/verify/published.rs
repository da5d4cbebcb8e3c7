//! The published checkpoints: a copy of what the signed anchor holds, which is
//! made again on opening. What is signed in them counts all the same.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use custody_proof::checkpoint::LedgerCheckpoint;
use custody_proof::note::VerifyingKey;

use crate::fault::Place;
use crate::id::ShardId;
use crate::verify::claim::{Claim, Origin};
use crate::verify::report::VerifyReport;
use crate::verify::statement::{Statement, open_ledger, open_shard};

/// Where the published files lie.
const DIR: &str = "public";

/// The longest published file that is read, in bytes.
const MAX_BYTES: u64 = 64 << 20;

/// The published checkpoint of the ledger's own log.
pub(super) fn path() -> PathBuf {
    [DIR, "checkpoint"].iter().collect()
}

/// Signed checkpoints that were published and are not the signed anchor's.
#[derive(Debug, Default)]
pub(super) struct Published {
    pub(super) ledger: Option<LedgerCheckpoint>,
    pub(super) claims: Vec<Claim>,
}

/// Compares the published files with the signed anchor. One that differs is
/// made again on opening; but one that a trusted key has signed was seen by
/// others, and must be continued, and be older than the anchor.
pub(super) fn read(
    dir: &Path,
    signed: Option<&Statement>,
    keys: &[VerifyingKey],
    report: &mut VerifyReport,
) -> Published {
    let mut published = Published::default();
    let public = dir.join(DIR);
    if !public.is_dir() {
        return published;
    }
    let mut derived = |path: &str| {
        report.warnings.push(format!(
            "{DIR}/{path} is not what the signed anchor holds; it is derived, and will be made again"
        ));
    };
    let mut newer = Vec::new();
    if let Some(note) = text(&public.join("checkpoint")) {
        let opened = open_ledger(&note, keys);
        let own = signed.map(|signed| &signed.ledger);
        match opened {
            Ok((checkpoint, _)) if Some(&checkpoint) == own => {}
            // Without a key anybody could have made it.
            Ok((checkpoint, Ok(_))) if !keys.is_empty() => {
                let size = checkpoint.checkpoint.size;
                if own.is_none_or(|own| own.checkpoint.size <= size) {
                    newer.push((format!("{DIR}/checkpoint"), size));
                }
                published.ledger = Some(checkpoint);
            }
            _ => derived("checkpoint"),
        }
    } else if signed.is_some() {
        derived("checkpoint");
    }
    let manifest = text(&public.join("manifest"));
    let known = signed.and_then(|signed| signed.manifest.as_ref());
    if known.map(|known| known.to_text()) != manifest {
        derived("manifest");
    }
    let empty = BTreeMap::new();
    let own = signed.map_or(&empty, |signed| &signed.shards);
    for shard in own.keys().copied().chain(shards_in(&public, own)) {
        let path = format!("{shard}/checkpoint");
        let Some(note) = text(&public.join(&path)) else {
            derived(&path);
            continue;
        };
        match open_shard(&note, keys) {
            Ok((checkpoint, _)) if own.get(&shard) == Some(&checkpoint) => {}
            Ok((checkpoint, Ok(_))) if !keys.is_empty() && checkpoint.shard == shard => {
                let size = checkpoint.checkpoint.size;
                let signed = own.get(&shard);
                let is_newer = signed
                    .is_none_or(|own| (own.epoch, own.checkpoint.size) <= (checkpoint.epoch, size));
                if is_newer {
                    newer.push((format!("{DIR}/{path}"), size));
                }
                published
                    .claims
                    .push(Claim::of_checkpoint(Origin::Published, checkpoint));
            }
            _ => derived(&path),
        }
    }
    for (path, size) in newer {
        report.fault(
            Place::File { path: path.into() },
            &format!(
                "it is signed, of size {size}, and the signed anchor does not know it: the anchor \
                 is an older copy, or two checkpoints were signed at one size"
            ),
        );
    }
    published
}

fn text(path: &Path) -> Option<String> {
    let length = fs::metadata(path).ok()?.len();
    if length > MAX_BYTES {
        return None;
    }
    fs::read_to_string(path).ok()
}

/// Shards that something was published of and that are not in `own`.
fn shards_in<T>(public: &Path, own: &BTreeMap<ShardId, T>) -> Vec<ShardId> {
    let entries = fs::read_dir(public).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|shard| !own.contains_key(shard))
        .collect()
}
