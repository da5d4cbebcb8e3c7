use proptest::prelude::*;

use super::{ATLAS, Place, SLOTS};
use crate::country;

#[test]
fn every_code_is_found_and_says_what_country_says() {
    let mut countries = 0;
    for place in Place::all() {
        assert_eq!(Place::of(place.code()), Some(place));
        assert_eq!(country::name(place.code()), Some(place.name()));
        assert_eq!(
            country::country_of(place.code()),
            Some(place.country().code())
        );
        assert!(place.country().is_country());
        countries += usize::from(place.is_country());
    }
    // 249 of ISO 3166-1, and Kosovo.
    assert_eq!(countries, 250);
    assert!(Place::all().count() > 5_000);
    assert!(ATLAS.keys.len() * 2 < SLOTS, "the look-up is too full");
}

#[test]
fn parts_of_china_with_a_code_of_their_own_are_that() {
    for (part, code) in [("CN-HK", "HK"), ("CN-MO", "MO"), ("CN-TW", "TW")] {
        let place = Place::of(part);
        assert!(place.is_some());
        assert_eq!(place, Place::of(code));
        assert_eq!(place.map(Place::country), Place::of(code));
        assert!(!place.is_some_and(|p| p.is_in(Place::of("CN").unwrap())));
    }
    let beijing = Place::of("CN-BJ").unwrap();
    assert!(beijing.is_in(Place::of("CN").unwrap()));
}

#[test]
fn what_is_no_code_is_no_place() {
    for code in [
        "", "D", "de", "EU", "UK", "ZZ", "DEU", "US-", "US-ZZ", "us-ca", "DE\0", "DE\0\0", "é-",
        "US-CA ", "US-CA\0", "DE-BY-X",
    ] {
        assert_eq!(Place::of(code), None, "{code:?}");
    }
}

proptest! {
    #[test]
    fn agrees_with_the_list_on_any_text(code in "[A-Z]{2}(-[A-Z0-9]{1,3})?|\\PC{0,7}") {
        prop_assert_eq!(Place::of(&code).is_some(), country::is_country(&code));
    }
}

/// Not a benchmark: a bound that only a search through the list would break.
#[test]
fn resolving_is_quick() {
    let codes: Vec<&str> = Place::all().map(Place::code).collect();
    let begun = std::time::Instant::now();
    let mut found = 0;
    for _ in 0..20 {
        found += codes
            .iter()
            .filter(|code| Place::of(std::hint::black_box(code)).is_some())
            .count();
    }
    assert_eq!(found, codes.len() * 20);
    let each = begun.elapsed().as_nanos() / found as u128;
    assert!(each < 2_000, "{each} ns a look-up");
}
