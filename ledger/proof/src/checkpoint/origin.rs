//! The origins of a ledger's logs, and the keys that sign for them.

use crate::field;
use crate::id::{LedgerId, ShardId};
use crate::note::VerifyingKey;

/// The origin of a ledger that was not given another: `custody/<ledger id>`.
pub fn ledger_origin(ledger: LedgerId) -> String {
    format!("custody/{ledger}")
}

/// The origin of a shard of the ledger with this origin: `<origin>/<shard id>`,
/// and from epoch 1 on `<origin>/<shard id>/<epoch>`.
pub fn shard_origin(origin: &str, shard: &ShardId, epoch: u32) -> String {
    match epoch {
        0 => format!("{origin}/{shard}"),
        epoch => format!("{origin}/{shard}/{epoch}"),
    }
}

/// The origin of a ledger in an epoch of its own log: `<origin>`, and from
/// epoch 1 on, after that log had lost its end and was resumed,
/// `<origin>/<epoch>`. Those of its shards follow from it.
pub fn ledger_log_origin(origin: &str, epoch: u32) -> String {
    match epoch {
        0 => origin.to_owned(),
        epoch => format!("{origin}/{epoch}"),
    }
}

/// Whether `<shard id>`, `<shard id>/<epoch>`, or an epoch of the ledger's own
/// log follows.
fn is_log(rest: &str) -> bool {
    if is_epoch(rest) {
        return true;
    }
    // Behind the epoch of the ledger's own log, where it has one.
    let rest = match rest.split_once('/') {
        Some((epoch, rest)) if is_epoch(epoch) => rest,
        _ => rest,
    };
    let (shard, epoch) = match rest.split_once('/') {
        Some((shard, epoch)) => (shard, Some(epoch)),
        None => (rest, None),
    };
    field::canonical::<ShardId>(shard).is_some() && epoch.is_none_or(is_epoch)
}

fn is_epoch(text: &str) -> bool {
    field::canonical::<u32>(text).is_some_and(|epoch| epoch > 0)
}

/// The keys with which a log's checkpoints are verified, by those who trust
/// ledgers by `trusted`: a key for the ledger's origin is one for each of its
/// shards and epochs too, under their origins.
pub fn verifying_keys(origin: &str, trusted: &[VerifyingKey]) -> Vec<VerifyingKey> {
    let mut keys = Vec::new();
    for key in trusted {
        let of_log = || {
            origin
                .strip_prefix(key.name())
                .and_then(|rest| rest.strip_prefix('/'))
                .is_some_and(is_log)
        };
        if key.name() == origin {
            keys.push(key.clone());
        } else if of_log() {
            // An origin that is no name has no keys.
            keys.extend(key.for_name(origin));
        }
    }
    keys
}
