//! What a log and a witness say to each other.
//!
//! The messages of [C2SP tlog-witness](https://c2sp.org/tlog-witness),
//! `add-checkpoint`: the log posts its newest checkpoint, with a proof that it
//! goes on from the one that the witness has seen last, and gets a
//! [cosignature](crate::cosignature). Only the messages are here: who sends
//! them and who keeps what a witness has seen is elsewhere. The path is
//! [`PATH`], below the witness's submission prefix.

use crate::field;
use crate::note::{Limits, Signature};
use crate::tree::Hash;

/// The last part of the address.
pub const PATH: &str = "add-checkpoint";
/// The content type of an answer that says how much the witness has seen.
pub const SIZE_CONTENT_TYPE: &str = "text/x.tlog.size";
/// The most hashes of a proof.
pub const MAX_PROOF: usize = 63;
/// The longest request, in bytes: its first lines and a checkpoint.
pub const MAX_REQUEST_BYTES: usize = Limits::CHECKPOINT.bytes + 64 * (MAX_PROOF + 1);
/// The longest answer, in bytes: signature lines.
pub const MAX_ANSWER_BYTES: usize = Limits::NOTE.bytes;

/// A request to sign a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddCheckpoint {
    /// The size of the checkpoint that the witness has signed last, as far as
    /// the log knows; 0 where it has signed none.
    pub old_size: u64,
    /// The consistency proof from there; at most [`MAX_PROOF`] hashes.
    pub proof: Vec<Hash>,
    /// The checkpoint, a signed note.
    pub note: String,
}

/// What a witness answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// 200: it has signed. One signature or more, not verified.
    Cosigned(Vec<Signature>),
    /// 409: the newest that it has signed is another than the request says.
    Conflict {
        /// The size of the newest that it has signed.
        size: u64,
    },
    /// It will not sign.
    Refused(Refusal),
}

/// Why a witness does not sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// 400: the request is malformed, or the old size above the new one.
    Malformed,
    /// 403: no key that it trusts for this origin has signed the checkpoint.
    Untrusted,
    /// 404: it does not know the origin.
    UnknownLog,
    /// 422: the checkpoint is not consistent with what it has seen.
    Inconsistent,
    /// Anything else, such as 503, by its HTTP status.
    Other(u16),
}

/// A message that is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// It is too long.
    #[error("{found} bytes are more than the limit of {limit}")]
    TooLong {
        /// How long it is, in bytes.
        found: usize,
        /// How long it may be.
        limit: usize,
    },
    /// A line is wrong. Lines count from 1.
    #[error("line {line}: {expected} is meant")]
    Line {
        /// Where.
        line: usize,
        /// What was expected.
        expected: &'static str,
    },
    /// There are more hashes than any proof has.
    #[error("a proof has at most {MAX_PROOF} hashes")]
    TooMany,
    /// An answer with status 200 and no signature, or with 409 and no size.
    #[error("the witness's answer says nothing")]
    Empty,
}

impl AddCheckpoint {
    /// The body of the request.
    pub fn encode(&self) -> String {
        let mut body = format!("old {}\n", self.old_size);
        for hash in &self.proof {
            body.push_str(&field::hash_text(hash));
            body.push('\n');
        }
        body.push('\n');
        body.push_str(&self.note);
        body
    }

    /// Reads the body of a request, which may come from anybody. The checkpoint
    /// is not looked at.
    ///
    /// # Errors
    /// [`MessageError`]: a witness answers it with [`Refusal::Malformed`].
    pub fn parse(body: &str) -> Result<Self, MessageError> {
        within(body, MAX_REQUEST_BYTES)?;
        let wrong = |line, expected| MessageError::Line { line, expected };
        let mut rest = body;
        let mut line = || {
            let (line, after) = rest.split_once('\n')?;
            rest = after;
            Some(line)
        };
        let old_size = line()
            .and_then(|line| field::canonical(line.strip_prefix("old ")?))
            .ok_or(wrong(1, "`old <size>`"))?;
        let mut proof = Vec::new();
        loop {
            let number = proof.len() + 2;
            match line() {
                Some("") => break,
                Some(_) if proof.len() == MAX_PROOF => return Err(MessageError::TooMany),
                hash => {
                    let hash = hash.and_then(field::hash);
                    proof.push(hash.ok_or(wrong(number, "a hash or an empty line"))?);
                }
            }
        }
        if rest.is_empty() {
            return Err(wrong(proof.len() + 3, "a checkpoint"));
        }
        Ok(Self {
            old_size,
            proof,
            note: rest.to_owned(),
        })
    }
}

impl Answer {
    /// The HTTP status.
    pub fn status(&self) -> u16 {
        match self {
            Self::Cosigned(_) => 200,
            Self::Conflict { .. } => 409,
            Self::Refused(refusal) => refusal.status(),
        }
    }

    /// The content type of the body.
    pub fn content_type(&self) -> &'static str {
        match self {
            Self::Conflict { .. } => SIZE_CONTENT_TYPE,
            _ => "text/plain; charset=utf-8",
        }
    }

    /// The body.
    pub fn body(&self) -> String {
        match self {
            Self::Cosigned(signatures) => signatures
                .iter()
                .map(|signature| format!("{signature}\n"))
                .collect(),
            Self::Conflict { size } => format!("{size}\n"),
            Self::Refused(_) => String::new(),
        }
    }

    /// Reads an answer, which may come from anybody. The signatures are not
    /// verified: see [`CosignerKey::verify`](crate::cosignature::CosignerKey).
    /// A status 409 whose content type is not [`SIZE_CONTENT_TYPE`] is another
    /// server's, and a refusal.
    ///
    /// # Errors
    /// [`MessageError`], where the body is not what the status promises.
    pub fn parse(
        status: u16,
        content_type: Option<&str>,
        body: &str,
    ) -> Result<Self, MessageError> {
        within(body, MAX_ANSWER_BYTES)?;
        match status {
            200 => signatures(body).map(Self::Cosigned),
            409 if content_type.is_some_and(is_size) => {
                let size = body.strip_suffix('\n').and_then(field::canonical);
                let size = size.ok_or(MessageError::Empty)?;
                Ok(Self::Conflict { size })
            }
            status => Ok(Self::Refused(Refusal::from_status(status))),
        }
    }
}

impl Refusal {
    /// The HTTP status.
    pub fn status(self) -> u16 {
        match self {
            Self::Malformed => 400,
            Self::Untrusted => 403,
            Self::UnknownLog => 404,
            Self::Inconsistent => 422,
            Self::Other(status) => status,
        }
    }

    /// What an HTTP status means.
    pub fn from_status(status: u16) -> Self {
        match status {
            400 => Self::Malformed,
            403 => Self::Untrusted,
            404 => Self::UnknownLog,
            422 => Self::Inconsistent,
            status => Self::Other(status),
        }
    }
}

fn within(body: &str, limit: usize) -> Result<(), MessageError> {
    let found = body.len();
    if found <= limit {
        Ok(())
    } else {
        Err(MessageError::TooLong { found, limit })
    }
}

/// Whether a content type, without its parameters, is [`SIZE_CONTENT_TYPE`].
fn is_size(content_type: &str) -> bool {
    let media_type = content_type.split(';').next().unwrap_or("").trim();
    media_type.eq_ignore_ascii_case(SIZE_CONTENT_TYPE)
}

fn signatures(body: &str) -> Result<Vec<Signature>, MessageError> {
    let lines = body.strip_suffix('\n').ok_or(MessageError::Empty)?;
    let signature = |(line, text): (usize, &str)| {
        text.parse().map_err(|_| MessageError::Line {
            line,
            expected: "a signature",
        })
    };
    (1..).zip(lines.split('\n')).map(signature).collect()
}

#[cfg(test)]
mod tests;
