//! The ledger's own log, whose leaves stand for manifests.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, BufReader, Read as _};
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
    let checkpoints = [signed.map(|(checkpoint, _)| checkpoint), published, earlier];
    let sizes = checkpoints.into_iter().flatten();
    let sizes: BTreeSet<u64> = sizes.map(|said| said.checkpoint.size).collect();
    let log = match Log::read(&dir.join(path()), ledger, &sizes) {
        Ok(Some(log)) => log,
        Ok(None) => return report.fault(here, "is missing, and cannot be made again"),
        Err(what) => return report.fault(here, &what),
    };
    if let Some((checkpoint, place)) = signed {
        if let Err(what) = log.compare(checkpoint) {
            report.fault(here, &format!("the signed checkpoint: {what}"));
        }
        // One leaf may have been written for a checkpoint that was never
        // signed.
        let (found, covered) = (log.leaves, checkpoint.checkpoint.size);
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
            && let Err(what) = log.compare(checkpoint)
        {
            report.fault(place, &what);
        }
    }
}

/// The ledger's own log, as it was read.
struct Log {
    /// How many leaves there are.
    leaves: u64,
    /// At each size that is wanted, the root and the last leaf.
    heads: BTreeMap<u64, (Hash, [u8; HASH_BYTES])>,
}

impl Log {
    /// Reads the leaves; what a crash left of the last one does not count.
    /// `None` where there is no file.
    fn read(path: &Path, ledger: LedgerId, sizes: &BTreeSet<u64>) -> Result<Option<Self>, String> {
        let cannot = |error: io::Error| format!("it cannot be read: {error}");
        let mut file = match File::open(path) {
            Ok(file) => BufReader::with_capacity(1 << 20, file),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(cannot(error)),
        };
        let mut header = [0; ARRAY_HEADER_BYTES];
        file.read_exact(&mut header).map_err(cannot)?;
        check_array_header(&header, &array_header(0, ledger.0))
            .map_err(|error| error.to_string())?;
        let mut range = CompactRange::starting_at(0);
        let mut heads = BTreeMap::new();
        let mut leaf = [0; HASH_BYTES];
        loop {
            match file.read_exact(&mut leaf) {
                Ok(()) => range.push(leaf_hash_32(&leaf)),
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => break,
                Err(error) => return Err(cannot(error)),
            }
            // Nobody looks at the tiles of this log here.
            range.take_tiles();
            if sizes.contains(&range.end())
                && let Some(root) = range.root()
            {
                heads.insert(range.end(), (root, leaf));
            }
        }
        Ok(Some(Self {
            leaves: range.end(),
            heads,
        }))
    }

    fn compare(&self, checkpoint: &LedgerCheckpoint) -> Result<(), String> {
        let size = checkpoint.checkpoint.size;
        if size > self.leaves {
            return Err(format!(
                "the ledger's own log has lost its end, or is an older copy: the checkpoint \
                 covers {size} manifests, {} are there",
                self.leaves
            ));
        }
        // A checkpoint has a manifest, so its size is not 0.
        match self.heads.get(&size) {
            Some((root, _)) if *root != checkpoint.checkpoint.root => Err(format!(
                "the ledger's own log of {size} manifests does not have its root"
            )),
            Some((_, last)) if *last == checkpoint.manifest_leaf.0 => Ok(()),
            _ => Err("its last manifest is not the one it names".to_owned()),
        }
    }
}
