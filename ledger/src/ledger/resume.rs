//! Going on with a ledger whose shards lost their end.
//!
//! Nothing that was signed is signed away: what is lost is given up by name,
//! and what is left goes on in a new epoch, under another origin. The files as
//! they were found are kept.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use custody_proof::checkpoint::{Abandoned, ShardCheckpoint};
use custody_proof::tree::Hash;

use crate::anchor::{self, Anchor};
use crate::block::BlockBuilder;
use crate::durable;
use crate::entry::{AbandonedHead, Act, Entry, HouseRecord, Kind, SurvivingHead};
use crate::error::{BuildError, LedgerError, OpenError};
use crate::fault::{Fault, Place};
use crate::id::{Digest, ShardId};
use crate::identity::{self, Identity};
use crate::ledger::open::survey;
use crate::ledger::{Ledger, LedgerOptions};
use crate::lock::Lock;
use crate::notary::{self, GivenUp, SignedAnchor, SignedState};
use crate::segment::Manifest;
use crate::shard::{Head, ShardDescriptor};
use crate::stamp::Stamp;
use crate::store::{dir_name, generations};
use crate::tree::StoredLeaves;

/// Where the files that a resumption found are kept, in the ledger's directory.
pub(crate) const KEPT_DIR: &str = "abandoned";

/// A shard that lost its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LostEnd {
    /// Which.
    pub descriptor: ShardDescriptor,
    /// Its id.
    pub shard: ShardId,
    /// The epoch that it goes on in.
    pub epoch: u32,
    /// The last head that was vouched for; its root is zeros where it was not
    /// signed.
    pub abandoned: AbandonedHead,
    /// What is left.
    pub surviving: SurvivingHead,
}

/// How to go on.
#[derive(Clone, Debug)]
pub struct ResumeOptions {
    /// How the ledger is opened. Its notary is not used.
    pub ledger: LedgerOptions,
    /// Which shards may lose their end; `None`: every one that did.
    pub shards: Option<BTreeSet<ShardId>>,
    /// When, nanoseconds since 1970 UTC.
    pub recorded_time_ns: i64,
    /// The digest of the ruleset in force.
    pub ruleset: Digest,
}

/// Why a ledger does not go on.
#[derive(Debug, thiserror::Error)]
pub enum ResumeError {
    /// It cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// Its new epochs cannot be written.
    #[error(transparent)]
    Append(#[from] LedgerError),
    /// Another shard lost its end too. A ledger is opened as a whole.
    #[error("shard {shard} has lost its end too: give all of them up, or none")]
    Another {
        /// Which.
        shard: ShardId,
    },
    /// The first block of an epoch cannot be built.
    #[error("the first block of the new epoch cannot be built: {0}")]
    Build(#[from] BuildError),
}

/// The shards of the ledger in `dir` that have less than was durable or signed.
/// The files stay as they are.
///
/// # Errors
/// [`OpenError`] where the ledger is damaged in another way, or is in use.
pub fn lost_ends(dir: &Path, options: &LedgerOptions) -> Result<Vec<LostEnd>, OpenError> {
    let _lock = Lock::exclusive(dir)?;
    let identity = Identity::read(dir)?.ok_or_else(|| OpenError::Incomplete {
        path: dir.to_owned(),
        missing: identity::FILE,
    })?;
    let anchor = Anchor::open(dir, identity.ledger)?;
    let signed = SignedAnchor::open(signed_dir(dir, options), identity.ledger)?;
    let mut known: BTreeSet<ShardId> = anchor.state().heads.keys().copied().collect();
    known.extend(signed.state().shards.keys());
    known.extend(
        signed
            .state()
            .abandoned
            .iter()
            .filter_map(|head| head.shard),
    );
    let found = survey(dir, &identity, anchor.state(), signed.state(), &known)?;
    let mut lost = Vec::new();
    for (descriptor, head) in found {
        let shard = head.shard;
        let anchored = anchor.state().heads.get(&shard);
        let checkpoint = signed_checkpoint(signed.state(), shard)?;
        let given_up = signed.state().abandoned_of(Some(shard));
        let unresumed = given_up.filter(|given_up| given_up.epoch >= head.epoch);
        let abandoned = abandoned(&head, anchored, checkpoint.as_ref(), unresumed.as_ref());
        if let Some((abandoned, epoch)) = abandoned {
            lost.push(LostEnd {
                descriptor,
                shard,
                epoch: epoch.max(head.epoch) + 1,
                abandoned,
                surviving: SurvivingHead {
                    size: head.size,
                    blocks: head.blocks,
                },
            });
        }
    }
    Ok(lost)
}

/// The greatest head that was vouched for, and its epoch, where what is left is
/// less.
fn abandoned(
    found: &Head,
    anchored: Option<&Head>,
    signed: Option<&ShardCheckpoint>,
    unresumed: Option<&Abandoned>,
) -> Option<(AbandonedHead, u32)> {
    let anchored = anchored.filter(|anchored| anchored.blocks > found.blocks);
    let signed = signed.filter(|signed| signed.blocks > found.blocks);
    if let Some(signed) = signed {
        let head = AbandonedHead {
            size: signed.checkpoint.size,
            root: Digest(signed.checkpoint.root.0),
            blocks: signed.blocks,
            chain_head: signed.chain,
            block_digest: signed.last_block,
        };
        return Some((head, signed.epoch));
    }
    // Of an attempt that was cut short, what had been signed.
    let was_signed = |given_up: &&Abandoned| given_up.root != Hash([0; 32]);
    if let Some(anchored) = anchored.filter(|_| unresumed.filter(was_signed).is_none()) {
        let head = AbandonedHead {
            size: anchored.size,
            root: Digest([0; 32]),
            blocks: anchored.blocks,
            chain_head: anchored.chain_head,
            block_digest: anchored.block_digest,
        };
        return Some((head, anchored.epoch));
    }
    // A resumption that was cut short: of what was given up only this is left.
    unresumed.map(|given_up| {
        let head = AbandonedHead {
            size: given_up.size,
            root: Digest(given_up.root.0),
            blocks: 0,
            chain_head: Digest([0; 32]),
            block_digest: Digest([0; 32]),
        };
        (head, given_up.epoch)
    })
}

fn signed_checkpoint(
    signed: &SignedState,
    shard: ShardId,
) -> Result<Option<ShardCheckpoint>, OpenError> {
    signed
        .shard_checkpoint(shard)
        .map_err(|what| OpenError::Damaged {
            fault: Fault {
                place: Place::Shard { shard },
                what: format!("its signed checkpoint cannot be read: {what}"),
            },
        })
}

fn signed_dir<'a>(dir: &'a Path, options: &'a LedgerOptions) -> &'a Path {
    options.signed_anchor_dir.as_deref().unwrap_or(dir)
}

/// Gives up the lost ends of the ledger in `dir` and begins a new epoch of each
/// shard that lost its own, which the house shard says. The files as they were
/// found are kept in `abandoned/`. Returns what was given up: nothing where no
/// end was lost.
///
/// Cut short, it is to be run again.
///
/// # Errors
/// [`ResumeError`].
pub fn resume(dir: &Path, options: &ResumeOptions) -> Result<Vec<LostEnd>, ResumeError> {
    let lost = lost_ends(dir, &options.ledger)?;
    if lost.is_empty() {
        return Ok(lost);
    }
    if let Some(named) = &options.shards
        && let Some(other) = lost.iter().find(|end| !named.contains(&end.shard))
    {
        return Err(ResumeError::Another { shard: other.shard });
    }
    {
        let _lock = Lock::exclusive(dir)?;
        match Stamp::check(dir)? {
            Some(faults) if !faults.is_empty() => {
                return Err(OpenError::Changed { faults }.into());
            }
            _ => {}
        }
        keep(dir, options)?;
        // The signed anchor may be among the files that it covers.
        Stamp::remove(dir)?;
    }
    give_up(dir, &options.ledger, &lost)?;
    let ledger = Ledger::open(
        dir,
        LedgerOptions {
            accept_lost: lost.iter().map(|end| end.shard).collect(),
            notary: None,
            ..options.ledger.clone()
        },
    )?;
    let house = ShardDescriptor::house().id();
    let records: Vec<Entry> = lost.iter().map(|end| record(end, options)).collect();
    // The house says so first: where this is cut short, no shard has begun an
    // epoch that the house does not tell of.
    let (of_house, others): (Vec<&LostEnd>, Vec<&LostEnd>) =
        lost.iter().partition(|end| end.shard == house);
    if of_house.is_empty() {
        ledger.append_house(records.clone(), options.recorded_time_ns, options.ruleset)?;
    }
    for end in of_house.into_iter().chain(others) {
        let Some(head) = ledger.head(end.shard) else {
            continue;
        };
        let mut block = BlockBuilder::resuming(ledger.id(), &head, end.epoch);
        if end.shard == house {
            for record in &records {
                block.push(record)?;
            }
        }
        ledger.resume(block.finish(options.recorded_time_ns, options.ruleset)?)?;
    }
    ledger.close()?;
    Ok(lost)
}

fn record(end: &LostEnd, options: &ResumeOptions) -> Entry {
    let mut entry = Entry::new(Kind::ShardResumed, options.recorded_time_ns);
    entry.act = Act::House(HouseRecord::ShardResumed {
        shard: end.shard,
        epoch: end.epoch,
        abandoned: end.abandoned,
        surviving: end.surviving,
    });
    entry
}

/// Keeps the files that are about to change.
fn keep(dir: &Path, options: &ResumeOptions) -> Result<(), OpenError> {
    let io = |what: &'static str, path: PathBuf| move |source| OpenError::Io { what, path, source };
    // What an attempt that was cut short has kept stays as it is.
    let kept = (0..)
        .map(|attempt| format!("{}.{attempt}", options.recorded_time_ns))
        .map(|name| dir.join(KEPT_DIR).join(name))
        .find(|kept| !kept.exists())
        .unwrap_or_else(|| dir.join(KEPT_DIR));
    fs::create_dir_all(&kept).map_err(io("create", kept.clone()))?;
    for generation in generations(dir).map_err(io("read", dir.to_owned()))? {
        let name = dir_name(generation);
        durable::copy_dir(&dir.join(&name), &kept.join(&name))
            .map_err(io("keep", dir.join(&name)))?;
    }
    let signed_dir = signed_dir(dir, &options.ledger);
    let files = anchor::FILES.iter().map(|name| dir.join(name));
    let files = files.chain(
        notary::SIGNED_FILES
            .iter()
            .map(|name| signed_dir.join(name)),
    );
    for path in files.chain([dir.join(Manifest::path())]) {
        if let Some(name) = path.file_name().filter(|_| path.exists()) {
            fs::copy(&path, kept.join(name)).map_err(io("keep", path.clone()))?;
        }
    }
    let leaves = StoredLeaves::path(&notary::ledger_tiles(dir));
    if leaves.exists() {
        fs::copy(&leaves, kept.join("manifests")).map_err(io("keep", leaves))?;
    }
    for file in fs::read_dir(&kept).map_err(io("read", kept.clone()))? {
        let path = file.map_err(io("read", kept.clone()))?.path();
        fs::File::open(&path)
            .and_then(|file| file.sync_all())
            .map_err(io("sync", path))?;
    }
    durable::sync_dir(&kept).map_err(io("sync", kept))
}

/// Notes in the signed anchor what is given up, before anything changes.
fn give_up(dir: &Path, options: &LedgerOptions, lost: &[LostEnd]) -> Result<(), OpenError> {
    let identity = Identity::read(dir)?.ok_or_else(|| OpenError::Incomplete {
        path: dir.to_owned(),
        missing: identity::FILE,
    })?;
    let signed_dir = signed_dir(dir, options);
    let mut anchor = SignedAnchor::open(signed_dir, identity.ledger)?;
    let mut next = anchor.state().clone();
    for end in lost {
        let head = Abandoned {
            epoch: end.epoch - 1,
            size: end.abandoned.size,
            root: Hash(end.abandoned.root.0),
        };
        let given_up = GivenUp {
            shard: Some(end.shard),
            head,
        };
        let known = next.abandoned_of(Some(end.shard));
        if known.is_none_or(|known| known.epoch < head.epoch) {
            next.abandoned.push(given_up);
        }
        // What is left is still to continue what was signed of it.
        let signed = signed_checkpoint(&next, end.shard)?;
        if signed.is_some_and(|signed| signed.blocks > end.surviving.blocks) {
            next.shards.remove(&end.shard);
        }
    }
    if let Some(head) = lost_log(dir, &identity, &next)? {
        // Manifests of what is lost: the log of them begins anew, under an
        // origin of its own.
        next.abandoned.push(GivenUp { shard: None, head });
        next.epoch += 1;
        next.note.clear();
        next.manifest.clear();
    }
    anchor
        .write(next)
        .map_err(OpenError::io("write the signed anchor in", signed_dir))
}

/// The head of the ledger's own log, where that has lost its end too.
fn lost_log(
    dir: &Path,
    identity: &Identity,
    signed: &SignedState,
) -> Result<Option<Abandoned>, OpenError> {
    let tiles = notary::ledger_tiles(dir);
    let failed =
        |what: String| OpenError::io("read the signed log of", dir)(std::io::Error::other(what));
    let Some(signed_log) = signed.ledger_checkpoint().map_err(failed)? else {
        return Ok(None);
    };
    let checkpoint = signed_log.checkpoint;
    match StoredLeaves::open(&tiles, identity.ledger.0, checkpoint.size) {
        Ok(_) => Ok(None),
        // A disk that cannot be read has lost nothing yet.
        Err(error) if !error.needs_rebuild() => Err(failed(error.to_string())),
        Err(_) => Ok(Some(Abandoned {
            epoch: signed.epoch,
            size: checkpoint.size,
            root: checkpoint.root,
        })),
    }
}
