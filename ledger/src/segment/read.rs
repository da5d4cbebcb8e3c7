//! Reading a segment file: nothing of it is kept in memory but its header and
//! its end.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use crate::block::{Block, BlockHeader};
use crate::durable;
use crate::error::DecodeError;
use crate::id::Digest;
use crate::segment::layout::{
    Codec, FOOTER_BYTES, Footer, Header, MAX_HEADER_BYTES, RECORD_BYTES, Record, file_hasher,
    finish, index_hasher,
};
use crate::stored::malformed;

/// How many records of the index are read at once.
const RECORDS_AT_ONCE: u64 = 1024;

/// What is wrong with a segment.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SegmentError {
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("{0}")]
    File(#[from] DecodeError),
    #[error("block {height}: {source}")]
    Block { height: u64, source: DecodeError },
}

/// An open segment file.
#[derive(Debug)]
pub(crate) struct Segment {
    file: File,
    header: Header,
    header_bytes: u64,
    footer: Footer,
    length: u64,
    digest: Digest,
}

impl Segment {
    /// Opens a file, and reads its header and its end.
    pub(crate) fn attach(path: &Path) -> Result<Self, SegmentError> {
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        let end = length
            .checked_sub(FOOTER_BYTES as u64)
            .ok_or(DecodeError::Truncated)?;
        let mut start = vec![0; MAX_HEADER_BYTES.min(length as usize)];
        file.read_exact_at(&mut start, 0)?;
        let (header, header_bytes) = Header::decode(&start)?;
        let mut footer = [0; FOOTER_BYTES];
        file.read_exact_at(&mut footer, end)?;
        let (footer, digest) = Footer::decode(&footer, length)?;
        let header_bytes = header_bytes as u64;
        if footer.blocks != header.blocks() || footer.index_offset < header_bytes {
            return Err(malformed("its header and its end contradict each other").into());
        }
        Ok(Self {
            file,
            header,
            header_bytes,
            footer,
            length,
            digest,
        })
    }

    /// Opens a file and checks its header, its index and its end, not the
    /// blocks.
    pub(crate) fn open(path: &Path) -> Result<Self, SegmentError> {
        let segment = Self::attach(path)?;
        segment.check_index()?;
        Ok(segment)
    }

    fn check_index(&self) -> Result<(), SegmentError> {
        let mut hasher = index_hasher();
        let mut offset = self.header_bytes;
        let mut sequence = self.header.before.size;
        let mut at = 0;
        while at < self.footer.blocks {
            let records = self.records(at, RECORDS_AT_ONCE)?;
            for bytes in records.as_chunks::<RECORD_BYTES>().0 {
                let record = Record::decode(bytes)?;
                if record.offset != offset || record.first_sequence != sequence {
                    return Err(malformed("its index has a gap").into());
                }
                offset += u64::from(record.stored);
                sequence = sequence
                    .checked_add(u64::from(record.entries))
                    .ok_or_else(|| malformed("a sequence is out of range"))?;
                at += 1;
            }
            hasher.update(&records);
        }
        if finish(&hasher) != self.footer.index_digest {
            return Err(malformed("the digest of its index differs").into());
        }
        if offset != self.footer.index_offset || sequence != self.header.after.size {
            return Err(malformed("its index does not cover it").into());
        }
        Ok(())
    }

    /// Up to `count` records of the index, as stored.
    fn records(&self, from: u64, count: u64) -> io::Result<Vec<u8>> {
        let count = count.min(self.footer.blocks - from);
        let mut bytes = vec![0; count as usize * RECORD_BYTES];
        let at = self.footer.index_offset + from * RECORD_BYTES as u64;
        self.file.read_exact_at(&mut bytes, at)?;
        Ok(bytes)
    }

    fn record(&self, index: u64) -> Result<Record, SegmentError> {
        let mut bytes = [0; RECORD_BYTES];
        let at = self.footer.index_offset + index * RECORD_BYTES as u64;
        self.file.read_exact_at(&mut bytes, at)?;
        Ok(Record::decode(&bytes)?)
    }

    pub(crate) fn header(&self) -> &Header {
        &self.header
    }

    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// The digest that its end says.
    pub(crate) fn digest(&self) -> Digest {
        self.digest
    }

    /// A block, whole by its own digest; `None` where it is not in here.
    pub(crate) fn block(&self, height: u64) -> Result<Option<Block>, SegmentError> {
        let Some(index) = height
            .checked_sub(self.header.before.blocks)
            .filter(|&index| index < self.footer.blocks)
        else {
            return Ok(None);
        };
        let at = |source| SegmentError::Block { height, source };
        let record = self.record(index)?;
        let mut frame = Vec::new();
        self.read_frame(&record, &mut frame)?;
        let mut unpacker = Unpacker::default();
        let bytes = unpacker.unpack(&frame, &record).map_err(at)?;
        let block = Block::from_stored(bytes.to_vec()).map_err(at)?;
        let header = &block.header;
        let expected = (self.header.ledger, self.header.before.shard, height);
        if (header.ledger, header.shard, header.height) != expected {
            return Err(at(malformed("another block is in its place")));
        }
        Ok(Some(block))
    }

    /// Reads the bytes of a frame, which the index may have wrong.
    fn read_frame(&self, record: &Record, frame: &mut Vec<u8>) -> Result<(), SegmentError> {
        let end = record.offset.checked_add(u64::from(record.stored));
        if record.offset < self.header_bytes || end.is_none_or(|end| end > self.footer.index_offset)
        {
            return Err(malformed("its index points outside").into());
        }
        frame.resize(record.stored as usize, 0);
        self.file.read_exact_at(frame, record.offset)?;
        Ok(())
    }

    /// The height of the block that holds an entry. The sequence must be one
    /// of this segment's.
    pub(crate) fn find(&self, sequence: u64) -> Result<u64, SegmentError> {
        // The last block that starts at or before it: blocks without entries
        // start where the next one does.
        let (mut low, mut high) = (0, self.footer.blocks);
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            if self.record(middle)?.first_sequence <= sequence {
                low = middle;
            } else {
                high = middle;
            }
        }
        Ok(self.header.before.blocks + low)
    }

    /// Reads every byte once, in order, and hands out every block: unpacked, and
    /// not checked by itself but for its header. In the end the digest of the
    /// whole file is compared.
    pub(crate) fn walk<E: From<SegmentError>>(
        &self,
        mut each: impl FnMut(Walked<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.check_index()?;
        let mut hasher = file_hasher();
        let mut start = vec![0; self.header_bytes as usize];
        self.read(&mut start, 0)?;
        hasher.update(&start);
        let mut unpacker = Unpacker::default();
        let mut frame = Vec::new();
        let mut at = 0;
        while at < self.footer.blocks {
            let records = self
                .records(at, RECORDS_AT_ONCE)
                .map_err(SegmentError::from)?;
            for bytes in records.as_chunks::<RECORD_BYTES>().0 {
                let height = self.header.before.blocks + at;
                let record = Record::decode(bytes).map_err(SegmentError::from)?;
                self.read_frame(&record, &mut frame)?;
                hasher.update(&frame);
                let bytes = unpacker
                    .unpack(&frame, &record)
                    .map_err(|source| SegmentError::Block { height, source })?;
                each(Walked {
                    height,
                    bytes,
                    stored_bytes: u64::from(record.stored),
                })?;
                at += 1;
            }
        }
        let mut from = 0;
        while from < self.footer.blocks {
            let records = self
                .records(from, RECORDS_AT_ONCE)
                .map_err(SegmentError::from)?;
            hasher.update(&records);
            from += RECORDS_AT_ONCE;
        }
        hasher.update(&self.footer.encode());
        if finish(&hasher) != self.digest {
            return Err(SegmentError::from(malformed("the digest of the file differs")).into());
        }
        Ok(())
    }

    fn read(&self, bytes: &mut [u8], at: u64) -> Result<(), SegmentError> {
        Ok(self.file.read_exact_at(bytes, at)?)
    }

    /// Has the next reads come from the disk, not from memory, where the
    /// kernel can.
    pub(crate) fn forget_cached(&self) {
        durable::forget_cached(&self.file);
    }
}

/// A block that a walk has come to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Walked<'a> {
    pub(crate) height: u64,
    /// The block.
    pub(crate) bytes: &'a [u8],
    /// How many bytes of the file it takes.
    pub(crate) stored_bytes: u64,
}

/// Unpacks frames into one buffer.
#[derive(Default)]
struct Unpacker {
    decompressor: Option<zstd::bulk::Decompressor<'static>>,
    block: Vec<u8>,
}

impl Unpacker {
    fn unpack<'a>(&'a mut self, frame: &'a [u8], record: &Record) -> Result<&'a [u8], DecodeError> {
        if !record.is_of(frame) {
            return Err(malformed("the checksum of its frame differs"));
        }
        let bytes = match record.codec {
            Codec::Raw => frame,
            Codec::Zstd => {
                let raw = record.raw as usize;
                let cannot =
                    |error: io::Error| malformed(&format!("it cannot be unpacked: {error}"));
                let decompressor = match &mut self.decompressor {
                    Some(decompressor) => decompressor,
                    none => none.insert(zstd::bulk::Decompressor::new().map_err(cannot)?),
                };
                // The record has been checked: at most the longest block.
                self.block.resize(raw, 0);
                let length = decompressor
                    .decompress_to_buffer(frame, &mut self.block[..])
                    .map_err(cannot)?;
                if length != raw {
                    return Err(malformed("it is not as long as its index says"));
                }
                &self.block
            }
        };
        // Entries are looked for by what the index says.
        let header = BlockHeader::decode(bytes)?;
        if (header.first_sequence, header.entries) != (record.first_sequence, record.entries) {
            return Err(malformed("its index has other entries for it"));
        }
        Ok(bytes)
    }
}
