//! Where the tiles of a log lie below its address.
//!
//! [C2SP tlog-tiles](https://c2sp.org/tlog-tiles): a tile is up to 256 hashes
//! of one level of the tree, `tile/<level>/<index>`, and an entry bundle up to
//! 256 entries, `tile/entries/<index>`. The index is in groups of three digits,
//! all but the last behind an `x`, so that no directory is too full. A tile
//! that is not full yet has `.p/<width>` behind it.

use std::fmt;
use std::str::FromStr;

use crate::field;

/// How many hashes or entries a full tile has.
pub const TILE_WIDTH: u16 = 256;
/// The highest level of a tile.
pub const MAX_LEVEL: u8 = 63;

/// What a path below a log's address names. It is written as the path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TilePath {
    /// A tile of hashes.
    Hashes {
        /// The level, 0 to 63; at level 0 are the hashes of leaves.
        level: u8,
        /// The index of the tile in its level.
        index: u64,
        /// How many hashes, 1 to 256.
        width: u16,
    },
    /// A bundle of entries.
    Entries {
        /// The index of the bundle.
        index: u64,
        /// How many entries, 1 to 256.
        width: u16,
    },
}

/// A path that names no tile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a tile's path: tile/<level>/<index> or tile/entries/<index> is meant")]
pub struct TilePathError;

/// The path of a tile of hashes: `tile/<level>/<index>`, and `.p/<width>` where
/// it has fewer than 256. No tile has none.
pub fn tile_path(level: u8, index: u64, width: u16) -> String {
    format!("tile/{level}/{}", Place { index, width })
}

/// The path of an entry bundle: `tile/entries/<index>`, and `.p/<width>` where
/// it has fewer than 256. No bundle has none.
pub fn entries_path(index: u64, width: u16) -> String {
    format!("tile/entries/{}", Place { index, width })
}

impl fmt::Display for TilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&match *self {
            Self::Hashes {
                level,
                index,
                width,
            } => tile_path(level, index, width),
            Self::Entries { index, width } => entries_path(index, width),
        })
    }
}

impl FromStr for TilePath {
    type Err = TilePathError;

    fn from_str(path: &str) -> Result<Self, TilePathError> {
        let (level, place) = path
            .strip_prefix("tile/")
            .and_then(|rest| rest.split_once('/'))
            .ok_or(TilePathError)?;
        let Place { index, width } = Place::parse(place).ok_or(TilePathError)?;
        if level == "entries" {
            return Ok(Self::Entries { index, width });
        }
        let level = field::canonical(level)
            .filter(|level| *level <= MAX_LEVEL)
            .ok_or(TilePathError)?;
        Ok(Self::Hashes {
            level,
            index,
            width,
        })
    }
}

/// `<index>[.p/<width>]`.
struct Place {
    index: u64,
    width: u16,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut above = self.index;
        let mut text = format!("{:03}", above % 1000);
        while above >= 1000 {
            above /= 1000;
            text = format!("x{:03}/{text}", above % 1000);
        }
        f.write_str(&text)?;
        if self.width < TILE_WIDTH {
            write!(f, ".p/{}", self.width)?;
        }
        Ok(())
    }
}

impl Place {
    fn parse(text: &str) -> Option<Self> {
        let (groups, width) = match text.split_once(".p/") {
            Some((groups, width)) => {
                let partial = 1..TILE_WIDTH;
                let width = field::canonical(width).filter(|width| partial.contains(width))?;
                (groups, width)
            }
            None => (text, TILE_WIDTH),
        };
        let mut index = 0_u64;
        let mut last = false;
        for group in groups.split('/') {
            // After the last group, which has no x, there is none.
            if last {
                return None;
            }
            let digits = group.strip_prefix('x').unwrap_or(group);
            last = digits.len() == group.len();
            if digits.len() != 3 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
                return None;
            }
            let digits: u64 = digits.parse().ok()?;
            // No group of zeros before the first digit.
            if !last && index == 0 && digits == 0 {
                return None;
            }
            index = index.checked_mul(1000)?.checked_add(digits)?;
        }
        last.then_some(Self { index, width })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn paths_are_as_the_format_says() {
        assert_eq!(tile_path(0, 1_234_067, 256), "tile/0/x001/x234/067");
        assert_eq!(tile_path(63, 0, 1), "tile/63/000.p/1");
        assert_eq!(entries_path(273, 112), "tile/entries/273.p/112");
        assert_eq!(entries_path(1000, 256), "tile/entries/x001/000");
        assert_eq!(
            "tile/0/x001/x234/067.p/8".parse(),
            Ok(TilePath::Hashes {
                level: 0,
                index: 1_234_067,
                width: 8
            })
        );
    }

    #[test]
    fn another_spelling_is_no_path() {
        for wrong in [
            "",
            "tile/",
            "tile/0/",
            "tile/0/0",
            "tile/0/0000",
            "tile/0/x000/001",
            "tile/0/x001",
            "tile/0/x001/x002",
            "tile/0/001/002",
            "tile/0/X001/002",
            "tile/0/000.p/0",
            "tile/0/000.p/256",
            "tile/0/000.p/01",
            "tile/0/000.p/1/",
            "tile/0/000.p/1.p/1",
            "tile/64/000",
            "tile/00/000",
            "tile/-1/000",
            "tile/entries/0",
            "tile/entrie/000",
            "/tile/0/000",
            "tile/0/+01",
            "tile/0/x018/x446/x744/x073/x709/x551/616",
        ] {
            assert_eq!(wrong.parse::<TilePath>(), Err(TilePathError), "{wrong:?}");
        }
        let last = "tile/0/x018/x446/x744/x073/x709/x551/615";
        assert_eq!(tile_path(0, u64::MAX, 256), last);
        assert!(last.parse::<TilePath>().is_ok());
    }

    proptest! {
        #[test]
        fn any_path_comes_back(level in 0..=MAX_LEVEL, index: u64, width in 1..=TILE_WIDTH) {
            let path = TilePath::Hashes { level, index, width };
            prop_assert_eq!(path.to_string().parse(), Ok(path));
            let path = TilePath::Entries { index: index >> 40, width };
            prop_assert_eq!(path.to_string().parse(), Ok(path));
        }

        #[test]
        fn what_reads_is_written_again(text in "tile/(entries|[0-9]{1,2})/(x?[0-9]{3}/){0,3}[0-9]{3}(.p/[0-9]{1,3})?") {
            if let Ok(path) = text.parse::<TilePath>() {
                prop_assert_eq!(path.to_string(), text);
            }
        }
    }
}
