//! The bytes of a proof.

use super::{EMPTY, MAX_DEPTH, RECORD_BYTES, Record, Terminal, malformed};
use crate::error::DecodeError;
use crate::tree::Hash;

const END_EMPTY: u8 = 0;
const END_LEAF: u8 = 1;

/// Appends the path of a proof.
pub(super) fn put_path(bytes: &mut Vec<u8>, siblings: &[Hash], terminal: &Terminal) {
    // At most 128: a proof with more cannot be made.
    bytes.push(siblings.len() as u8);
    let bits = siblings.chunks(8).map(|siblings| {
        (siblings.iter().enumerate()).fold(0, |bits, (place, sibling)| {
            bits | (u8::from(*sibling != EMPTY) << (7 - place))
        })
    });
    bytes.extend(bits);
    for sibling in siblings.iter().filter(|sibling| **sibling != EMPTY) {
        bytes.extend_from_slice(sibling.as_bytes());
    }
    match terminal {
        Terminal::Empty => bytes.push(END_EMPTY),
        Terminal::Leaf(record) => {
            bytes.push(END_LEAF);
            bytes.extend_from_slice(&record.to_bytes());
        }
    }
}

/// Reads bytes that were made elsewhere.
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(super) fn byte(&mut self) -> Result<u8, DecodeError> {
        self.array().map(|[byte]| byte)
    }

    fn array<const SIZE: usize>(&mut self) -> Result<[u8; SIZE], DecodeError> {
        let (field, rest) = self
            .rest
            .split_first_chunk()
            .ok_or(DecodeError::Truncated)?;
        self.rest = rest;
        Ok(*field)
    }

    /// What [`put_path`] appended.
    pub(super) fn path(&mut self) -> Result<(Vec<Hash>, Terminal), DecodeError> {
        let depth = usize::from(self.byte()?);
        if depth > MAX_DEPTH {
            return Err(malformed("the path is longer than a reference"));
        }
        let (bits, rest) = self
            .rest
            .split_at_checked(depth.div_ceil(8))
            .ok_or(DecodeError::Truncated)?;
        self.rest = rest;
        let is_set = |depth: usize| bits[depth / 8] & (0x80 >> (depth % 8)) != 0;
        if (depth..bits.len() * 8).any(is_set) {
            return Err(malformed("bits are set beyond the end of the path"));
        }
        let mut siblings = Vec::with_capacity(depth);
        for depth in 0..depth {
            siblings.push(if is_set(depth) {
                Hash(self.array()?)
            } else {
                EMPTY
            });
            if is_set(depth) && siblings[depth] == EMPTY {
                return Err(malformed("an empty sibling is marked as not empty"));
            }
        }
        let terminal = match self.byte()? {
            END_EMPTY => Terminal::Empty,
            END_LEAF => Terminal::Leaf(Record::from_bytes(&self.array::<RECORD_BYTES>()?)),
            _ => return Err(malformed("the path has no end that is known")),
        };
        Ok((siblings, terminal))
    }

    pub(super) fn finish(self) -> Result<(), DecodeError> {
        match self.rest.len() {
            0 => Ok(()),
            count => Err(DecodeError::TrailingBytes { count }),
        }
    }
}
