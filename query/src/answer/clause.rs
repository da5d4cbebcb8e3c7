//! The rules as answers speak of them: the class of a code, and clauses with
//! section and summary.

use std::collections::HashMap;
use std::sync::Arc;

use custody_ledger::entry::Outcome;
use custody_policy::{Clause, FindingCode, Ruleset};
use custody_proto::v1;

/// The class of a finding's code; `None` of one that this version does not
/// know.
pub(crate) fn class(code: &str) -> Option<Outcome> {
    FindingCode::from_name(code).map(|code| match code.class() {
        custody_policy::Outcome::Gap => Outcome::Gap,
        _ => Outcome::Violation,
    })
}

/// The rules that dry runs are judged by and clauses are looked up in.
#[derive(Clone)]
pub(crate) struct Rulebook {
    pub(crate) rules: &'static Ruleset,
    clauses: Arc<HashMap<&'static str, &'static Clause>>,
}

impl Rulebook {
    pub(crate) fn new(rules: &'static Ruleset) -> Self {
        let clauses = rules.policies().flat_map(|policy| policy.clauses());
        Self {
            rules,
            clauses: Arc::new(clauses.map(|clause| (clause.id.as_str(), clause)).collect()),
        }
    }

    /// The clauses with section and summary. What is stored outlives the packs:
    /// a clause that these rules do not have is cited by its id alone.
    pub(crate) fn cite(&self, ids: &[String]) -> Vec<v1::CitedClause> {
        let cited = ids.iter().map(|id| {
            let clause = self.clauses.get(id.as_str());
            v1::CitedClause {
                id: id.clone(),
                section: clause.map(|it| it.section.clone()).unwrap_or_default(),
                summary: clause.map(|it| it.summary.clone()).unwrap_or_default(),
            }
        });
        cited.collect()
    }
}
