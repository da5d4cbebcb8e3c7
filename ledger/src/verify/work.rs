//! Checking all shards: runs of blocks in parallel, put together in order.

use std::collections::{BTreeMap, BTreeSet};
use std::panic;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use parking_lot::Mutex;

use crate::fault::{Fault, Place};
use crate::id::ShardId;
use crate::shard::{Head, ShardDescriptor};
use crate::verify::claim::Claim;
use crate::verify::fold::{Fold, Folded, Plan};
use crate::verify::meter::Meter;
use crate::verify::report::VerifyReport;
use crate::verify::sources::{Source, Sources};
use crate::verify::span::{Resumption, Span};

/// One shard while it is checked.
struct Shard<'a> {
    source: &'a Source,
    plan: &'a Plan,
    line: Mutex<Line<'a>>,
    /// Nothing after its first fault is looked at.
    failed: AtomicBool,
}

/// The runs of a shard, which come as they are done and are taken in in order.
struct Line<'a> {
    fold: Fold<'a>,
    next: usize,
    done: BTreeMap<usize, (Span, Option<Fault>)>,
}

/// Checks every shard as planned.
///
/// The runs of one shard are begun one after another, and those of the next
/// shard after them, so that only few wait in memory to be taken in, and the
/// persons of few shards are held at a time.
pub(super) fn check_all(
    sources: &Sources,
    plans: &BTreeMap<ShardId, Plan>,
    threads: usize,
    meter: &Meter<'_>,
) -> Vec<Folded> {
    let shards: Vec<Shard<'_>> = plans
        .iter()
        .filter_map(|(shard, plan)| {
            Some(Shard {
                source: sources.shards.get(shard)?,
                plan,
                line: Mutex::new(Line {
                    fold: Fold::new(sources.ledger, plan),
                    next: 0,
                    done: BTreeMap::new(),
                }),
                failed: AtomicBool::new(false),
            })
        })
        .collect();
    // Segments in order, then what is not sealed.
    let runs: Vec<(&Shard<'_>, usize)> = shards
        .iter()
        .flat_map(|shard| (0..=shard.source.segments.len()).map(move |run| (shard, run)))
        .collect();
    let next = AtomicUsize::new(0);
    let work = || {
        while let Some((shard, run)) = runs.get(next.fetch_add(1, Ordering::Relaxed)) {
            shard.check(sources, *run, meter);
        }
    };
    thread::scope(|scope| {
        let others: Vec<_> = (1..threads.min(runs.len()))
            .map(|_| scope.spawn(work))
            .collect();
        work();
        for other in others {
            if let Err(payload) = other.join() {
                panic::resume_unwind(payload);
            }
        }
    });
    drop(runs);
    shards
        .into_iter()
        .map(|shard| shard.line.into_inner().fold.finish(sources.complete))
        .collect()
}

impl Shard<'_> {
    fn check(&self, sources: &Sources, run: usize, meter: &Meter<'_>) {
        if self.failed.load(Ordering::Relaxed) {
            return;
        }
        let stops = &self.plan.stops;
        let result = match self.source.segments.get(run) {
            Some(info) => sources.check_segment(self.source, info, stops, meter),
            None => sources.check_tail(self.source, stops, meter),
        };
        let mut line = self.line.lock();
        line.done.insert(run, result);
        let line = &mut *line;
        while let Some((span, fault)) = line.done.remove(&line.next) {
            line.next += 1;
            line.fold.take_in(span, fault);
        }
        if line.fold.failed() {
            self.failed.store(true, Ordering::Relaxed);
            line.done.clear();
        }
    }
}

/// What is said of each shard that is there, and of those that are not.
pub(super) fn plans(
    sources: &Sources,
    anchored: &BTreeMap<ShardId, Head>,
    claims: Vec<Claim>,
    deep: bool,
    report: &mut VerifyReport,
) -> BTreeMap<ShardId, Plan> {
    let mut by_shard: BTreeMap<ShardId, Vec<Claim>> = BTreeMap::new();
    for claim in claims {
        by_shard.entry(claim.shard).or_default().push(claim);
    }
    let named: BTreeSet<ShardId> = report
        .faults
        .iter()
        .filter_map(|fault| match fault.place {
            Place::Shard { shard } => Some(shard),
            _ => None,
        })
        .collect();
    // An empty shard may lie in the database alone.
    if sources.complete {
        for (shard, claims) in &by_shard {
            if !sources.shards.contains_key(shard) && !named.contains(shard) {
                for claim in claims.iter().take(1) {
                    report.faults.push(claim.lost_shard());
                }
            }
        }
        for shard in anchored.keys() {
            let known = sources.shards.contains_key(shard) || by_shard.contains_key(shard);
            if !known && !named.contains(shard) {
                let place = Place::Shard { shard: *shard };
                report.fault(place, "it is missing, and the anchor names it");
            }
        }
    }
    sources
        .shards
        .iter()
        .map(|(shard, source)| {
            let claims = by_shard.remove(shard).unwrap_or_default();
            let deep_from = deep.then(|| Claim::verified_before(&claims));
            let descriptor: ShardDescriptor = source.descriptor.clone();
            let anchored = anchored.get(shard).copied();
            (*shard, Plan::new(descriptor, anchored, claims, deep_from))
        })
        .collect()
}

/// Whether every shard that begins a greater epoch was resumed, as the house
/// says, and goes on from what was left.
pub(super) fn check_resumptions(folded: &[Folded], report: &mut VerifyReport) {
    let house = folded
        .iter()
        .find(|shard| shard.report.descriptor.is_house());
    let said: Vec<&(Place, Resumption)> = folded
        .iter()
        .flat_map(|shard| &shard.resumptions)
        .collect();
    let all_said = house.is_none_or(|house| house.whole);
    for shard in folded {
        let head = &shard.report.head;
        let of_shard = |resumption: &Resumption| resumption.shard == head.shard;
        for change in shard.epochs.iter().filter(|_| all_said) {
            let resumed = said.iter().any(|(_, resumption)| {
                of_shard(resumption)
                    && resumption.epoch == change.epoch
                    && resumption.surviving == change.from
            });
            if !resumed {
                let place = Place::Block {
                    shard: head.shard,
                    height: change.from.blocks,
                };
                report.fault(
                    place,
                    &format!(
                        "it begins epoch {}, and no entry of the house says that the shard was resumed there",
                        change.epoch
                    ),
                );
            }
        }
        for (place, resumption) in &said {
            let goes_on = shard.epochs.iter().any(|change| {
                change.epoch == resumption.epoch && change.from == resumption.surviving
            });
            if of_shard(resumption) && !goes_on && head.blocks > resumption.surviving.blocks {
                report.fault(
                    place.clone(),
                    &format!(
                        "shard {} was resumed from block {}, and goes on there without a new epoch",
                        resumption.shard, resumption.surviving.blocks
                    ),
                );
            }
        }
    }
}
