//! Verifying one shard, block by block.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::block::Block;
use crate::entry::Entry;
use crate::fault::{Fault, Place};
use crate::id::{LedgerId, ShardId};
use crate::segment::{self, Segment, SegmentError};
use crate::shard::{Head, ShardDescriptor};
use crate::sources::{Piece, Sources};
use crate::succession::{self, Epochs};
use crate::verify::report::{Progress, ShardReport};

/// Counts what all threads have checked.
pub(super) struct Meter<'a> {
    pub(super) blocks: AtomicU64,
    pub(super) bytes: AtomicU64,
    pub(super) total: u64,
    pub(super) progress: Option<&'a (dyn Fn(Progress) + Send + Sync)>,
}

impl Meter<'_> {
    fn count(&self, bytes: u64) {
        let blocks = self.blocks.fetch_add(1, Ordering::Relaxed) + 1;
        let bytes = self.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes;
        if let Some(progress) = self.progress {
            progress(Progress {
                blocks,
                total_blocks: self.total,
                bytes,
            });
        }
    }
}

/// A shard as far as it has been checked.
pub(super) struct Checked {
    pub(super) report: ShardReport,
    pub(super) fault: Option<Fault>,
}

/// What all shards are checked with.
pub(super) struct Checker<'a> {
    pub(super) dir: &'a Path,
    pub(super) ledger: LedgerId,
    pub(super) sources: &'a Sources,
    pub(super) anchored: &'a BTreeMap<ShardId, Head>,
    pub(super) meter: &'a Meter<'a>,
}

impl Checked {
    pub(super) fn new(ledger: LedgerId, descriptor: &ShardDescriptor) -> Self {
        Self {
            report: ShardReport {
                descriptor: descriptor.clone(),
                head: descriptor.origin(ledger),
                entries: 0,
                duplicates: 0,
                rejected: 0,
                gaps: [0; 3],
                first_offset: None,
                last_offset: None,
                resumptions: 0,
                bytes: 0,
            },
            fault: None,
        }
    }
}

impl Checker<'_> {
    /// Checks the segments of a shard up to the first fault.
    pub(super) fn segments(&self, checked: &mut Checked) {
        checked.fault = self.check_segments(&mut checked.report).err();
    }

    /// Checks what the databases hold of a shard whose segments are whole.
    pub(super) fn databases(&self, checked: &mut Checked) {
        if checked.fault.is_none() {
            checked.fault = self.check_databases(&mut checked.report).err();
        }
    }

    fn check_segments(&self, report: &mut ShardReport) -> Result<(), Fault> {
        let shard = report.head.shard;
        self.check_anchored(&report.head)?;
        let Some(sealed) = self.sources.catalogue().shards().get(&shard) else {
            return Ok(());
        };
        for info in &sealed.segments {
            let path = segment::path(shard, info.first_height);
            let whole = |what: String| Fault {
                place: Place::File { path: path.clone() },
                what,
            };
            let fault = |error: SegmentError| match error {
                SegmentError::Block { height, source } => Fault {
                    place: Place::Block { shard, height },
                    what: format!("{}: {source}", path.display()),
                },
                error => whole(error.to_string()),
            };
            let file = Segment::attach(&self.dir.join(&path)).map_err(fault)?;
            self.sources
                .catalogue()
                .check_one(sealed, &report.head, info, &file)
                .map_err(|what| whole(what.to_owned()))?;
            file.walk(|_, bytes| self.check_one(report, bytes).map_err(Walk::Fault))
                .map_err(|error| match error {
                    Walk::Fault(fault) => fault,
                    Walk::Segment(error) => fault(error),
                })?;
            if report.head != file.header().after {
                return Err(whole(
                    "it does not lead to the head that it names".to_owned(),
                ));
            }
        }
        if report.head != sealed.head {
            return Err(Fault {
                place: Place::Shard { shard },
                what: "its segments do not lead to the head that the manifest names".to_owned(),
            });
        }
        Ok(())
    }

    fn check_databases(&self, report: &mut ShardReport) -> Result<(), Fault> {
        let shard = report.head.shard;
        let whole = |what: String| Fault {
            place: Place::Shard { shard },
            what,
        };
        self.check_anchored(&report.head)?;
        let pieces = self.sources.pieces(shard);
        for piece in pieces.map_err(|error| whole(error.to_string()))? {
            let Piece::Database { index, first, end } = piece else {
                continue;
            };
            if first != report.head.blocks {
                return Err(whole(format!(
                    "a database begins at block {first}, and what is before it ends at {}",
                    report.head.blocks
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
                    .map_err(|error| at(error.to_string()))?;
                let bytes = bytes.ok_or_else(|| at("it is missing".to_owned()))?;
                self.check_one(report, bytes)?;
            }
        }
        let found = report.head.blocks;
        match self.anchored.get(&shard) {
            Some(anchored) if anchored.blocks > found => Err(whole(format!(
                "it has lost its end: the anchor names {} blocks, {found} are there",
                anchored.blocks
            ))),
            _ => Ok(()),
        }
    }

    fn check_one(&self, report: &mut ShardReport, bytes: Vec<u8>) -> Result<(), Fault> {
        let length = bytes.len() as u64;
        let block = check_block(self.ledger, &report.head, bytes)?;
        self.check_anchored(&block.head_after())?;
        add(report, &block);
        self.meter.count(length);
        Ok(())
    }

    fn check_anchored(&self, head: &Head) -> Result<(), Fault> {
        check_anchored(head, self.anchored.get(&head.shard))
    }
}

/// Why a walk ended early.
enum Walk {
    Segment(SegmentError),
    Fault(Fault),
}

impl From<SegmentError> for Walk {
    fn from(error: SegmentError) -> Self {
        Self::Segment(error)
    }
}

/// Compares with the anchor at the height that it names.
fn check_anchored(head: &Head, anchored: Option<&Head>) -> Result<(), Fault> {
    match anchored {
        Some(anchored) if anchored.blocks == head.blocks && anchored != head => Err(Fault {
            place: head.blocks.checked_sub(1).map_or(
                Place::Shard { shard: head.shard },
                |height| Place::Block {
                    shard: head.shard,
                    height,
                },
            ),
            what: "it is not what the anchor names".to_owned(),
        }),
        _ => Ok(()),
    }
}

fn add(report: &mut ShardReport, block: &Block) {
    let header = &block.header;
    report.resumptions += u64::from(header.epoch > report.head.epoch);
    report.head = block.head_after();
    report.entries += u64::from(header.entries);
    // The offsets bound these.
    report.duplicates = report.duplicates.saturating_add(header.duplicates);
    report.rejected = report.rejected.saturating_add(header.rejected);
    for (sum, gap) in report.gaps.iter_mut().zip(header.gaps) {
        *sum = sum.saturating_add(gap);
    }
    report.first_offset = report.first_offset.or(header.first_offset);
    report.last_offset = header.last_offset;
    report.bytes += block.as_bytes().len() as u64;
}

/// Checks that stored bytes are the block that follows `head`, and everything
/// in it.
pub(crate) fn check_block(ledger: LedgerId, head: &Head, bytes: Vec<u8>) -> Result<Block, Fault> {
    let (shard, height) = (head.shard, head.blocks);
    let at = |what: String| Fault {
        place: Place::Block { shard, height },
        what,
    };
    let block = Block::parse(bytes).map_err(|error| at(error.to_string()))?;
    let digest = block.check_digest();
    let chain = succession::check_chain(head, &block);
    // Which of the two differ says what part of the block is damaged.
    match (&digest, &chain) {
        (Ok(()), Ok(())) => {}
        (Err(_), Ok(())) => {
            return Err(at(
                "its header or its digest is damaged; its entries are whole".to_owned(),
            ));
        }
        (Err(_), Err(_)) => {
            // Where an entry cannot even be read, it is the damaged one, or
            // the one after it.
            check_entries(head, &block)?;
            return Err(at(
                "its entries, or the chain in its header, are damaged".to_owned()
            ));
        }
        (Ok(()), Err(error)) => return Err(at(error.to_string())),
    }
    succession::check_header(ledger, Epochs::SameOrResumed, head, &block.header)
        .map_err(|error| at(error.to_string()))?;
    check_entries(head, &block)?;
    Ok(block)
}

fn check_entries(head: &Head, block: &Block) -> Result<(), Fault> {
    let header = &block.header;
    let mut offsets = OffsetOrder {
        next: header.first_offset,
        last: header.last_offset,
    };
    let mut count: u32 = 0;
    for stored in block.stored_entries() {
        let sequence = head.size.saturating_add(u64::from(count));
        let at = |what: String| entry_fault(head.shard, head.blocks, sequence, what);
        let (_, bytes) = stored.map_err(|error| at(error.to_string()))?;
        let entry = Entry::decode(bytes).map_err(|error| at(error.to_string()))?;
        offsets.check(entry.offset).map_err(at)?;
        count += 1;
    }
    if count != header.entries {
        return Err(Fault {
            place: Place::Block {
                shard: head.shard,
                height: head.blocks,
            },
            what: format!("it has {count} entries, and counts {}", header.entries),
        });
    }
    Ok(())
}

fn entry_fault(shard: ShardId, height: u64, sequence: u64, what: String) -> Fault {
    Fault {
        place: Place::Entry {
            shard,
            height,
            sequence,
        },
        what,
    }
}

/// Offsets of entries ascend within those that their block accounts for.
struct OffsetOrder {
    next: Option<i64>,
    last: Option<i64>,
}

impl OffsetOrder {
    fn check(&mut self, offset: Option<i64>) -> Result<(), String> {
        match (offset, self.next, self.last) {
            (None, None, None) => Ok(()),
            (Some(offset), Some(next), Some(last)) if (next..=last).contains(&offset) => {
                self.next = Some(offset.saturating_add(1));
                Ok(())
            }
            (Some(offset), ..) => Err(format!(
                "its offset {offset} is out of order or outside its block"
            )),
            (None, ..) => Err("it has no offset".to_owned()),
        }
    }
}
