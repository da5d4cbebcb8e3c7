//! The signed anchor: the last checkpoints that were signed, in two files that
//! say the same. One is whole while the other is written, and what was shown to
//! somebody is in both: the loss of one loses nothing.
//!
//! It is written after everything that it signs is durable, and before anybody
//! is shown a signature. Nothing is ever signed that does not continue it. It
//! may lie on another disk than the ledger, so that a ledger which was put back
//! to an older state is found out.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use custody_proof::chain;
use custody_proof::checkpoint::Abandoned;
use custody_proof::tree::Hash;

use crate::durable;
use crate::error::{DecodeError, OpenError};
use crate::id::{LedgerId, ShardId};
use crate::shard::check_version;
use crate::stored::{malformed, take, take_slice};

pub(crate) const FILES: [&str; 2] = ["signed.0", "signed.1"];

const MAGIC: [u8; 4] = *b"CSTN";
const VERSION: u16 = 1;
const DIGEST_BYTES: usize = 32;
/// Files grow by pages, so that most writes overwrite in place.
const PAGE_BYTES: usize = 4096;
/// The longest file that is read.
const MAX_BYTES: usize = 64 << 20;
/// Stands for the ledger's own log where a shard is meant otherwise.
const LEDGER_LOG: [u8; 16] = [0; 16];
const DOMAIN: &[u8] = b"custody signed anchor v1";

// Magic 4, version 2, reserved 2, generation 8, ledger 16, epoch 4, reserved 4.
const FIXED_BYTES: usize = 40;
const _: () = assert!(FIXED_BYTES == 4 + 2 + 2 + 8 + 16 + 4 + 4);

/// A head that was signed and then given up, because the entries up to it are
/// lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct GivenUp {
    /// Whose; `None`: the ledger's own log.
    pub(crate) shard: Option<ShardId>,
    pub(crate) head: Abandoned,
}

/// What was signed last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SignedState {
    /// One more with each write.
    pub(crate) generation: u64,
    pub(crate) ledger: LedgerId,
    /// The epoch of the ledger's own log.
    pub(crate) epoch: u32,
    /// The signed checkpoint of the ledger's log; empty before the first.
    pub(crate) note: String,
    /// The manifest that it names.
    pub(crate) manifest: String,
    /// The signed checkpoint of each shard.
    pub(crate) shards: BTreeMap<ShardId, String>,
    /// Everything that was given up, oldest first.
    pub(crate) abandoned: Vec<GivenUp>,
}

impl SignedState {
    /// Before anything is signed.
    pub(crate) fn empty(ledger: LedgerId) -> Self {
        Self {
            generation: 0,
            ledger,
            epoch: 0,
            note: String::new(),
            manifest: String::new(),
            shards: BTreeMap::new(),
            abandoned: Vec::new(),
        }
    }

    /// The last head of a log that was given up.
    pub(crate) fn abandoned_of(&self, shard: Option<ShardId>) -> Option<Abandoned> {
        let mut newest_first = self.abandoned.iter().rev();
        let given_up = newest_first.find(|given_up| given_up.shard == shard)?;
        Some(given_up.head)
    }

    /// The stored bytes, filled up with zeros to whole pages.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(PAGE_BYTES);
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.extend_from_slice(&[0; 2]);
        bytes.extend_from_slice(&self.generation.to_le_bytes());
        bytes.extend_from_slice(self.ledger.as_bytes());
        bytes.extend_from_slice(&self.epoch.to_le_bytes());
        bytes.extend_from_slice(&[0; 4]);
        put_text(&mut bytes, &self.note);
        put_text(&mut bytes, &self.manifest);
        bytes.extend_from_slice(&(self.shards.len() as u32).to_le_bytes());
        for (shard, note) in &self.shards {
            bytes.extend_from_slice(shard.as_bytes());
            put_text(&mut bytes, note);
        }
        bytes.extend_from_slice(&(self.abandoned.len() as u32).to_le_bytes());
        for GivenUp { shard, head } in &self.abandoned {
            let shard = shard.map_or(LEDGER_LOG, |shard| shard.0);
            bytes.extend_from_slice(&shard);
            bytes.extend_from_slice(&head.epoch.to_le_bytes());
            bytes.extend_from_slice(&head.size.to_le_bytes());
            bytes.extend_from_slice(head.root.as_bytes());
        }
        let digest = chain::digest(DOMAIN, &[&bytes]);
        bytes.extend_from_slice(digest.as_bytes());
        bytes.resize(bytes.len().next_multiple_of(PAGE_BYTES), 0);
        bytes
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut rest = bytes;
        if take::<4>(&mut rest)? != MAGIC {
            return Err(malformed("the magic is missing"));
        }
        check_version(u16::from_le_bytes(take(&mut rest)?), VERSION)?;
        let reserved = take::<2>(&mut rest)?;
        let generation = u64::from_le_bytes(take(&mut rest)?);
        let ledger = LedgerId(take(&mut rest)?);
        let epoch = u32::from_le_bytes(take(&mut rest)?);
        if reserved != [0; 2] || take::<4>(&mut rest)? != [0; 4] {
            return Err(malformed("reserved bytes are set"));
        }
        let note = take_text(&mut rest)?;
        let manifest = take_text(&mut rest)?;
        let count = u32::from_le_bytes(take(&mut rest)?);
        let mut shards = BTreeMap::new();
        // Every round takes bytes that are there, so no count of somebody
        // else's drives it.
        for _ in 0..count {
            let shard = ShardId(take(&mut rest)?);
            let last = shards.last_key_value().map(|(shard, _)| *shard);
            if last.is_some_and(|last| last >= shard) {
                return Err(malformed("a shard is out of order"));
            }
            shards.insert(shard, take_text(&mut rest)?);
        }
        let count = u32::from_le_bytes(take(&mut rest)?);
        let mut abandoned = Vec::new();
        for _ in 0..count {
            let shard = take(&mut rest)?;
            abandoned.push(GivenUp {
                shard: Some(ShardId(shard)).filter(|_| shard != LEDGER_LOG),
                head: Abandoned {
                    epoch: u32::from_le_bytes(take(&mut rest)?),
                    size: u64::from_le_bytes(take(&mut rest)?),
                    root: Hash(take(&mut rest)?),
                },
            });
        }
        let body = &bytes[..bytes.len() - rest.len()];
        let digest = take::<DIGEST_BYTES>(&mut rest)?;
        if digest != *chain::digest(DOMAIN, &[body]).as_bytes() {
            return Err(malformed("the digest differs"));
        }
        if rest.iter().any(|&byte| byte != 0) {
            return Err(malformed("the bytes after the end are not zero"));
        }
        Ok(Self {
            generation,
            ledger,
            epoch,
            note,
            manifest,
            shards,
            abandoned,
        })
    }

    /// Reads one file. The outer error is one of the file system; `None` where
    /// the file is absent.
    pub(crate) fn read(dir: &Path, slot: usize) -> io::Result<Option<Result<Self, DecodeError>>> {
        let Some(bytes) = durable::read_if_present(&dir.join(FILES[slot]))? else {
            return Ok(None);
        };
        if bytes.len() > MAX_BYTES {
            return Ok(Some(Err(DecodeError::TooLong {
                length: bytes.len(),
                limit: MAX_BYTES,
            })));
        }
        Ok(Some(Self::decode(&bytes)))
    }
}

fn put_text(bytes: &mut Vec<u8>, text: &str) {
    bytes.extend_from_slice(&(text.len() as u32).to_le_bytes());
    bytes.extend_from_slice(text.as_bytes());
}

fn take_text(rest: &mut &[u8]) -> Result<String, DecodeError> {
    let length = u32::from_le_bytes(take(rest)?) as usize;
    std::str::from_utf8(take_slice(rest, length)?)
        .map(str::to_owned)
        .map_err(|_| malformed("a text is no UTF-8"))
}

/// The signed anchor of an open ledger.
#[derive(Debug)]
pub(crate) struct SignedAnchor {
    dir: PathBuf,
    state: SignedState,
    settled: bool,
}

impl SignedAnchor {
    /// Reads the newest state in `dir` that is whole. Where there is none at
    /// all, nothing was signed.
    ///
    /// # Errors
    /// [`OpenError::Anchor`] where files are there and none can be read, so
    /// that nothing says what was signed.
    pub(crate) fn open(dir: &Path, ledger: LedgerId) -> Result<Self, OpenError> {
        let mut newest: Option<SignedState> = None;
        let mut damaged = false;
        let mut found = Vec::new();
        for (slot, name) in FILES.into_iter().enumerate() {
            let path = dir.join(name);
            match SignedState::read(dir, slot).map_err(OpenError::io("read", &path))? {
                None => {}
                Some(Ok(state)) if state.ledger == ledger => {
                    found.push(state.generation);
                    let known = newest.as_ref().map(|newest| newest.generation);
                    if known < Some(state.generation) {
                        newest = Some(state);
                    }
                }
                Some(Ok(_)) => {
                    damaged = true;
                    tracing::warn!(file = name, "the signed anchor belongs to another ledger");
                }
                Some(Err(error)) => {
                    damaged = true;
                    tracing::warn!(file = name, %error, "the signed anchor is damaged");
                }
            }
        }
        let state = match newest {
            Some(state) => state,
            None if damaged => {
                return Err(OpenError::Anchor {
                    path: dir.to_owned(),
                });
            }
            None => SignedState::empty(ledger),
        };
        let settled = match found.as_slice() {
            [] => !damaged,
            [one, other] => one == other,
            _ => false,
        };
        Ok(Self {
            dir: dir.to_owned(),
            state,
            settled,
        })
    }

    /// Whether both files say the same.
    pub(crate) fn is_settled(&self) -> bool {
        self.settled
    }

    pub(crate) fn state(&self) -> &SignedState {
        &self.state
    }

    /// Makes a new state durable in both files, one after the other. On an
    /// error the state before may still be there.
    pub(crate) fn write(&mut self, mut next: SignedState) -> io::Result<()> {
        next.generation = self.state.generation + 1;
        let bytes = next.encode();
        let mut is_new = false;
        for name in FILES {
            let path = self.dir.join(name);
            is_new |= !path.exists();
            let file = open_slot(&path)?;
            file.write_all_at(&bytes, 0)?;
            // What was longer before ends in zeros only if it is cut.
            if file.metadata()?.len() > bytes.len() as u64 {
                file.set_len(bytes.len() as u64)?;
            }
            file.sync_data()?;
        }
        if is_new {
            durable::sync_dir(&self.dir)?;
        }
        self.state = next;
        self.settled = true;
        Ok(())
    }

    /// Leaves a write that was cut short, for tests.
    pub(crate) fn tear(&self, mut next: SignedState) -> io::Result<()> {
        next.generation = self.state.generation + 1;
        let bytes = next.encode();
        let file = open_slot(&self.dir.join(FILES[0]))?;
        file.write_all_at(&bytes[..bytes.len() / 2], 0)?;
        file.sync_data()
    }
}

fn open_slot(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state() -> SignedState {
        SignedState {
            generation: 6,
            ledger: LedgerId([0x1e; 16]),
            epoch: 1,
            note: "custody/log\n3\nAAAA\n\n— custody/log AAAA\n".to_owned(),
            manifest: "custody.manifest/v1\n".to_owned(),
            shards: [(ShardId([7; 16]), "a note\n".to_owned())].into(),
            abandoned: vec![
                GivenUp {
                    shard: None,
                    head: Abandoned {
                        epoch: 0,
                        size: 9,
                        root: Hash([3; 32]),
                    },
                },
                GivenUp {
                    shard: Some(ShardId([7; 16])),
                    head: Abandoned {
                        epoch: 0,
                        size: 12,
                        root: Hash([4; 32]),
                    },
                },
            ],
        }
    }

    #[test]
    fn every_byte_counts() {
        let bytes = state().encode();
        assert_eq!(SignedState::decode(&bytes), Ok(state()));
        let end = bytes.iter().rposition(|byte| *byte != 0).unwrap() + 1;
        for at in 0..bytes.len() {
            for bit in [1, 0x80] {
                let mut bytes = bytes.clone();
                bytes[at] ^= bit;
                assert!(SignedState::decode(&bytes).is_err(), "byte {at}");
            }
            assert_eq!(SignedState::decode(&bytes[..at]).is_err(), at < end, "{at}");
        }
    }

    #[test]
    fn either_file_is_enough() {
        let dir = tempfile::tempdir().unwrap();
        let ledger = LedgerId([0x1e; 16]);
        let mut anchor = SignedAnchor::open(dir.path(), ledger).unwrap();
        assert_eq!(anchor.state(), &SignedState::empty(ledger));
        for size in 1..6 {
            let mut next = anchor.state().clone();
            next.note = "n".repeat(10_000 / size);
            anchor.write(next).unwrap();
            let again = SignedAnchor::open(dir.path(), ledger).unwrap();
            assert_eq!(again.state(), anchor.state());
        }
        // A torn write leaves the one before, and so does the loss of a file.
        let before = anchor.state().clone();
        let mut next = before.clone();
        next.note = "torn".to_owned();
        anchor.tear(next).unwrap();
        let again = SignedAnchor::open(dir.path(), ledger).unwrap();
        assert_eq!(again.state(), &before);
        for file in FILES {
            anchor.write(anchor.state().clone()).unwrap();
            std::fs::remove_file(dir.path().join(file)).unwrap();
            let again = SignedAnchor::open(dir.path(), ledger).unwrap();
            assert_eq!(again.state(), anchor.state());
        }
        anchor.write(anchor.state().clone()).unwrap();
        // With both gone bad, nothing says what was signed.
        for file in FILES {
            std::fs::write(dir.path().join(file), b"CSTN").unwrap();
        }
        assert!(matches!(
            SignedAnchor::open(dir.path(), ledger),
            Err(OpenError::Anchor { .. })
        ));
    }
}
