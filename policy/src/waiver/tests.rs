use proptest::prelude::*;

use super::{LineError, Matter, NoteError, SigningKey, Waiver, WaiverError, Waivers};
use crate::law::tests::at;
use crate::place::Place;
use crate::verdict::FindingCode;
use crate::{Field, Term, Vocabulary};

const LINES: &str = "\
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

fn key() -> SigningKey {
    SigningKey::generate("operator.example").unwrap()
}

fn term(field: Field, curie: &str) -> Term {
    Vocabulary::builtin().resolve(field, curie).unwrap()
}

/// What the waiver of `LINES` is for.
struct Case {
    policy: &'static str,
    service: &'static str,
    recipient: Option<&'static str>,
    purposes: Vec<Term>,
    categories: Vec<Term>,
    jurisdiction: Option<&'static str>,
    time: &'static str,
}

impl Default for Case {
    fn default() -> Self {
        Self {
            policy: "AE-2020",
            service: "aliexpress",
            recipient: Some("dhl"),
            purposes: vec![term(Field::Purpose, "custody:purchase_delivery")],
            categories: vec![term(Field::Category, "pd:EmailAddress")],
            jurisdiction: Some("FR"),
            time: "2026-12-01T00:00:00Z",
        }
    }
}

impl Case {
    fn matter(&self) -> Matter<'_> {
        Matter {
            policy: self.policy,
            service: self.service,
            recipient: self.recipient,
            purposes: &self.purposes,
            categories: &self.categories,
            jurisdiction: self.jurisdiction.and_then(Place::of),
            time_ns: at(self.time),
            recorded_ns: at(self.time),
        }
    }

    fn is_waived(&self) -> bool {
        Waiver::draft(LINES)
            .unwrap()
            .covers(FindingCode::StorageElsewhere, &self.matter())
    }
}

#[test]
fn is_signed_and_opened() {
    let key = key();
    let draft = Waiver::draft(LINES).unwrap();
    assert_eq!(draft.to_text().unwrap(), LINES);
    let note = draft.sign(&key).unwrap();
    assert!(note.starts_with(LINES));
    let keys = [key.verifying_key().clone()];
    let waiver = Waiver::open(&note, &keys).unwrap();
    assert_eq!(waiver.signer, "operator.example");
    assert_eq!(
        Waiver {
            signer: String::new(),
            ..waiver.clone()
        },
        draft
    );
    // Signing what was opened says the same.
    assert_eq!(waiver.sign(&key).unwrap(), note);

    let changed = note.replace("until 2027", "until 2037");
    assert_eq!(
        Waiver::open(&changed, &keys),
        Err(WaiverError::Note(NoteError::Signature {
            signer: "operator.example".to_owned(),
            line: 14
        }))
    );
    let stranger = [SigningKey::generate("x").unwrap().verifying_key().clone()];
    assert_eq!(
        Waiver::open(&note, &stranger),
        Err(WaiverError::Note(NoteError::Untrusted))
    );
}

#[test]
fn the_shortest_one_names_codes_times_and_a_reason() {
    let text = "custody.waiver/v1\nid w\ncodes minor\nfrom 2026-01-01T01:00:00+01:00\nuntil 2026-02-01T00:00:00Z\nreason x\n";
    let waiver = Waiver::draft(text).unwrap();
    assert_eq!(waiver.from_ns, at("2026-01-01T00:00:00Z"));
    assert!(waiver.policies.is_empty() && waiver.jurisdictions.is_empty());
    let anything = Case {
        policy: "",
        service: "",
        recipient: None,
        purposes: Vec::new(),
        categories: Vec::new(),
        jurisdiction: None,
        time: "2026-01-31T23:59:59Z",
    };
    assert!(waiver.covers(FindingCode::Minor, &anything.matter()));
    assert!(!waiver.covers(FindingCode::Sale, &anything.matter()));
}

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
        assert!(waiver.sign(&key()).is_err(), "{waiver:?}");
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
fn every_line_narrows_it() {
    assert!(Case::default().is_waived());
    let others = [
        Case {
            policy: "ALB-2025",
            ..Case::default()
        },
        Case {
            policy: "",
            ..Case::default()
        },
        Case {
            service: "alibaba.com",
            ..Case::default()
        },
        Case {
            recipient: Some("ups"),
            ..Case::default()
        },
        Case {
            recipient: None,
            ..Case::default()
        },
        Case {
            purposes: vec![term(Field::Purpose, "dpv:Marketing")],
            ..Case::default()
        },
        Case {
            purposes: Vec::new(),
            ..Case::default()
        },
        Case {
            categories: Vec::new(),
            ..Case::default()
        },
        Case {
            jurisdiction: Some("US"),
            ..Case::default()
        },
        Case {
            jurisdiction: Some("GB"),
            ..Case::default()
        },
        Case {
            jurisdiction: None,
            ..Case::default()
        },
        Case {
            time: "2026-10-31T23:59:59Z",
            ..Case::default()
        },
        Case {
            time: "2027-02-01T00:00:00Z",
            ..Case::default()
        },
    ];
    for case in others {
        assert!(!case.is_waived(), "{:?}", case.matter());
    }
    for jurisdiction in ["US-CA", "DE-BY", "RE"] {
        assert!(
            Case {
                jurisdiction: Some(jurisdiction),
                ..Case::default()
            }
            .is_waived()
        );
    }
    assert!(
        Case {
            time: "2026-11-01T00:00:00Z",
            ..Case::default()
        }
        .is_waived()
    );
    let matter = Case::default();
    assert!(
        !Waiver::draft(LINES)
            .unwrap()
            .covers(FindingCode::Sale, &matter.matter())
    );
}

#[test]
fn a_term_that_is_not_waived_does_not_pass_with_others() {
    let mut case = Case::default();
    case.categories
        .push(term(Field::Category, "pd:HealthRecord"));
    assert!(!case.is_waived());
    // Broader than what was waived.
    case.categories = vec![term(Field::Category, "pd:External")];
    assert!(!case.is_waived());
    case.categories = vec![
        term(Field::Category, "pd:Contact"),
        term(Field::Category, "pd:TelephoneNumber"),
    ];
    assert!(case.is_waived());
}

#[test]
fn a_revoked_one_does_not_pass_what_is_judged_later() {
    let case = Case::default();
    let code = FindingCode::StorageElsewhere;
    let mut waivers = Waivers::default();
    assert!(waivers.is_empty() && waivers.find(code, &case.matter()).is_none());
    let waiver = Waiver::draft(LINES).unwrap();
    assert!(waivers.add(waiver.clone()));
    assert!(!waivers.add(Waiver {
        reason: "other".to_owned(),
        ..waiver
    }));
    assert_eq!(
        waivers
            .find(code, &case.matter())
            .map(|w| w.reason.as_str()),
        Some("Moving the archive, plan of October")
    );

    let since = at("2026-12-10T00:00:00Z");
    waivers.revoke("w-2026-017", since);
    let judged = |recorded_ns| {
        let matter = Matter {
            recorded_ns,
            ..case.matter()
        };
        waivers.find(code, &matter).is_some()
    };
    assert!(judged(since - 1));
    // The event happened before, and is judged after.
    assert!(!judged(since));
    assert!(waivers.iter().all(|(_, revoked)| revoked == Some(since)));

    waivers.revoke("w-2026-017", since + 5);
    assert!(waivers.iter().all(|(_, revoked)| revoked == Some(since)));
    waivers.revoke("w-2026-017", since - 5);
    assert!(
        waivers
            .iter()
            .all(|(_, revoked)| revoked == Some(since - 5))
    );
}

#[test]
fn another_waiver_takes_over() {
    let code = FindingCode::StorageElsewhere;
    let mut waivers = Waivers::default();
    waivers.revoke("w-1", i64::MIN);
    for id in ["w-2", "w-1"] {
        waivers.add(Waiver {
            id: id.to_owned(),
            ..Waiver::draft(LINES).unwrap()
        });
    }
    let case = Case::default();
    let found = waivers.find(code, &case.matter()).map(|w| w.id.as_str());
    assert_eq!(found, Some("w-2"));
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
    fn any_flipped_bit_of_a_signed_waiver_is_refused(index in any::<prop::sample::Index>(), bit in 0..8u8) {
        let key: SigningKey = "PRIVATE+KEY+operator.example+4d8d5c46+AQABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"
            .parse()
            .unwrap();
        let note = Waiver::draft(LINES).unwrap().sign(&key).unwrap();
        let mut bytes = note.into_bytes();
        let index = index.index(bytes.len());
        bytes[index] ^= 1 << bit;
        if let Ok(note) = String::from_utf8(bytes) {
            prop_assert!(Waiver::open(&note, &[key.verifying_key().clone()]).is_err());
        }
    }

    #[test]
    fn any_waiver_comes_back(
        codes in prop::sample::subsequence(FindingCode::ALL.to_vec(), 1..5),
        services in prop::collection::btree_set("[a-z0-9._-]{1,12}", 0..4),
        jurisdictions in prop::sample::subsequence(vec!["EU", "UK", "DE", "US-CA", "BR"], 0..5),
        from_ns in i64::MIN / 2..i64::MAX / 2,
        length in 1..i64::MAX / 4,
        reason in "[^\\p{Cc} ][^\\p{Cc}]{0,60}",
    ) {
        let waiver = Waiver {
            id: "w-1".to_owned(),
            codes,
            policies: Vec::new(),
            services: services.into_iter().collect(),
            recipients: Vec::new(),
            purposes: vec![term(Field::Purpose, "custody:account")],
            categories: vec![term(Field::Category, "custody:account")],
            jurisdictions: jurisdictions
                .into_iter()
                .map(|text| crate::Member::of(text).unwrap())
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
