//! The anchor: how far each shard had come at the last commit.
//!
//! It lies outside the storage engine, so that an engine which quietly lost
//! its end is found out. Two files are written in turn, so that one of them is
//! whole whatever happens.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use crate::chain;
use crate::durable;
use crate::error::{DecodeError, OpenError};
use crate::head::HEAD_BYTES;
use crate::id::{LedgerId, ShardId};
use crate::shard::{Head, check_version};
use crate::stored::{malformed, take};

pub(crate) const FILES: [&str; 2] = ["anchor.0", "anchor.1"];

const MAGIC: [u8; 4] = *b"CSTA";
const DOMAIN: &[u8] = b"custody anchor v2";
const VERSION: u16 = 2;
const HEADER_BYTES: usize = 40;
const DIGEST_BYTES: usize = 32;
/// Files grow by pages, so that most writes overwrite in place, which syncs
/// in less than half the time of a write that grows its file.
const PAGE_BYTES: usize = 4096;
/// The longest anchor that is read.
const MAX_BYTES: usize = 64 << 20;

// Magic 4, version 2, flags 2, generation 8, ledger 16, count 4, reserved 4.
const _: () = assert!(HEADER_BYTES == 4 + 2 + 2 + 8 + 16 + 4 + 4);

/// What one anchor file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AnchorState {
    pub(crate) generation: u64,
    pub(crate) ledger: LedgerId,
    pub(crate) heads: BTreeMap<ShardId, Head>,
}

impl AnchorState {
    /// The stored bytes, filled up with zeros to whole pages.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let length = HEADER_BYTES + self.heads.len() * HEAD_BYTES + DIGEST_BYTES;
        let mut bytes = Vec::with_capacity(length.next_multiple_of(PAGE_BYTES));
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.extend_from_slice(&[0; 2]);
        bytes.extend_from_slice(&self.generation.to_le_bytes());
        bytes.extend_from_slice(self.ledger.as_bytes());
        // No machine has memory for 2^32 heads.
        bytes.extend_from_slice(&(self.heads.len() as u32).to_le_bytes());
        bytes.extend_from_slice(&[0; 4]);
        for head in self.heads.values() {
            head.encode_onto(&mut bytes);
        }
        let digest = chain::digest(DOMAIN, &[&bytes]);
        bytes.extend_from_slice(digest.as_bytes());
        bytes.resize(length.next_multiple_of(PAGE_BYTES), 0);
        bytes
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut rest = bytes;
        if take::<4>(&mut rest)? != MAGIC {
            return Err(malformed("the magic is missing"));
        }
        check_version(u16::from_le_bytes(take(&mut rest)?), VERSION)?;
        let flags = take::<2>(&mut rest)?;
        let generation = u64::from_le_bytes(take(&mut rest)?);
        let ledger = LedgerId(take(&mut rest)?);
        let count = u32::from_le_bytes(take(&mut rest)?) as usize;
        let reserved = take::<4>(&mut rest)?;
        if flags != [0; 2] || reserved != [0; 4] {
            return Err(malformed("reserved bytes are set"));
        }
        if count > MAX_BYTES / HEAD_BYTES {
            return Err(malformed("more heads than there can be"));
        }
        let end = HEADER_BYTES + count * HEAD_BYTES;
        let (body, after) = bytes.split_at_checked(end).ok_or(DecodeError::Truncated)?;
        let (digest, padding) = after
            .split_at_checked(DIGEST_BYTES)
            .ok_or(DecodeError::Truncated)?;
        if digest != chain::digest(DOMAIN, &[body]).as_bytes() {
            return Err(malformed("the digest differs"));
        }
        if padding.iter().any(|&byte| byte != 0) {
            return Err(malformed("the bytes after the end are not zero"));
        }
        let mut heads = BTreeMap::new();
        for _ in 0..count {
            let head = Head::decode_from(&mut rest)?;
            let last = heads.last_key_value().map(|(shard, _)| *shard);
            if last.is_some_and(|last| last >= head.shard) {
                return Err(malformed("a head is out of order"));
            }
            heads.insert(head.shard, head);
        }
        Ok(Self {
            generation,
            ledger,
            heads,
        })
    }

    /// Reads one file. The outer error is one of the file system.
    pub(crate) fn read(dir: &Path, slot: usize) -> io::Result<Result<Self, DecodeError>> {
        let path = dir.join(FILES[slot]);
        let Some(bytes) = durable::read_if_present(&path)? else {
            return Ok(Err(DecodeError::Truncated));
        };
        if bytes.len() > MAX_BYTES {
            return Ok(Err(DecodeError::TooLong {
                length: bytes.len(),
                limit: MAX_BYTES,
            }));
        }
        Ok(Self::decode(&bytes).and_then(|state| {
            if state.generation % 2 != slot as u64 {
                return Err(DecodeError::Malformed(
                    "its generation belongs into the other file".to_owned(),
                ));
            }
            Ok(state)
        }))
    }
}

/// The anchor of an open ledger.
#[derive(Debug)]
pub(crate) struct Anchor {
    files: [File; 2],
    state: AnchorState,
}

impl Anchor {
    /// Writes both files of a new ledger.
    pub(crate) fn create(dir: &Path, ledger: LedgerId) -> Result<(), OpenError> {
        for (slot, name) in FILES.iter().enumerate() {
            let path = dir.join(name);
            let state = AnchorState {
                generation: slot as u64,
                ledger,
                heads: BTreeMap::new(),
            };
            durable::replace(&path, &state.encode()).map_err(OpenError::io("write", &path))?;
        }
        Ok(())
    }

    /// Opens the files and keeps the newest state that is whole.
    pub(crate) fn open(dir: &Path, ledger: LedgerId) -> Result<Self, OpenError> {
        let mut newest: Option<AnchorState> = None;
        for slot in [0, 1] {
            let path = dir.join(FILES[slot]);
            match AnchorState::read(dir, slot).map_err(OpenError::io("read", &path))? {
                Ok(state) if state.ledger == ledger => {
                    if newest
                        .as_ref()
                        .is_none_or(|newest| newest.generation < state.generation)
                    {
                        newest = Some(state);
                    }
                }
                Ok(_) => tracing::warn!(file = FILES[slot], "the anchor belongs to another ledger"),
                Err(error) => tracing::warn!(file = FILES[slot], %error, "the anchor is damaged"),
            }
        }
        let state = newest.ok_or_else(|| OpenError::Anchor {
            path: dir.to_owned(),
        })?;
        let open = |slot: usize| {
            let path = dir.join(FILES[slot]);
            let mut options = OpenOptions::new();
            options.write(true).create(true).truncate(false);
            options.open(&path).map_err(OpenError::io("open", &path))
        };
        Ok(Self {
            files: [open(0)?, open(1)?],
            state,
        })
    }

    pub(crate) fn state(&self) -> &AnchorState {
        &self.state
    }

    /// Makes new heads durable. On an error the state before is still there.
    pub(crate) fn write(&mut self, heads: &[Head]) -> io::Result<()> {
        let next = self.next(heads);
        let file = &self.files[(next.generation % 2) as usize];
        // No other writer: a file is never longer than a newer state, since
        // shards are not removed.
        file.write_all_at(&next.encode(), 0)?;
        file.sync_data()?;
        self.state = next;
        Ok(())
    }

    /// Writes half of new heads, as a crash would. For tests.
    pub(crate) fn tear(&self, heads: &[Head]) -> io::Result<()> {
        let next = self.next(heads);
        let bytes = next.encode();
        let half = (HEADER_BYTES + next.heads.len() * HEAD_BYTES) / 2;
        self.files[(next.generation % 2) as usize].write_all_at(&bytes[..half], 0)
    }

    fn next(&self, heads: &[Head]) -> AnchorState {
        let mut next = self.state.clone();
        next.generation += 1;
        next.heads
            .extend(heads.iter().map(|head| (head.shard, *head)));
        next
    }
}
