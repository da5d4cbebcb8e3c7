//! The keys of those who sign notes, as strings and as keys.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::Signer as _;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::line::Signature;

/// Signature type 0x01 of the format: Ed25519 over the text of the note.
const ED25519_TYPE: u8 = 1;
/// Length of a public key and of a seed, in bytes.
pub(crate) const KEY_BYTES: usize = 32;
/// Length of an Ed25519 signature, in bytes.
pub(crate) const SIGNATURE_BYTES: usize = 64;
const PRIVATE_MARK: &str = "PRIVATE+KEY+";
pub(crate) const PUBLIC_FORM: &str = "name+hash+base64";
const PRIVATE_FORM: &str = "PRIVATE+KEY+name+hash+base64";

/// A key that verifies the notes of one signer: `name+hash+base64`
/// ([C2SP signed-note](https://c2sp.org/signed-note), "Verifier keys").
///
/// ```
/// use custody_proof::note::VerifyingKey;
///
/// let text = "operator.example+4d8d5c46+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4";
/// let key: VerifyingKey = text.parse()?;
/// assert_eq!(key.name(), "operator.example");
/// // The hash is of name and key, so that a wrong letter is noticed.
/// assert!(text.replace("operator", "0perator").parse::<VerifyingKey>().is_err());
/// # Ok::<(), custody_proof::note::KeyError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct VerifyingKey {
    name: String,
    id: [u8; 4],
    key: ed25519_dalek::VerifyingKey,
}

/// A key that signs notes: `PRIVATE+KEY+name+hash+base64`, as in
/// `golang.org/x/mod/sumdb/note`.
pub struct SigningKey {
    public: VerifyingKey,
    pair: ed25519_dalek::SigningKey,
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
    /// The bytes are no point of the curve, or one with which anything could
    /// be signed (of small order).
    #[error("the key is no point of the curve, or a weak one")]
    Point,
    /// The hash is not that of name and key.
    #[error("the key does not belong to its name: the hash differs")]
    Hash,
    /// No random bytes could be had.
    #[error("no random bytes for a new key")]
    Random,
}

/// Spaces and plus signs would end the name early; control characters cannot
/// stand in a note.
pub(crate) fn is_name(name: &str) -> bool {
    !name.is_empty()
        && !name
            .chars()
            .any(|c| c.is_whitespace() || c.is_control() || c == '+')
}

/// The first four bytes of SHA-256 over name, newline, type and key.
pub(crate) fn key_id(name: &str, kind: u8, key: &[u8; KEY_BYTES]) -> [u8; 4] {
    let mut hasher = Sha256::new();
    hasher.update(name.as_bytes());
    hasher.update([b'\n', kind]);
    hasher.update(key);
    let [a, b, c, d, ..] = <[u8; 32]>::from(hasher.finalize());
    [a, b, c, d]
}

/// `name+hash+base64` of a key of this type.
pub(crate) fn key_text(name: &str, id: [u8; 4], kind: u8, key: &[u8; KEY_BYTES]) -> String {
    let mut typed = Zeroizing::new(vec![kind]);
    typed.extend_from_slice(key);
    let encoded = Zeroizing::new(STANDARD.encode(&*typed));
    format!("{name}+{}+{}", hex::encode(id), *encoded)
}

/// A public key that no weak one is.
pub(crate) fn point(key: &[u8; KEY_BYTES]) -> Result<ed25519_dalek::VerifyingKey, KeyError> {
    ed25519_dalek::VerifyingKey::from_bytes(key)
        .ok()
        .filter(|point| !point.is_weak())
        .ok_or(KeyError::Point)
}

/// Whether a signature is right, by the strict rules: no second encoding of
/// it, and no key of small order, is taken.
pub(crate) fn verifies(key: &ed25519_dalek::VerifyingKey, text: &[u8], signature: &[u8]) -> bool {
    <[u8; SIGNATURE_BYTES]>::try_from(signature).is_ok_and(|bytes| {
        key.verify_strict(text, &ed25519_dalek::Signature::from_bytes(&bytes))
            .is_ok()
    })
}

/// The parts of `name+hash+base64`.
pub(crate) struct KeyParts {
    pub(crate) name: String,
    pub(crate) id: [u8; 4],
    pub(crate) key: Zeroizing<[u8; KEY_BYTES]>,
}

pub(crate) fn parse_key(
    text: &str,
    kind: u8,
    expected: &'static str,
) -> Result<KeyParts, KeyError> {
    let malformed = KeyError::Malformed { expected };
    let mut parts = text.splitn(3, '+');
    let (Some(name), Some(hash), Some(encoded)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(malformed);
    };
    if !is_name(name) {
        return Err(KeyError::Name);
    }
    let mut id = [0; 4];
    hex::decode_to_slice(hash, &mut id).map_err(|_| malformed)?;
    let bytes = Zeroizing::new(STANDARD.decode(encoded).map_err(|_| malformed)?);
    let (algorithm, key) = bytes.split_first().ok_or(malformed)?;
    if *algorithm != kind {
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
    /// The signer's name, such as `operator.example`. The name of a key that
    /// signs checkpoints is the origin of their log.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What stands before each of its signatures, so that the right key is
    /// tried; not a secure hash.
    pub fn id(&self) -> [u8; 4] {
        self.id
    }

    /// The same Ed25519 key under another name: one signer who signs for
    /// several logs.
    ///
    /// # Errors
    /// [`KeyError::Name`] where a note cannot carry the name.
    pub fn for_name(&self, name: &str) -> Result<Self, KeyError> {
        if !is_name(name) {
            return Err(KeyError::Name);
        }
        Ok(Self {
            name: name.to_owned(),
            id: key_id(name, ED25519_TYPE, self.key.as_bytes()),
            key: self.key,
        })
    }

    /// Without the name.
    pub(crate) fn point(&self) -> &ed25519_dalek::VerifyingKey {
        &self.key
    }

    /// Whether a signature claims to be by this key.
    pub fn is_key_of(&self, signature: &Signature) -> bool {
        signature.key_id() == self.id && signature.name() == self.name
    }

    /// Whether a signature over a text is by this key and right.
    pub fn verifies(&self, text: &str, signature: &Signature) -> bool {
        self.is_key_of(signature) && verifies(&self.key, text.as_bytes(), signature.bytes())
    }
}

impl FromStr for VerifyingKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let KeyParts { name, id, key } = parse_key(text, ED25519_TYPE, PUBLIC_FORM)?;
        if key_id(&name, ED25519_TYPE, &key) != id {
            return Err(KeyError::Hash);
        }
        let key = point(&key)?;
        Ok(Self { name, id, key })
    }
}

impl fmt::Display for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&key_text(
            &self.name,
            self.id,
            ED25519_TYPE,
            self.key.as_bytes(),
        ))
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl SigningKey {
    /// A new key for a signer. `fill` fills a slice with bytes from a secure
    /// source of randomness; this crate has none of its own.
    ///
    /// ```
    /// use custody_proof::note::SigningKey;
    ///
    /// // In earnest: `|bytes| aws_lc_rs::rand::fill(bytes)` and the like.
    /// let key = SigningKey::generate("operator.example", |bytes| {
    ///     bytes.fill(7);
    ///     Ok::<(), ()>(())
    /// })?;
    /// assert_eq!(key.verifying_key().name(), "operator.example");
    /// # Ok::<(), custody_proof::note::KeyError>(())
    /// ```
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
            public: VerifyingKey {
                name: name.to_owned(),
                id: key_id(name, ED25519_TYPE, key.as_bytes()),
                key,
            },
            pair,
        })
    }

    /// The same seed under another name: one signer who signs for several
    /// logs.
    ///
    /// # Errors
    /// [`KeyError::Name`] where a note cannot carry the name.
    pub fn for_name(&self, name: &str) -> Result<Self, KeyError> {
        Self::from_seed(name, self.pair.as_bytes())
    }

    /// The key that verifies what this one signs.
    pub fn verifying_key(&self) -> &VerifyingKey {
        &self.public
    }

    /// The key as a string, to be kept where only the operator reads.
    pub fn to_secret_string(&self) -> Zeroizing<String> {
        let key = Zeroizing::new(key_text(
            &self.public.name,
            self.public.id,
            ED25519_TYPE,
            self.pair.as_bytes(),
        ));
        Zeroizing::new(format!("{PRIVATE_MARK}{}", *key))
    }

    /// The signature over a text, which is not looked at.
    pub(super) fn signature(&self, text: &str) -> Signature {
        let signed = self.pair.sign(text.as_bytes()).to_bytes();
        Signature::from_parts(&self.public.name, self.public.id, &signed)
    }
}

impl FromStr for SigningKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let rest = text.strip_prefix(PRIVATE_MARK).ok_or(KeyError::Malformed {
            expected: PRIVATE_FORM,
        })?;
        let parts = parse_key(rest, ED25519_TYPE, PRIVATE_FORM)?;
        let key = Self::from_seed(&parts.name, &parts.key)?;
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
