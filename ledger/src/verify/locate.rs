//! Which block a damaged range of the database lies in.
//!
//! A storage engine that finds a damaged record drops it and what follows, so
//! it cannot say what was there. A block's bytes lie in the file as they are,
//! behind its header. The file also holds remains of what was written before,
//! so a block is named only where its body still falls into the entries that
//! its header counts, and its digest differs.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::Path;

use crate::block::{
    Block, BlockHeader, HEADER_BYTES, LENGTH_BYTES, MAX_BLOCK_BYTES, TRAILER_BYTES,
};
use crate::fault::{Fault, Place};
use crate::id::LedgerId;
use crate::store;

const MAGIC: &[u8] = b"CSTB";

/// For each fault in a range of the database's files, the block that the range
/// begins in, where one is found.
pub(super) fn blocks(dir: &Path, ledger: LedgerId, faults: &[Fault]) -> Vec<Fault> {
    let mut found: Vec<Fault> = Vec::new();
    for fault in faults {
        let Place::Bytes { path, first, last } = &fault.place else {
            continue;
        };
        let mut parents = path.ancestors().filter_map(|parent| parent.to_str());
        if !parents.any(|parent| store::generation_of(parent).is_some()) {
            continue;
        }
        // A file that cannot be read is a fault of its own already.
        for place in within(&dir.join(path), ledger, *first, *last).unwrap_or_default() {
            if !found.iter().any(|known| known.place == place) {
                found.push(Fault {
                    place,
                    what: format!(
                        "its bytes in {} changed, between {first} and {last}",
                        path.display()
                    ),
                });
            }
        }
    }
    found
}

/// The blocks that bytes `first` to `last` of a file lie in.
fn within(file: &Path, ledger: LedgerId, first: u64, last: u64) -> io::Result<Vec<Place>> {
    let start = first.saturating_sub(MAX_BLOCK_BYTES as u64);
    let length = last + 1 - start + MAX_BLOCK_BYTES as u64;
    let mut file = File::open(file)?;
    file.seek(SeekFrom::Start(start))?;
    let mut bytes = Vec::new();
    file.take(length).read_to_end(&mut bytes)?;

    let first = (first - start) as usize;
    let last = (last - start) as usize;
    let mut places = Vec::new();
    let mut at = 0;
    while let Some(step) = bytes
        .get(at..)
        .and_then(|rest| rest.windows(MAGIC.len()).position(|window| window == MAGIC))
    {
        at += step;
        if at > last {
            break;
        }
        let header = bytes
            .get(at..at + HEADER_BYTES)
            .and_then(|bytes| BlockHeader::decode(bytes).ok())
            .filter(|header| header.ledger == ledger);
        if let Some(header) = header {
            let end = at + HEADER_BYTES + header.body_len() + TRAILER_BYTES;
            let changed = bytes
                .get(at..end)
                .and_then(|bytes| Block::parse(bytes.to_vec()).ok())
                .is_some_and(|block| block.check_body().is_ok() && block.check_digest().is_err());
            if end > first && changed {
                places.push(entry(&bytes, at, &header, first, last));
            }
        }
        at += MAGIC.len();
    }
    Ok(places)
}

/// The entry that the whole range lies in, or the block where it is wider or
/// lies in header or trailer.
fn entry(bytes: &[u8], at: usize, header: &BlockHeader, first: usize, last: usize) -> Place {
    let (shard, height) = (header.shard, header.height);
    let body_end = at + HEADER_BYTES + header.body_len();
    let mut sequence = header.first_sequence;
    let mut begin = at + HEADER_BYTES;
    while begin < body_end {
        let Some(length) = bytes
            .get(begin..begin + LENGTH_BYTES)
            .and_then(|length| length.try_into().ok())
            .map(u32::from_le_bytes)
        else {
            break;
        };
        let end = begin + LENGTH_BYTES + length as usize;
        if begin <= first && last < end && end <= body_end {
            return Place::Entry {
                shard,
                height,
                sequence,
            };
        }
        if begin > last {
            break;
        }
        begin = end;
        sequence += 1;
    }
    Place::Block { shard, height }
}
