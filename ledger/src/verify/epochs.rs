//! Epochs: a shard goes on in a greater one where it lost its end, and the
//! house says so.

use crate::fault::{Fault, Place};
use crate::verify::claim::Claim;
use crate::verify::fold::Folded;
use crate::verify::span::{EpochChange, Resumption};

/// Compares the epochs of all shards, and of what is signed of them, with the
/// resumptions that the house tells of.
pub(super) fn check(folded: &[Folded]) -> Vec<Fault> {
    let house = folded
        .iter()
        .find(|shard| shard.report.descriptor.is_house());
    if house.is_some_and(|house| !house.whole) {
        // What it would say may lie beyond its fault, which is named.
        return Vec::new();
    }
    let said: Vec<&(Place, Resumption)> = house
        .into_iter()
        .flat_map(|house| &house.resumptions)
        .collect();
    folded
        .iter()
        .flat_map(|shard| check_shard(shard, &said))
        .collect()
}

fn check_shard(shard: &Folded, said: &[&(Place, Resumption)]) -> Vec<Fault> {
    let head = &shard.report.head;
    let said: Vec<&(Place, Resumption)> = said
        .iter()
        .copied()
        .filter(|(_, resumption)| resumption.shard == head.shard)
        .collect();
    let mut faults = Vec::new();
    for change in &shard.epochs {
        if !said.iter().any(|(_, resumption)| is_of(resumption, change)) {
            faults.push(Fault {
                place: Place::Block {
                    shard: head.shard,
                    height: change.from.blocks,
                },
                what: format!(
                    "it begins epoch {}, and no entry of the house says that the shard was resumed there",
                    change.epoch
                ),
            });
        }
    }
    for (place, resumption) in &said {
        let goes_on = shard.epochs.iter().any(|change| is_of(resumption, change));
        if !goes_on && head.blocks > resumption.surviving.blocks {
            faults.push(Fault {
                place: place.clone(),
                what: format!(
                    "shard {} was resumed from block {} in epoch {}, and goes on there without it",
                    resumption.shard, resumption.surviving.blocks, resumption.epoch
                ),
            });
        }
    }
    for (claim, epoch) in &shard.held {
        if let Some(what) = contradicts(claim, *epoch, &said) {
            faults.push(claim.wrong(what));
        }
    }
    faults
}

fn is_of(resumption: &Resumption, change: &EpochChange) -> bool {
    resumption.epoch == change.epoch && resumption.surviving == change.from
}

/// A checkpoint is of the epoch of its last entry, or of one in which the shard
/// was resumed right after it.
fn contradicts(claim: &Claim, epoch: u32, said: &[&(Place, Resumption)]) -> Option<&'static str> {
    let resumed = said
        .iter()
        .map(|(_, resumption)| resumption)
        .find(|resumption| resumption.epoch == claim.epoch);
    if claim.epoch != epoch && resumed.is_none_or(|resumed| resumed.surviving.size > claim.size) {
        return Some("its epoch is not what");
    }
    let abandoned = claim.checkpoint.as_ref()?.abandoned?;
    // The house tells of the last head that was durable, of which nothing may
    // have been signed.
    let same = resumed.is_some_and(|resumed| {
        let given_up = &resumed.abandoned;
        given_up.size > abandoned.size
            || given_up.size == abandoned.size
                && [abandoned.root.0, [0; 32]].contains(&given_up.root.0)
    });
    (!same).then_some("the head that was given up is, by the house, not what")
}
