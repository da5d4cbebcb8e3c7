//! A checkpoint of a whole ledger: that of its own log, the manifest that it
//! names, and that of each shard.

use std::collections::BTreeMap;

use custody_proof::checkpoint::{
    CheckpointError, LedgerCheckpoint, ShardCheckpoint, ledger_log_origin, shard_origin,
    verifying_keys,
};
use custody_proof::manifest::{self, Manifest};
use custody_proof::note::{Limits, Note, VerifyingKey};

use crate::fault::{Fault, Place};
use crate::id::{LedgerId, ShardId};
use crate::verify::claim::{Claim, Origin};
use crate::verify::report::CheckpointReport;

/// A checkpoint of a whole ledger, as it was read.
#[derive(Clone, Debug)]
pub(super) struct Statement {
    pub(super) whose: Origin,
    pub(super) ledger: LedgerCheckpoint,
    pub(super) manifest: Option<Manifest>,
    pub(super) shards: BTreeMap<ShardId, ShardCheckpoint>,
    /// Of the keys that were given, those that have signed it.
    signers: Vec<VerifyingKey>,
}

/// The texts of one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Texts<'a> {
    pub(super) note: &'a str,
    /// Empty: not known.
    pub(super) manifest: &'a str,
    pub(super) shards: &'a BTreeMap<ShardId, String>,
}

/// Against what a statement is checked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trust<'a> {
    pub(super) ledger: LedgerId,
    /// Where empty, signatures are not verified.
    pub(super) keys: &'a [VerifyingKey],
}

impl Statement {
    /// Reads the texts, and checks their signatures and that they say the same.
    /// What is wrong is added to `faults`, at `place` where it is not one
    /// shard's.
    pub(super) fn read(
        whose: Origin,
        texts: Texts<'_>,
        trust: Trust<'_>,
        place: &Place,
        faults: &mut Vec<Fault>,
    ) -> Option<Self> {
        let mut wrong = |what: String| {
            faults.push(Fault {
                place: place.clone(),
                what,
            });
        };
        let (ledger, opened) = match open_ledger(texts.note, trust.keys) {
            Ok(opened) => opened,
            Err(error) => {
                wrong(format!("the checkpoint of the ledger: {error}"));
                return None;
            }
        };
        let signers = opened.unwrap_or_else(|error| {
            wrong(format!("the checkpoint of the ledger: {error}"));
            Vec::new()
        });
        let manifest = match texts.manifest {
            "" => None,
            text => match read_manifest(text, trust.ledger, &ledger) {
                Ok(manifest) => Some(manifest),
                Err(what) => {
                    wrong(what);
                    None
                }
            },
        };
        let mut statement = Self {
            whose,
            ledger,
            manifest,
            shards: BTreeMap::new(),
            signers,
        };
        for (shard, note) in texts.shards {
            let mut wrong = |what: String| {
                faults.push(Fault {
                    place: Place::Shard { shard: *shard },
                    what: format!("{}: {what}", whose.name()),
                });
            };
            match open_shard(note, trust.keys) {
                Ok((checkpoint, opened)) => {
                    if let Err(error) = opened {
                        wrong(error.to_string());
                    }
                    if let Err(what) = statement.check_shard(*shard, &checkpoint) {
                        wrong(what);
                    }
                    if checkpoint.shard == *shard {
                        statement.shards.insert(*shard, checkpoint);
                    }
                }
                Err(error) => wrong(error.to_string()),
            }
        }
        // Somebody outside may keep the manifest alone.
        if whose == Origin::Signed
            && let Some(manifest) = &statement.manifest
        {
            for line in &manifest.shards {
                if !texts.shards.contains_key(&line.shard) {
                    faults.push(Fault {
                        place: Place::Shard { shard: line.shard },
                        what: "the signed manifest names it, and its checkpoint is missing"
                            .to_owned(),
                    });
                }
            }
        }
        Some(statement)
    }

    /// Whether it can be of this epoch of the ledger's own log.
    pub(super) fn is_of_epoch(&self, epoch: u32) -> bool {
        let origin = &self.ledger.checkpoint.origin;
        origin.ends_with(&ledger_log_origin("", epoch))
    }

    /// Whether a checkpoint is of a shard of this ledger, by its origin.
    fn is_of_ledger(&self, checkpoint: &ShardCheckpoint) -> bool {
        let origin = self.ledger.checkpoint.origin.as_str();
        // The ledger's name, or that and an epoch of its own log.
        let without_epoch = origin
            .rsplit_once('/')
            .filter(|(_, epoch)| epoch.parse::<u32>().is_ok())
            .map(|(name, _)| name);
        [Some(origin), without_epoch]
            .into_iter()
            .flatten()
            .any(|name| {
                let expected = shard_origin(name, &checkpoint.shard, checkpoint.epoch);
                checkpoint.checkpoint.origin == expected
            })
    }

    fn check_shard(&self, shard: ShardId, checkpoint: &ShardCheckpoint) -> Result<(), String> {
        if checkpoint.shard != shard {
            return Err("it is another shard's".to_owned());
        }
        if !self.is_of_ledger(checkpoint) {
            return Err("it is another ledger's".to_owned());
        }
        if !checkpoint.accounts_for_every_offset() {
            return Err("it does not account for every offset".to_owned());
        }
        let Some(manifest) = &self.manifest else {
            return Ok(());
        };
        let line = manifest
            .shard(&shard)
            .ok_or("the manifest does not name it")?;
        let same = line.epoch == checkpoint.epoch
            && line.size == checkpoint.checkpoint.size
            && line.root == checkpoint.checkpoint.root
            && line.base == checkpoint.map.base
            && line.recent == checkpoint.map.recent;
        if !same {
            return Err("it is not the one that the manifest names".to_owned());
        }
        Ok(())
    }

    /// What is reported of it.
    pub(super) fn report(&self) -> CheckpointReport {
        let claims = self.claims();
        CheckpointReport {
            origin: self.ledger.checkpoint.origin.clone(),
            size: self.ledger.checkpoint.size,
            root: self.ledger.checkpoint.root,
            shards: claims.len() as u64,
            entries: claims
                .iter()
                .fold(0, |sum: u64, claim| sum.saturating_add(claim.size)),
            signers: self
                .signers
                .iter()
                .map(|key| format!("{}+{}", key.name(), hex::encode(key.id())))
                .collect(),
        }
    }

    /// What it says of each shard.
    pub(super) fn claims(&self) -> Vec<Claim> {
        let mut claims: Vec<Claim> = self
            .shards
            .values()
            .map(|checkpoint| Claim::of_checkpoint(self.whose, checkpoint.clone()))
            .collect();
        for line in self.manifest.iter().flat_map(|manifest| &manifest.shards) {
            if !self.shards.contains_key(&line.shard) {
                claims.push(Claim::of_line(self.whose, line));
            }
        }
        claims
    }
}

fn read_manifest(
    text: &str,
    ledger: LedgerId,
    checkpoint: &LedgerCheckpoint,
) -> Result<Manifest, String> {
    if manifest::leaf(text) != checkpoint.manifest_leaf {
        return Err("the manifest is not the one that the ledger's checkpoint names".to_owned());
    }
    let manifest =
        Manifest::parse(text).map_err(|error| format!("the signed manifest: {error}"))?;
    if manifest.ledger != ledger {
        return Err("the signed manifest is another ledger's".to_owned());
    }
    if manifest.sequence.checked_add(1) != Some(checkpoint.checkpoint.size) {
        return Err("the signed manifest has another place in the ledger's log".to_owned());
    }
    Ok(manifest)
}

/// What a note says, and which of those who are trusted have signed it.
type Opened<T> = Result<(T, Result<Vec<VerifyingKey>, CheckpointError>), CheckpointError>;

pub(super) fn open_ledger(note: &str, keys: &[VerifyingKey]) -> Opened<LedgerCheckpoint> {
    let parsed = Note::parse_within(note, Limits::CHECKPOINT)?;
    let checkpoint = LedgerCheckpoint::parse(parsed.text())?;
    let opened = verify(&parsed, &checkpoint.checkpoint.origin, keys);
    Ok((checkpoint, opened))
}

pub(super) fn open_shard(note: &str, keys: &[VerifyingKey]) -> Opened<ShardCheckpoint> {
    let parsed = Note::parse_within(note, Limits::CHECKPOINT)?;
    let checkpoint = ShardCheckpoint::parse(parsed.text())?;
    let opened = verify(&parsed, &checkpoint.checkpoint.origin, keys);
    Ok((checkpoint, opened))
}

/// Without keys there is nobody to trust.
fn verify(
    note: &Note,
    origin: &str,
    keys: &[VerifyingKey],
) -> Result<Vec<VerifyingKey>, CheckpointError> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    Ok(note.opened_by(&verifying_keys(origin, keys))?)
}
