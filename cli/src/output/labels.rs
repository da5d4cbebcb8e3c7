//! Plain words for what the ledger says in terms and codes.

use custody_policy::{Field, Vocabulary, country as countries};
use custody_proto::v1::{Counterparty, Finding};

/// A term's label in its field, since a code may be two things; the term
/// itself where the vocabulary has none.
pub fn term(field: Field, curie: &str) -> String {
    if curie.is_empty() {
        return String::new();
    }
    Vocabulary::builtin()
        .resolve(field, curie)
        .map_or_else(|_| curie.to_owned(), |term| term.label().to_owned())
}

/// The labels of several terms, with commas.
pub(super) fn terms(field: Field, curies: &[String]) -> String {
    let labels: Vec<String> = curies.iter().map(|curie| term(field, curie)).collect();
    labels.join(", ")
}

/// A country's name. A part of a country is shown with its code:
/// `United States (US-CA)`.
pub fn country(code: &str) -> String {
    if let Some(name) = countries::name(code) {
        return name.to_owned();
    }
    let whole = code.split('-').next().unwrap_or_default();
    match countries::name(whole) {
        Some(name) => format!("{name} ({code})"),
        None => code.to_owned(),
    }
}

/// An organisation's registered name, or its id where none is known.
pub(crate) fn party(party: Option<&Counterparty>) -> String {
    match party {
        None => String::new(),
        Some(party) if !party.name.is_empty() => party.name.clone(),
        Some(party) if !party.id.is_empty() => party.id.clone(),
        Some(party) if party.person => "a person".to_owned(),
        Some(party) => term(Field::Recipient, &party.category),
    }
}

/// A kind or code in words: `consent_given` → `consent given`.
pub(crate) fn words(code: &str) -> String {
    code.replace('_', " ")
}

/// A judgement and what was found: `violation: consent missing`.
pub(super) fn judgement(outcome: &str, findings: &[Finding]) -> String {
    let mut codes: Vec<String> = Vec::new();
    for finding in findings {
        let code = words(&finding.code);
        if !codes.contains(&code) {
            codes.push(code);
        }
    }
    if codes.is_empty() {
        words(outcome)
    } else {
        format!("{}: {}", words(outcome), codes.join(", "))
    }
}

/// A number with commas between its thousands.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut shown = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}

/// A number and what there are so many of: `1 person`, `2 persons`.
pub fn counted(number: u64, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {what}{plural}", count(number))
}

/// A size in bytes, KiB, MiB or GiB.
pub fn bytes(number: u64) -> String {
    indicatif::BinaryBytes(number).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_commas() {
        let shown = [0, 999, 1_000, 1_234_567].map(count);
        assert_eq!(shown, ["0", "999", "1,000", "1,234,567"]);
    }

    #[test]
    fn one_is_not_several() {
        let shown = [0, 1, 2_000].map(|n| counted(n, "person"));
        assert_eq!(shown, ["0 persons", "1 person", "2,000 persons"]);
    }

    #[test]
    fn a_part_of_a_country_keeps_its_code() {
        assert_eq!(country("DE"), "Germany");
        assert!(country("US-CA").contains("US-CA") || country("US-CA").contains("California"));
        assert_eq!(country("QQ"), "QQ");
    }

    #[test]
    fn an_unknown_term_is_shown_as_it_is() {
        let unknown = "custody:no_such_thing";
        assert_eq!(term(Field::Purpose, unknown), unknown);
        assert_eq!(term(Field::Purpose, ""), "");
    }

    #[test]
    fn every_field_has_labels() {
        for (field, curie) in [
            (Field::Purpose, "custody:purchase_delivery"),
            (Field::Category, "custody:contact"),
            (Field::Recipient, "custody:logistics"),
            (Field::LegalBasis, "eu-gdpr:A6-1-b"),
            (Field::LegalBasis, "dpv:ContractPerformance"),
            (Field::Operation, "dpv:Store"),
        ] {
            assert_ne!(term(field, curie), curie);
        }
    }

    #[test]
    fn a_judgement_names_each_finding_once() {
        let finding = |code: &str| Finding {
            code: code.to_owned(),
            ..Finding::default()
        };
        let findings = [finding("consent_missing"), finding("sale"), finding("sale")];
        assert_eq!(
            judgement("violation", &findings),
            "violation: consent missing, sale"
        );
        assert_eq!(judgement("not_judged", &[]), "not judged");
    }
}
