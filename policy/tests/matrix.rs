//! The table of ALB-2025 sections 2 and 7: which data may serve which
//! purpose, and on which basis in the EU and the UK. Every pair is tried.
#![allow(clippy::panic, clippy::unwrap_used)] // Helpers of tests.

use custody_policy::{FindingCode, Outcome, Rehearsal, Ruleset, Said};

/// The table's label and code of each category.
const CATEGORIES: [(&str, &str); 12] = [
    ("Contact information", "contact"),
    ("Account information", "account"),
    ("Business information", "business"),
    ("Social media account information", "social_media_account"),
    ("Transaction information", "transaction"),
    ("Payment information", "payment"),
    ("Communication information", "communication"),
    ("User-generated content", "user_generated_content"),
    ("Device information", "device"),
    ("Online activity information", "online_activity"),
    ("Location information", "location"),
    (
        "Marketing and advertising information",
        "marketing_advertising",
    ),
];

/// The table's label and code of each purpose, its categories as numbers of
/// the list above, and its bases under the GDPR.
const PURPOSES: [(&str, &str, &[usize], &[&str]); 9] = [
    (
        "Account administration",
        "account",
        &[0, 1, 2, 3],
        &["b", "f"],
    ),
    (
        "Purchase and delivery of products and services",
        "purchase_delivery",
        &[0, 1, 2, 4, 5, 6, 7, 8, 9, 10],
        &["b"],
    ),
    (
        "Communicate with you",
        "communication",
        &[0, 1, 4, 5, 6, 8, 9, 10],
        &["b"],
    ),
    (
        "Provide voice, image and camera services",
        "voice_image_camera",
        &[0, 6, 7, 8],
        &["a", "b", "f"],
    ),
    (
        "Recommendations and personalization",
        "recommendations",
        &[0, 2, 4, 9, 10, 11],
        &["a", "f"],
    ),
    (
        "Marketing and advertising",
        "marketing",
        &[0, 2, 4, 9, 10, 11],
        &["a", "f"],
    ),
    (
        "Research and development",
        "research",
        &[0, 1, 2, 3, 7, 8, 9, 10],
        &["f"],
    ),
    (
        "Fraud prevention and credit risks",
        "fraud_prevention",
        &[0, 1, 2, 4, 5, 6, 7, 8, 10],
        &["f"],
    ),
    (
        "Comply with legal obligations",
        "legal_compliance",
        &[0, 1, 2, 4, 5, 6, 9],
        &["c"],
    ),
];

fn said(json: &str) -> Said {
    Said::parse(json.as_bytes()).unwrap_or_else(|error| panic!("{json}: {error}"))
}

/// A use of one category for one purpose in Germany.
fn used(purpose: &str, category: &str, basis: &str) -> Said {
    said(&format!(
        r#"{{"specversion": "1.0", "id": "u", "source": "//shop.example",
            "type": "custody.use.v1", "time": "2025-08-01T00:00:00Z",
            "data": {{"subject": {{"ids": ["account:1"], "jurisdiction": "DE"}},
                "service": "alibaba.com", "purposes": ["custody:{purpose}"],
                "categories": [{{"term": "custody:{category}"}}],
                "legal_basis": "eu-gdpr:A6-1-{basis}", "use": {{"operation": "dpv:Use"}}}}}}"#
    ))
}

fn consented(purpose: &str) -> Said {
    said(&format!(
        r#"{{"specversion": "1.0", "id": "c", "source": "//shop.example",
            "type": "custody.consent_given.v1", "time": "2025-07-01T00:00:00Z",
            "data": {{"subject": {{"ids": ["account:1"], "jurisdiction": "DE"}},
                "service": "alibaba.com",
                "consent": {{"scope": ["custody:{purpose}"], "method": "explicit"}}}}}}"#
    ))
}

#[test]
fn the_rows_are_sixty_two() {
    let rows: usize = PURPOSES.iter().map(|(_, _, list, _)| list.len()).sum();
    assert_eq!(rows, 62);
}

#[test]
fn a_pair_is_a_combination_exactly_where_the_table_has_it() {
    for (label, purpose, listed, bases) in PURPOSES {
        for (number, (data, category)) in CATEGORIES.iter().enumerate() {
            for basis in ["a", "b", "c", "d", "e", "f"] {
                let mut person = Rehearsal::new(Ruleset::builtin());
                person.take(&consented(purpose)).unwrap();
                let verdict = person.judge(&used(purpose, category, basis)).unwrap();
                let found = |code| verdict.findings.iter().any(|f| f.code == code);
                let name = format!("{label} / {data} / {basis}");
                let together = listed.contains(&number);
                assert_eq!(
                    !found(FindingCode::UndeclaredCombination),
                    together,
                    "{name}"
                );
                let based = bases.contains(&basis);
                assert_eq!(!found(FindingCode::BasisUndeclared), based, "{name}");
                assert_eq!(
                    verdict.outcome == Outcome::Conforms,
                    together && based,
                    "{name}: {:?}",
                    verdict.findings
                );
            }
        }
    }
}
