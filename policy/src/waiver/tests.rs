use proptest::prelude::*;

use super::text::tests::LINES;
use super::{Matter, NoteError, SigningKey, Waiver, WaiverError, Waivers, generate_key};
use crate::law::tests::at;
use crate::place::Place;
use crate::verdict::FindingCode;
use crate::{Field, Term, Vocabulary};

fn key() -> SigningKey {
    generate_key("operator.example").unwrap()
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
    let stranger = [generate_key("x").unwrap().verifying_key().clone()];
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
}
