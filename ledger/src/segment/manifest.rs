//! The manifest: what is sealed, and which databases there are. The one file
//! that says so; it is replaced as a whole.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::chain;
use crate::durable;
use crate::error::{DecodeError, OpenError};
use crate::head::HEAD_BYTES;
use crate::id::{Digest, LedgerId, ShardId};
use crate::segment::DIR;
use crate::shard::{Head, MAX_DESCRIPTOR_BYTES, ShardDescriptor, check_version};
use crate::stored::{malformed, take, take_slice};

const MAGIC: [u8; 4] = *b"CSTM";
const VERSION: u16 = 1;
const HEADER_BYTES: usize = 48;
const SEGMENT_BYTES: usize = 72;
const DIGEST_BYTES: usize = 32;
/// The longest manifest that is read: of some three million segments.
const MAX_BYTES: u64 = 256 << 20;

// Magic 4, version 2, flags 2, generation 8, ledger 16, next database 8,
// databases 4, shards 4.
const _: () = assert!(HEADER_BYTES == 4 + 2 + 2 + 8 + 16 + 8 + 4 + 4);
// First height 8, blocks 8, first sequence 8, entries 8, length 8, digest 32.
const _: () = assert!(SEGMENT_BYTES == 8 + 8 + 8 + 8 + 8 + DIGEST_BYTES);

/// What is sealed of a ledger, and which databases hold the rest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Manifest {
    /// One more with each writing.
    pub(crate) generation: u64,
    pub(crate) ledger: LedgerId,
    /// The generation of the next database that is made.
    pub(crate) next_database: u64,
    /// In the order in which they were written; the last one is written to.
    pub(crate) databases: Vec<DatabaseInfo>,
    pub(crate) shards: BTreeMap<ShardId, SealedShard>,
}

/// A database that is not sealed yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DatabaseInfo {
    pub(crate) generation: u64,
    /// The height of the first block of each shard that was open when it was
    /// made; 0 of any other.
    pub(crate) first: BTreeMap<ShardId, u64>,
}

impl DatabaseInfo {
    pub(crate) fn first(&self, shard: ShardId) -> u64 {
        self.first.get(&shard).copied().unwrap_or(0)
    }
}

/// What is sealed of one shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SealedShard {
    pub(crate) descriptor: ShardDescriptor,
    /// The head at the end of its last segment.
    pub(crate) head: Head,
    /// In order, without a gap, from block 0 on.
    pub(crate) segments: Vec<SegmentInfo>,
}

/// One segment as the manifest names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SegmentInfo {
    pub(crate) first_height: u64,
    pub(crate) blocks: u64,
    pub(crate) first_sequence: u64,
    pub(crate) entries: u64,
    /// The length of the file, in bytes.
    pub(crate) length: u64,
    /// What the file says of everything before it.
    pub(crate) digest: Digest,
}

impl Manifest {
    /// Of a new ledger, without anything.
    pub(crate) fn new(ledger: LedgerId) -> Self {
        Self {
            generation: 0,
            ledger,
            next_database: 0,
            databases: Vec::new(),
            shards: BTreeMap::new(),
        }
    }

    /// Where it lies in the ledger's directory.
    pub(crate) fn path() -> PathBuf {
        [DIR, "manifest"].iter().collect()
    }

    pub(crate) fn encode(&self) -> Result<Vec<u8>, DecodeError> {
        let mut bytes = Vec::new();
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.extend_from_slice(&[0; 2]);
        bytes.extend_from_slice(&self.generation.to_le_bytes());
        bytes.extend_from_slice(self.ledger.as_bytes());
        bytes.extend_from_slice(&self.next_database.to_le_bytes());
        // No machine has memory for 2^32 of either.
        bytes.extend_from_slice(&(self.databases.len() as u32).to_le_bytes());
        bytes.extend_from_slice(&(self.shards.len() as u32).to_le_bytes());
        for database in &self.databases {
            bytes.extend_from_slice(&database.generation.to_le_bytes());
            bytes.extend_from_slice(&(database.first.len() as u32).to_le_bytes());
            bytes.extend_from_slice(&[0; 4]);
            for (shard, height) in &database.first {
                bytes.extend_from_slice(shard.as_bytes());
                bytes.extend_from_slice(&height.to_le_bytes());
            }
        }
        for shard in self.shards.values() {
            let descriptor = shard.descriptor.encode()?;
            shard.head.encode_onto(&mut bytes);
            bytes.extend_from_slice(&(descriptor.len() as u32).to_le_bytes());
            bytes.extend_from_slice(&(shard.segments.len() as u32).to_le_bytes());
            bytes.extend_from_slice(&descriptor);
            for segment in &shard.segments {
                bytes.extend_from_slice(&segment.first_height.to_le_bytes());
                bytes.extend_from_slice(&segment.blocks.to_le_bytes());
                bytes.extend_from_slice(&segment.first_sequence.to_le_bytes());
                bytes.extend_from_slice(&segment.entries.to_le_bytes());
                bytes.extend_from_slice(&segment.length.to_le_bytes());
                bytes.extend_from_slice(segment.digest.as_bytes());
            }
        }
        let digest = chain::digest(b"custody segments v1", &[&bytes]);
        bytes.extend_from_slice(digest.as_bytes());
        Ok(bytes)
    }

    /// Reads stored bytes. Everything is taken from the bytes that are there,
    /// so that no count of somebody else's is allocated.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut head = bytes;
        if take::<4>(&mut head)? != MAGIC {
            return Err(malformed("the magic is missing"));
        }
        check_version(u16::from_le_bytes(take(&mut head)?), VERSION)?;
        let (body, digest) = bytes
            .split_last_chunk::<DIGEST_BYTES>()
            .ok_or(DecodeError::Truncated)?;
        if Digest(*digest) != chain::digest(b"custody segments v1", &[body]) {
            return Err(malformed("the digest differs"));
        }
        let mut rest = body.get(6..).ok_or(DecodeError::Truncated)?;
        if take::<2>(&mut rest)? != [0; 2] {
            return Err(malformed("reserved bytes are set"));
        }
        let mut manifest = Self {
            generation: u64::from_le_bytes(take(&mut rest)?),
            ledger: LedgerId(take(&mut rest)?),
            next_database: u64::from_le_bytes(take(&mut rest)?),
            databases: Vec::new(),
            shards: BTreeMap::new(),
        };
        let databases = u32::from_le_bytes(take(&mut rest)?);
        let shards = u32::from_le_bytes(take(&mut rest)?);
        for _ in 0..databases {
            let database = decode_database(&mut rest)?;
            let after = manifest
                .databases
                .last()
                .map_or(0, |last| last.generation + 1);
            if !(after..manifest.next_database).contains(&database.generation) {
                return Err(malformed("a database is out of order"));
            }
            manifest.databases.push(database);
        }
        for _ in 0..shards {
            let shard = decode_shard(&mut rest, manifest.ledger)?;
            let last = manifest.shards.last_key_value().map(|(id, _)| *id);
            if last.is_some_and(|last| last >= shard.head.shard) {
                return Err(malformed("a shard is out of order"));
            }
            manifest.shards.insert(shard.head.shard, shard);
        }
        if !rest.is_empty() {
            return Err(DecodeError::TrailingBytes { count: rest.len() });
        }
        Ok(manifest)
    }

    /// Reads the manifest of the ledger in `dir`; `None` where there is none.
    pub(crate) fn read(dir: &Path) -> Result<Option<Self>, OpenError> {
        let path = dir.join(Self::path());
        let length = match path.metadata() {
            Ok(metadata) => metadata.len(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(OpenError::io("read", &path)(error)),
        };
        if length > MAX_BYTES {
            let source = DecodeError::TooLong {
                length: usize::try_from(length).unwrap_or(usize::MAX),
                limit: MAX_BYTES as usize,
            };
            return Err(OpenError::File { path, source });
        }
        match durable::read_if_present(&path).map_err(OpenError::io("read", &path))? {
            None => Ok(None),
            Some(bytes) => Self::decode(&bytes)
                .map(Some)
                .map_err(|source| OpenError::File { path, source }),
        }
    }

    /// Writes the manifest of the ledger in `dir`, durably and as a whole.
    pub(crate) fn write(&self, dir: &Path) -> std::io::Result<()> {
        durable::replace(&dir.join(Self::path()), &self.to_bytes()?)
    }

    /// Leaves a manifest that is half written, as a crash would: under its
    /// other name. For tests.
    pub(crate) fn tear(&self, dir: &Path) -> std::io::Result<()> {
        let bytes = self.to_bytes()?;
        let new = dir.join(Self::path()).with_extension("new");
        std::fs::write(new, &bytes[..bytes.len() / 2])
    }

    fn to_bytes(&self) -> std::io::Result<Vec<u8>> {
        self.encode()
            .map_err(|error| std::io::Error::new(std::io::ErrorKind::InvalidData, error))
    }
}

fn decode_database(rest: &mut &[u8]) -> Result<DatabaseInfo, DecodeError> {
    let generation = u64::from_le_bytes(take(rest)?);
    let count = u32::from_le_bytes(take(rest)?);
    if take::<4>(rest)? != [0; 4] || generation == u64::MAX {
        return Err(malformed("reserved bytes are set"));
    }
    let mut first = BTreeMap::new();
    for _ in 0..count {
        let shard = ShardId(take(rest)?);
        if first
            .last_key_value()
            .is_some_and(|(last, _)| *last >= shard)
        {
            return Err(malformed("a shard is out of order"));
        }
        first.insert(shard, u64::from_le_bytes(take(rest)?));
    }
    Ok(DatabaseInfo { generation, first })
}

fn decode_shard(rest: &mut &[u8], ledger: LedgerId) -> Result<SealedShard, DecodeError> {
    const { assert!(HEAD_BYTES == 120) };
    let head = Head::decode_from(rest)?;
    let length = u32::from_le_bytes(take(rest)?) as usize;
    let count = u32::from_le_bytes(take(rest)?);
    if length > MAX_DESCRIPTOR_BYTES {
        return Err(DecodeError::TooLong {
            length,
            limit: MAX_DESCRIPTOR_BYTES,
        });
    }
    let descriptor = ShardDescriptor::decode(take_slice(rest, length)?)?;
    if descriptor.id() != head.shard {
        return Err(malformed("a descriptor is another shard's"));
    }
    let mut segments = Vec::new();
    let (mut blocks, mut size) = (0u64, 0u64);
    for _ in 0..count {
        let segment = SegmentInfo {
            first_height: u64::from_le_bytes(take(rest)?),
            blocks: u64::from_le_bytes(take(rest)?),
            first_sequence: u64::from_le_bytes(take(rest)?),
            entries: u64::from_le_bytes(take(rest)?),
            length: u64::from_le_bytes(take(rest)?),
            digest: Digest(take(rest)?),
        };
        let follows = (segment.first_height, segment.first_sequence) == (blocks, size);
        let after = (
            blocks.checked_add(segment.blocks),
            size.checked_add(segment.entries),
        );
        let (Some(after_blocks), Some(after_size), true) = (after.0, after.1, follows) else {
            return Err(malformed(
                "the segments of a shard do not follow each other",
            ));
        };
        if segment.blocks == 0 {
            return Err(malformed("a segment holds no block"));
        }
        (blocks, size) = (after_blocks, after_size);
        segments.push(segment);
    }
    let whole = (head.blocks, head.size) == (blocks, size);
    if !whole || (count == 0 && head != descriptor.origin(ledger)) {
        return Err(malformed("the segments of a shard do not reach its head"));
    }
    Ok(SealedShard {
        descriptor,
        head,
        segments,
    })
}
