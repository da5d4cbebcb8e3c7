//! An earlier checkpoint, which somebody outside kept.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use crate::error::OpenError;
use crate::fault::Place;
use crate::id::ShardId;
use crate::verify::claim::Origin;
use crate::verify::report::VerifyReport;
use crate::verify::statement::{Statement, Texts, Trust};

/// The longest file of a checkpoint that is read, in bytes.
const MAX_BYTES: u64 = 64 << 20;

/// An earlier checkpoint of a ledger, which somebody outside kept. The ledger
/// must continue it.
///
/// What it covers was verified then. It is hashed again, since leaves are not
/// stored; its entries are not decoded as a whole again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Since {
    /// The signed checkpoint of the ledger's own log.
    pub note: String,
    /// The manifest that it names; empty where it was not kept. Then only the
    /// ledger's own log is compared, which is a list of digests of manifests.
    pub manifest: String,
    /// The signed checkpoints of shards, where they were kept. Without one, a
    /// shard is compared by its line in the manifest: its size and its root.
    pub shards: BTreeMap<ShardId, String>,
}

impl Since {
    /// Reads a checkpoint: a file that holds the signed checkpoint of the
    /// ledger's own log, or a directory as the ledger publishes them, with
    /// `checkpoint`, `manifest`, and `<shard id>/checkpoint` of each shard.
    ///
    /// # Errors
    /// [`OpenError::Io`] where there is no such file, or it cannot be read.
    pub fn read(path: &Path) -> Result<Self, OpenError> {
        if !path.is_dir() {
            return Ok(Self {
                note: read_text(path)?,
                ..Self::default()
            });
        }
        let mut since = Self {
            note: read_text(&path.join("checkpoint"))?,
            ..Self::default()
        };
        let manifest = path.join("manifest");
        if manifest.exists() {
            since.manifest = read_text(&manifest)?;
        }
        for entry in fs::read_dir(path).map_err(OpenError::io("read", path))? {
            let entry = entry.map_err(OpenError::io("read", path))?;
            let shard = entry
                .file_name()
                .to_str()
                .and_then(|name| name.parse().ok());
            let checkpoint = entry.path().join("checkpoint");
            if let Some(shard) = shard
                && checkpoint.exists()
            {
                since.shards.insert(shard, read_text(&checkpoint)?);
            }
        }
        Ok(since)
    }

    /// What it says, with whatever is wrong with it reported.
    pub(super) fn statement(
        &self,
        trust: Trust<'_>,
        report: &mut VerifyReport,
    ) -> Option<Statement> {
        let texts = Texts {
            note: &self.note,
            manifest: &self.manifest,
            shards: &self.shards,
        };
        if self.manifest.is_empty() {
            report.warnings.push(
                "the earlier checkpoint came without its manifest: only the ledger's own log is compared with it"
                    .to_owned(),
            );
        }
        Statement::read(
            Origin::Earlier,
            texts,
            trust,
            &Place::EarlierCheckpoint,
            &mut report.faults,
        )
    }
}

fn read_text(path: &Path) -> Result<String, OpenError> {
    let read = || {
        if fs::metadata(path)?.len() > MAX_BYTES {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "it is too long for a checkpoint",
            ));
        }
        fs::read_to_string(path)
    };
    read().map_err(OpenError::io("read", path))
}
