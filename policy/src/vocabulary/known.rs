//! Terms that the judge knows by name.

use std::sync::LazyLock;

use super::Vocabulary;
use crate::field::Field;
use crate::rules::TermSet;
use crate::term::Term;

/// What the judge knows: each with everything narrower.
struct Known {
    consent: TermSet,
    expressed_consent: TermSet,
    claim_basis: TermSet,
    withdrawal: TermSet,
    firm_basis: TermSet,
    marketing: TermSet,
    legal_claims: TermSet,
    account: TermSet,
    storage: TermSet,
    removal: TermSet,
    erasure: TermSet,
    restriction: TermSet,
    objection: TermSet,
}

/// The names, by field.
const CONSENT: &[&str] = &["dpv:Consent"];
const EXPRESSED: &[&str] = &["dpv:ExpressedConsent"];
const CLAIM_BASIS: &[&str] = &["custody:exercise_of_rights", "eu-gdpr:A9-2-f"];
const WITHDRAWAL: &[&str] = &["eu-gdpr:A7-3"];
/// What an objection does not stop: GDPR Art. 21(1) names Art. 6(1)(e) and (f)
/// only; consent is withdrawn, not objected to.
const FIRM: &[&str] = &["dpv:Contract", "dpv:LegalObligation", "dpv:VitalInterest"];
const MARKETING: &[&str] = &["dpv:Marketing"];
const CLAIMS: &[&str] = &["custody:legal_claims"];
const ACCOUNT: &[&str] = &["dpv:AccountManagement", "dpv:ServiceRegistration"];
const STORAGE: &[&str] = &["dpv:Store"];
/// What ends keeping.
const REMOVAL: &[&str] = &[
    "dpv:Remove",
    "dpv:Erase",
    "dpv:Delete",
    "dpv:Destruct",
    "dpv:Anonymise",
];
const ERASURE: &[&str] = &["eu-gdpr:A17"];
const RESTRICTION: &[&str] = &["eu-gdpr:A18"];
const OBJECTION: &[&str] = &["eu-gdpr:A21"];

static KNOWN: LazyLock<Known> = LazyLock::new(|| Known {
    consent: set(Field::LegalBasis, CONSENT),
    expressed_consent: set(Field::LegalBasis, EXPRESSED),
    claim_basis: set(Field::LegalBasis, CLAIM_BASIS),
    withdrawal: set(Field::Right, WITHDRAWAL),
    firm_basis: set(Field::LegalBasis, FIRM),
    marketing: set(Field::Purpose, MARKETING),
    legal_claims: set(Field::Purpose, CLAIMS),
    account: set(Field::Purpose, ACCOUNT),
    storage: set(Field::Operation, STORAGE),
    removal: set(Field::Operation, REMOVAL),
    erasure: set(Field::Right, ERASURE),
    restriction: set(Field::Right, RESTRICTION),
    objection: set(Field::Right, OBJECTION),
});

fn set(field: Field, names: &[&str]) -> TermSet {
    let vocabulary = Vocabulary::builtin();
    let terms: Vec<Term> = names
        .iter()
        .filter_map(|name| vocabulary.resolve_quietly(field, name))
        .collect();
    TermSet::covering(field, &terms)
}

impl Vocabulary {
    /// Whether a basis is a consent.
    pub(crate) fn is_consent(&self, basis: Term) -> bool {
        KNOWN.consent.contains(basis)
    }

    /// Whether a basis is a consent that was expressed: conduct is none.
    pub(crate) fn is_expressed_consent(&self, basis: Term) -> bool {
        KNOWN.expressed_consent.contains(basis)
    }

    /// Whether a basis is the making or defending of a legal claim.
    pub(crate) fn is_claim_basis(&self, basis: Term) -> bool {
        KNOWN.claim_basis.contains(basis)
    }

    /// Whether a right is the withdrawal of a consent.
    pub(crate) fn is_withdrawal(&self, right: Term) -> bool {
        KNOWN.withdrawal.contains(right)
    }

    /// Whether an objection leaves a basis standing.
    pub(crate) fn withstands_objection(&self, basis: Term) -> bool {
        KNOWN.firm_basis.contains(basis)
    }

    /// Whether a purpose is marketing.
    pub(crate) fn is_marketing(&self, purpose: Term) -> bool {
        KNOWN.marketing.contains(purpose)
    }

    /// Whether a purpose is making or defending a legal claim.
    pub(crate) fn is_legal_claim(&self, purpose: Term) -> bool {
        KNOWN.legal_claims.contains(purpose)
    }

    /// Whether a purpose is having an account.
    pub(crate) fn is_account(&self, purpose: Term) -> bool {
        KNOWN.account.contains(purpose)
    }

    /// Whether an operation is storing.
    pub(crate) fn is_storage(&self, operation: Term) -> bool {
        KNOWN.storage.contains(operation)
    }

    /// Whether an operation ends the keeping of data.
    pub(crate) fn is_removal(&self, operation: Term) -> bool {
        KNOWN.removal.contains(operation)
    }

    /// Whether a right is erasure.
    pub(crate) fn is_erasure(&self, right: Term) -> bool {
        KNOWN.erasure.contains(right)
    }

    /// Whether a right is restriction.
    pub(crate) fn is_restriction(&self, right: Term) -> bool {
        KNOWN.restriction.contains(right)
    }

    /// Whether a right is objection.
    pub(crate) fn is_objection(&self, right: Term) -> bool {
        KNOWN.objection.contains(right)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_a_term() {
        for (field, names) in [
            (
                Field::LegalBasis,
                [CONSENT, EXPRESSED, FIRM, CLAIM_BASIS].concat(),
            ),
            (Field::Purpose, [MARKETING, CLAIMS, ACCOUNT].concat()),
            (Field::Operation, [STORAGE, REMOVAL].concat()),
            (
                Field::Right,
                [ERASURE, RESTRICTION, OBJECTION, WITHDRAWAL].concat(),
            ),
        ] {
            for name in names {
                assert!(
                    Vocabulary::builtin().resolve(field, name).is_ok(),
                    "{name} in {field}"
                );
            }
        }
    }

    #[test]
    fn the_gdpr_consents_are_consents() {
        let vocabulary = Vocabulary::builtin();
        let basis = |text| vocabulary.resolve(Field::LegalBasis, text).unwrap();
        for text in [
            "eu-gdpr:A6-1-a",
            "eu-gdpr:A9-2-a",
            "custody:consent_location",
        ] {
            assert!(vocabulary.is_consent(basis(text)), "{text}");
        }
        for text in [
            "eu-gdpr:A6-1-f",
            "custody:permitted_by_law",
            "dpv:LegalBasis",
        ] {
            assert!(!vocabulary.is_consent(basis(text)), "{text}");
        }
        assert!(vocabulary.is_expressed_consent(basis("eu-gdpr:A6-1-a")));
        assert!(!vocabulary.is_expressed_consent(basis("dpv:ImpliedConsent")));
        assert!(vocabulary.withstands_objection(basis("eu-gdpr:A6-1-b")));
        assert!(!vocabulary.withstands_objection(basis("eu-gdpr:A6-1-f")));
    }
}
