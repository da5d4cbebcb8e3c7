//! Writing a segment file.

use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::path::Path;

use crate::block::BlockHeader;
use crate::error::DecodeError;
use crate::id::Digest;
use crate::segment::layout::{Codec, Footer, Header, Record, file_hasher, finish, index_hasher};

/// How the blocks of sealed segments are compressed. What is sealed of an
/// entry does not shrink; what is in clear does, to about a third.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    None,
    /// By zstd, at this level. A block that does not shrink is stored as it is.
    Zstd(i32),
}

/// A segment in the making.
pub(crate) struct Writer {
    file: BufWriter<File>,
    hasher: blake3::Hasher,
    /// How many bytes have been written.
    at: u64,
    blocks: u64,
    index: Vec<u8>,
    compressor: Option<zstd::bulk::Compressor<'static>>,
    frame: Vec<u8>,
}

/// A segment that has been written and is not synced.
pub(crate) struct Written {
    pub(crate) file: File,
    pub(crate) length: u64,
    pub(crate) digest: Digest,
}

impl Writer {
    pub(crate) fn create(
        path: &Path,
        header: &Header,
        compression: Compression,
    ) -> io::Result<Self> {
        let compressor = match compression {
            Compression::None => None,
            Compression::Zstd(level) => Some(zstd::bulk::Compressor::new(level)?),
        };
        let mut writer = Self {
            file: BufWriter::with_capacity(256 << 10, File::create(path)?),
            hasher: file_hasher(),
            at: 0,
            blocks: 0,
            index: Vec::new(),
            compressor,
            frame: Vec::new(),
        };
        writer.put(&header.encode().map_err(invalid)?)?;
        Ok(writer)
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.hasher.update(bytes);
        self.file.write_all(bytes)?;
        self.at += bytes.len() as u64;
        Ok(())
    }

    /// Appends the stored bytes of the next block.
    pub(crate) fn push(&mut self, block: &[u8]) -> io::Result<()> {
        let header = BlockHeader::decode(block).map_err(invalid)?;
        let mut frame = std::mem::take(&mut self.frame);
        let compressed = match &mut self.compressor {
            None => false,
            Some(compressor) => {
                frame.clear();
                frame.reserve(zstd::zstd_safe::compress_bound(block.len()));
                compressor.compress_to_buffer(block, &mut frame)?;
                frame.len() < block.len()
            }
        };
        let (bytes, codec) = if compressed {
            (frame.as_slice(), Codec::Zstd)
        } else {
            (block, Codec::Raw)
        };
        let record = Record::of(
            self.at,
            bytes,
            codec,
            block.len(),
            header.first_sequence,
            header.entries,
        );
        self.put(bytes)?;
        self.frame = frame;
        self.index.extend_from_slice(&record.encode());
        self.blocks += 1;
        Ok(())
    }

    /// Writes the index and the end. The file is not synced.
    pub(crate) fn finish(mut self) -> io::Result<Written> {
        let index = std::mem::take(&mut self.index);
        let mut index_hasher = index_hasher();
        index_hasher.update(&index);
        let footer = Footer {
            index_offset: self.at,
            blocks: self.blocks,
            index_digest: finish(&index_hasher),
        };
        self.put(&index)?;
        self.put(&footer.encode())?;
        let digest = finish(&self.hasher);
        self.put(digest.as_bytes())?;
        let file = self
            .file
            .into_inner()
            .map_err(io::IntoInnerError::into_error)?;
        Ok(Written {
            file,
            length: self.at,
            digest,
        })
    }
}

fn invalid(error: DecodeError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}
