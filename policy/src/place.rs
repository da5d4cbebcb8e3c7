//! Places: countries and their subdivisions, as numbers.

mod group;
mod region;

use std::fmt;
use std::sync::LazyLock;

pub(crate) use group::FILE as GROUP_FILE;
pub use group::Group;
pub use region::{Member, Region, Specificity};

/// Slots of the look-up: three times as many as there are codes, so that a
/// search ends after one or two.
const SLOTS: usize = 1 << 14;
const FREE: u16 = u16::MAX;

/// Subdivisions that are countries of their own here: the policies and the
/// adequacy decisions treat them so.
const ALIASES: [(&str, &str); 3] = [("CN-HK", "HK"), ("CN-MO", "MO"), ("CN-TW", "TW")];

static ATLAS: LazyLock<Atlas> = LazyLock::new(Atlas::compile);

/// A country of ISO 3166-1 or a subdivision of ISO 3166-2: a number into a
/// table that is built once.
///
/// Which codes there are is said by [`country`](crate::country). `CN-HK`,
/// `CN-MO` and `CN-TW` are `HK`, `MO` and `TW`. The number is not stable from
/// one version of the list to the next: store the [`code`](Self::code).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place(u16);

/// What is known of one place.
struct Row {
    code: &'static str,
    name: &'static str,
    country: Place,
}

struct Atlas {
    /// Countries first, then subdivisions, each by code.
    rows: Vec<Row>,
    /// Packed code and its place; more than rows, because of the aliases.
    keys: Vec<(u64, Place)>,
    /// Open addressing by the packed code: indexes into `keys`, or `FREE`.
    slots: Vec<u16>,
}

impl Place {
    /// The place of a code, which is upper-case: `DE`, `US-CA`. `None` where
    /// there is none. Allocates nothing.
    pub fn of(code: &str) -> Option<Self> {
        ATLAS.find(pack(code)?)
    }

    /// The code, such as `US-CA`.
    pub fn code(self) -> &'static str {
        self.row().code
    }

    /// The English short name of a country, or the name of a subdivision.
    pub fn name(self) -> &'static str {
        self.row().name
    }

    /// The country that it lies in: itself where it is one.
    pub fn country(self) -> Self {
        self.row().country
    }

    /// Whether it is a country, not a part of one.
    pub fn is_country(self) -> bool {
        self.country() == self
    }

    /// Whether it is `other` or a part of it.
    pub fn is_in(self, other: Self) -> bool {
        self == other || self.country() == other
    }

    /// Every place: countries by code, then subdivisions by code.
    pub fn all() -> impl Iterator<Item = Self> {
        (0u16..).take(ATLAS.rows.len()).map(Self)
    }

    fn row(self) -> &'static Row {
        &ATLAS.rows[usize::from(self.0)]
    }

    /// A number from 0; countries come first.
    pub(crate) fn index(self) -> usize {
        usize::from(self.0)
    }
}

impl Atlas {
    fn compile() -> Self {
        let mut countries: Vec<(&str, &str)> = rust_iso3166::ALL
            .iter()
            .map(|country| country.alpha2)
            .chain(["XK"])
            .filter_map(|code| Some((code, crate::country::name(code)?)))
            .collect();
        countries.sort_unstable();
        let mut subdivisions: Vec<(&str, &str)> = rust_iso3166::iso3166_2::SUBDIVISION_MAP
            .values()
            .map(|subdivision| (subdivision.code, subdivision.name))
            .filter(|(code, _)| ALIASES.iter().all(|(alias, _)| alias != code))
            .collect();
        subdivisions.sort_unstable();

        let position = |code: &str| {
            countries
                .binary_search_by_key(&code, |(code, _)| *code)
                .ok()
                .and_then(|index| u16::try_from(index).ok())
                .map(Place)
        };
        let rows: Vec<Row> = countries
            .iter()
            .chain(&subdivisions)
            .filter_map(|(code, name)| {
                Some(Row {
                    code,
                    name,
                    country: position(code.get(..2)?)?,
                })
            })
            .collect();

        let own = (0u16..).zip(&rows).map(|(i, row)| (row.code, Place(i)));
        let aliases = ALIASES
            .iter()
            .filter_map(|(alias, code)| Some((*alias, position(code)?)));
        let keys: Vec<(u64, Place)> = own
            .chain(aliases)
            .filter_map(|(code, place)| Some((pack(code)?, place)))
            .collect();
        let mut slots = vec![FREE; SLOTS];
        for (index, (key, _)) in (0u16..).zip(&keys) {
            let mut slot = home(*key);
            while slots[slot] != FREE {
                slot = (slot + 1) % SLOTS;
            }
            slots[slot] = index;
        }
        Self { rows, keys, slots }
    }

    fn find(&self, key: u64) -> Option<Place> {
        let mut slot = home(key);
        loop {
            // A free slot is beyond the keys, and ends the search.
            let (found, place) = self.keys.get(usize::from(self.slots[slot]))?;
            if *found == key {
                return Some(*place);
            }
            slot = (slot + 1) % SLOTS;
        }
    }
}

/// The bytes of a code and how many they are, in one number.
fn pack(code: &str) -> Option<u64> {
    let bytes = code.as_bytes();
    if !matches!(bytes.len(), 2 | 4..=6) {
        return None;
    }
    let mut packed = bytes.len() as u64;
    for byte in bytes {
        packed = packed << 8 | u64::from(*byte);
    }
    Some(packed)
}

/// Where the search for a key begins: the top bits of a multiplication by
/// 2^64 over the golden ratio (Knuth, TAOCP 3, 6.4).
fn home(key: u64) -> usize {
    (key.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (64 - SLOTS.trailing_zeros())) as usize
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

#[cfg(test)]
mod tests;
