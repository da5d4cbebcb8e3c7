//! The ledger's own log, whose leaves stand for manifests.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use custody_proof::checkpoint::LedgerCheckpoint;
use custody_proof::tree::{Hash, leaf_hash_32};

use crate::fault::Place;
use crate::id::LedgerId;
use crate::tree::{ARRAY_HEADER_BYTES, array_header, check_array_header};
use crate::verify::range::CompactRange;
use crate::verify::report::VerifyReport;
use crate::verify::{Said, published};

const HASH_BYTES: usize = 32;

fn path() -> PathBuf {
    ["tiles", "ledger", "0"].iter().collect()
}

/// Compares the ledger's own log with what checkpoints say of it.
pub(super) fn check(dir: &Path, ledger: LedgerId, said: &Said, report: &mut VerifyReport) {
    let signed = said.signed.as_ref();
    let signed =
        signed.and_then(|signed| Some((&signed.statement.as_ref()?.ledger, &signed.place)));
    let published = said.published.ledger.as_ref();
    let earlier = said.earlier.as_ref().map(|earlier| &earlier.ledger);
    if signed.is_none() && published.is_none() && earlier.is_none() {
        return;
    }
    let here = Place::File { path: path() };
    let leaves = match read_leaves(&dir.join(path()), ledger) {
        Ok(Some(leaves)) => leaves,
        Ok(None) => return report.fault(here, "is missing, and cannot be made again"),
        Err(what) => return report.fault(here, &what),
    };
    if let Some((checkpoint, place)) = signed {
        if let Err(what) = compare(&leaves, checkpoint) {
            report.fault(here, &format!("the signed checkpoint: {what}"));
        }
        // One leaf may have been written for a checkpoint that was never
        // signed.
        let (found, covered) = (leaves.len() as u64, checkpoint.checkpoint.size);
        if found > covered.saturating_add(1) {
            report.fault(
                place.clone(),
                &format!(
                    "it is an older copy: it names {covered} manifests, and the ledger's own log \
                     has {found}"
                ),
            );
        }
    }
    let public = Place::File {
        path: published::path(),
    };
    let others = [(published, public), (earlier, Place::EarlierCheckpoint)];
    for (checkpoint, place) in others {
        if let Some(checkpoint) = checkpoint
            && let Err(what) = compare(&leaves, checkpoint)
        {
            report.fault(place, &what);
        }
    }
}

fn compare(leaves: &[[u8; HASH_BYTES]], checkpoint: &LedgerCheckpoint) -> Result<(), String> {
    let size = checkpoint.checkpoint.size;
    let covered = usize::try_from(size)
        .ok()
        .and_then(|size| leaves.get(..size));
    let Some(covered) = covered else {
        return Err(format!(
            "the ledger's own log has lost its end, or is an older copy: the checkpoint covers {size} manifests, {} are there",
            leaves.len()
        ));
    };
    if root(covered) != Some(checkpoint.checkpoint.root) {
        return Err(format!(
            "the ledger's own log of {size} manifests does not have its root"
        ));
    }
    if covered.last() != Some(&checkpoint.manifest_leaf.0) {
        return Err("its last manifest is not the one it names".to_owned());
    }
    Ok(())
}

fn root(leaves: &[[u8; HASH_BYTES]]) -> Option<Hash> {
    let mut range = CompactRange::starting_at(0);
    for leaf in leaves {
        range.push(leaf_hash_32(leaf));
    }
    range.root()
}

/// The leaves; without what a crash left of the last one. `None` where there
/// is no file.
fn read_leaves(path: &Path, ledger: LedgerId) -> Result<Option<Vec<[u8; HASH_BYTES]>>, String> {
    let cannot = |error: io::Error| format!("it cannot be read: {error}");
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(cannot(error)),
    };
    let mut header = [0; ARRAY_HEADER_BYTES];
    file.read_exact(&mut header).map_err(cannot)?;
    check_array_header(&header, &array_header(0, ledger.0)).map_err(|error| error.to_string())?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(cannot)?;
    Ok(Some(bytes.as_chunks().0.to_vec()))
}
