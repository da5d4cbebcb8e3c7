//! Segment files of somebody who means harm: see [`crate::fuzz`].
#![allow(clippy::unwrap_used, reason = "to fail is what it is for")]

use super::layout::{FOOTER_BYTES, RECORD_BYTES, Record, file_hasher, finish, index_hasher};
use super::write::Writer;
use super::{Compression, Header, Segment, SegmentError};
use crate::block::Block;
use crate::fuzz::{file, with_digest};

/// More than these are not asked for one by one.
const ASKED: u64 = 16;
const DIGEST_BYTES: usize = 32;

pub(crate) fn segment(bytes: &[u8]) {
    read(bytes);
    if let Some(sealed) = sealed(bytes) {
        read(&sealed);
    }
}

fn read(bytes: &[u8]) {
    // What is refused here is refused as a file, too.
    let Ok((header, length)) = Header::decode(bytes) else {
        return;
    };
    assert!(header.encode().unwrap() == bytes[..length]);
    let (dir, path) = file("segment", bytes);
    // Without its index being known to be whole.
    let Ok(segment) = Segment::attach(&path) else {
        return;
    };
    let (first, last) = (header.before.blocks, header.after.blocks - 1);
    for height in (first..=last).take(ASKED as usize).chain([last]) {
        if let Ok(block) = segment.block(height) {
            let block = block.unwrap();
            assert_eq!(block.header.height, height);
        }
    }
    for sequence in [header.before.size, header.after.size, u64::MAX] {
        if let Ok(height) = segment.find(sequence) {
            assert!((first..=last).contains(&height));
        }
    }
    let Ok(blocks) = walk(&segment) else {
        return;
    };
    assert_eq!(blocks.len() as u64, header.blocks());

    // The file is whole. Its blocks are found one by one, or are none.
    let whole = Segment::open(&path).unwrap();
    assert_eq!(*whole.header(), header);
    let mut sound = true;
    for (height, bytes) in (first..).zip(&blocks) {
        match whole.block(height) {
            Ok(block) => assert!(block.unwrap().as_bytes() == bytes),
            Err(_) => sound = false,
        }
    }
    if !sound {
        return;
    }
    let writer = Writer::create(&dir.path().join("again"), &header, Compression::None);
    let mut writer = writer.unwrap();
    for (height, bytes) in (first..).zip(&blocks) {
        let block = Block::decode(bytes).unwrap();
        let first = block.header.first_sequence;
        for sequence in (first..).take(block.header.entries as usize) {
            assert_eq!(whole.find(sequence).unwrap(), height, "found elsewhere");
        }
        writer.push(bytes).unwrap();
    }
    drop(writer.finish().unwrap());
    let again = std::fs::read(dir.path().join("again")).unwrap();
    if again.len() == bytes.len() {
        assert!(again == bytes, "another file of the same blocks");
    }
    let again = Segment::open(&dir.path().join("again")).unwrap();
    assert!(walk(&again).unwrap() == blocks);
}

fn walk(segment: &Segment) -> Result<Vec<Vec<u8>>, SegmentError> {
    let mut blocks = Vec::new();
    segment.walk(|walked| {
        let next = segment.header().before.blocks + blocks.len() as u64;
        assert_eq!(walked.height, next);
        blocks.push(walked.bytes.to_vec());
        Ok::<_, SegmentError>(())
    })?;
    Ok(blocks)
}

/// The file with the digests and checksums that it should have.
fn sealed(bytes: &[u8]) -> Option<Vec<u8>> {
    let number = |bytes: &[u8]| {
        let number = bytes.first_chunk().copied().map(u64::from_le_bytes)?;
        usize::try_from(number).ok()
    };
    let descriptor = usize::from(*bytes.get(24)?) | usize::from(*bytes.get(25)?) << 8;
    let header_end = 272 + descriptor;
    let mut sealed = with_digest(b"custody segment header v1", bytes.get(..header_end)?);
    sealed.extend_from_slice(bytes.get(header_end + DIGEST_BYTES..)?);
    let footer = sealed.len().checked_sub(FOOTER_BYTES)?;
    let index = number(&sealed[footer + 8..])?;
    for at in (index..footer).step_by(RECORD_BYTES) {
        let stored = sealed.get(at..at + RECORD_BYTES)?.first_chunk()?;
        let Ok(record) = Record::decode(stored) else {
            continue;
        };
        let start = usize::try_from(record.offset).ok()?;
        let frame = sealed.get(start..start.checked_add(record.stored as usize)?);
        let fitting = Record::of(
            record.offset,
            frame.unwrap_or_default(),
            record.codec,
            record.raw as usize,
            record.first_sequence,
            record.entries,
        );
        if frame.is_some() {
            sealed[at..at + RECORD_BYTES].copy_from_slice(&fitting.encode());
        }
    }
    let mut hasher = index_hasher();
    hasher.update(sealed.get(index..footer)?);
    let end = sealed.len() - DIGEST_BYTES;
    sealed[footer + 24..end].copy_from_slice(finish(&hasher).as_bytes());
    let mut hasher = file_hasher();
    hasher.update(&sealed[..end]);
    sealed.truncate(end);
    sealed.extend_from_slice(finish(&hasher).as_bytes());
    Some(sealed)
}
