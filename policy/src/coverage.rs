//! How each clause of a policy is reflected, and by what.

use crate::pack::{Clause, ClauseKind, RawClause, Treatment, VersioningRule};
use crate::rules::Policy;
use crate::verdict::FindingCode;

/// How one clause is reflected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Covered<'a> {
    /// The policy's id.
    pub policy: &'a str,
    /// The clause.
    pub clause: &'a Clause,
    /// What is contrary to it is found by these codes. Only of what is
    /// enforced.
    pub found_as: Vec<FindingCode>,
    /// Of a clause that is enforced only by being cited: the clauses that
    /// cite it, or `policy` for the head.
    pub cited_by: Vec<String>,
}

impl Covered<'_> {
    /// By what it is reflected: finding codes and citing clauses, event
    /// kinds, reports and rights, or the reason why nothing can be checked.
    pub fn by(&self) -> Vec<String> {
        match self.clause.treatment {
            Treatment::Enforced => {
                let codes = self.found_as.iter().map(|code| code.name().to_owned());
                let cited = self.cited_by.iter().map(|id| format!("with {id}"));
                codes.chain(cited).collect()
            }
            _ => self.clause.treatment_detail.clone(),
        }
    }

    /// Whether anything reflects it.
    pub fn is_covered(&self) -> bool {
        self.by().iter().any(|by| !by.trim().is_empty())
    }
}

/// How each clause of a policy is reflected, in the order of its pack.
///
/// ```
/// use custody_policy::{Ruleset, coverage};
///
/// for policy in Ruleset::builtin().policies() {
///     assert!(coverage(policy).iter().all(|clause| clause.is_covered()));
/// }
/// ```
pub fn coverage(policy: &Policy) -> Vec<Covered<'_>> {
    let file = &policy.pack().file;
    file.clause
        .iter()
        .zip(policy.clauses())
        .map(|(raw, clause)| {
            let found_as = match clause.treatment {
                Treatment::Enforced => found_as(raw.get_ref()),
                _ => Vec::new(),
            };
            Covered {
                policy: policy.id(),
                clause,
                found_as,
                cited_by: cited_by(policy, &clause.id),
            }
        })
        .collect()
}

/// Who else's findings cite a clause.
fn cited_by(policy: &Policy, id: &str) -> Vec<String> {
    let file = &policy.pack().file;
    let names = |list: &[crate::pack::Said]| list.iter().any(|said| said.get_ref() == id);
    let head = names(&file.policy.processor_clauses).then(|| "policy".to_owned());
    let clauses = file.clause.iter().filter_map(|raw| {
        let raw = raw.get_ref();
        let consent = raw.consent.as_ref()?.get_ref();
        names(&consent.clauses).then(|| raw.id.get_ref().clone())
    });
    head.into_iter().chain(clauses).collect()
}

/// The codes of what is contrary to a clause.
fn found_as(raw: &RawClause) -> Vec<FindingCode> {
    use FindingCode as Code;
    let mut codes = match raw.kind {
        ClauseKind::Exclusion => vec![Code::NoPolicy],
        ClauseKind::Controller => vec![Code::WrongController],
        ClauseKind::Origin => vec![Code::UndeclaredOrigin],
        ClauseKind::Category => vec![Code::UndeclaredCategory],
        ClauseKind::Purpose => vec![Code::UndeclaredPurpose],
        ClauseKind::Recipient => vec![Code::UndeclaredRecipient],
        ClauseKind::Basis => vec![Code::BasisMissing, Code::BasisUndeclared],
        ClauseKind::Storage => vec![Code::StorageElsewhere],
        ClauseKind::Destination if is_true(raw.closed.as_ref()) => {
            vec![Code::UndeclaredDestination]
        }
        ClauseKind::Destination => vec![Code::SafeguardMissing],
        ClauseKind::Safeguard if is_true(raw.counts.as_ref()) => vec![Code::SafeguardMissing],
        ClauseKind::Safeguard => vec![Code::SafeguardInvalid],
        ClauseKind::Retention if raw.trigger.is_some() => vec![Code::RetentionExceeded],
        ClauseKind::Right if raw.stops.is_some() => vec![Code::OptedOut, Code::Objected],
        ClauseKind::Minors if is_true(raw.takes_none.as_ref()) => vec![Code::Minor],
        ClauseKind::NoSale => vec![Code::Sale],
        ClauseKind::Breach => vec![Code::NoticeOverdue],
        ClauseKind::Versioning => match raw.rule.as_ref().map(toml::Spanned::get_ref) {
            Some(VersioningRule::EffectiveOnPosting | VersioningRule::Retroactive) => {
                vec![Code::PolicyMismatch]
            }
            Some(VersioningRule::ConsentIfReduced) => vec![Code::TermsReduced],
            _ => Vec::new(),
        },
        _ => Vec::new(),
    };
    if raw.consent.is_some() {
        codes.extend([
            Code::ConsentMissing,
            Code::ConsentWithdrawn,
            Code::ConsentExpired,
        ]);
    }
    let declares = matches!(
        raw.kind,
        ClauseKind::Category | ClauseKind::Purpose | ClauseKind::Recipient
    );
    if declares && (raw.purposes.is_some() || raw.categories.is_some() || raw.roles.is_some()) {
        codes.push(Code::UndeclaredCombination);
    }
    if declares && raw.bases.is_some() {
        codes.push(Code::BasisUndeclared);
    }
    if is_true(raw.anonymised.as_ref()) {
        codes.push(Code::NotAnonymised);
    }
    if is_true(raw.weakens.as_ref()) {
        codes.push(Code::TermsReduced);
    }
    codes
}

fn is_true(said: Option<&toml::Spanned<bool>>) -> bool {
    said.is_some_and(|said| *said.get_ref())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Pack, Ruleset};

    const PACK: &str = r#"
format = 1
policy.id = "S-1"
policy.family = "S"
policy.title = "S"
policy.services = ["s"]
policy.effective = 2025-01-01
policy.processor_clauses = ["S-1.5"]
clause = [
  { id = "S-1.1", section = "1", kind = "purpose", code = "direct_marketing", consent = { clauses = ["S-1.2"] }, summary = "Letters." },
  { id = "S-1.2", section = "1", kind = "statement", summary = "Consent is asked for." },
  { id = "S-1.3", section = "1", kind = "right", rights = ["custody:access"], answered_by = ["access"], summary = "Access." },
  { id = "S-1.4", section = "1", kind = "statement", stated = "An opinion.", summary = "Privacy matters." },
  { id = "S-1.5", section = "1", kind = "statement", summary = "Not for what is done for others." },
]
"#;

    #[test]
    fn it_says_by_what() {
        let rules = Ruleset::compile(vec![Pack::parse("s.toml", PACK).unwrap()]).unwrap();
        let policy = rules.policies().next().unwrap();
        let by: Vec<String> = coverage(policy).iter().map(|c| c.by().join(", ")).collect();
        assert_eq!(
            by,
            [
                "undeclared_purpose, consent_missing, consent_withdrawn, consent_expired",
                "with S-1.1",
                "access",
                "An opinion.",
                "with policy",
            ]
        );
    }

    #[test]
    fn what_nothing_reflects_is_not_covered() {
        let rules = Ruleset::compile(vec![Pack::parse("s.toml", PACK).unwrap()]).unwrap();
        let policy = rules.policies().next().unwrap();
        let mut covered = coverage(policy).remove(0);
        assert!(covered.is_covered());
        covered.found_as.clear();
        assert!(!covered.is_covered());
    }

    #[test]
    fn every_clause_of_the_five_is_covered() {
        let policies = Ruleset::builtin().policies();
        let bare: Vec<String> = policies
            .flat_map(coverage)
            .filter(|covered| !covered.is_covered())
            .map(|covered| covered.clause.id.clone())
            .collect();
        assert!(bare.is_empty(), "{bare:?}");
    }
}
