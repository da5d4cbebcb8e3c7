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
