//! A set of places, as a clause names them.

use std::fmt;

use super::{Group, Place};

/// Somewhere: a place, or a group of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Member {
    /// A country with its parts, or a part of one.
    Place(Place),
    /// A group, whose members depend on the time.
    Group(Group),
}

impl Member {
    /// What a pack names by `text`: `EU`, `DE`, `US-CA`.
    pub fn of(text: &str) -> Option<Self> {
        Group::of(text)
            .map(Self::Group)
            .or_else(|| Place::of(text).map(Self::Place))
    }

    /// Whether a place is it, is a part of it or is a member of it at a time, in
    /// nanoseconds since 1970 UTC.
    pub fn contains(self, place: Place, time_ns: i64) -> bool {
        self.matches(place, time_ns).is_some()
    }

    fn matches(self, place: Place, time_ns: i64) -> Option<Specificity> {
        match self {
            Self::Place(named) if !place.is_in(named) => None,
            Self::Place(named) if named.is_country() => Some(Specificity::Country),
            Self::Place(_) => Some(Specificity::Subdivision),
            Self::Group(group) => group.contains(place, time_ns).then_some(Specificity::Group),
        }
    }
}

impl fmt::Display for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Place(place) => place.fmt(f),
            Self::Group(group) => group.fmt(f),
        }
    }
}

/// How closely a region names a place. Where several clauses apply, the most
/// specific one binds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Specificity {
    /// Everywhere.
    Everywhere = 0,
    /// By a group that it is a member of.
    Group = 1,
    /// By its country.
    Country = 2,
    /// By itself, a part of a country.
    Subdivision = 3,
}

/// Where a clause applies: everywhere or in the places and groups that it
/// names, and not in those that it excepts. An exception always wins.
///
/// ```
/// use custody_policy::{Member, Place, Region, Specificity};
///
/// let mut region = Region::nowhere();
/// region.include(Member::of("EU").ok_or("no such member")?);
/// region.include(Member::of("US-CA").ok_or("no such member")?);
/// let now = 1_767_225_600_000_000_000; // 2026-01-01
///
/// let bavaria = Place::of("DE-BY").ok_or("no such place")?;
/// assert_eq!(region.specificity(bavaria, now), Some(Specificity::Group));
/// let texas = Place::of("US-TX").ok_or("no such place")?;
/// assert!(!region.contains(texas, now));
/// # Ok::<(), &str>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Region {
    everywhere: bool,
    named: Vec<Member>,
    /// Members of groups that a pack made: as specific as a group.
    listed: Vec<Member>,
    excepted: Vec<Member>,
}

impl Region {
    /// The whole world, and persons of whom it is not known where they are.
    pub const fn everywhere() -> Self {
        Self {
            everywhere: true,
            named: Vec::new(),
            listed: Vec::new(),
            excepted: Vec::new(),
        }
    }

    /// No place: to begin with, before [`include`](Self::include).
    pub const fn nowhere() -> Self {
        Self {
            everywhere: false,
            named: Vec::new(),
            listed: Vec::new(),
            excepted: Vec::new(),
        }
    }

    /// Adds a place or a group.
    pub fn include(&mut self, member: Member) {
        add(&mut self.named, member);
    }

    /// Adds a member of a group that the pack itself defines. It counts as
    /// named by a group, whatever it is.
    pub fn include_listed(&mut self, member: Member) {
        add(&mut self.listed, member);
    }

    /// Takes a place or a group out.
    pub fn except(&mut self, member: Member) {
        add(&mut self.excepted, member);
    }

    /// Whether it is everywhere, without exception.
    pub fn is_everywhere(&self) -> bool {
        self.everywhere && self.excepted.is_empty()
    }

    /// Whether a place is in the region at a time, in nanoseconds since 1970
    /// UTC. A subdivision is where its country is.
    pub fn contains(&self, place: Place, time_ns: i64) -> bool {
        self.specificity(place, time_ns).is_some()
    }

    /// How closely the region names a place; `None` where it is not in it.
    pub fn specificity(&self, place: Place, time_ns: i64) -> Option<Specificity> {
        if self
            .excepted
            .iter()
            .any(|member| member.contains(place, time_ns))
        {
            return None;
        }
        let named = self
            .named
            .iter()
            .filter_map(|member| member.matches(place, time_ns))
            .max();
        let listed = || {
            self.listed
                .iter()
                .any(|member| member.contains(place, time_ns))
                .then_some(Specificity::Group)
        };
        named
            .or_else(listed)
            .or(self.everywhere.then_some(Specificity::Everywhere))
    }

    /// [`contains`](Self::contains) for a person who may be nowhere that is
    /// known: such a person is everywhere, and in no named place.
    pub fn contains_known(&self, place: Option<Place>, time_ns: i64) -> bool {
        place.map_or(self.everywhere, |place| self.contains(place, time_ns))
    }
}

fn add(members: &mut Vec<Member>, member: Member) {
    if !members.contains(&member) {
        members.push(member);
    }
}

/// `everywhere`, or the members, with `except` where there are exceptions.
impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |f: &mut fmt::Formatter<'_>, members: &mut dyn Iterator<Item = &Member>| {
            for (index, member) in members.enumerate() {
                if index > 0 {
                    f.write_str(", ")?;
                }
                member.fmt(f)?;
            }
            Ok(())
        };
        if self.everywhere {
            f.write_str("everywhere")?;
        } else if self.named.is_empty() && self.listed.is_empty() {
            f.write_str("nowhere")?;
        } else {
            list(f, &mut self.named.iter().chain(&self.listed))?;
        }
        if !self.excepted.is_empty() {
            f.write_str(" except ")?;
            list(f, &mut self.excepted.iter())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Member, Region, Specificity};
    use crate::law::tests::at;
    use crate::place::Place;

    const NOW: &str = "2026-01-01T00:00:00Z";

    fn region(named: &[&str], excepted: &[&str]) -> Region {
        let mut region = if named.is_empty() {
            Region::everywhere()
        } else {
            Region::nowhere()
        };
        for text in named {
            region.include(Member::of(text).unwrap());
        }
        for text in excepted {
            region.except(Member::of(text).unwrap());
        }
        region
    }

    fn closely(region: &Region, code: &str) -> Option<Specificity> {
        region.specificity(Place::of(code).unwrap(), at(NOW))
    }

    #[test]
    fn the_closest_name_counts() {
        let all = region(&["EU", "DE", "US-CA"], &[]);
        assert_eq!(closely(&all, "FR"), Some(Specificity::Group));
        assert_eq!(closely(&all, "DE"), Some(Specificity::Country));
        assert_eq!(closely(&all, "DE-BY"), Some(Specificity::Country));
        assert_eq!(closely(&all, "US-CA"), Some(Specificity::Subdivision));
        assert_eq!(closely(&all, "US"), None);
        assert_eq!(
            closely(&region(&[], &[]), "US"),
            Some(Specificity::Everywhere)
        );
        assert!(Specificity::Subdivision > Specificity::Country);
        assert!(Specificity::Country > Specificity::Group);
        assert!(Specificity::Group > Specificity::Everywhere);
    }

    #[test]
    fn exceptions_win() {
        let rest = region(&[], &["CN", "US-CA"]);
        assert!(!rest.is_everywhere());
        assert_eq!(closely(&rest, "CN-BJ"), None);
        assert_eq!(closely(&rest, "US-CA"), None);
        assert_eq!(closely(&rest, "CN-HK"), Some(Specificity::Everywhere));
        assert_eq!(closely(&rest, "US"), Some(Specificity::Everywhere));
        assert_eq!(closely(&region(&["DE"], &["EU"]), "DE"), None);
    }

    #[test]
    fn a_group_of_the_packs_own_is_a_group() {
        let mut own = Region::nowhere();
        own.include_listed(Member::of("RU").unwrap());
        assert_eq!(closely(&own, "RU-MOW"), Some(Specificity::Group));
        own.include(Member::of("RU").unwrap());
        assert_eq!(closely(&own, "RU-MOW"), Some(Specificity::Country));
    }

    #[test]
    fn membership_is_a_matter_of_time() {
        let union = region(&["EU"], &[]);
        let britain = Place::of("GB").unwrap();
        assert!(union.contains(britain, at("2020-06-01T00:00:00Z")));
        assert!(!union.contains(britain, at(NOW)));
    }

    #[test]
    fn a_person_somewhere_is_nowhere_in_particular() {
        assert!(region(&[], &["CN"]).contains_known(None, 0));
        assert!(!region(&["EU"], &[]).contains_known(None, 0));
    }

    #[test]
    fn is_said_in_words() {
        assert_eq!(region(&[], &[]).to_string(), "everywhere");
        assert_eq!(
            region(&["EU", "US-CA"], &["FR"]).to_string(),
            "EU, US-CA except FR"
        );
        assert_eq!(Region::nowhere().to_string(), "nowhere");
    }

    proptest! {
        /// A part of a country is in every region that its country is in,
        /// unless the region says otherwise of that part.
        #[test]
        fn parts_follow_their_country(
            named in prop::sample::subsequence(vec!["UK", "EUROPE", "DE", "US", "BR-SP"], 0..5),
            excepted in prop::sample::subsequence(vec!["US-CA", "RU", "UK"], 0..3),
            index in 0usize..5_000,
        ) {
            let region = region(&named, &excepted);
            let place = Place::all().nth(index).unwrap();
            let now = at(NOW);
            let overseas = ["FR", "NL"].contains(&place.country().code());
            if region.contains(place.country(), now) && !overseas && place.code() != "US-CA" {
                prop_assert!(region.contains(place, now), "{place} of {region}");
            }
        }
    }
}
