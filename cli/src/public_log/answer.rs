//! What is answered to a path.

use custody_ledger::{Ledger, ProveError};
use custody_proof::tiles::{TILE_WIDTH, TilePath};
use tracing::warn;

use super::Path;

const TEXT: &str = "text/plain; charset=utf-8";
const BYTES: &str = "application/octet-stream";

/// What is there, or why nothing is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// Bytes, of which kind, and for how long they may be kept.
    Found {
        body: Vec<u8>,
        kind: &'static str,
        cache: &'static str,
    },
    /// Not there, or not yet.
    NotFound,
    /// Nothing is signed yet: come again.
    NotYet,
    /// It cannot be read.
    Failed,
}

/// The next one replaces it within a second.
const CACHE_NEWEST: &str = "no-cache";
/// A full tile never changes.
const CACHE_FULL: &str = "public, max-age=31536000, immutable";
/// Nor does a partial one, but nobody asks for it again once it has grown.
const CACHE_PARTIAL: &str = "public, max-age=600";

/// Looks it up. Reads files.
pub(super) fn answer(ledger: &Ledger, path: Path) -> Answer {
    let text = |text: &str| Answer::Found {
        body: text.as_bytes().to_vec(),
        kind: TEXT,
        cache: CACHE_NEWEST,
    };
    let Some(published) = ledger.published() else {
        return Answer::NotYet;
    };
    match path {
        Path::Checkpoint(None) => text(&published.note),
        Path::Manifest => text(&published.manifest_text),
        Path::Checkpoint(Some(shard)) => published
            .shards
            .get(&shard)
            .map_or(Answer::NotFound, |shard| text(&shard.note)),
        Path::Tile(log, tile) => {
            let (found, width) = match tile {
                TilePath::Hashes {
                    level,
                    index,
                    width,
                } => (ledger.tile(log, level, index, width), width),
                TilePath::Entries { index, width } => {
                    (ledger.entry_bundle(log, index, width), width)
                }
            };
            match found {
                Ok(Some(body)) => Answer::Found {
                    body,
                    kind: BYTES,
                    cache: if width == TILE_WIDTH {
                        CACHE_FULL
                    } else {
                        CACHE_PARTIAL
                    },
                },
                Ok(None) | Err(ProveError::UnknownShard { .. }) => Answer::NotFound,
                Err(ProveError::NoCheckpoint) => Answer::NotYet,
                Err(error) => {
                    warn!(%error, "a tile cannot be read");
                    Answer::Failed
                }
            }
        }
    }
}
