use std::collections::HashSet;

use proptest::prelude::*;

use super::Vocabulary;
use crate::{Field, Term};

const DPV: &str = include_str!("../../vocab/dpv-2.3.csv");
const LOCAL: &str = include_str!("../../vocab/custody.csv");

fn rows(file: &str) -> Vec<[String; 4]> {
    csv::Reader::from_reader(file.as_bytes())
        .records()
        .map(|record| {
            let record = record.unwrap();
            [0, 1, 2, 3].map(|i| record[i].to_owned())
        })
        .collect()
}

fn field_of(kind: &str) -> Field {
    match kind {
        "purpose" => Field::Purpose,
        "data_category" => Field::Category,
        "recipient" => Field::Recipient,
        "legal_basis" | "law" => Field::LegalBasis,
        "safeguard" => Field::Safeguard,
        "right" => Field::Right,
        other => panic!("no field for {other}"),
    }
}

fn resolve(field: Field, text: &str) -> Term {
    Vocabulary::builtin().resolve(field, text).unwrap()
}

#[test]
fn every_row_of_the_files_is_a_term() {
    let all: Vec<Term> = Term::all().collect();
    let dpv = rows(DPV);
    let local = rows(LOCAL);
    assert_eq!(dpv.len(), 1220);
    assert_eq!(all.len(), dpv.len() + local.len());
    for (term, [curie, group, label, _]) in all.iter().zip(&dpv) {
        assert_eq!(
            (term.curie(), term.group(), term.label()),
            (curie.as_str(), group.as_str(), label.as_str())
        );
    }
}

#[test]
fn every_code_of_the_policies_resolves_in_its_field() {
    let mut counts = [0; 3];
    for [kind, code, label, broader] in rows(LOCAL) {
        let term = resolve(field_of(&kind), &format!("custody:{code}"));
        assert_eq!(term.label(), label);
        assert_eq!(term.group(), kind);
        // Local terms win over DPV's of the same name.
        assert_eq!(resolve(field_of(&kind), &code), term);
        let parents = Vocabulary::builtin().broader(term);
        let named: Vec<&str> = broader.split(';').filter(|b| !b.is_empty()).collect();
        assert_eq!(parents.iter().map(|p| p.curie()).collect::<Vec<_>>(), named);
        for (i, main) in ["purpose", "data_category", "recipient"].iter().enumerate() {
            counts[i] += usize::from(kind == *main);
        }
    }
    assert_eq!(counts, [51, 56, 46]);
}

#[test]
fn every_category_is_personal_data_and_every_recipient_an_entity() {
    let vocabulary = Vocabulary::builtin();
    let data = resolve(Field::Category, "dpv:PersonalData");
    let entity = resolve(Field::Recipient, "dpv:Entity");
    for term in Term::all().filter(|t| t.is_local()) {
        match term.group() {
            "data_category" => assert!(vocabulary.covers(data, term), "{term:?}"),
            "recipient" => assert!(vocabulary.covers(entity, term), "{term:?}"),
            _ => {}
        }
    }
}

#[test]
fn a_code_means_what_it_means_in_its_field() {
    for code in ["account", "communication", "cookies", "disputes"] {
        let curie = format!("custody:{code}");
        let purpose = resolve(Field::Purpose, &curie);
        let category = resolve(Field::Category, &curie);
        assert_ne!(purpose, category);
        assert_eq!(purpose.curie(), category.curie());
        assert_eq!(resolve(Field::Any, &curie), purpose);
    }
    let purpose = resolve(Field::Purpose, "custody:logistics");
    let recipient = resolve(Field::Recipient, "custody:logistics");
    assert_ne!(purpose, recipient);
    assert_eq!(
        resolve(Field::Any, "custody:ad_partner").group(),
        "recipient"
    );
    assert_eq!(resolve(Field::Any, "pd:Contact").group(), "personal_data");
}

#[test]
fn a_name_without_prefix_is_custodys_then_dpvs_then_pds() {
    assert_eq!(
        resolve(Field::Purpose, "marketing").curie(),
        "custody:marketing"
    );
    assert_eq!(
        resolve(Field::Purpose, "Marketing").curie(),
        "dpv:Marketing"
    );
    assert_eq!(resolve(Field::Category, "Contact").curie(), "pd:Contact");
    // `eu-gdpr:` has to be said.
    assert!(
        Vocabulary::builtin()
            .resolve(Field::LegalBasis, "A6-1-b")
            .is_err()
    );
}

#[test]
fn a_field_takes_its_own_terms_only() {
    let good = [
        (Field::LegalBasis, "eu-gdpr:A6-1-b"),
        (Field::LegalBasis, "eu-gdpr:A9-2-a"),
        (Field::LegalBasis, "dpv:ImpliedConsent"),
        (Field::LegalBasis, "custody:us-ca-ccpa"),
        (Field::LegalBasis, "custody:credit_protection"),
        (Field::Safeguard, "eu-gdpr:A46-2-c"),
        (Field::Safeguard, "eu-gdpr:A49-1-b"),
        (Field::Safeguard, "eu-gdpr:AdequacyDecision"),
        (Field::Safeguard, "eu-gdpr:SCCByCommission"),
        (Field::Safeguard, "dpv:SafeguardForDataTransfer"),
        (Field::Safeguard, "custody:scc"),
        (Field::Operation, "dpv:Store"),
        (Field::Operation, "Analyse"),
        (Field::Right, "eu-gdpr:A15"),
        (Field::Right, "eu-gdpr:A7-3"),
        (Field::Right, "custody:no_sale"),
        (Field::Recipient, "dpv:LawEnforcementOrganisation"),
        (Field::Recipient, "dpv:DataProtectionAuthority"),
        (Field::Recipient, "dpv:DataProcessor"),
        (Field::Category, "eu-gdpr:HealthData"),
        (Field::Purpose, "dpv:RightsFulfilment"),
    ];
    for (field, text) in good {
        resolve(field, text);
    }
    let bad = [
        (Field::Purpose, "pd:EmailAddress"),
        (Field::Purpose, "custody:contact"),
        (Field::Purpose, "dpv:Sector"),
        (Field::Category, "dpv:Marketing"),
        (Field::Recipient, "custody:marketing"),
        (Field::LegalBasis, "eu-gdpr:A15"),
        (Field::Safeguard, "eu-gdpr:A6-1-b"),
        (Field::Operation, "custody:orders"),
        (Field::Right, "eu-gdpr:A13-Denied"),
        (Field::Right, "dpv:RightNotice"),
        (Field::Any, "eu-gdpr:A6-1-a"),
        (Field::Any, ""),
    ];
    for (field, text) in bad {
        assert!(
            Vocabulary::builtin().resolve(field, text).is_err(),
            "{field:?} {text}"
        );
    }
}

/// `covers` against a walk over the parents, for every pair that could hold.
#[test]
fn covers_is_the_closure_of_broader() {
    let vocabulary = Vocabulary::builtin();
    for term in Term::all() {
        let mut above = HashSet::from([term]);
        let mut open = vec![term];
        while let Some(next) = open.pop() {
            open.extend(
                vocabulary
                    .broader(next)
                    .iter()
                    .filter(|p| above.insert(**p)),
            );
        }
        for other in Term::all() {
            assert_eq!(vocabulary.covers(other, term), above.contains(&other));
        }
    }
}

#[test]
fn an_error_names_what_was_meant() {
    let vocabulary = Vocabulary::builtin();
    let error = vocabulary
        .resolve(Field::Purpose, "custody:purchse_delivery")
        .unwrap_err();
    assert_eq!(error.suggestion, Some("custody:purchase_delivery"));
    assert_eq!(
        error.to_string(),
        "unknown purpose \"custody:purchse_delivery\", did you mean custody:purchase_delivery?"
    );
}

#[test]
fn an_error_repeats_no_identifier() {
    let vocabulary = Vocabulary::builtin();
    for text in [
        "li@example.com",
        "4915112345678",
        "john.smith",
        "account 1001",
        "",
    ] {
        for field in Field::ALL {
            let error = vocabulary.resolve(field, text).unwrap_err();
            assert_eq!(error.text, None, "{text}");
            assert_eq!(error.to_string(), format!("unknown {field}"));
        }
    }
}

proptest! {
    #[test]
    fn resolve_never_panics(text in ".{0,80}", field in 0usize..8) {
        let _ = Vocabulary::builtin().resolve(Field::ALL[field], &text);
    }

    /// The nearest term is found as by comparing with all of them.
    #[test]
    fn a_slip_of_the_pen_finds_the_nearest(index in 0usize..500, at in 0usize..30, letter in "[a-z]") {
        let vocabulary = Vocabulary::builtin();
        let terms: Vec<Term> = vocabulary.terms(Field::Any).collect();
        let mut text = terms[index % terms.len()].local_name().to_owned();
        text.insert_str(at.min(text.len()), &letter);
        if let Err(error) = vocabulary.resolve(Field::Any, &text) {
            let limit = (text.len() / 4).min(3);
            let nearest = terms
                .iter()
                .map(|t| (strsim::osa_distance(t.local_name(), &text), t.curie()))
                .filter(|(distance, _)| *distance <= limit)
                .min();
            prop_assert_eq!(error.suggestion, nearest.map(|(_, curie)| curie));
        }
    }

    /// What comes back stands in the field and is asked for by the text.
    #[test]
    fn what_resolves_was_asked_for(index in 0usize..1220, field in 0usize..8, prefixed: bool) {
        let field = Field::ALL[field];
        let term = Term::all().nth(index).unwrap();
        let text = if prefixed { term.curie() } else { term.local_name() };
        if let Ok(found) = Vocabulary::builtin().resolve(field, text) {
            prop_assert!(field.admits(found));
            prop_assert!(found.curie() == text || found.local_name() == text);
        }
    }
}
