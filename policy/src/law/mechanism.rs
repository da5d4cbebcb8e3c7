//! What a transfer may rest on (Chapter V GDPR).

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;

use super::LawError;
use crate::field::Field;
use crate::term::Term;
use crate::vocabulary::Vocabulary;

/// The data file: terms, what they are, and sources.
pub(crate) const FILE: &str = include_str!("../../law/mechanisms.toml");

static MECHANISMS: LazyLock<BTreeMap<Term, Mechanism>> =
    // That the file compiles is tested. Without it nothing is a mechanism.
    LazyLock::new(|| compile(FILE).unwrap_or_default());

/// What a term is as a mechanism for transfers under Chapter V GDPR.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mechanism {
    /// An adequacy decision: counts where [`adequate`](super::adequate) knows
    /// one in force.
    Adequacy,
    /// An appropriate safeguard (Art. 46, 47).
    Safeguard,
    /// A derogation (Art. 49).
    Derogation,
    /// None, whatever a policy says of it.
    None,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MechanismFile {
    mechanism: Vec<MechanismRow>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MechanismRow {
    kind: Mechanism,
    terms: Vec<String>,
    source: String,
}

/// What a term of the field [`Safeguard`](Field::Safeguard) is as a mechanism.
pub fn mechanism(term: Term) -> Mechanism {
    MECHANISMS.get(&term).copied().unwrap_or(Mechanism::None)
}

/// Every term that is a mechanism, narrower ones included.
fn compile(text: &str) -> Result<BTreeMap<Term, Mechanism>, LawError> {
    let file: MechanismFile = toml::from_str(text)?;
    let vocabulary = Vocabulary::builtin();
    let mut named = BTreeMap::new();
    for row in &file.mechanism {
        if row.source.is_empty() {
            return Err(LawError::NoSource {
                of: row.terms.join(", "),
            });
        }
        for curie in &row.terms {
            let term = vocabulary
                .resolve(Field::Safeguard, curie)
                .map_err(|_| LawError::unknown("term", curie))?;
            if named.insert(term, row.kind).is_some() {
                return Err(LawError::Twice {
                    what: curie.clone(),
                });
            }
        }
    }
    let mut all = named.clone();
    for term in vocabulary.terms(Field::Safeguard) {
        if let Some(kind) = nearest(term, &named) {
            all.insert(term, kind);
        }
    }
    Ok(all)
}

/// The row of the term, or that of what is broader, level by level.
fn nearest(term: Term, named: &BTreeMap<Term, Mechanism>) -> Option<Mechanism> {
    let mut level = vec![term];
    // The vocabulary is a few levels deep; the bound ends a cycle.
    for _ in 0..16 {
        if let Some(kind) = level.iter().find_map(|term| named.get(term)) {
            return Some(*kind);
        }
        level = level
            .iter()
            .flat_map(|term| term.broader())
            .copied()
            .collect();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::{FILE, Mechanism, compile, mechanism};
    use crate::{Field, Vocabulary};

    fn of(curie: &str) -> Mechanism {
        mechanism(
            Vocabulary::builtin()
                .resolve(Field::Safeguard, curie)
                .unwrap(),
        )
    }

    #[test]
    fn the_file_compiles() {
        assert!(compile(FILE).is_ok());
        let row = "[[mechanism]]\nkind = 'safeguard'\nsource = 'x'\nterms = ";
        for (text, says) in [
            (format!("{row}['eu-gdpr:A99']"), "unknown term"),
            (format!("{row}['custody:scc', 'custody:scc']"), "said twice"),
            (
                format!("{}[]", row.replace("safeguard", "wish")),
                "unknown variant",
            ),
        ] {
            let error = compile(&text).unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
    }

    #[test]
    fn each_term_is_what_the_regulation_says() {
        for (curie, is) in [
            ("eu-gdpr:A45-3", Mechanism::Adequacy),
            ("eu-gdpr:AdequacyDecision", Mechanism::Adequacy),
            ("eu-gdpr:A46-2-c", Mechanism::Safeguard),
            ("eu-gdpr:BindingCorporateRules", Mechanism::Safeguard),
            ("eu-gdpr:SCCByCommission", Mechanism::Safeguard),
            ("eu-gdpr:AdHocContractualClauses", Mechanism::Safeguard),
            ("custody:scc", Mechanism::Safeguard),
            ("eu-gdpr:A49-1-a", Mechanism::Derogation),
            ("eu-gdpr:A49-2", Mechanism::Derogation),
            ("custody:contract_necessity", Mechanism::Derogation),
            ("custody:privacy_shield", Mechanism::None),
            ("custody:confidentiality", Mechanism::None),
            ("custody:toms", Mechanism::None),
            ("custody:pseudonymisation", Mechanism::None),
            ("custody:other_dpa", Mechanism::None),
            ("custody:intra_group_agreement", Mechanism::None),
            ("eu-gdpr:SupplementaryMeasure", Mechanism::None),
            ("eu-gdpr:DataTransferTool", Mechanism::None),
            ("dpv:DataTransferLegalBasis", Mechanism::None),
            ("dpv:ContractualTerms", Mechanism::None),
            ("dpv:ConfidentialityAgreement", Mechanism::None),
            ("dpv:Pseudonymisation", Mechanism::None),
            ("dpv:Encryption", Mechanism::None),
        ] {
            assert_eq!(of(curie), is, "{curie}");
        }
    }

    #[test]
    fn every_article_of_the_chapter_is_known() {
        for term in Vocabulary::builtin().terms(Field::Safeguard) {
            let article = ["eu-gdpr:A45", "eu-gdpr:A46", "eu-gdpr:A49"]
                .iter()
                .any(|prefix| term.curie().starts_with(prefix));
            if article {
                assert_ne!(mechanism(term), Mechanism::None, "{term}");
            } else if term.curie().starts_with("dpv:") {
                assert_eq!(mechanism(term), Mechanism::None, "{term}");
            }
        }
    }
}
