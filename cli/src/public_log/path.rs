//! What a path names.

use custody_ledger::ShardId;
use custody_proof::tiles::TilePath;

/// What a path names. The log is a shard's, or `None`: the ledger's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Path {
    /// `/checkpoint`, `/<shard>/checkpoint`.
    Checkpoint(Option<ShardId>),
    /// `/manifest`.
    Manifest,
    /// `/tile/…`, `/<shard>/tile/…`.
    Tile(Option<ShardId>, TilePath),
}

impl Path {
    /// `None` where nothing has that name. There is one spelling of each.
    pub fn parse(path: &str) -> Option<Self> {
        let rest = path.strip_prefix('/')?;
        if rest == "manifest" {
            return Some(Self::Manifest);
        }
        Self::of_log(None, rest).or_else(|| {
            let (shard, rest) = rest.split_once('/')?;
            let id: ShardId = shard.parse().ok()?;
            (id.to_string() == shard)
                .then(|| Self::of_log(Some(id), rest))
                .flatten()
        })
    }

    fn of_log(log: Option<ShardId>, rest: &str) -> Option<Self> {
        match rest {
            "checkpoint" => Some(Self::Checkpoint(log)),
            _ => rest.parse().ok().map(|tile| Self::Tile(log, tile)),
        }
    }

    /// For metrics.
    pub(super) const fn what(&self) -> &'static str {
        match self {
            Self::Checkpoint(_) => "checkpoint",
            Self::Manifest => "manifest",
            Self::Tile(_, TilePath::Hashes { .. }) => "tile",
            Self::Tile(_, TilePath::Entries { .. }) => "entries",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_the_ledger_and_of_a_shard() {
        let shard = ShardId([0xab; 16]);
        let tile = TilePath::Hashes {
            level: 1,
            index: 1002,
            width: 7,
        };
        let entries = TilePath::Entries {
            index: 3,
            width: 256,
        };
        let cases = [
            ("/checkpoint".to_owned(), Path::Checkpoint(None)),
            ("/manifest".to_owned(), Path::Manifest),
            ("/tile/1/x001/002.p/7".to_owned(), Path::Tile(None, tile)),
            (
                format!("/{shard}/checkpoint"),
                Path::Checkpoint(Some(shard)),
            ),
            (
                format!("/{shard}/tile/1/x001/002.p/7"),
                Path::Tile(Some(shard), tile),
            ),
            (
                format!("/{shard}/tile/entries/003"),
                Path::Tile(Some(shard), entries),
            ),
        ];
        for (text, path) in cases {
            assert_eq!(Path::parse(&text), Some(path), "{text}");
        }
    }

    #[test]
    fn another_spelling_names_nothing() {
        let shard = ShardId([0xab; 16]).to_string();
        for text in [
            "",
            "/",
            "checkpoint",
            "//checkpoint",
            "/checkpoint/",
            "/../identity",
            "/tile/0/../../identity",
            "/tile/0/0",
            &format!("/{shard}"),
            &format!("/{shard}/manifest"),
            &format!("/{}/checkpoint", shard.to_uppercase()),
            &format!("/{}/checkpoint", &shard[1..]),
            &format!("/{shard}/{shard}/checkpoint"),
        ] {
            assert_eq!(Path::parse(text), None, "{text}");
        }
    }
}
