//! Verifying one shard, block by block.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::block::Block;
use crate::entry::Entry;
use crate::fault::{Fault, Place};
use crate::id::{LedgerId, ShardId};
use crate::shard::{Head, ShardDescriptor};
use crate::store::Store;
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

/// Checks a shard up to its first fault.
pub(super) fn check(
    store: &Store,
    ledger: LedgerId,
    descriptor: &ShardDescriptor,
    anchored: Option<&Head>,
    meter: &Meter<'_>,
) -> (ShardReport, Option<Fault>) {
    let mut report = ShardReport {
        descriptor: descriptor.clone(),
        head: descriptor.origin(ledger),
        entries: 0,
        duplicates: 0,
        rejected: 0,
        gaps: [0; 3],
        first_offset: None,
        last_offset: None,
        bytes: 0,
    };
    let fault = check_blocks(store, ledger, anchored, meter, &mut report).err();
    (report, fault)
}

fn check_blocks(
    store: &Store,
    ledger: LedgerId,
    anchored: Option<&Head>,
    meter: &Meter<'_>,
    report: &mut ShardReport,
) -> Result<(), Fault> {
    let shard = report.head.shard;
    let whole = |what: String| Fault {
        place: Place::Shard { shard },
        what,
    };
    let last = store
        .last_height(shard)
        .map_err(|error| whole(error.to_string()))?;
    let found = last.map_or(0, |last| last.saturating_add(1));
    check_anchored(&report.head, anchored)?;
    for height in 0..found {
        let at = |what: String| Fault {
            place: Place::Block { shard, height },
            what,
        };
        let bytes = store
            .block(shard, height)
            .map_err(|error| at(error.to_string()))?;
        let bytes = bytes.ok_or_else(|| at("it is missing".to_owned()))?;
        let length = bytes.len() as u64;
        let block = check_block(ledger, &report.head, bytes)?;
        check_anchored(&block.head_after(), anchored)?;
        add(report, &block);
        meter.count(length);
    }
    match anchored {
        Some(anchored) if anchored.blocks > found => Err(whole(format!(
            "it has lost its end: the anchor names {} blocks, {found} are there",
            anchored.blocks
        ))),
        _ => Ok(()),
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
