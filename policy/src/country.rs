//! Countries and their subdivisions: ISO 3166-1 alpha-2 and ISO 3166-2.
//!
//! The lists are those of the `rust_iso3166` crate (iso-codes 4.20, January
//! 2026). Codes are upper-case. Codes that ISO withdrew or only reserved
//! (`AN`, `EU`, `UK`) are none; `XK`, which ISO leaves to its users, is
//! Kosovo, as the European Commission and CLDR use it.

const KOSOVO: (&str, &str) = ("XK", "Kosovo");

/// Whether it is an assigned ISO 3166-1 alpha-2 code (`DE`) or an ISO 3166-2
/// code (`US-CA`).
pub fn is_country(code: &str) -> bool {
    name(code).is_some()
}

/// The English short name of a country, or the name of a subdivision.
pub fn name(code: &str) -> Option<&'static str> {
    match code.len() {
        2 if code == KOSOVO.0 => Some(KOSOVO.1),
        2 => rust_iso3166::ALPHA2_MAP
            .get(code)
            .map(|country| country.name),
        4..=6 => rust_iso3166::iso3166_2::SUBDIVISION_MAP
            .get(code)
            .map(|subdivision| subdivision.name),
        _ => None,
    }
}

/// The country that a code belongs to: `US` of `US-CA`, `DE` of `DE`. `None`
/// where the code names none.
pub fn country_of(code: &str) -> Option<&str> {
    is_country(code).then(|| &code[..2])
}

#[cfg(test)]
mod tests {
    use super::{country_of, is_country, name};

    #[test]
    fn knows_countries_and_subdivisions() {
        for code in [
            "DE", "FR", "GB", "US", "BR", "RU", "KZ", "KR", "JP", "SG", "HK", "MO", "TW", "CN",
            "IN", "NL", "AU", "XK", "US-CA", "BR-SP", "CN-BJ", "RU-MOW", "GB-ENG", "DE-BY",
        ] {
            assert!(is_country(code), "{code}");
            assert!(name(code).is_some_and(|n| !n.is_empty()), "{code}");
            assert_eq!(country_of(code), Some(&code[..2]));
        }
        assert_eq!(name("US-CA"), Some("California"));
    }

    #[test]
    fn refuses_what_is_none() {
        for code in [
            "",
            "D",
            "de",
            "EU",
            "UK",
            "AN",
            "ZZ",
            "DEU",
            "276",
            "US-",
            "US-ZZ",
            "us-ca",
            "USCA",
            "U\u{53}\u{301}",
            "DE-BY-X",
            "é-",
        ] {
            assert!(!is_country(code), "{code:?}");
            assert_eq!(country_of(code), None, "{code:?}");
        }
    }
}
