//! The ledger's name and what never changes about it, in a file of 64 bytes.

use std::path::Path;

use crate::chain;
use crate::durable;
use crate::error::{DecodeError, OpenError};
use crate::id::LedgerId;
use crate::shard::check_version;

pub(crate) const FILE: &str = "identity";

const MAGIC: [u8; 4] = *b"CSTI";
const VERSION: u16 = 1;
const BODY: usize = 32;
const SIZE: usize = BODY + 32;

// Magic 4, version 2, flags 2, ledger 16, segment bytes 4, reserved 4.
const _: () = assert!(BODY == 4 + 2 + 2 + 16 + 4 + 4);

/// The id of the ledger in a directory, also while another process has it open;
/// `None` where there is no ledger.
///
/// # Errors
/// [`OpenError`] where its identity cannot be read.
pub fn ledger_id(dir: &Path) -> Result<Option<LedgerId>, OpenError> {
    Ok(Identity::read(dir)?.map(|identity| identity.ledger))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) ledger: LedgerId,
    /// sled refuses to open a database with another segment size than it was
    /// made with.
    pub(crate) segment_bytes: u32,
}

impl Identity {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(SIZE);
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.extend_from_slice(&[0; 2]);
        bytes.extend_from_slice(self.ledger.as_bytes());
        bytes.extend_from_slice(&self.segment_bytes.to_le_bytes());
        bytes.extend_from_slice(&[0; 4]);
        let digest = chain::digest(b"custody identity v1", &[&bytes]);
        bytes.extend_from_slice(digest.as_bytes());
        bytes
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let malformed = |what: &str| DecodeError::Malformed(what.to_owned());
        let (head, rest) = bytes
            .split_first_chunk::<8>()
            .ok_or(DecodeError::Truncated)?;
        if head[..4] != MAGIC {
            return Err(malformed("the magic is missing"));
        }
        check_version(u16::from_le_bytes([head[4], head[5]]), VERSION)?;
        if bytes.len() > SIZE {
            return Err(DecodeError::TrailingBytes {
                count: bytes.len() - SIZE,
            });
        }
        let (body, digest) = bytes.split_at_checked(BODY).ok_or(DecodeError::Truncated)?;
        if digest != chain::digest(b"custody identity v1", &[body]).as_bytes() {
            return Err(malformed("the digest differs"));
        }
        let (ledger, rest) = rest.split_first_chunk().ok_or(DecodeError::Truncated)?;
        let (segment, rest) = rest.split_first_chunk().ok_or(DecodeError::Truncated)?;
        if head[6..] != [0; 2] || rest.get(..4) != Some(&[0; 4]) {
            return Err(malformed("reserved bytes are set"));
        }
        Ok(Self {
            ledger: LedgerId(*ledger),
            segment_bytes: u32::from_le_bytes(*segment),
        })
    }

    /// `None` where the file is absent.
    pub(crate) fn read(dir: &Path) -> Result<Option<Self>, OpenError> {
        let path = dir.join(FILE);
        match durable::read_if_present(&path).map_err(OpenError::io("read", &path))? {
            None => Ok(None),
            Some(bytes) => match Self::decode(&bytes) {
                Ok(identity) => Ok(Some(identity)),
                Err(source) => Err(OpenError::File { path, source }),
            },
        }
    }

    pub(crate) fn write(&self, dir: &Path) -> Result<(), OpenError> {
        let path = dir.join(FILE);
        durable::replace(&path, &self.encode()).map_err(OpenError::io("write", &path))
    }
}
