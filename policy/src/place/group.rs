//! Groups of countries, with the dates of membership.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::LazyLock;

use serde::Deserialize;

use super::Place;
use crate::law::{LawError, Moment, Span};

/// The data file: members, dates and sources.
pub(crate) const FILE: &str = include_str!("../../law/groups.toml");

static GROUPS: LazyLock<[Membership; Group::ALL.len()]> =
    // That the file compiles is tested. Were it not so, nobody would be a
    // member of anything, and no transfer would pass as one within a group.
    LazyLock::new(|| compile(FILE).unwrap_or_default());

/// A group of countries that policies and laws name. Who is a member depends
/// on the time; `law/groups.toml` holds members, dates and sources.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Group {
    /// The European Union, with the territories in which its law applies.
    Eu,
    /// The European Economic Area: the European Union, Iceland, Liechtenstein
    /// and Norway.
    Eea,
    /// The United Kingdom of Great Britain and Northern Ireland.
    Uk,
    /// Europe by the UN's M49 (region 150), and Cyprus.
    Europe,
}

/// Who is a member when, of one group.
#[derive(Default)]
struct Membership {
    /// By place: a number into `spans`.
    by_place: Vec<u8>,
    /// When. The first is for who never is.
    spans: Vec<Vec<Span>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GroupFile {
    source: String,
    #[serde(default)]
    includes: Vec<String>,
    #[serde(default)]
    member: Vec<MemberRow>,
    /// Parts of members that are no part of the group.
    #[serde(default)]
    outside: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MemberRow {
    places: Vec<String>,
    from: Option<Moment>,
    until: Option<Moment>,
    #[serde(default, rename = "note")]
    _note: String,
}

impl Group {
    /// Every group.
    pub const ALL: [Self; 4] = [Self::Eu, Self::Eea, Self::Uk, Self::Europe];

    /// The name, as packs write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Eu => "EU",
            Self::Eea => "EEA",
            Self::Uk => "UK",
            Self::Europe => "EUROPE",
        }
    }

    /// The group of a name.
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|group| group.name() == name)
    }

    /// Whether a place is in the group at a time, in nanoseconds since 1970
    /// UTC. A subdivision is where its country is, but for those that the file
    /// names as outside.
    pub fn contains(self, place: Place, time_ns: i64) -> bool {
        let membership = &GROUPS[self as usize];
        membership
            .by_place
            .get(place.index())
            .and_then(|index| membership.spans.get(usize::from(*index)))
            .is_some_and(|spans| spans.iter().any(|span| span.contains(time_ns)))
    }

    /// The countries that are in the group at a time, by code.
    pub fn members(self, time_ns: i64) -> impl Iterator<Item = Place> {
        Place::all()
            .take_while(|place| place.is_country())
            .filter(move |place| self.contains(*place, time_ns))
    }
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

fn compile(text: &str) -> Result<[Membership; Group::ALL.len()], LawError> {
    let file: BTreeMap<String, GroupFile> = toml::from_str(text)?;
    if let Some(name) = file.keys().find(|name| Group::of(name).is_none()) {
        return Err(LawError::unknown("group", name));
    }
    let mut all: [Membership; Group::ALL.len()] = Default::default();
    for group in Group::ALL {
        all[group as usize] = membership(&file, group.name())?;
    }
    Ok(all)
}

fn membership(file: &BTreeMap<String, GroupFile>, name: &str) -> Result<Membership, LawError> {
    let group = file
        .get(name)
        .ok_or_else(|| LawError::unknown("group", name))?;
    if group.source.is_empty() {
        return Err(LawError::NoSource {
            of: name.to_owned(),
        });
    }
    let mut when: BTreeMap<Place, Vec<Span>> = BTreeMap::new();
    let mut outside: Vec<Place> = Vec::new();
    collect(file, group, &mut when, &mut outside)?;

    let mut spans: Vec<Vec<Span>> = vec![Vec::new()];
    let mut by_place = vec![0; Place::all().count()];
    for place in Place::all() {
        let found = match when.get(&place).or_else(|| when.get(&place.country())) {
            Some(found) if !outside.contains(&place) => found,
            _ => continue,
        };
        let index = spans
            .iter()
            .position(|known| known == found)
            .unwrap_or_else(|| {
                spans.push(found.clone());
                spans.len() - 1
            });
        by_place[place.index()] = u8::try_from(index).map_err(|_| LawError::TooMany)?;
    }
    Ok(Membership { by_place, spans })
}

fn collect(
    file: &BTreeMap<String, GroupFile>,
    group: &GroupFile,
    when: &mut BTreeMap<Place, Vec<Span>>,
    outside: &mut Vec<Place>,
) -> Result<(), LawError> {
    for name in &group.includes {
        let part = file
            .get(name)
            .filter(|part| part.includes.is_empty())
            .ok_or_else(|| LawError::unknown("group", name))?;
        collect(file, part, when, outside)?;
    }
    let place = |code: &String| Place::of(code).ok_or_else(|| LawError::unknown("place", code));
    for row in &group.member {
        let span = Span::new(row.from, row.until)?;
        for code in &row.places {
            when.entry(place(code)?).or_default().push(span);
        }
    }
    for code in &group.outside {
        outside.push(place(code)?);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{FILE, Group, compile};
    use crate::law::tests::at;
    use crate::place::Place;

    fn is_in(group: Group, code: &str, when: &str) -> bool {
        group.contains(Place::of(code).unwrap(), at(when))
    }

    #[test]
    fn the_file_compiles() {
        assert!(compile(FILE).is_ok());
        for (text, says) in [
            ("[EU]\nsource = ''", "no source for EU"),
            ("[XX]\nsource = 'x'", "unknown group"),
            (
                "[EU]\nsource = 'x'\n[[EU.member]]\nplaces = ['ZZ']",
                "unknown place \"ZZ\"",
            ),
            (
                "[EU]\nsource = 'x'\n[[EU.member]]\nplaces = ['FR']\nfrom = 2020-01-01\nuntil = 2019-01-01",
                "ends before it begins",
            ),
        ] {
            let error = compile(text).map(|_| ()).unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
    }

    #[test]
    fn the_union_grew_and_shrank() {
        let count = |when| Group::Eu.members(at(when)).count();
        let territories = ["AX", "GF", "GP", "MF", "MQ", "RE", "YT"].len();
        assert_eq!(count("2026-01-01T00:00:00Z"), 27 + territories);
        // With the United Kingdom and Gibraltar.
        assert_eq!(count("2018-05-25T00:00:00Z"), 28 + 1 + territories);
        assert_eq!(
            Group::Eea.members(at("2026-01-01T00:00:00Z")).count(),
            30 + territories
        );
        assert!(!is_in(Group::Eu, "HR", "2013-06-30T23:59:59Z"));
        assert!(is_in(Group::Eu, "HR", "2013-07-01T00:00:00Z"));
    }

    #[test]
    fn the_united_kingdom_left_with_the_transition() {
        for group in [Group::Eu, Group::Eea] {
            for code in ["GB", "GB-SCT"] {
                assert!(is_in(group, code, "2020-12-31T22:59:59Z"));
                assert!(!is_in(group, code, "2020-12-31T23:00:00Z"));
            }
        }
        assert!(is_in(Group::Uk, "GB-NIR", "2026-01-01T00:00:00Z"));
        assert!(is_in(Group::Uk, "GB", "1990-01-01T00:00:00Z"));
        for code in ["JE", "GG", "IM", "GI"] {
            assert!(!is_in(Group::Uk, code, "2026-01-01T00:00:00Z"));
        }
    }

    #[test]
    fn parts_of_members_follow_unless_their_law_differs() {
        let now = "2026-01-01T00:00:00Z";
        for code in ["DE-BY", "ES-CN", "PT-20", "FR-974", "FI-01", "RE", "AX"] {
            assert!(is_in(Group::Eu, code, now), "{code}");
        }
        for code in ["FR-PF", "FR-NC", "NL-AW", "NL-BQ1", "PF", "GL", "FO", "CH"] {
            assert!(!is_in(Group::Eu, code, now), "{code}");
        }
    }

    #[test]
    fn the_area_is_the_union_and_three_more() {
        let now = at("2026-01-01T00:00:00Z");
        for place in Place::all() {
            let three = ["IS", "LI", "NO"].contains(&place.country().code());
            assert_eq!(
                Group::Eea.contains(place, now),
                Group::Eu.contains(place, now) || three,
                "{place}"
            );
        }
        assert!(!is_in(Group::Eea, "LI", "1995-04-30T00:00:00Z"));
    }

    #[test]
    fn europe_is_a_continent() {
        let now = "2026-01-01T00:00:00Z";
        for code in [
            "GB", "CH", "RU", "UA", "BY", "CY", "IS", "VA", "GG", "MD", "RU-MOW",
        ] {
            assert!(is_in(Group::Europe, code, now), "{code}");
        }
        for code in ["TR", "GE", "AM", "AZ", "KZ", "GL", "US", "RE", "FR-974"] {
            assert!(!is_in(Group::Europe, code, now), "{code}");
        }
    }
}
