//! Brings the index up to the ledger: what became durable and did not reach
//! the index is read back and opened.

use custody_ledger::{Block, Kind, Ledger, ShardId};
use custody_vault::{EntryContext, Vault};
use tracing::{info, warn};

use super::{Digests, DuplicateIndex, DuplicatesError};
use crate::reread;

/// Blocks read at a time, in bytes.
const READ_BYTES: usize = 4 << 20;

/// Takes in what the ledger holds beyond the index, as far back as the window
/// before `now_ns` goes.
///
/// An entry that cannot be opened (its person was erased) is left out: the index
/// is made durable before anybody is erased, so that this is so only where it was
/// lost, and the same event delivered again within the window is then new.
///
/// # Errors
/// [`DuplicatesError`] where the ledger, the vault or the store fails.
pub fn catch_up(
    index: &DuplicateIndex,
    ledger: &Ledger,
    vault: &Vault,
    now_ns: i64,
) -> Result<(), DuplicatesError> {
    let oldest_ns = now_ns.saturating_sub(index.window_ns());
    for (descriptor, head) in ledger.shards() {
        if descriptor.is_house() {
            continue;
        }
        let known = index.position(head.shard)?;
        if known >= head.size {
            continue;
        }
        let mut height = first_height(ledger, head.shard, head.blocks, known, oldest_ns)?;
        info!(shard = %head.shard, from = known, to = head.size, "taking entries into the duplicates index");
        while height < head.blocks {
            let blocks = ledger.read_blocks(head.shard, height, READ_BYTES)?;
            if blocks.is_empty() {
                break;
            }
            for block in &blocks {
                height = block.header.height + 1;
                take_in(index, ledger, vault, block, known)?;
            }
        }
    }
    Ok(())
}

/// The first block that holds entries from `known` on that were recorded at
/// `oldest_ns` or later. Recorded times never fall within a shard.
fn first_height(
    ledger: &Ledger,
    shard: ShardId,
    blocks: u64,
    known: u64,
    oldest_ns: i64,
) -> Result<u64, DuplicatesError> {
    let (mut low, mut high) = (0, blocks);
    while low < high {
        let middle = low + (high - low) / 2;
        let Some(block) = ledger.read_block(shard, middle)? else {
            break;
        };
        let header = &block.header;
        let end = header.first_sequence + u64::from(header.entries);
        if header.recorded_time_ns < oldest_ns || end <= known {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    Ok(low)
}

fn take_in(
    index: &DuplicateIndex,
    ledger: &Ledger,
    vault: &Vault,
    block: &Block,
    known: u64,
) -> Result<(), DuplicatesError> {
    let header = &block.header;
    let mut events = Vec::new();
    let mut unreadable = 0_u64;
    for entry in block.entries() {
        let Ok((sequence, entry)) = entry else {
            // A damaged entry is for `verify` to name.
            unreadable += 1;
            continue;
        };
        if sequence < known || entry.kind().is_none_or(Kind::is_house) {
            continue;
        }
        let person = match &entry.subject {
            Some(reference) => vault.person(&reference.0)?,
            None => Some(vault.house()),
        };
        let context = EntryContext {
            ledger: ledger.id().0,
            shard: header.shard.0,
            sequence,
        };
        let event = person
            .and_then(|person| person.open(&context, &entry.sealed).ok())
            .and_then(|plain| reread::decoded(&plain));
        match event {
            Some(event) => events.push(Digests::new(
                &event.source,
                &event.id,
                event.content_digest(),
            )),
            None => unreadable += 1,
        }
    }
    if unreadable > 0 {
        warn!(shard = %header.shard, height = header.height, unreadable,
            "entries that cannot be opened are left out of the duplicates index");
    }
    let size = header.first_sequence + u64::from(header.entries);
    index.durable(&events, header.recorded_time_ns, header.shard, size)
}
