//! What is asked for.

use std::fmt;
use std::str::FromStr;

use super::EraseError;
use crate::state::Reference;

/// The most references of one order. Together they are one change of the root
/// key.
pub const MAX_SUBJECTS: usize = 50_000;

/// The longest code, in bytes.
const MAX_CODE_BYTES: usize = 64;

/// Names an erasure: 16 random bytes, shown as 32 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ErasureId(pub [u8; 16]);

impl ErasureId {
    pub(super) fn random() -> Result<Self, EraseError> {
        let mut id = [0; 16];
        let mut filled = 0;
        while filled < id.len() {
            let flags = rustix::rand::GetRandomFlags::empty();
            filled += rustix::rand::getrandom(&mut id[filled..], flags)
                .map_err(|error| EraseError::Randomness(error.into()))?;
        }
        Ok(Self(id))
    }
}

impl fmt::Display for ErasureId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for ErasureId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ErasureId({self})")
    }
}

impl FromStr for ErasureId {
    type Err = EraseError;

    fn from_str(text: &str) -> Result<Self, EraseError> {
        bytes16(text).map(Self).ok_or(EraseError::NotAnId)
    }
}

/// 32 lower-case hexadecimal digits.
pub(super) fn bytes16(text: &str) -> Option<[u8; 16]> {
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    if text.len() != 32 || !text.bytes().all(is_digit) {
        return None;
    }
    u128::from_str_radix(text, 16).ok().map(u128::to_be_bytes)
}

/// Persons to be erased, as one.
///
/// Nothing in it is free text: it stays in the ledger when the persons are gone.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct EraseOrder {
    /// References of the persons; whoever is linked with them goes with them.
    pub subjects: Vec<Reference>,
    /// Ids of the organisations that had been given their data (GDPR Art. 19),
    /// as far as the caller knows them. Those of the ledger are added.
    pub recipients: Vec<String>,
    /// How many entries are about them.
    pub entries: u64,
    /// Why: `[a-z0-9._-]{1,64}`.
    pub reason: String,
    /// The operator's ticket: the same alphabet, or empty.
    pub ticket: String,
    /// Whether their identifiers are to be marked: a person who comes with one
    /// of them later starts as erased on that day.
    pub mark: bool,
}

impl fmt::Debug for EraseOrder {
    /// Shows how many, and nobody.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EraseOrder")
            .field("subjects", &self.subjects.len())
            .field("reason", &self.reason)
            .field("mark", &self.mark)
            .finish_non_exhaustive()
    }
}

impl EraseOrder {
    pub(super) fn check(&self) -> Result<(), EraseError> {
        check_count(self.subjects.len())?;
        check_code("reason", &self.reason)?;
        if !self.ticket.is_empty() {
            check_code("ticket", &self.ticket)?;
        }
        self.recipients
            .iter()
            .try_for_each(|id| check_code("recipients", id))
    }
}

pub(super) fn check_count(subjects: usize) -> Result<(), EraseError> {
    match subjects {
        0 => Err(EraseError::Nobody),
        count if count > MAX_SUBJECTS => Err(EraseError::TooMany { count }),
        _ => Ok(()),
    }
}

/// Codes are all that is said of a cause: a sentence could name somebody.
pub(super) fn check_code(field: &'static str, text: &str) -> Result<(), EraseError> {
    let allowed = |byte: u8| {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'_' | b'-')
    };
    if text.is_empty() || text.len() > MAX_CODE_BYTES || !text.bytes().all(allowed) {
        return Err(EraseError::NotACode { field });
    }
    Ok(())
}
