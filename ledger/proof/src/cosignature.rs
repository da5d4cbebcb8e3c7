//! Cosignatures: that a witness has seen a checkpoint, and when.
//!
//! The format is [C2SP tlog-cosignature](https://c2sp.org/tlog-cosignature),
//! Ed25519 (type 0x04): a witness signs `cosignature/v1`, a line with its
//! time, and the text of the checkpoint, and puts time and signature into a
//! signature line of the note. It says that no tree that it has seen of this
//! log is larger than this one, or inconsistent with it.

use std::fmt;
use std::str::FromStr;

use ed25519_dalek::Signer as _;
use zeroize::Zeroizing;

use crate::note::{
    KEY_BYTES, KeyError, KeyParts, Note, PUBLIC_FORM, SIGNATURE_BYTES, Signature, VerifyingKey,
    is_name, key_id, key_text, parse_key, point, verifies,
};

/// Signature type 0x04 of the format.
const COSIGNATURE_TYPE: u8 = 4;

/// The public key of a witness: `name+hash+base64`, with type 0x04.
#[derive(Clone, PartialEq, Eq)]
pub struct CosignerKey {
    name: String,
    id: [u8; 4],
    key: ed25519_dalek::VerifyingKey,
}

/// The key of a witness. Ledgers do not have one; it is for witnesses, and for
/// tests that need one.
pub struct CosigningKey {
    public: CosignerKey,
    pair: ed25519_dalek::SigningKey,
}

/// That a witness has signed a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cosigned {
    /// The witness.
    pub cosigner: String,
    /// When, in seconds since 1970 UTC by the clock of the witness.
    pub time_s: u64,
}

/// What is wrong with a cosignature.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CosignatureError {
    /// It is by another signer, or by another key of this one.
    #[error("the signature is not by {cosigner}")]
    Other {
        /// Whose was expected.
        cosigner: String,
    },
    /// It does not fit the text and its time.
    #[error("the cosignature of {cosigner} does not fit the checkpoint")]
    Signature {
        /// Who is said to have signed.
        cosigner: String,
    },
    /// Its time is beyond 2^63 - 1 seconds.
    #[error("a cosignature's time is beyond 2^63 - 1 seconds")]
    Time,
}

/// What a witness signs.
fn message(text: &str, time_s: u64) -> String {
    format!("cosignature/v1\ntime {time_s}\n{text}")
}

/// Who of these witnesses has signed a checkpoint, each once and with the
/// latest time. Signatures of others are passed over; every signature by one
/// of the keys must be right.
///
/// # Errors
/// [`CosignatureError`] where a signature by one of the keys is wrong.
pub fn cosigned(note: &Note, keys: &[CosignerKey]) -> Result<Vec<Cosigned>, CosignatureError> {
    let mut found = Vec::new();
    for key in keys {
        let mut time = None;
        for signature in note.signatures().iter().filter(|line| key.is_key_of(line)) {
            time = time.max(Some(key.verify(signature, note.text())?));
        }
        if let Some(time_s) = time {
            found.push(Cosigned {
                cosigner: key.name.clone(),
                time_s,
            });
        }
    }
    Ok(found)
}

impl CosignerKey {
    /// The witness's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What stands before each of its signatures.
    pub fn id(&self) -> [u8; 4] {
        self.id
    }

    /// Whether a signature claims to be by this key.
    pub fn is_key_of(&self, signature: &Signature) -> bool {
        signature.key_id() == self.id && signature.name() == self.name
    }

    /// When the witness signed this text of a checkpoint, in seconds since 1970
    /// UTC.
    ///
    /// # Errors
    /// [`CosignatureError`] where it did not.
    pub fn verify(&self, signature: &Signature, text: &str) -> Result<u64, CosignatureError> {
        let cosigner = || self.name.clone();
        if !self.is_key_of(signature) {
            return Err(CosignatureError::Other {
                cosigner: cosigner(),
            });
        }
        let wrong = || CosignatureError::Signature {
            cosigner: cosigner(),
        };
        let (time, signed) = signature
            .bytes()
            .split_first_chunk::<8>()
            .filter(|(_, signed)| signed.len() == SIGNATURE_BYTES)
            .ok_or_else(wrong)?;
        let time_s = u64::from_be_bytes(*time);
        if i64::try_from(time_s).is_err() {
            return Err(CosignatureError::Time);
        }
        if !verifies(&self.key, message(text, time_s).as_bytes(), signed) {
            return Err(wrong());
        }
        Ok(time_s)
    }
}

/// Some witnesses publish the key of a note (type 0x01) and cosign with it.
impl From<&VerifyingKey> for CosignerKey {
    fn from(key: &VerifyingKey) -> Self {
        let key_bytes = key.point().as_bytes();
        Self {
            name: key.name().to_owned(),
            id: key_id(key.name(), COSIGNATURE_TYPE, key_bytes),
            key: *key.point(),
        }
    }
}

impl FromStr for CosignerKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let KeyParts { name, id, key } = parse_key(text, COSIGNATURE_TYPE, PUBLIC_FORM)?;
        if key_id(&name, COSIGNATURE_TYPE, &key) != id {
            return Err(KeyError::Hash);
        }
        let key = point(&key)?;
        Ok(Self { name, id, key })
    }
}

impl fmt::Display for CosignerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&key_text(
            &self.name,
            self.id,
            COSIGNATURE_TYPE,
            self.key.as_bytes(),
        ))
    }
}

impl fmt::Debug for CosignerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl CosigningKey {
    /// A new key for a witness. `fill` fills a slice with bytes from a secure
    /// source of randomness.
    ///
    /// # Errors
    /// A name that a note cannot carry, or no randomness.
    pub fn generate<E>(
        name: &str,
        fill: impl FnOnce(&mut [u8]) -> Result<(), E>,
    ) -> Result<Self, KeyError> {
        let mut seed = Zeroizing::new([0; KEY_BYTES]);
        fill(&mut *seed).map_err(|_| KeyError::Random)?;
        Self::from_seed(name, &seed)
    }

    /// The key of a seed (RFC 8032, section 5.1.5), which is the secret.
    ///
    /// # Errors
    /// [`KeyError::Name`] where a note cannot carry the name.
    pub fn from_seed(name: &str, seed: &[u8; KEY_BYTES]) -> Result<Self, KeyError> {
        if !is_name(name) {
            return Err(KeyError::Name);
        }
        let pair = ed25519_dalek::SigningKey::from_bytes(seed);
        let key = pair.verifying_key();
        Ok(Self {
            public: CosignerKey {
                name: name.to_owned(),
                id: key_id(name, COSIGNATURE_TYPE, key.as_bytes()),
                key,
            },
            pair,
        })
    }

    /// The key that verifies what this one signs.
    pub fn cosigner_key(&self) -> &CosignerKey {
        &self.public
    }

    /// A cosignature over the text of a checkpoint, which the witness has
    /// checked before: `time_s` is now, in seconds since 1970 UTC.
    ///
    /// # Errors
    /// [`CosignatureError::Time`] beyond 2^63 - 1 seconds.
    pub fn cosign(&self, text: &str, time_s: u64) -> Result<Signature, CosignatureError> {
        if i64::try_from(time_s).is_err() {
            return Err(CosignatureError::Time);
        }
        let mut bytes = time_s.to_be_bytes().to_vec();
        let signed = self.pair.sign(message(text, time_s).as_bytes());
        bytes.extend_from_slice(&signed.to_bytes());
        Ok(Signature::from_parts(
            &self.public.name,
            self.public.id,
            &bytes,
        ))
    }
}

/// The public half only.
impl fmt::Debug for CosigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CosigningKey").field(&self.public).finish()
    }
}

#[cfg(test)]
mod tests;
