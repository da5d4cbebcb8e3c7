//! Signed notes: a text that people read, and signatures over it.
//!
//! The format is [C2SP signed-note](https://c2sp.org/signed-note), the one of
//! transparency logs: text that ends with a newline, an empty line, and a line
//! a signature. Keys are written as in `golang.org/x/mod/sumdb/note`. Of the
//! kinds of signatures, Ed25519 (0x01) is signed and verified here, and
//! [`cosignature`](crate::cosignature) has that of witnesses.

mod key;
mod line;

use std::fmt;

pub(crate) use key::{
    KEY_BYTES, KeyParts, PUBLIC_FORM, SIGNATURE_BYTES, is_name, key_id, key_text, parse_key, point,
    verifies,
};
pub use key::{KeyError, SigningKey, VerifyingKey};
pub use line::{Signature, SignatureLineError};

/// How much of a note is read, so that a hostile one costs little.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The longest note, in bytes.
    pub bytes: usize,
    /// The most signatures. The format asks for 16 or more.
    pub signatures: usize,
}

impl Limits {
    /// 64 KiB and 16 signatures: a note for people has a few lines.
    pub const NOTE: Self = Self {
        bytes: 64 * 1024,
        signatures: 16,
    };
    /// 256 KiB and 64 signatures: a checkpoint with those of many witnesses,
    /// post-quantum ones of up to 5 kB among them.
    pub const CHECKPOINT: Self = Self {
        bytes: 256 * 1024,
        signatures: 64,
    };
}

/// A note as it was read. Nothing in it is to be believed before a signature
/// was verified: see [`Note::opened_by`].
///
/// It is written as the note that it was read from, to the byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    text: String,
    signatures: Vec<Signature>,
}

/// A note that somebody who is trusted has signed.
#[derive(Debug, PartialEq, Eq)]
pub struct Opened {
    /// With its last newline.
    pub text: String,
    /// The trusted keys that signed it, each once, in the order of their
    /// signatures. Never empty.
    pub signers: Vec<VerifyingKey>,
}

/// What is wrong with a note. Lines count from 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// It is too long.
    #[error("a signed note has at most {limit} bytes, this one has {found}")]
    TooLong {
        /// How long it is, in bytes.
        found: usize,
        /// How long it may be.
        limit: usize,
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
    #[error("more than {limit} signatures")]
    TooMany {
        /// How many there may be.
        limit: usize,
    },
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

/// A note of this text with a signature by each key. The text ends with a
/// newline, has something before it, and has no other control characters.
///
/// # Errors
/// Where the text is none that a note can carry, or there is no key.
pub fn sign(text: &str, keys: &[&SigningKey]) -> Result<String, NoteError> {
    let note = Note {
        text: text.to_owned(),
        signatures: keys.iter().map(|key| key.signature(text)).collect(),
    };
    no_control_characters(text)?;
    let is_text = text.ends_with('\n') && text.len() > 1;
    if is_text && !note.signatures.is_empty() {
        Ok(note.to_string())
    } else {
        Err(NoteError::Shape)
    }
}

/// The text of a note that one of the keys has signed. Signatures of others
/// are passed over; every signature by one of the keys must be right.
///
/// # Errors
/// [`NoteError`]: it is no note within [`Limits::NOTE`], nobody who is trusted
/// has signed it, or the text was changed.
pub fn open(note: &str, keys: &[VerifyingKey]) -> Result<Opened, NoteError> {
    let note = Note::parse(note)?;
    let signers = note.opened_by(keys)?;
    Ok(Opened {
        text: note.text,
        signers,
    })
}

impl Opened {
    /// The name of the first who signed it.
    pub fn signer(&self) -> &str {
        self.signers.first().map_or("", VerifyingKey::name)
    }
}

impl Note {
    /// Reads a note within [`Limits::NOTE`].
    ///
    /// # Errors
    /// [`NoteError`], with the line.
    pub fn parse(note: &str) -> Result<Self, NoteError> {
        Self::parse_within(note, Limits::NOTE)
    }

    /// Reads a note that may come from anybody.
    ///
    /// # Errors
    /// [`NoteError`], with the line.
    pub fn parse_within(note: &str, limits: Limits) -> Result<Self, NoteError> {
        if note.len() > limits.bytes {
            return Err(NoteError::TooLong {
                found: note.len(),
                limit: limits.bytes,
            });
        }
        no_control_characters(note)?;
        // The text may have empty lines; the last one ends it.
        let end = note.rfind("\n\n").ok_or(NoteError::Shape)?;
        let (text, rest) = note.split_at(end + 1);
        let lines = rest
            .strip_prefix('\n')
            .and_then(|lines| lines.strip_suffix('\n'))
            .filter(|lines| !lines.is_empty())
            .ok_or(NoteError::Shape)?;
        let mut signatures = Vec::new();
        for (line, signature) in (first_signature_line(text)..).zip(lines.split('\n')) {
            if signatures.len() == limits.signatures {
                return Err(NoteError::TooMany {
                    limit: limits.signatures,
                });
            }
            let signature = signature.parse();
            signatures.push(signature.map_err(|_| NoteError::SignatureLine { line })?);
        }
        Ok(Self {
            text: text.to_owned(),
            signatures,
        })
    }

    /// The text, with its last newline. Not to be believed before a signature
    /// was verified.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The signatures, verified or not, in their order.
    pub fn signatures(&self) -> &[Signature] {
        &self.signatures
    }

    /// Adds a signature line, such as that of a witness. One that is there
    /// already is not added again.
    pub fn add_signature(&mut self, signature: Signature) {
        if !self.signatures.contains(&signature) {
            self.signatures.push(signature);
        }
    }

    /// The keys that have signed it, each once, in the order of their
    /// signatures; at least one. Signatures of others are passed over.
    ///
    /// # Errors
    /// [`NoteError::Untrusted`] where none of the keys has signed,
    /// [`NoteError::Signature`] where one of them has signed another text.
    pub fn opened_by(&self, keys: &[VerifyingKey]) -> Result<Vec<VerifyingKey>, NoteError> {
        let mut signers: Vec<VerifyingKey> = Vec::new();
        for (line, signature) in (first_signature_line(&self.text)..).zip(&self.signatures) {
            // Two keys may share name and id, by an attacker's search: the
            // signature must then be by one of them.
            let mut claimed = keys
                .iter()
                .filter(|key| key.is_key_of(signature))
                .peekable();
            if claimed.peek().is_none() {
                continue;
            }
            let Some(key) = claimed.find(|key| key.verifies(&self.text, signature)) else {
                return Err(NoteError::Signature {
                    signer: signature.name().to_owned(),
                    line,
                });
            };
            if !signers.contains(key) {
                signers.push(key.clone());
            }
        }
        if signers.is_empty() {
            return Err(NoteError::Untrusted);
        }
        Ok(signers)
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.signatures
            .iter()
            .try_for_each(|signature| writeln!(f, "{signature}"))
    }
}

fn no_control_characters(text: &str) -> Result<(), NoteError> {
    for (line, text) in (1..).zip(text.split('\n')) {
        if text.chars().any(char::is_control) {
            return Err(NoteError::Control { line });
        }
    }
    Ok(())
}

/// After the text and the empty line.
fn first_signature_line(text: &str) -> usize {
    text.matches('\n').count() + 2
}

#[cfg(test)]
mod tests;
