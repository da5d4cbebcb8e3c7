//! Blocks as they lie in a database's file, past sled: sled answers a re-read
//! from its own memory, so it cannot say what is on the disk.
//!
//! The file is a log in segments. Within a segment what is new lies behind
//! what is old; a segment whose beginning changed was begun anew. Several
//! copies of a block may lie there, since sled moves what it keeps, and old
//! ones may be half overwritten.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use memchr::memmem::Finder;

use crate::block::{BLOCK_VERSION, Block, BlockHeader, HEADER_BYTES, TRAILER_BYTES};
use crate::durable;
use crate::id::{LedgerId, ShardId};
use crate::store::part::{PREFIX_BYTES, PREFIX_MAGIC, PREFIX_VERSION, part_bytes, prefix};

/// How much of the file is searched at once.
const CHUNK_BYTES: u64 = 256 << 10;
/// How much of a segment's beginning tells that it was begun anew. sled's own
/// header of a segment, with its number, is shorter.
const SIGNATURE_BYTES: usize = 64;
/// How many places of one part are remembered.
const PLACES: usize = 16;
/// How many ways to join the copies of its parts are tried for one block.
const JOINS: usize = 256;
/// Where a header, and a prefix too, has the ledger's id.
const LEDGER_AT: usize = 8;
/// As much of a header or prefix as names the part.
const NAME_BYTES: usize = 56;

/// What the file holds of a block.
#[derive(Debug)]
pub(crate) enum Reread {
    /// A copy with the right digest.
    Whole(Box<Block>),
    /// Copies, none of which is right.
    Damaged,
    /// No copy.
    Absent,
}

/// A database's file, by a descriptor of its own.
#[derive(Debug)]
pub(crate) struct RawFile {
    file: File,
    finder: Finder<'static>,
    segment_bytes: u64,
    part_bytes: usize,
    /// Where each part was seen, the newest last. Of blocks that were not
    /// asked for yet.
    seen: BTreeMap<(ShardId, u64, u16), Vec<u64>>,
    signatures: Vec<[u8; SIGNATURE_BYTES]>,
    /// Up to where a segment is as it will stay, and has been searched.
    searched: BTreeMap<u64, u64>,
    /// The segment in which something was found last.
    active: u64,
    /// Segments that were begun since, the newest last.
    fresh: Vec<u64>,
    /// What is searched; kept, because making it costs more than searching it.
    chunk: Vec<u8>,
}

impl RawFile {
    /// Opens the file of the database in `dir`.
    pub(crate) fn open(dir: &Path, ledger: LedgerId, segment_bytes: usize) -> io::Result<Self> {
        Ok(Self {
            file: File::open(dir.join("db"))?,
            finder: Finder::new(ledger.as_bytes()).into_owned(),
            segment_bytes: segment_bytes as u64,
            part_bytes: part_bytes(segment_bytes),
            seen: BTreeMap::new(),
            signatures: Vec::new(),
            searched: BTreeMap::new(),
            active: 0,
            fresh: Vec::new(),
            chunk: vec![0; CHUNK_BYTES as usize + PREFIX_BYTES],
        })
    }

    /// Reads a block that was made durable before. Cheap where blocks are
    /// asked for in the order of their writing.
    pub(crate) fn block(&mut self, shard: ShardId, height: u64) -> io::Result<Reread> {
        if let Some(block) = self.try_seen(shard, height)? {
            return Ok(Reread::Whole(Box::new(block)));
        }
        // On from where the last block was, up to the end of the segment.
        if let Some(block) = self.search_segment(self.active, shard, height)? {
            return Ok(Reread::Whole(Box::new(block)));
        }
        self.note_begun()?;
        // The log goes on in the order in which segments were begun.
        for at in 0..self.fresh.len() {
            let segment = self.fresh[at];
            if let Some(block) = self.search_segment(segment, shard, height)? {
                self.active = segment;
                self.fresh.drain(..=at);
                return Ok(Reread::Whole(Box::new(block)));
            }
        }
        // Not where it was expected: everywhere.
        let length = self.file.metadata()?.len();
        if let Some(block) = self.search(0, length, shard, height)? {
            return Ok(Reread::Whole(Box::new(block)));
        }
        let copies = self.seen.range(parts(shard, height)).next().is_some();
        Ok(if copies {
            Reread::Damaged
        } else {
            Reread::Absent
        })
    }

    /// Notes the segments that are new, or begin otherwise than before.
    fn note_begun(&mut self) -> io::Result<()> {
        let length = self.file.metadata()?.len();
        let mut signature = [0; SIGNATURE_BYTES];
        for segment in 0..length / self.segment_bytes + 1 {
            let begin = segment * self.segment_bytes;
            if length - begin < SIGNATURE_BYTES as u64 {
                break;
            }
            self.file.read_exact_at(&mut signature, begin)?;
            match self.signatures.get_mut(segment as usize) {
                Some(known) if *known == signature => continue,
                Some(known) => *known = signature,
                None => self.signatures.push(signature),
            }
            self.searched.remove(&segment);
            self.fresh.retain(|&known| known != segment);
            self.fresh.push(segment);
        }
        Ok(())
    }

    fn search_segment(
        &mut self,
        segment: u64,
        shard: ShardId,
        height: u64,
    ) -> io::Result<Option<Block>> {
        let begin = segment * self.segment_bytes;
        let from = self.searched.get(&segment).copied().unwrap_or(begin);
        self.search(from, begin + self.segment_bytes, shard, height)
    }

    /// Notes every part that begins in a range, until the block is found.
    fn search(
        &mut self,
        from: u64,
        to: u64,
        shard: ShardId,
        height: u64,
    ) -> io::Result<Option<Block>> {
        let mut at = from;
        while at < to {
            let read = read_up_to(&self.file, &mut self.chunk, at)?;
            let bytes = &self.chunk[..read];
            let mut found = false;
            for hit in self.finder.find_iter(bytes) {
                let Some(begin) = hit.checked_sub(LEDGER_AT) else {
                    continue;
                };
                if begin as u64 >= CHUNK_BYTES.min(to - at) {
                    break;
                }
                let Some(name) = bytes.get(begin..begin + NAME_BYTES).and_then(part_name) else {
                    continue;
                };
                found |= (name.0, name.1) == (shard, height);
                note(&mut self.seen, name, at + begin as u64);
            }
            if found && let Some(block) = self.try_seen(shard, height)? {
                return Ok(Some(block));
            }
            if read < self.chunk.len() {
                break;
            }
            at += CHUNK_BYTES;
        }
        Ok(None)
    }

    /// A right copy among those that were seen.
    fn try_seen(&mut self, shard: ShardId, height: u64) -> io::Result<Option<Block>> {
        let Some(places) = self.seen.get(&(shard, height, 0)).cloned() else {
            return Ok(None);
        };
        // Of two whole ones the one of the greater epoch holds: the other was
        // given up.
        let mut copies = Vec::with_capacity(places.len());
        for at in places.into_iter().rev() {
            if let Some(header) = self.header(at, shard, height)? {
                copies.push((header, at));
            }
        }
        copies.sort_by_key(|(header, _)| std::cmp::Reverse(header.epoch));
        let mut whole = None;
        for (header, at) in &copies {
            if let Some(block) = self.try_at(*at, header)? {
                whole = Some((block, *at));
                break;
            }
        }
        let Some((block, at)) = whole else {
            return Ok(None);
        };
        // A log: what lies before a durable block in its segment stays.
        let searched = self.searched.entry(at / self.segment_bytes).or_default();
        *searched = (*searched).max(at + 1);
        // Blocks are asked for in order, so those before it are not wanted any
        // more.
        let before = self.seen.range((shard, 0, 0)..(shard, height, 0));
        let before: Vec<_> = before.map(|(name, _)| *name).collect();
        for name in before {
            self.seen.remove(&name);
        }
        Ok(Some(block))
    }

    /// The header at `at`, where it is still that of this block.
    fn header(&self, at: u64, shard: ShardId, height: u64) -> io::Result<Option<BlockHeader>> {
        let mut header = [0; HEADER_BYTES];
        if read_up_to(&self.file, &mut header, at)? < HEADER_BYTES {
            return Ok(None);
        }
        let header = BlockHeader::decode(&header).ok();
        Ok(header.filter(|header| (header.shard, header.height) == (shard, height)))
    }

    /// The block with this header, whose first part lies at `at`.
    fn try_at(&self, at: u64, header: &BlockHeader) -> io::Result<Option<Block>> {
        // The header has been checked: at most the longest block.
        let length = HEADER_BYTES + header.body_len() + TRAILER_BYTES;
        let Some(first) = self.read(at, length.min(self.part_bytes))? else {
            return Ok(None);
        };
        if first.len() == length {
            return Ok(Block::from_stored(first).ok());
        }
        self.join(first, length, header.shard, header.height)
    }

    /// A block of several parts.
    fn join(
        &self,
        first: Vec<u8>,
        length: usize,
        shard: ShardId,
        height: u64,
    ) -> io::Result<Option<Block>> {
        let step = self.part_bytes - PREFIX_BYTES;
        let mut choices: Vec<Vec<Vec<u8>>> = Vec::new();
        let mut left = length - first.len();
        for part in 1.. {
            if left == 0 {
                break;
            }
            let size = left.min(step);
            let mut copies: Vec<Vec<u8>> = Vec::new();
            let places = self.seen.get(&(shard, height, part));
            for &at in places.into_iter().flatten().rev() {
                // With its prefix, which says of which block it is.
                match self.read(at, PREFIX_BYTES + size)? {
                    Some(copy) if !copies.contains(&copy) => copies.push(copy),
                    _ => {}
                }
            }
            if copies.is_empty() {
                return Ok(None);
            }
            choices.push(copies);
            left -= size;
        }
        let joins = choices
            .iter()
            .fold(1usize, |joins, copies| joins.saturating_mul(copies.len()));
        for mut join in 0..joins.min(JOINS) {
            let mut bytes = Vec::with_capacity(length);
            bytes.extend_from_slice(&first);
            let mut chosen = Vec::with_capacity(choices.len());
            for copies in &choices {
                let copy = &copies[join % copies.len()];
                join /= copies.len();
                bytes.extend_from_slice(&copy[PREFIX_BYTES..]);
                chosen.push(copy);
            }
            let own = (1..)
                .zip(chosen)
                .all(|(part, copy)| copy[..PREFIX_BYTES] == prefix(&bytes, part));
            if own && let Ok(block) = Block::from_stored(bytes) {
                return Ok(Some(block));
            }
        }
        Ok(None)
    }

    /// Reads from the disk; `None` where the file ends before.
    fn read(&self, at: u64, length: usize) -> io::Result<Option<Vec<u8>>> {
        durable::forget_cached_range(&self.file, at, length as u64);
        let mut bytes = vec![0; length];
        let read = read_up_to(&self.file, &mut bytes, at)?;
        Ok((read == length).then_some(bytes))
    }
}

/// Every part of a block.
fn parts(shard: ShardId, height: u64) -> std::ops::RangeInclusive<(ShardId, u64, u16)> {
    (shard, height, 0)..=(shard, height, u16::MAX)
}

/// Which part a header or a prefix belongs to.
fn part_name(bytes: &[u8]) -> Option<(ShardId, u64, u16)> {
    let number = |at: usize| Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?));
    let (height_at, part) = if bytes.starts_with(b"CSTB") {
        if number(4)? != BLOCK_VERSION || number(6)? != 0 {
            return None;
        }
        (48, 0)
    } else if bytes.starts_with(&PREFIX_MAGIC) {
        if number(4)? != PREFIX_VERSION {
            return None;
        }
        (40, number(6)?)
    } else {
        return None;
    };
    let shard = ShardId(bytes.get(24..40)?.try_into().ok()?);
    let height = u64::from_le_bytes(bytes.get(height_at..height_at + 8)?.try_into().ok()?);
    Some((shard, height, part))
}

fn note(seen: &mut BTreeMap<(ShardId, u64, u16), Vec<u64>>, name: (ShardId, u64, u16), at: u64) {
    let places = seen.entry(name).or_default();
    places.retain(|&place| place != at);
    if places.len() == PLACES {
        places.remove(0);
    }
    places.push(at);
}

/// Reads until the buffer is full or the file ends.
fn read_up_to(file: &File, bytes: &mut [u8], at: u64) -> io::Result<usize> {
    let mut read = 0;
    while read < bytes.len() {
        match file.read_at(&mut bytes[read..], at + read as u64) {
            Ok(0) => break,
            Ok(count) => read += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(read)
}
