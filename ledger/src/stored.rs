//! Reading fields from stored bytes, which may come from anybody.

use crate::error::DecodeError;

/// The next `SIZE` bytes.
pub(crate) fn take<const SIZE: usize>(rest: &mut &[u8]) -> Result<[u8; SIZE], DecodeError> {
    let (field, after) = rest.split_first_chunk().ok_or(DecodeError::Truncated)?;
    *rest = after;
    Ok(*field)
}

/// The next `count` bytes.
pub(crate) fn take_slice<'a>(rest: &mut &'a [u8], count: usize) -> Result<&'a [u8], DecodeError> {
    let (taken, after) = rest.split_at_checked(count).ok_or(DecodeError::Truncated)?;
    *rest = after;
    Ok(taken)
}

pub(crate) fn malformed(what: &str) -> DecodeError {
    DecodeError::Malformed(what.to_owned())
}
