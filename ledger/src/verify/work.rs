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
use crate::verify::pieces::{Checker, Run};
use crate::verify::report::VerifyReport;
use crate::verify::span::Span;

/// One shard while it is checked.
struct Shard<'a> {
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

/// Checks every shard as planned. `complete`: what is not there is lost.
///
/// The runs of one shard are begun one after another, and those of the next
/// shard after them, so that only few wait in memory to be taken in, and the
/// persons of few shards are held at a time.
pub(super) fn check_all(
    checker: &Checker<'_>,
    plans: &BTreeMap<ShardId, Plan>,
    threads: usize,
    complete: bool,
) -> Vec<Folded> {
    let shards: Vec<(Shard<'_>, Vec<Run>)> = plans
        .iter()
        .map(|(shard, plan)| {
            let runs = checker.runs(*shard);
            let shard = Shard {
                plan,
                line: Mutex::new(Line {
                    fold: Fold::new(checker.dir, checker.ledger, plan),
                    next: 0,
                    done: BTreeMap::new(),
                }),
                failed: AtomicBool::new(false),
            };
            (shard, runs)
        })
        .collect();
    let runs: Vec<(&Shard<'_>, usize, Run)> = shards
        .iter()
        .flat_map(|(shard, runs)| {
            let runs = runs.iter().enumerate();
            runs.map(move |(index, run)| (shard, index, *run))
        })
        .collect();
    let next = AtomicUsize::new(0);
    let work = || {
        while let Some((shard, index, run)) = runs.get(next.fetch_add(1, Ordering::Relaxed)) {
            shard.check(checker, *index, *run);
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
        .map(|(shard, _)| shard.line.into_inner().fold.finish(complete))
        .collect()
}

impl Shard<'_> {
    fn check(&self, checker: &Checker<'_>, index: usize, run: Run) {
        if self.failed.load(Ordering::Relaxed) {
            return;
        }
        let result = checker.check(self.plan, run);
        let mut line = self.line.lock();
        line.done.insert(index, result);
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

/// What is said of each shard that is there.
pub(super) fn plans(
    checker: &Checker<'_>,
    descriptors: &BTreeMap<ShardId, ShardDescriptor>,
    anchored: &BTreeMap<ShardId, Head>,
    claims: &[Claim],
    deep: bool,
) -> BTreeMap<ShardId, Plan> {
    let sealed = checker.sources.catalogue();
    descriptors
        .iter()
        .map(|(shard, descriptor)| {
            let claims = claims.iter().filter(|claim| claim.shard == *shard);
            let claims: Vec<Claim> = claims.cloned().collect();
            let deep_from = deep.then(|| Claim::verified_before(&claims));
            let sealed = sealed.head(*shard);
            let sealed = sealed.unwrap_or_else(|| descriptor.origin(checker.ledger));
            let anchored = anchored.get(shard).copied();
            let plan = Plan::new(descriptor.clone(), anchored, sealed, claims, deep_from);
            (*shard, plan)
        })
        .collect()
}

/// Names the shards that are not there, and that others name.
pub(super) fn report_missing(
    descriptors: &BTreeMap<ShardId, ShardDescriptor>,
    anchored: &BTreeMap<ShardId, Head>,
    claims: &[Claim],
    report: &mut VerifyReport,
) {
    let mut named: BTreeSet<ShardId> = descriptors.keys().copied().collect();
    named.extend(report.faults.iter().filter_map(|fault| match fault.place {
        Place::Shard { shard } => Some(shard),
        _ => None,
    }));
    for claim in claims {
        if named.insert(claim.shard) {
            report.faults.push(claim.lost_shard());
        }
    }
    for shard in anchored.keys() {
        if named.insert(*shard) {
            let place = Place::Shard { shard: *shard };
            report.fault(place, "it is missing, and the anchor names it");
        }
    }
}
