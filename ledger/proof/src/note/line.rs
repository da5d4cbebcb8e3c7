//! One signature line of a note: `— name base64`.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::key::is_name;

const MARK: &str = "\u{2014} ";

/// One signature line: a signer's name, and base64 of the key id and what was
/// signed. Nothing says that it is right; see
/// [`VerifyingKey::verifies`](super::VerifyingKey::verifies) and
/// [`CosignerKey::verify`](crate::cosignature::CosignerKey::verify).
///
/// It is written and read as the line, without the newline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    name: String,
    key_id: [u8; 4],
    bytes: Vec<u8>,
}

/// A text that is no signature line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a signature: \u{2014}, name and base64 are meant")]
pub struct SignatureLineError;

impl Signature {
    /// `name` must be a name that notes can carry, `bytes` not empty.
    pub(crate) fn from_parts(name: &str, key_id: [u8; 4], bytes: &[u8]) -> Self {
        Self {
            name: name.to_owned(),
            key_id,
            bytes: bytes.to_vec(),
        }
    }

    /// Who is said to have signed.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// With which of that signer's keys.
    pub fn key_id(&self) -> [u8; 4] {
        self.key_id
    }

    /// What follows the key id; its form depends on the kind of the key.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl FromStr for Signature {
    type Err = SignatureLineError;

    fn from_str(line: &str) -> Result<Self, SignatureLineError> {
        let (name, encoded) = line
            .strip_prefix(MARK)
            .and_then(|rest| rest.split_once(' '))
            .ok_or(SignatureLineError)?;
        let decoded = STANDARD.decode(encoded).map_err(|_| SignatureLineError)?;
        match decoded.split_first_chunk::<4>() {
            Some((id, bytes)) if is_name(name) && !bytes.is_empty() => {
                Ok(Self::from_parts(name, *id, bytes))
            }
            _ => Err(SignatureLineError),
        }
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let encoded = STANDARD.encode([&self.key_id, self.bytes.as_slice()].concat());
        write!(f, "{MARK}{} {encoded}", self.name)
    }
}
