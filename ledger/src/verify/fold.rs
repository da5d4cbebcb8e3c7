//! One shard, put together from the runs of blocks that were checked.

use std::collections::BTreeMap;
use std::path::Path;

use custody_proof::tree::Hash;

use crate::fault::{Fault, Place};
use crate::id::LedgerId;
use crate::segment;
use crate::shard::{Head, ShardDescriptor};
use crate::verify::claim::{Claim, Origin};
use crate::verify::persons::Persons;
use crate::verify::range::CompactRange;
use crate::verify::report::ShardReport;
use crate::verify::span::{EpochChange, Mark, Resumption, Span, Stops, Tally};
use crate::verify::tiles::TileFiles;

/// What is said of a shard, and where that is compared.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) descriptor: ShardDescriptor,
    /// The head that the anchor of commits names.
    pub(super) anchored: Option<Head>,
    /// The head at the end of the segments, as the manifest names it.
    pub(super) sealed: Head,
    pub(super) claims: Vec<Claim>,
    pub(super) stops: Stops,
    /// Where the map of the persons touched from one sequence on is wanted:
    /// (at which size, from which sequence), ascending.
    maps: Vec<(u64, u64)>,
}

impl Plan {
    pub(super) fn new(
        descriptor: ShardDescriptor,
        anchored: Option<Head>,
        sealed: Head,
        claims: Vec<Claim>,
        deep_from: Option<u64>,
    ) -> Self {
        let mut stops = Stops {
            deep_from,
            ..Stops::default()
        };
        let mut maps = Vec::new();
        for claim in &claims {
            stops.add(claim.size, claim.blocks());
            if let Some(roots) = claim.maps() {
                maps.push((roots.base_size, 0));
                maps.push((roots.size, roots.base_size));
            }
        }
        if let Some(anchored) = anchored {
            stops.add_height(anchored.blocks);
        }
        maps.sort_unstable();
        maps.dedup();
        Self {
            descriptor,
            anchored,
            sealed,
            claims,
            stops,
            maps,
        }
    }

    pub(super) fn origin(&self, ledger: LedgerId) -> Head {
        self.descriptor.origin(ledger)
    }
}

/// What was computed of a shard at the places where others say something.
#[derive(Debug, Default)]
pub(super) struct Computed {
    /// The root at each size.
    pub(super) roots: BTreeMap<u64, Hash>,
    /// The head after each number of blocks.
    pub(super) marks: BTreeMap<u64, Mark>,
    /// The root of the map of persons touched from one sequence to a size.
    pub(super) maps: BTreeMap<(u64, u64), Hash>,
}

/// A shard as far as it has been put together.
#[derive(Debug)]
pub(super) struct Fold<'a> {
    plan: &'a Plan,
    head: Head,
    tally: Tally,
    tree: CompactRange,
    persons: Persons,
    /// How many of the plan's maps are done.
    mapped: usize,
    computed: Computed,
    epochs: Vec<EpochChange>,
    resumptions: Vec<(Place, Resumption)>,
    tiles: TileFiles,
    fault: Option<Fault>,
}

/// A shard that has been put together.
#[derive(Debug)]
pub(super) struct Folded {
    pub(super) report: ShardReport,
    pub(super) epochs: Vec<EpochChange>,
    pub(super) resumptions: Vec<(Place, Resumption)>,
    /// The claims that hold, and the epoch of the entries that they are about.
    pub(super) held: Vec<(Claim, u32)>,
    /// Whether the end was reached without a fault.
    pub(super) whole: bool,
    pub(super) faults: Vec<Fault>,
    pub(super) warning: Option<String>,
}

impl<'a> Fold<'a> {
    pub(super) fn new(dir: &Path, ledger: LedgerId, plan: &'a Plan) -> Self {
        let head = plan.origin(ledger);
        let mut fold = Self {
            plan,
            head,
            tally: Tally::default(),
            tree: CompactRange::starting_at(0),
            persons: Persons::default(),
            mapped: 0,
            computed: Computed::default(),
            epochs: Vec::new(),
            resumptions: Vec::new(),
            tiles: TileFiles::open(dir, head.shard),
            fault: None,
        };
        let mark = Mark {
            head,
            tally: Tally::default(),
        };
        fold.note_root();
        fold.note_maps(0);
        fold.fault = fold.note_mark(mark).err();
        fold
    }

    pub(super) fn failed(&self) -> bool {
        self.fault.is_some()
    }

    /// Takes in the next run of blocks, up to its fault.
    pub(super) fn take_in(&mut self, span: Span, fault: Option<Fault>) {
        if self.fault.is_some() {
            return;
        }
        if fault.is_some() && span.before == span.head {
            // Nothing of it could be read.
            self.fault = fault;
            return;
        }
        let taken = self.join(span);
        self.fault = taken.err().or(fault);
    }

    fn join(&mut self, span: Span) -> Result<(), Fault> {
        if span.before != self.head {
            return Err(self.discontinuity(&span.before));
        }
        for range in &span.ranges {
            // Beyond the head are leaves of a block with a fault.
            if range.end() > span.head.size {
                break;
            }
            if !self.tree.join(range) {
                return Err(self.discontinuity(&span.before));
            }
            self.note_root();
        }
        for tile in self.tree.take_tiles() {
            self.tiles.compare(&tile);
        }
        let mut touches = span.touches.as_slice();
        while let Some(&(at, _)) = self.plan.maps.get(self.mapped)
            && at <= span.head.size
        {
            let before = touches.partition_point(|touch| touch.sequence < at);
            let (covered, rest) = touches.split_at(before);
            self.persons.touch_all(covered);
            touches = rest;
            self.note_maps(at);
        }
        self.persons.touch_all(touches);
        let before = self.tally;
        for mark in span.marks {
            let mut tally = before;
            tally.add(&mark.tally);
            let mark = Mark { tally, ..mark };
            self.note_mark(mark)?;
        }
        self.tally.add(&span.tally);
        self.epochs.extend(span.epochs);
        self.resumptions.extend(span.resumptions);
        self.head = span.head;
        Ok(())
    }

    fn discontinuity(&self, next: &Head) -> Fault {
        let shard = self.head.shard;
        // What is not sealed is taken to begin where the manifest says.
        let sealed = self.plan.sealed == *next;
        let place = if sealed {
            Place::Shard { shard }
        } else {
            let path = segment::path(shard, next.blocks);
            Place::File { path }
        };
        let what = if sealed {
            "its segments do not lead to the head that the manifest names".to_owned()
        } else {
            format!(
                "it does not continue what is before it: block {} is expected next",
                self.head.blocks
            )
        };
        Fault { place, what }
    }

    fn note_root(&mut self) {
        let size = self.tree.end();
        if self.plan.stops.sizes.binary_search(&size).is_ok()
            && let Some(root) = self.tree.root()
        {
            self.computed.roots.insert(size, root);
        }
    }

    /// Makes the maps that are wanted at sizes up to this one. Every entry
    /// before it has been taken in.
    fn note_maps(&mut self, size: u64) {
        while let Some(&(at, from)) = self.plan.maps.get(self.mapped)
            && at <= size
        {
            let root = self.persons.root_from(from);
            self.computed.maps.insert((from, at), root);
            self.mapped += 1;
        }
    }

    /// Notes a head, and compares it with what the anchor names there.
    fn note_mark(&mut self, mark: Mark) -> Result<(), Fault> {
        let head = &mark.head;
        if let Some(anchored) = &self.plan.anchored
            && anchored.blocks == head.blocks
            && anchored != head
        {
            let shard = head.shard;
            let place = match head.blocks.checked_sub(1) {
                Some(height) => Place::Block { shard, height },
                None => Place::Shard { shard },
            };
            return Err(Fault {
                place,
                what: "it is not what the anchor names".to_owned(),
            });
        }
        self.computed.marks.insert(head.blocks, mark);
        Ok(())
    }

    /// The epoch of the entry before a size.
    fn epoch_at(&self, size: u64) -> u32 {
        let changes = self.epochs.iter().rev();
        let mut before = changes.filter(|change| change.from.size < size);
        before
            .next()
            .map_or(self.plan.descriptor.epoch, |change| change.epoch)
    }

    /// Compares what was put together with what is said of it. `complete`:
    /// everything that is there could be read, so that what is missing is lost.
    pub(super) fn finish(self, complete: bool) -> Folded {
        let mut faults: Vec<Fault> = self.fault.iter().cloned().collect();
        let whole = faults.is_empty() && complete;
        if whole
            && let Some(anchored) = &self.plan.anchored
            && anchored.blocks > self.head.blocks
        {
            let shard = self.head.shard;
            faults.push(Fault {
                place: Place::Shard { shard },
                what: format!(
                    "it has lost its end: the anchor names {} blocks, {} are there",
                    anchored.blocks, self.head.blocks
                ),
            });
        }
        let mut held = Vec::new();
        let mut refuted = false;
        for claim in &self.plan.claims {
            let compared = if claim.size <= self.head.size {
                claim.compare(&self.plan.descriptor, &self.computed)
            } else if whole {
                Err(claim.lost_end(self.head.size))
            } else {
                continue;
            };
            match compared {
                Ok(()) => held.push((claim.clone(), self.epoch_at(claim.size))),
                // The first; the others most often say the same.
                Err(fault) if !refuted => {
                    refuted = true;
                    faults.push(fault);
                }
                Err(_) => {}
            }
        }
        let signed = held.iter().map(|(claim, _)| claim);
        let signed = signed.filter(|claim| claim.origin == Origin::Signed);
        let signed_size = signed.map(|claim| claim.size).max();
        let report = ShardReport {
            descriptor: self.plan.descriptor.clone(),
            head: self.head,
            entries: self.tally.entries,
            duplicates: self.tally.duplicates,
            rejected: self.tally.rejected,
            gaps: self.tally.gaps,
            first_offset: self.tally.first_offset,
            last_offset: self.tally.last_offset,
            resumptions: self.epochs.len() as u64,
            bytes: self.tally.bytes,
            persons: self.persons.len(),
            signed_size,
        };
        Folded {
            report,
            epochs: self.epochs,
            resumptions: self.resumptions,
            held,
            whole: whole && faults.is_empty(),
            faults,
            warning: self.tiles.wrong(),
        }
    }
}
