use super::{DEADLINES, FILE, breach_deadline, compile, response_deadline, zone};
use crate::law::tests::at;
use crate::place::Place;

const NOW: &str = "2026-11-22T00:00:00Z";

fn response(jurisdiction: &str, received: &str, extended: bool) -> Option<i64> {
    response_deadline(jurisdiction, at(received), extended).map(|deadline| deadline.due_ns)
}

fn breach(jurisdiction: &str, known: &str) -> Option<i64> {
    breach_deadline(jurisdiction, at(known)).map(|deadline| deadline.due_ns)
}

#[test]
fn the_file_compiles() {
    assert!(compile(FILE).is_ok());
    let row = |keys: &str| {
        format!("breach = []\nzones = {{}}\nholidays = {{}}\n[[response]]\nwhere = ['DE']\n{keys}")
    };
    for (text, says) in [
        (row("source = 'x'"), "neither a period nor a reason"),
        (
            row("source = 'x'\nnone = 'y'\nperiod = { days = 1 }"),
            "neither a period nor a reason",
        ),
        (row("source = ''\nnone = 'y'"), "no source for DE"),
        (
            row("source = 'x'\nperiod = { weeks = 1 }"),
            "unknown variant",
        ),
        (
            FILE.replace("Europe/Berlin", "Europe/Bonn"),
            "unknown time zone",
        ),
        (FILE.replace("\"12-25\"", "\"12-32\""), "unknown day"),
    ] {
        let error = compile(&text).map(|_| ()).unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }
}

#[test]
fn every_place_with_a_deadline_has_a_clock() {
    let now = at(NOW);
    for rule in DEADLINES.response.iter().chain(&DEADLINES.breach) {
        for place in Place::all() {
            if rule.place.contains(place, now) {
                assert!(zone(place).is_some(), "{place}");
            }
        }
        assert!(!rule.source.is_empty());
    }
}

#[test]
fn a_calendar_month_in_europe() {
    // The day begins and ends in Berlin: 00:00 there is 22:00 UTC in summer.
    assert_eq!(
        response("DE", "2026-06-03T10:00:00Z", false),
        Some(at("2026-07-03T22:00:00Z"))
    );
    // 23:30 UTC is the next day there.
    assert_eq!(
        response("DE", "2026-06-03T23:30:00Z", false),
        // 4 July is a Saturday: Monday is the last day.
        Some(at("2026-07-06T22:00:00Z"))
    );
    // From winter time to summer time.
    assert_eq!(
        response("FR", "2026-03-10T10:00:00Z", false),
        Some(at("2026-04-10T22:00:00Z"))
    );
    // 31 January; February has 28 days, and the 28th is a Saturday.
    assert_eq!(
        response("IE", "2026-01-31T10:00:00Z", false),
        Some(at("2026-03-03T00:00:00Z"))
    );
    assert_eq!(
        response("DE-BY", "2026-06-03T10:00:00Z", true),
        Some(at("2026-09-03T22:00:00Z"))
    );
    assert_eq!(response("DE", "2018-05-24T10:00:00Z", false), None);
    let source = response_deadline("DE", at(NOW), false).map(|d| d.source);
    assert!(source.is_some_and(|s| s.starts_with("Art. 12(3) GDPR")));
}

#[test]
fn the_united_kingdom_before_and_after() {
    for (received, source) in [
        ("2020-12-31T22:59:59Z", "Art. 12(3) GDPR"),
        ("2020-12-31T23:00:00Z", "Art. 12(3) UK GDPR"),
    ] {
        let found = response_deadline("GB", at(received), false);
        assert!(found.is_some_and(|d| d.source.starts_with(source)));
    }
    // Boxing Day 2025 is a Friday.
    assert_eq!(
        response("GB-ENG", "2025-11-26T10:00:00Z", false),
        Some(at("2025-12-30T00:00:00Z"))
    );
}

#[test]
fn days_elsewhere() {
    for (jurisdiction, extended, due) in [
        // Received 2 June 2026, 10:00 UTC, everywhere the same date but in California.
        ("US-CA", false, "2026-07-18T07:00:00Z"),
        ("US-CA", true, "2026-09-01T07:00:00Z"),
        ("BR", false, "2026-06-18T03:00:00Z"),
        ("BR", true, "2026-06-18T03:00:00Z"),
        ("KR", false, "2026-06-12T15:00:00Z"),
        ("AU", false, "2026-07-02T14:00:00Z"),
        ("AU-WA", false, "2026-07-02T16:00:00Z"),
        ("SG", false, "2026-07-02T16:00:00Z"),
        ("CA", false, "2026-07-03T04:00:00Z"),
        ("CA-BC", true, "2026-08-02T07:00:00Z"),
        ("HK", false, "2026-07-12T16:00:00Z"),
        ("CN-HK", false, "2026-07-12T16:00:00Z"),
    ] {
        assert_eq!(
            response(jurisdiction, "2026-06-02T10:00:00Z", extended),
            Some(at(due)),
            "{jurisdiction}"
        );
    }
    for none in ["JP", "US", "US-TX", "CN", "RU", "ZZ", "", "EU"] {
        assert_eq!(response(none, NOW, false), None, "{none}");
    }
    assert_eq!(response("US-CA", "2019-12-31T10:00:00Z", false), None);
}

#[test]
fn breaches() {
    for (jurisdiction, due) in [
        ("DE", "2026-11-23T11:00:00Z"),
        ("NO", "2026-11-23T11:00:00Z"),
        ("GB", "2026-11-23T11:00:00Z"),
        ("KR", "2026-11-23T10:15:00Z"),
        // 20 November is a Friday, and a holiday in Brazil.
        ("BR", "2026-11-26T03:00:00Z"),
        ("SG", "2026-11-23T16:00:00Z"),
    ] {
        assert_eq!(
            breach(jurisdiction, "2026-11-20T10:15:00Z"),
            Some(at(due)),
            "{jurisdiction}"
        );
    }
    // The holiday itself is not counted.
    assert_eq!(
        breach("BR", "2026-11-18T10:15:00Z"),
        Some(at("2026-11-25T03:00:00Z"))
    );
    for none in ["AU", "CA", "JP", "US-CA", "CN"] {
        assert_eq!(breach(none, NOW), None, "{none}");
    }
    assert_eq!(breach("KR", "2023-09-14T10:00:00Z"), None);
    assert_eq!(breach("BR", "2024-04-25T10:00:00Z"), None);
}
