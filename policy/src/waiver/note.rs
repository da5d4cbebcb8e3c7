//! Signed notes: a text that people read, and Ed25519 signatures over it.
//!
//! The format is [C2SP signed-note](https://c2sp.org/signed-note), the one of
//! transparency logs: text that ends with a newline, an empty line, and a line
//! a signature. Keys are written as in `golang.org/x/mod/sumdb/note`.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::digest;
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

/// A longer note is refused: a waiver has a few lines.
const MAX_NOTE_BYTES: usize = 64 * 1024;
/// More signatures are refused, so that a hostile note costs little.
const MAX_SIGNATURES: usize = 16;
/// Signature type 0x01 of the format: Ed25519.
const ED25519_TYPE: u8 = 1;
const KEY_BYTES: usize = 32;
const SIGNATURE_BYTES: usize = 64;
const SIGNATURE_MARK: &str = "\u{2014} ";
const PRIVATE_MARK: &str = "PRIVATE+KEY+";

/// A key that verifies the notes of one signer: `name+hash+base64`.
///
/// ```
/// use custody_policy::VerifyingKey;
///
/// let text = "operator.example+4d8d5c46+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4";
/// let key: VerifyingKey = text.parse()?;
/// assert_eq!(key.name(), "operator.example");
/// // The hash is of name and key, so that a wrong letter is noticed.
/// assert!(text.replace("operator", "0perator").parse::<VerifyingKey>().is_err());
/// # Ok::<(), custody_policy::KeyError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct VerifyingKey {
    name: String,
    id: [u8; 4],
    key: [u8; KEY_BYTES],
}

/// A key that signs notes: `PRIVATE+KEY+name+hash+base64`.
pub struct SigningKey {
    public: VerifyingKey,
    pair: Ed25519KeyPair,
    seed: Zeroizing<[u8; KEY_BYTES]>,
}

/// What is wrong with a key string.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// It is no `name+hash+base64`, or no `PRIVATE+KEY+name+hash+base64`.
    #[error("not a key: {expected} is meant")]
    Malformed {
        /// The form that was expected.
        expected: &'static str,
    },
    /// A signer's name is empty, or has a space, a control character or a `+`.
    #[error("the name of a signer is empty or has a space, a control character or a '+'")]
    Name,
    /// The key is of another kind than Ed25519.
    #[error("the key is not an Ed25519 key")]
    Algorithm,
    /// The hash is not that of name and key.
    #[error("the key does not belong to its name: the hash differs")]
    Hash,
    /// No random bytes could be had.
    #[error("no random bytes for a new key")]
    Random,
}

/// What is wrong with a note. Lines count from 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// It is too long.
    #[error("a signed note has at most {MAX_NOTE_BYTES} bytes, this one has {found}")]
    TooLong {
        /// How long it is, in bytes.
        found: usize,
    },
    /// A control character other than a newline.
    #[error("line {line}: a control character")]
    Control {
        /// Where.
        line: usize,
    },
    /// No text, an empty line and signatures.
    #[error("not a signed note: text, an empty line and at least one signature are meant")]
    Shape,
    /// A line among the signatures that is none.
    #[error("line {line}: not a signature: \u{2014}, name and base64 are meant")]
    SignatureLine {
        /// Where.
        line: usize,
    },
    /// More signatures than anybody needs.
    #[error("more than {MAX_SIGNATURES} signatures")]
    TooMany,
    /// None of the signers is trusted.
    #[error("nobody who is trusted has signed this")]
    Untrusted,
    /// The signature of a trusted signer is wrong: the text was changed.
    #[error("line {line}: the signature of {signer} does not fit the text")]
    Signature {
        /// The trusted signer.
        signer: String,
        /// Where.
        line: usize,
    },
}

/// A note whose signature was verified.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Opened<'a> {
    /// With its last newline.
    pub(super) text: &'a str,
    pub(super) signer: &'a str,
}

/// A note of this text with one signature. The text ends with a newline and
/// has no control characters and no empty line.
pub(super) fn sign(text: &str, key: &SigningKey) -> String {
    let mut signed = key.public.id.to_vec();
    signed.extend_from_slice(key.pair.sign(text.as_bytes()).as_ref());
    let name = &key.public.name;
    let signature = STANDARD.encode(signed);
    format!("{text}\n{SIGNATURE_MARK}{name} {signature}\n")
}

/// The text of a note that one of the keys has signed. Signatures of others
/// are passed over; every signature by one of the keys must be right.
pub(super) fn open<'a>(note: &'a str, keys: &[VerifyingKey]) -> Result<Opened<'a>, NoteError> {
    if note.len() > MAX_NOTE_BYTES {
        return Err(NoteError::TooLong { found: note.len() });
    }
    for (line, text) in (1..).zip(note.split('\n')) {
        if text.chars().any(char::is_control) {
            return Err(NoteError::Control { line });
        }
    }
    let end = note.rfind("\n\n").ok_or(NoteError::Shape)?;
    let (text, signatures) = note.split_at(end + 1);
    let signatures = signatures
        .strip_prefix('\n')
        .and_then(|lines| lines.strip_suffix('\n'))
        .filter(|lines| !lines.is_empty())
        .ok_or(NoteError::Shape)?;

    let first_line = text.matches('\n').count() + 2;
    let mut signer = None;
    for (index, signature) in signatures.split('\n').enumerate() {
        let line = first_line + index;
        if index == MAX_SIGNATURES {
            return Err(NoteError::TooMany);
        }
        let (name, id, bytes) =
            signature_line(signature).ok_or(NoteError::SignatureLine { line })?;
        let Some(key) = keys.iter().find(|key| key.name == name && key.id == id) else {
            continue;
        };
        if !key.verifies(text.as_bytes(), &bytes) {
            return Err(NoteError::Signature {
                signer: key.name.clone(),
                line,
            });
        }
        signer = signer.or(Some(name));
    }
    Ok(Opened {
        text,
        signer: signer.ok_or(NoteError::Untrusted)?,
    })
}

/// Name, key id and signature of `— name base64`.
fn signature_line(line: &str) -> Option<(&str, [u8; 4], Vec<u8>)> {
    let (name, encoded) = line.strip_prefix(SIGNATURE_MARK)?.split_once(' ')?;
    let bytes = STANDARD.decode(encoded).ok()?;
    let (id, signature) = bytes.split_first_chunk::<4>()?;
    (is_name(name) && !signature.is_empty()).then(|| (name, *id, signature.to_vec()))
}

/// The format forbids Unicode spaces and plus signs.
fn is_name(name: &str) -> bool {
    !name.is_empty()
        && !name
            .chars()
            .any(|c| c.is_whitespace() || c.is_control() || c == '+')
}

/// The first four bytes of SHA-256 over name, newline, type and key.
fn key_id(name: &str, key: &[u8]) -> [u8; 4] {
    let mut hashed = digest::Context::new(&digest::SHA256);
    hashed.update(name.as_bytes());
    hashed.update(&[b'\n', ED25519_TYPE]);
    hashed.update(key);
    let digest = hashed.finish();
    let mut id = [0; 4];
    id.copy_from_slice(&digest.as_ref()[..4]);
    id
}

/// The parts of `name+hash+base64`.
struct KeyParts {
    name: String,
    id: [u8; 4],
    key: Zeroizing<[u8; KEY_BYTES]>,
}

fn parse_key(text: &str, expected: &'static str) -> Result<KeyParts, KeyError> {
    let malformed = KeyError::Malformed { expected };
    let mut parts = text.splitn(3, '+');
    let (Some(name), Some(hash), Some(encoded)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(malformed);
    };
    if !is_name(name) {
        return Err(KeyError::Name);
    }
    let id = u32::from_str_radix(hash, 16)
        .ok()
        .filter(|_| hash.len() == 8 && hash.bytes().all(|b| b.is_ascii_hexdigit()))
        .ok_or(malformed)?
        .to_be_bytes();
    let bytes = Zeroizing::new(STANDARD.decode(encoded).map_err(|_| malformed)?);
    let (algorithm, key) = bytes.split_first().ok_or(malformed)?;
    if *algorithm != ED25519_TYPE {
        return Err(KeyError::Algorithm);
    }
    let key = <[u8; KEY_BYTES]>::try_from(key).map_err(|_| malformed)?;
    Ok(KeyParts {
        name: name.to_owned(),
        id,
        key: Zeroizing::new(key),
    })
}

impl VerifyingKey {
    /// The signer's name, such as `operator.example`.
    pub fn name(&self) -> &str {
        &self.name
    }

    fn verifies(&self, text: &[u8], signature: &[u8]) -> bool {
        signature.len() == SIGNATURE_BYTES
            && UnparsedPublicKey::new(&ED25519, self.key)
                .verify(text, signature)
                .is_ok()
    }
}

impl FromStr for VerifyingKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let KeyParts { name, id, key } = parse_key(text, "name+hash+base64")?;
        if key_id(&name, &*key) != id {
            return Err(KeyError::Hash);
        }
        Ok(Self {
            name,
            id,
            key: *key,
        })
    }
}

impl fmt::Display for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut typed = vec![ED25519_TYPE];
        typed.extend_from_slice(&self.key);
        let id = u32::from_be_bytes(self.id);
        write!(f, "{}+{id:08x}+{}", self.name, STANDARD.encode(typed))
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl SigningKey {
    /// A new key for a signer.
    ///
    /// # Errors
    /// A name that a note cannot carry, or no randomness.
    pub fn generate(name: &str) -> Result<Self, KeyError> {
        let mut seed = Zeroizing::new([0; KEY_BYTES]);
        aws_lc_rs::rand::fill(&mut *seed).map_err(|_| KeyError::Random)?;
        Self::from_seed(name, seed)
    }

    fn from_seed(name: &str, seed: Zeroizing<[u8; KEY_BYTES]>) -> Result<Self, KeyError> {
        if !is_name(name) {
            return Err(KeyError::Name);
        }
        let malformed = KeyError::Malformed {
            expected: PRIVATE_FORM,
        };
        let pair = Ed25519KeyPair::from_seed_unchecked(&*seed).map_err(|_| malformed)?;
        let key: [u8; KEY_BYTES] = pair
            .public_key()
            .as_ref()
            .try_into()
            .map_err(|_| malformed)?;
        Ok(Self {
            public: VerifyingKey {
                name: name.to_owned(),
                id: key_id(name, &key),
                key,
            },
            pair,
            seed,
        })
    }

    /// The key that verifies what this one signs.
    pub fn verifying_key(&self) -> &VerifyingKey {
        &self.public
    }

    /// The key as a string, to be kept where only the operator reads.
    pub fn to_secret_string(&self) -> Zeroizing<String> {
        let mut typed = Zeroizing::new(vec![ED25519_TYPE]);
        typed.extend_from_slice(&*self.seed);
        let encoded = Zeroizing::new(STANDARD.encode(&*typed));
        let id = u32::from_be_bytes(self.public.id);
        Zeroizing::new(format!(
            "{PRIVATE_MARK}{}+{id:08x}+{}",
            self.public.name, *encoded
        ))
    }
}

const PRIVATE_FORM: &str = "PRIVATE+KEY+name+hash+base64";

impl FromStr for SigningKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let rest = text.strip_prefix(PRIVATE_MARK).ok_or(KeyError::Malformed {
            expected: PRIVATE_FORM,
        })?;
        let parts = parse_key(rest, PRIVATE_FORM)?;
        let key = Self::from_seed(&parts.name, parts.key)?;
        if key.public.id != parts.id {
            return Err(KeyError::Hash);
        }
        Ok(key)
    }
}

/// The public half only.
impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SigningKey").field(&self.public).finish()
    }
}

#[cfg(test)]
mod tests;
