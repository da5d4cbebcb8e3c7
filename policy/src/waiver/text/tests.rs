use proptest::prelude::*;

use super::LineError;
use crate::verdict::FindingCode;
use crate::waiver::{Waiver, WaiverError, generate_key};
use crate::{Field, Member, Vocabulary};

/// A waiver with every line.
pub(in crate::waiver) const LINES: &str = "\
custody.waiver/v1
id w-2026-017
codes storage_elsewhere,basis_missing
policies AE-2020
services aliexpress,aliexpress.example
recipients dhl
purposes custody:purchase_delivery
categories pd:Contact
jurisdictions EU,US-CA
from 2026-11-01T00:00:00Z
until 2027-02-01T00:00:00Z
reason Moving the archive, plan of October
";

#[test]
fn errors_name_the_line() {
    let without = |key: &str| -> String {
        LINES
            .split_inclusive('\n')
            .filter(|line| !line.starts_with(key))
            .collect()
    };
    for key in ["id", "codes", "from", "until", "reason"] {
        assert_eq!(
            Waiver::draft(&without(key)),
            Err(WaiverError::Missing { key })
        );
    }
    let with = |from: &str, to: &str| LINES.replace(from, to);
    for (text, line, says) in [
        (String::new(), 1, "begins with"),
        (with("waiver/v1", "waiver/v2"), 1, "another version"),
        (with("w-2026-017", "W-2026"), 2, "an id has"),
        (
            with("basis_missing", "basis_mising"),
            3,
            "\"basis_mising\" is no code",
        ),
        (with("basis_missing", ""), 3, "something between its commas"),
        (
            with("basis_missing", "storage_elsewhere"),
            3,
            "nothing twice",
        ),
        (with("AE-2020", "AE 2020"), 4, "an id has"),
        (with("policies", "policys"), 4, "no key of a waiver"),
        (with("dhl", "DHL"), 6, "an id has"),
        (
            with("custody:purchase_delivery", "custody:purchase_delivry"),
            7,
            "did you mean custody:purchase_delivery?",
        ),
        (
            with("pd:Contact", "custody:purchase_delivery"),
            8,
            "unknown category",
        ),
        (with("US-CA", "UC"), 9, "\"UC\" is no ISO 3166 code"),
        (
            with("from 2026-11-01T00:00:00Z", "from 2026-11-01"),
            10,
            "a time such as",
        ),
        (
            with("from 2026-11-01T00:00:00Z", "from 1066-11-01T00:00:00Z"),
            10,
            "after 1677",
        ),
        (with("until 2027", "until 2025"), 11, "not after `from`"),
        (
            with("reason Moving", "reason \u{7f}Moving"),
            12,
            "no control characters",
        ),
        (
            with("reason Moving the archive, plan of October", "reason  "),
            12,
            "a key, a space",
        ),
        (
            with(
                "reason Moving the archive, plan of October",
                &format!("reason {}", "x".repeat(1025)),
            ),
            12,
            "1 to 1024 bytes",
        ),
        (with("October\n", "October"), 12, "does not end"),
        (
            with("October\n", "October\nreason again\n"),
            13,
            "`reason` is said twice",
        ),
        (with("October\n", "October\n\n"), 13, "a key, a space"),
        (
            with(
                "services aliexpress,aliexpress.example\nrecipients dhl",
                "recipients dhl\nservices aliexpress",
            ),
            6,
            "`services` stands before `recipients`",
        ),
    ] {
        match Waiver::draft(&text) {
            Err(error @ WaiverError::Line { line: found, .. }) => {
                assert_eq!(found, line, "{error}");
                assert!(error.to_string().contains(says), "{error}");
            }
            other => panic!("{says}: {other:?}"),
        }
    }
}

#[test]
fn what_a_line_cannot_say_is_not_signed() {
    let key = generate_key("operator.example").unwrap();
    let good = Waiver::draft(LINES).unwrap();
    let wrong = [
        Waiver {
            id: "w\ncodes sale".to_owned(),
            ..good.clone()
        },
        Waiver {
            services: vec!["a,b".to_owned()],
            ..good.clone()
        },
        Waiver {
            reason: "x\nreason y".to_owned(),
            ..good.clone()
        },
        Waiver {
            reason: "a\n\n\u{2014} b AAAAAAAA".to_owned(),
            ..good.clone()
        },
        Waiver {
            codes: Vec::new(),
            ..good.clone()
        },
        Waiver {
            until_ns: good.from_ns,
            ..good.clone()
        },
    ];
    for waiver in wrong {
        assert!(waiver.sign(&key).is_err(), "{waiver:?}");
    }
    assert_eq!(
        Waiver {
            services: vec!["a,b".to_owned()],
            ..good
        }
        .to_text(),
        Err(WaiverError::Unsayable)
    );
}

#[test]
fn errors_do_not_repeat_what_may_be_anybodys() {
    let text = LINES.replace("pd:Contact", "email:li@example.com");
    let error = Waiver::draft(&text).unwrap_err().to_string();
    assert!(!error.contains("li@example.com"), "{error}");
    let text = LINES.replace("dhl", "li@example.com");
    let error = Waiver::draft(&text).unwrap_err();
    assert_eq!(
        error,
        WaiverError::Line {
            line: 6,
            error: LineError::Id
        }
    );
}

proptest! {
    #[test]
    fn any_waiver_comes_back(
        codes in prop::sample::subsequence(FindingCode::ALL.to_vec(), 1..5),
        services in prop::collection::btree_set("[a-z0-9._-]{1,12}", 0..4),
        jurisdictions in prop::sample::subsequence(vec!["EU", "UK", "DE", "US-CA", "BR"], 0..5),
        from_ns in i64::MIN / 2..i64::MAX / 2,
        length in 1..i64::MAX / 4,
        reason in "[^\\p{Cc} ][^\\p{Cc}]{0,60}",
    ) {
        let vocabulary = Vocabulary::builtin();
        let waiver = Waiver {
            id: "w-1".to_owned(),
            codes,
            policies: Vec::new(),
            services: services.into_iter().collect(),
            recipients: Vec::new(),
            purposes: vec![vocabulary.resolve(Field::Purpose, "custody:account").unwrap()],
            categories: vec![vocabulary.resolve(Field::Category, "custody:account").unwrap()],
            jurisdictions: jurisdictions
                .into_iter()
                .map(|text| Member::of(text).unwrap())
                .collect(),
            from_ns,
            until_ns: from_ns + length,
            reason,
            signer: String::new(),
        };
        let text = waiver.to_text();
        prop_assert_eq!(Waiver::draft(&text.unwrap()), Ok(waiver));
    }
}
