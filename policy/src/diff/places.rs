//! Places of which both versions say the same.

use std::collections::{BTreeMap, BTreeSet};

use super::Side;
use crate::place::{Group, Place, Region, Specificity};
use crate::rules::Tables;

/// Places by what both versions say of them.
pub(super) struct Classes {
    /// The places of each class; never empty.
    classes: Vec<Vec<Place>>,
    groups_ns: i64,
}

impl Classes {
    pub(super) fn of(before: &Side<'_>, after: &Side<'_>) -> Self {
        let mut regions: Vec<&Region> = Vec::new();
        for region in regions_of(before.tables()).chain(regions_of(after.tables())) {
            if !regions.contains(&region) {
                regions.push(region);
            }
        }
        let closeness = |place: Place| -> Vec<Option<Specificity>> {
            regions
                .iter()
                .map(|region| region.specificity(place, before.groups_ns))
                .collect()
        };
        let mut countries: BTreeMap<Place, Vec<Option<Specificity>>> = BTreeMap::new();
        for place in Place::all().filter(|place| place.is_country()) {
            countries.insert(place, closeness(place));
        }
        let mut by_closeness: BTreeMap<Vec<Option<Specificity>>, Vec<Place>> = BTreeMap::new();
        for place in Place::all() {
            let own = closeness(place);
            // A part of a country is a place of its own where a clause names it.
            let as_whole = !place.is_country() && countries.get(&place.country()) == Some(&own);
            if !as_whole {
                by_closeness.entry(own).or_default().push(place);
            }
        }
        Self {
            classes: by_closeness.into_values().collect(),
            groups_ns: before.groups_ns,
        }
    }

    /// Each class with one of its places.
    pub(super) fn iter(&self) -> impl Iterator<Item = (usize, Place)> {
        let first = self.classes.iter().map(|places| places.first().copied());
        first
            .enumerate()
            .filter_map(|(class, place)| Some((class, place?)))
    }

    /// The places of some classes, in words and as codes; both empty for all.
    pub(super) fn describe(&self, classes: &BTreeSet<usize>) -> (String, Vec<&'static str>) {
        if classes.len() == self.classes.len() {
            return (String::new(), Vec::new());
        }
        let within = |wanted: bool| -> BTreeSet<Place> {
            self.classes
                .iter()
                .enumerate()
                .filter(|(class, _)| classes.contains(class) == wanted)
                .flat_map(|(_, places)| places.iter().copied())
                .collect()
        };
        let (inside, outside) = (within(true), within(false));
        let codes = inside.iter().map(|place| place.code()).collect();
        let words = if inside.len() > outside.len() {
            format!("everywhere except {}", self.named(outside))
        } else {
            self.named(inside)
        };
        (words, codes)
    }

    /// Groups where all of their members are among the places, then the rest.
    fn named(&self, mut places: BTreeSet<Place>) -> String {
        let mut names = Vec::new();
        for group in [Group::Europe, Group::Eea, Group::Eu, Group::Uk] {
            let members: Vec<Place> = group.members(self.groups_ns).collect();
            let whole = !members.is_empty() && members.iter().all(|m| places.contains(m));
            if whole {
                names.push(group.name());
                places.retain(|place| !members.contains(place));
            }
        }
        names.extend(places.iter().map(|place| place.code()));
        names.join(", ")
    }
}

/// Every region that a version names.
fn regions_of(tables: &Tables) -> impl Iterator<Item = &Region> {
    let rules = [&tables.purposes, &tables.categories, &tables.recipients];
    let declaring = rules.into_iter().flat_map(|rules| &rules.rules);
    let of_rules = declaring.flat_map(|rule| {
        let consent = rule.consent.as_ref().map(|consent| &consent.region);
        [Some(&rule.applies.region), consent].into_iter().flatten()
    });
    let applies = tables
        .exclusions
        .iter()
        .map(|rule| &rule.applies)
        .chain(tables.controllers.iter().map(|rule| &rule.applies))
        .chain(tables.origins.iter().map(|rule| &rule.applies))
        .chain(tables.bases.iter().map(|rule| &rule.applies))
        .chain(tables.storage.iter().map(|rule| &rule.applies))
        .chain(tables.destinations.iter().map(|rule| &rule.applies))
        .chain(tables.safeguards.iter().map(|rule| &rule.applies))
        .chain(tables.retention.iter().map(|rule| &rule.applies))
        .chain(tables.minors.iter().map(|rule| &rule.applies))
        .chain(tables.no_sale.iter().map(|rule| &rule.applies))
        .chain(tables.versioning.iter().map(|rule| &rule.applies));
    let heads = [
        &tables.basis_required,
        &tables.bases_closed,
        &tables.safeguard_required,
    ];
    of_rules
        .chain(applies.map(|applies| &applies.region))
        .chain(heads.into_iter().flatten())
}
