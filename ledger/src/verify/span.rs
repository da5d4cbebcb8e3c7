//! What checking a run of blocks yields, to be joined with what is before and
//! after it in its shard.

use custody_proof::entry::{AbandonedHead, SurvivingHead};
use custody_proof::tree;

use crate::block::BlockHeader;
use crate::fault::Place;
use crate::id::{Digest, ShardId};
use crate::shard::Head;
use crate::verify::persons::Touch;
use crate::verify::range::CompactRange;

/// Where a shard is looked at: what others say of it at these places is
/// compared with what was computed.
#[derive(Clone, Debug, Default)]
pub(super) struct Stops {
    /// Sizes at which a root is wanted, ascending.
    pub(super) sizes: Vec<u64>,
    /// Numbers of blocks after which the head is wanted, ascending.
    pub(super) heights: Vec<u64>,
    /// From which sequence on entries are decoded as a whole; `None`: never.
    pub(super) deep_from: Option<u64>,
}

impl Stops {
    pub(super) fn add(&mut self, size: u64, blocks: Option<u64>) {
        insert(&mut self.sizes, size);
        if let Some(blocks) = blocks {
            self.add_height(blocks);
        }
    }

    pub(super) fn add_height(&mut self, blocks: u64) {
        insert(&mut self.heights, blocks);
    }
}

fn insert(sorted: &mut Vec<u64>, value: u64) {
    if let Err(at) = sorted.binary_search(&value) {
        sorted.insert(at, value);
    }
}

/// What was counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) entries: u64,
    pub(super) duplicates: u64,
    pub(super) rejected: u64,
    pub(super) gaps: [u64; 3],
    pub(super) bytes: u64,
    pub(super) first_offset: Option<i64>,
    pub(super) last_offset: Option<i64>,
}

impl Tally {
    fn count(&mut self, header: &BlockHeader, bytes: u64) {
        self.add(&Self {
            entries: u64::from(header.entries),
            duplicates: header.duplicates,
            rejected: header.rejected,
            gaps: header.gaps,
            bytes,
            first_offset: header.first_offset,
            last_offset: header.last_offset,
        });
    }

    pub(super) fn add(&mut self, later: &Self) {
        // Offsets bound these; those of a damaged file do not.
        self.entries = self.entries.saturating_add(later.entries);
        self.duplicates = self.duplicates.saturating_add(later.duplicates);
        self.rejected = self.rejected.saturating_add(later.rejected);
        for (sum, gap) in self.gaps.iter_mut().zip(later.gaps) {
            *sum = sum.saturating_add(gap);
        }
        self.bytes = self.bytes.saturating_add(later.bytes);
        self.first_offset = self.first_offset.or(later.first_offset);
        self.last_offset = later.last_offset.or(self.last_offset);
    }
}

/// The head after some block, and what had been counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) head: Head,
    pub(super) tally: Tally,
}

/// A block that begins a greater epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct EpochChange {
    pub(super) epoch: u32,
    pub(super) from: SurvivingHead,
}

/// What the house says of a resumption.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Resumption {
    pub(super) shard: ShardId,
    pub(super) epoch: u32,
    pub(super) abandoned: AbandonedHead,
    pub(super) surviving: SurvivingHead,
}

/// What checking a run of blocks yields.
#[derive(Debug)]
pub(super) struct Span {
    pub(super) before: Head,
    /// After the last block without a fault.
    pub(super) head: Head,
    pub(super) tally: Tally,
    /// Beside each other, cut where a root is wanted.
    pub(super) ranges: Vec<CompactRange>,
    pub(super) touches: Vec<Touch>,
    pub(super) marks: Vec<Mark>,
    pub(super) epochs: Vec<EpochChange>,
    pub(super) resumptions: Vec<(Place, Resumption)>,
}

impl Span {
    pub(super) fn starting_at(head: Head) -> Self {
        Self {
            before: head,
            head,
            tally: Tally::default(),
            ranges: Vec::new(),
            touches: Vec::new(),
            marks: Vec::new(),
            epochs: Vec::new(),
            resumptions: Vec::new(),
        }
    }

    /// Takes in the next leaf of the tree, with its sequence.
    pub(super) fn leaf(&mut self, stops: &Stops, sequence: u64, link: &Digest) {
        let cut = self
            .ranges
            .last()
            .is_none_or(|last| stops.sizes.binary_search(&last.end()).is_ok());
        if cut {
            self.ranges.push(CompactRange::starting_at(sequence));
        }
        if let Some(last) = self.ranges.last_mut() {
            last.push(tree::leaf_hash_32(link.as_bytes()));
        }
    }

    /// Moves the head past a block that was checked.
    pub(super) fn advance(&mut self, stops: &Stops, header: &BlockHeader, after: Head, bytes: u64) {
        if header.epoch != self.head.epoch {
            self.epochs.push(EpochChange {
                epoch: header.epoch,
                from: SurvivingHead {
                    size: self.head.size,
                    blocks: self.head.blocks,
                },
            });
        }
        self.tally.count(header, bytes);
        self.head = after;
        if stops.heights.binary_search(&after.blocks).is_ok() {
            self.marks.push(Mark {
                head: after,
                tally: self.tally,
            });
        }
    }
}
