//! Checking one block, link by link.

use custody_proof::entry::{Act, Entry, HouseRecord, Kind, Outline};
use custody_proof::tree::MAX_SIZE;

use crate::block::{BlockHeader, HEADER_BYTES, TRAILER_BYTES, split_entry};
use crate::chain;
use crate::error::DecodeError;
use crate::fault::{Fault, Place};
use crate::id::{Digest, LedgerId};
use crate::shard::Head;
use crate::succession::{self, Epochs};
use crate::verify::persons::Touch;
use crate::verify::span::{Resumption, Span, Stops};

/// Checks that stored bytes are the block that follows the head of a span, and
/// everything in it, and takes it in. On a fault the head stays; the ranges may
/// then have leaves beyond it.
pub(super) fn take_in(
    ledger: LedgerId,
    stops: &Stops,
    span: &mut Span,
    bytes: &[u8],
) -> Result<(), Fault> {
    let head = span.head;
    let at = |what: String| block_fault(&head, what);
    let (header, body, digest) = split(bytes).map_err(|error| at(error.to_string()))?;
    let whole = chain::block(&bytes[..bytes.len() - TRAILER_BYTES]) == digest;
    let (touches, resumptions) = (span.touches.len(), span.resumptions.len());
    let chained = take_in_entries(&header, body, stops, span);
    // Which of the two differ says what part of the block is damaged.
    let checked = match (whole, chained) {
        (true, Ok(true)) => Ok(()),
        (true, Ok(false)) => Err(at("the chain over its entries differs".to_owned())),
        (false, Ok(true)) => Err(at(
            "its header or its digest is damaged; its entries are whole".to_owned(),
        )),
        (false, Ok(false)) => Err(at(
            "its entries, or the chain in its header, are damaged".to_owned()
        )),
        // An entry that cannot be read is the damaged one, or the one after.
        (_, Err(fault)) => Err(fault),
    };
    let checked = checked.and_then(|()| {
        succession::check_header(ledger, Epochs::SameOrResumed, &head, &header)
            .map_err(|error| at(error.to_string()))
    });
    if let Err(fault) = checked {
        span.touches.truncate(touches);
        span.resumptions.truncate(resumptions);
        return Err(fault);
    }
    let after = header.head_after(digest);
    span.advance(stops, &header, after, bytes.len() as u64);
    Ok(())
}

/// Header, body and digest.
fn split(bytes: &[u8]) -> Result<(BlockHeader, &[u8], Digest), DecodeError> {
    let header = BlockHeader::decode(bytes)?;
    let length = HEADER_BYTES + header.body_len() + TRAILER_BYTES;
    if bytes.len() > length {
        return Err(DecodeError::TrailingBytes {
            count: bytes.len() - length,
        });
    }
    let body = bytes
        .get(HEADER_BYTES..length - TRAILER_BYTES)
        .ok_or(DecodeError::Truncated)?;
    let digest = bytes[HEADER_BYTES + body.len()..]
        .first_chunk()
        .ok_or(DecodeError::Truncated)?;
    Ok((header, body, Digest(*digest)))
}

/// Whether the entries make the chain that the header says.
fn take_in_entries(
    header: &BlockHeader,
    mut body: &[u8],
    stops: &Stops,
    span: &mut Span,
) -> Result<bool, Fault> {
    let head = span.head;
    let fits = head.size <= MAX_SIZE - u64::from(u32::MAX);
    if !fits {
        return Err(block_fault(
            &head,
            "its sequence is out of range".to_owned(),
        ));
    }
    let mut offsets = OffsetOrder {
        next: header.first_offset,
        last: header.last_offset,
    };
    let mut chain_head = head.chain_head;
    let mut message = Vec::new();
    let mut sequence = head.size;
    let end = head.size + u64::from(header.entries);
    while !body.is_empty() {
        let at = |what: String| entry_fault(&head, sequence, what);
        let (entry, rest) = split_entry(body).map_err(|error| at(error.to_string()))?;
        body = rest;
        if sequence == end {
            let counted = header.entries;
            return Err(block_fault(
                &head,
                format!("it has more entries than the {counted} that it counts"),
            ));
        }
        let outline = Outline::read(entry).map_err(|error| at(error.to_string()))?;
        offsets.check(outline.offset).map_err(at)?;
        let deep = stops.deep_from.is_some_and(|from| from <= sequence);
        let resumed = head.next_offset.is_none() && outline.kind_code == Kind::ShardResumed.code();
        if deep || resumed {
            let decoded = Entry::decode(entry).map_err(|error| at(error.to_string()))?;
            note_resumption(&decoded, sequence, span);
        }
        chain_head = link(&mut message, &chain_head, entry);
        span.leaf(stops, sequence, &chain_head);
        if let Some(reference) = outline.subject {
            span.touches.push(Touch {
                reference,
                sequence,
                link: chain_head,
            });
        }
        sequence += 1;
    }
    if sequence != end {
        let (found, counted) = (sequence - head.size, header.entries);
        return Err(block_fault(
            &head,
            format!("it has {found} entries, and counts {counted}"),
        ));
    }
    Ok(chain_head == header.chain_head)
}

/// [`chain::link`], hashed in one piece: for entries of a few hundred bytes,
/// which most are, that saves a tenth.
fn link(message: &mut Vec<u8>, previous: &Digest, entry: &[u8]) -> Digest {
    message.clear();
    message.extend_from_slice(b"custody entry v1");
    message.extend_from_slice(previous.as_bytes());
    message.extend_from_slice(entry);
    Digest(*blake3::hash(message).as_bytes())
}

fn note_resumption(entry: &Entry, sequence: u64, span: &mut Span) {
    if let Act::House(HouseRecord::ShardResumed {
        shard,
        epoch,
        abandoned,
        surviving,
    }) = &entry.act
        && span.head.next_offset.is_none()
    {
        let place = Place::Entry {
            shard: span.head.shard,
            height: span.head.blocks,
            sequence,
        };
        let resumption = Resumption {
            shard: *shard,
            epoch: *epoch,
            abandoned: *abandoned,
            surviving: *surviving,
        };
        span.resumptions.push((place, resumption));
    }
}

fn block_fault(head: &Head, what: String) -> Fault {
    Fault {
        place: Place::Block {
            shard: head.shard,
            height: head.blocks,
        },
        what,
    }
}

fn entry_fault(head: &Head, sequence: u64, what: String) -> Fault {
    Fault {
        place: Place::Entry {
            shard: head.shard,
            height: head.blocks,
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

/// The one block that stored bytes are, for tests that change them.
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) fn check_block(
    ledger: LedgerId,
    head: &Head,
    bytes: Vec<u8>,
) -> Result<crate::block::Block, Fault> {
    let stops = Stops {
        deep_from: Some(0),
        ..Stops::default()
    };
    let mut span = Span::starting_at(*head);
    take_in(ledger, &stops, &mut span, &bytes)?;
    crate::block::Block::from_stored(bytes).map_err(|error| block_fault(head, error.to_string()))
}
