//! Stored bytes that cannot be read.

/// Stored bytes that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Written by a version that is no longer read.
    #[error("format version {version} is too old: the oldest that is read is {oldest}")]
    TooOld {
        /// The version found.
        version: u16,
        /// The oldest that is read.
        oldest: u16,
    },
    /// Written by a version that is not known yet.
    #[error("format version {version} is too new: the newest that is known is {newest}")]
    TooNew {
        /// The version found.
        version: u16,
        /// The newest that is known.
        newest: u16,
    },
    /// Ends too early.
    #[error("the bytes end too early")]
    Truncated,
    /// Longer than allowed.
    #[error("{length} bytes are more than the limit of {limit}")]
    TooLong {
        /// How long.
        length: usize,
        /// How long it may be.
        limit: usize,
    },
    /// Goes on after its end.
    #[error("{count} bytes are left over")]
    TrailingBytes {
        /// How many.
        count: usize,
    },
    /// Otherwise malformed.
    #[error("malformed: {0}")]
    Malformed(String),
}

/// A proof that does not prove what it should.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// The index is not below the size, the old size is over the new one, or a
    /// tree is larger than 2^63 leaves.
    #[error("an index or a size is out of range")]
    OutOfRange,
    /// The proof is too long or too short.
    #[error("the proof has {found} hashes where there must be {expected}")]
    Length {
        /// How many there must be.
        expected: usize,
        /// How many there are.
        found: usize,
    },
    /// The proof leads to another root.
    #[error("the proof leads to another root")]
    Root,
    /// The proof leads to another old root.
    #[error("the proof leads to another root of the old tree")]
    OldRoot,
    /// The record at the end of a map's path belongs under another path.
    #[error("the record at the end of the path belongs elsewhere in the map")]
    Path,
    /// No map has such a path: its deepest sibling is empty, or it ends empty
    /// below the last bit.
    #[error("no map has such a path")]
    Shape,
    /// The recent map does not have the record, and what the base map says is
    /// missing.
    #[error("the proof for the base map is missing")]
    BaseMissing,
    /// The recent map has the record, so nothing is to be said about the base.
    #[error("the proof for the base map is too much")]
    BaseNeedless,
}
