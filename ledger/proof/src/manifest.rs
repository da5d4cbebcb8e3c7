//! The manifest: every shard of a ledger at one moment.
//!
//! A text, a line a shard, in the order of their ids:
//!
//! ```text
//! custody.manifest/v1
//! ledger <ledger id>
//! sequence <n>
//! shard <shard id> <epoch> <size> <root> <root of the base map> <root of the recent map>
//! ```
//!
//! It is what makes an answer about all shards checkable: the ledger's
//! checkpoint names it, so that no shard can be left out or be of another
//! moment. Its digest is a leaf of the ledger log, at index `sequence`.

use sha2::{Digest as _, Sha256};

use crate::field;
use crate::id::{LedgerId, ShardId};
use crate::tree::Hash;

const FIRST_LINE: &str = "custody.manifest/v1";
const LEAF_DOMAIN: &[u8] = b"custody manifest v1";

/// Every shard of a ledger at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// Which ledger.
    pub ledger: LedgerId,
    /// The index of its leaf in the ledger log.
    pub sequence: u64,
    /// The shards, in the order of their ids.
    pub shards: Vec<ShardLine>,
}

/// One shard in a manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShardLine {
    /// Which shard.
    pub shard: ShardId,
    /// Which epoch of it.
    pub epoch: u32,
    /// How many entries.
    pub size: u64,
    /// The root of its log.
    pub root: Hash,
    /// The root of its base map.
    pub base: Hash,
    /// The root of its recent map.
    pub recent: Hash,
}

/// A text that is no manifest. Lines count from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// Its first line is another.
    #[error("not a manifest: `{FIRST_LINE}` is meant")]
    Format,
    /// A line is wrong or missing.
    #[error("line {line}: {expected} is meant")]
    Line {
        /// Where.
        line: usize,
        /// The form that was expected.
        expected: &'static str,
    },
    /// The shards are not in the order of their ids, each once.
    #[error("line {line}: shard {shard} is not after the one before")]
    Order {
        /// Where.
        line: usize,
        /// Which.
        shard: ShardId,
    },
}

impl Manifest {
    /// The text. The shards should be in the order of their ids: otherwise it
    /// does not read again.
    pub fn to_text(&self) -> String {
        let mut text = format!(
            "{FIRST_LINE}\nledger {}\nsequence {}\n",
            self.ledger, self.sequence
        );
        for line in &self.shards {
            text.push_str(&line.to_text());
        }
        text
    }

    /// Reads a text, which may come from anybody.
    ///
    /// # Errors
    /// [`ManifestError`], with the line.
    pub fn parse(text: &str) -> Result<Self, ManifestError> {
        let mut lines = text.strip_suffix('\n').unwrap_or("").split('\n');
        if lines.next() != Some(FIRST_LINE) {
            return Err(ManifestError::Format);
        }
        let ledger = lines
            .next()
            .and_then(|line| field::canonical(line.strip_prefix("ledger ")?))
            .ok_or(ManifestError::Line {
                line: 2,
                expected: "`ledger <id>`",
            })?;
        let sequence = lines
            .next()
            .and_then(|line| field::canonical(line.strip_prefix("sequence ")?))
            .ok_or(ManifestError::Line {
                line: 3,
                expected: "`sequence <number>`",
            })?;
        let mut shards: Vec<ShardLine> = Vec::new();
        for (line, text) in (4..).zip(lines) {
            let shard = ShardLine::parse(text).ok_or(ManifestError::Line {
                line,
                expected: "`shard <id> <epoch> <size> <root> <base map> <recent map>`",
            })?;
            if shards.last().is_some_and(|last| last.shard >= shard.shard) {
                let shard = shard.shard;
                return Err(ManifestError::Order { line, shard });
            }
            shards.push(shard);
        }
        Ok(Self {
            ledger,
            sequence,
            shards,
        })
    }

    /// The line of a shard.
    pub fn shard(&self, shard: &ShardId) -> Option<&ShardLine> {
        self.shards
            .binary_search_by(|line| line.shard.cmp(shard))
            .ok()
            .and_then(|index| self.shards.get(index))
    }

    /// The leaf of the ledger log: `SHA-256("custody manifest v1" ‖ text)`. Its
    /// hash in the tree is [`tree::leaf_hash`](crate::tree::leaf_hash) of it.
    pub fn leaf(&self) -> Hash {
        leaf(&self.to_text())
    }
}

/// The leaf of a manifest's text: `SHA-256("custody manifest v1" ‖ text)`.
pub fn leaf(text: &str) -> Hash {
    let mut hasher = Sha256::new();
    hasher.update(LEAF_DOMAIN);
    hasher.update(text.as_bytes());
    Hash(hasher.finalize().into())
}

impl ShardLine {
    fn to_text(self) -> String {
        format!(
            "shard {} {} {} {} {} {}\n",
            self.shard,
            self.epoch,
            self.size,
            field::hash_text(&self.root),
            field::hash_text(&self.base),
            field::hash_text(&self.recent)
        )
    }

    fn parse(line: &str) -> Option<Self> {
        let mut fields = line.strip_prefix("shard ")?.split(' ');
        let parsed = Self {
            shard: field::canonical(fields.next()?)?,
            epoch: field::canonical(fields.next()?)?,
            size: field::canonical(fields.next()?)?,
            root: field::hash(fields.next()?)?,
            base: field::hash(fields.next()?)?,
            recent: field::hash(fields.next()?)?,
        };
        fields.next().is_none().then_some(parsed)
    }
}

#[cfg(test)]
mod tests;
