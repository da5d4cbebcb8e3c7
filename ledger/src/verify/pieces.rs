//! Checking the pieces that a shard's blocks lie in: segments, then databases.

use std::io;
use std::path::Path;

use crate::fault::{Fault, Place};
use crate::id::{LedgerId, ShardId};
use crate::segment::{self, Segment, SegmentError, SegmentInfo};
use crate::shard::Head;
use crate::sources::{Piece, Sources};
use crate::verify::block;
use crate::verify::fold::Plan;
use crate::verify::meter::Meter;
use crate::verify::span::{Span, Stops};

/// What checks runs of blocks.
pub(super) struct Checker<'a> {
    pub(super) dir: &'a Path,
    pub(super) ledger: LedgerId,
    pub(super) sources: &'a Sources,
    pub(super) meter: &'a Meter<'a>,
}

/// A run of blocks that is checked by itself.
#[derive(Clone, Copy, Debug)]
pub(super) enum Run {
    Segment(SegmentInfo),
    /// Everything that is not sealed.
    Tail,
}

impl Checker<'_> {
    /// The runs of a shard, in order.
    pub(super) fn runs(&self, shard: ShardId) -> Vec<Run> {
        let sealed = self.sources.catalogue().shards().get(&shard);
        let segments = sealed.into_iter().flat_map(|sealed| &sealed.segments);
        let mut runs: Vec<Run> = segments.copied().map(Run::Segment).collect();
        runs.push(Run::Tail);
        runs
    }

    /// Checks a run up to its first fault.
    pub(super) fn check(&self, plan: &Plan, run: Run) -> (Span, Option<Fault>) {
        match run {
            Run::Segment(info) => self.check_segment(plan, &info),
            Run::Tail => {
                let mut span = Span::starting_at(plan.sealed);
                let fault = self.check_tail(&mut span, &plan.stops).err();
                (span, fault)
            }
        }
    }

    /// Checks a segment from the head that it says it begins at.
    fn check_segment(&self, plan: &Plan, info: &SegmentInfo) -> (Span, Option<Fault>) {
        let shard = plan.sealed.shard;
        let path = segment::path(shard, info.first_height);
        let whole = |what: String| Fault {
            place: Place::File { path: path.clone() },
            what,
        };
        let nothing = |what: String| {
            (
                Span::starting_at(plan.origin(self.ledger)),
                Some(whole(what)),
            )
        };
        let segment = match Segment::attach(&self.dir.join(&path)) {
            Ok(segment) => segment,
            Err(error) => return nothing(unreadable(&error)),
        };
        let header = segment.header();
        if header.ledger != self.ledger {
            return nothing("it belongs to another ledger".to_owned());
        }
        if header.before.shard != shard {
            return nothing("it belongs to another shard".to_owned());
        }
        let mut span = Span::starting_at(header.before);
        let mut stored = 0;
        let walked = segment.walk(|walked| {
            stored += walked.stored_bytes;
            self.meter.block(walked.stored_bytes);
            block::take_in(self.ledger, &plan.stops, &mut span, walked.bytes).map_err(Walk::Block)
        });
        // Header, index and end.
        self.meter.file(segment.length().saturating_sub(stored));
        let fault = match walked {
            Err(Walk::Block(fault)) => Some(fault),
            Err(Walk::Segment(SegmentError::Block { height, source })) => Some(Fault {
                place: Place::Block { shard, height },
                what: format!("{}: {source}", path.display()),
            }),
            Err(Walk::Segment(error)) => Some(whole(unreadable(&error))),
            Ok(()) => compare(&span.head, info, &segment).map(|what| whole(what.to_owned())),
        };
        (span, fault)
    }

    /// Checks what is not sealed of a shard.
    fn check_tail(&self, span: &mut Span, stops: &Stops) -> Result<(), Fault> {
        let shard = span.head.shard;
        let whole = |what: String| Fault {
            place: Place::Shard { shard },
            what,
        };
        let pieces = self.sources.pieces(shard);
        for piece in pieces.map_err(|error| whole(error.to_string()))? {
            let Piece::Database { index, first, end } = piece else {
                continue;
            };
            if first != span.head.blocks {
                return Err(whole(format!(
                    "a database begins at block {first}, and what is before it ends at {}",
                    span.head.blocks
                )));
            }
            for height in first..end {
                let at = |what: String| Fault {
                    place: Place::Block { shard, height },
                    what,
                };
                let bytes = self
                    .sources
                    .block(index, shard, height)
                    .map_err(|error| at(error.to_string()))?
                    .ok_or_else(|| at("it is missing".to_owned()))?;
                block::take_in(self.ledger, stops, span, &bytes)?;
                self.meter.block(bytes.len() as u64);
            }
        }
        Ok(())
    }
}

/// Compares a segment with what it says of itself and what the manifest says
/// of it, after its blocks led to `head`.
fn compare(head: &Head, info: &SegmentInfo, segment: &Segment) -> Option<&'static str> {
    let header = segment.header();
    if *head != header.after {
        return Some("its blocks do not lead to the head that it says it ends at");
    }
    if segment.length() != info.length || segment.digest() != info.digest {
        return Some("it is not the file that the manifest names");
    }
    let same = header.before.blocks == info.first_height
        && header.blocks() == info.blocks
        && header.before.size == info.first_sequence
        && header.entries() == info.entries;
    (!same).then_some("it does not hold what the manifest says")
}

fn unreadable(error: &SegmentError) -> String {
    match error {
        SegmentError::Io(error) if error.kind() == io::ErrorKind::NotFound => {
            "is missing".to_owned()
        }
        SegmentError::Io(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            "it is cut short".to_owned()
        }
        SegmentError::Io(error) => format!("it cannot be read: {error}"),
        error => error.to_string(),
    }
}

/// Why a walk ended early.
enum Walk {
    Segment(SegmentError),
    Block(Fault),
}

impl From<SegmentError> for Walk {
    fn from(error: SegmentError) -> Self {
        Self::Segment(error)
    }
}
