//! Checkpoints: what a ledger signs to say how long a log is, and what is in
//! it.
//!
//! The format is [C2SP tlog-checkpoint](https://c2sp.org/tlog-checkpoint): a
//! signed note of origin, size, root and extension lines. A ledger has one log
//! a shard, whose leaves are the digests of its entries ([`ShardCheckpoint`]),
//! and the *ledger log*, whose leaves are digests of manifests, which name
//! every shard ([`LedgerCheckpoint`]). Each log has an origin, and the key that
//! signs for it has the origin as its name.
//!
//! A line has one spelling only: numbers are decimal without leading zeros,
//! ids hexadecimal in lower case, hashes base64 with padding.

mod ledger;
mod origin;
mod shard;

use crate::field;
use crate::note::{Limits, Note, NoteError, SigningKey, VerifyingKey, sign};
use crate::tree::Hash;

pub use ledger::LedgerCheckpoint;
pub use origin::{ledger_log_origin, ledger_origin, shard_origin, verifying_keys};
pub use shard::{Abandoned, Counts, Kafka, MapRoots, ShardCheckpoint};

/// A checkpoint of any log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which log.
    pub origin: String,
    /// How many leaves it has.
    pub size: u64,
    /// The root of its tree (RFC 6962, section 2.1).
    pub root: Hash,
    /// The extension lines, without newlines.
    pub extensions: Vec<String>,
}

/// A text that is not the checkpoint that was meant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// It is not signed as it should be.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// It is not three lines or more, each with something in it.
    #[error("not a checkpoint: lines of origin, size and root are meant, and no empty one")]
    Shape,
    /// A line is wrong.
    #[error("the line `{line}` is not as it should be")]
    Malformed {
        /// The word that the line begins with, or `origin`, `size` or `root`.
        line: &'static str,
    },
    /// A line is not where it should be.
    #[error("there is no line `{line}` where it should be")]
    Missing {
        /// The word that the line begins with.
        line: &'static str,
    },
    /// A line is there twice.
    #[error("there is a second line `{line}`")]
    Doubled {
        /// The word that the line begins with.
        line: &'static str,
    },
    /// A field holds what its line cannot say, such as a newline.
    #[error("a field holds what its line cannot say")]
    Unsayable,
}

impl Checkpoint {
    /// The text of the note.
    pub fn to_text(&self) -> String {
        let root = field::hash_text(&self.root);
        let mut text = format!("{}\n{}\n{root}\n", self.origin, self.size);
        for line in &self.extensions {
            text.push_str(line);
            text.push('\n');
        }
        text
    }

    /// Reads the text of a note, which is not to be believed before a signature
    /// was verified.
    ///
    /// # Errors
    /// [`CheckpointError`], with the line.
    pub fn parse(text: &str) -> Result<Self, CheckpointError> {
        let mut lines = text
            .strip_suffix('\n')
            .ok_or(CheckpointError::Shape)?
            .split('\n');
        let mut line = || {
            lines
                .next()
                .filter(|line| !line.is_empty())
                .ok_or(CheckpointError::Shape)
        };
        let origin = line()?.to_owned();
        let size = line()?;
        let root = line()?;
        let extensions: Vec<String> = lines.map(str::to_owned).collect();
        if extensions.iter().any(String::is_empty) {
            return Err(CheckpointError::Shape);
        }
        let malformed = |line| CheckpointError::Malformed { line };
        Ok(Self {
            origin,
            size: field::canonical(size).ok_or(malformed("size"))?,
            root: field::hash(root).ok_or(malformed("root"))?,
            extensions,
        })
    }

    /// The checkpoint as a note with a signature by each key.
    ///
    /// # Errors
    /// [`CheckpointError::Unsayable`] where a field holds what a line cannot
    /// say: what reads otherwise than it was meant is not signed.
    pub fn sign(&self, keys: &[&SigningKey]) -> Result<String, CheckpointError> {
        let text = self.to_text();
        if Self::parse(&text).as_ref() != Ok(self) {
            return Err(CheckpointError::Unsayable);
        }
        Ok(sign(&text, keys)?)
    }

    /// Opens a signed checkpoint within [`Limits::CHECKPOINT`]. Only keys whose
    /// name is the origin are tried: a key for one log does not sign another.
    ///
    /// # Errors
    /// [`CheckpointError`]; [`NoteError::Untrusted`] where no key for this
    /// origin has signed it.
    pub fn open(note: &str, keys: &[VerifyingKey]) -> Result<Self, CheckpointError> {
        Self::of_note(&Note::parse_within(note, Limits::CHECKPOINT)?, keys)
    }

    /// As [`open`](Self::open), of a note that was read already.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn of_note(note: &Note, keys: &[VerifyingKey]) -> Result<Self, CheckpointError> {
        let checkpoint = Self::parse(note.text())?;
        let own: Vec<VerifyingKey> = keys
            .iter()
            .filter(|key| key.name() == checkpoint.origin)
            .cloned()
            .collect();
        note.opened_by(&own)?;
        Ok(checkpoint)
    }
}

/// The extension lines of a checkpoint, from the first to the last.
struct Lines<'a> {
    rest: &'a [String],
}

impl<'a> Lines<'a> {
    /// The fields of the next line, where it begins with this word.
    fn optional(&mut self, word: &'static str) -> Option<Vec<&'a str>> {
        let (first, rest) = self.rest.split_first()?;
        let mut fields = first.split(' ');
        if fields.next() != Some(word) {
            return None;
        }
        self.rest = rest;
        Some(fields.collect())
    }

    /// The fields of the next line, which must begin with this word.
    fn required(&mut self, word: &'static str) -> Result<Vec<&'a str>, CheckpointError> {
        self.optional(word)
            .ok_or(CheckpointError::Missing { line: word })
    }

    /// The lines that are left, which must not begin with any of these words.
    fn others(self, words: &[&'static str]) -> Result<Vec<String>, CheckpointError> {
        for line in self.rest {
            let first = line.split(' ').next();
            if let Some(&word) = words.iter().find(|word| Some(**word) == first) {
                return Err(CheckpointError::Doubled { line: word });
            }
        }
        Ok(self.rest.to_vec())
    }
}

#[cfg(test)]
mod tests;
