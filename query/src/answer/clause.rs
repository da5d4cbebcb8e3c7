//! What an answer says of a code and of a clause beside its name.

use custody_ledger::entry::Outcome;
use custody_proto::v1;

/// The class of a finding's code; `None` of one that this version does not
/// know.
pub(crate) fn class(code: &str) -> Option<Outcome> {
    match code {
        "" => None,
        "no_policy" | "policy_mismatch" => Some(Outcome::Gap),
        code if code.starts_with("undeclared_") => Some(Outcome::Gap),
        _ => Some(Outcome::Violation),
    }
}

/// The clauses with section and summary.
pub(crate) fn cite(clauses: &[String]) -> Vec<v1::CitedClause> {
    let cited = clauses.iter().map(|id| v1::CitedClause {
        id: id.clone(),
        ..v1::CitedClause::default()
    });
    cited.collect()
}
