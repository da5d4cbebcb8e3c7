//! The clauses that promise what was not done.

use custody_policy::{Clause, ClauseKind, Member, Place, Ruleset};

use super::duty::{Began, Owed};

/// Ids of the clauses that promise it, of the policy in force when the duty
/// began, for a person where this one is.
pub(super) fn promised(ruleset: &Ruleset, owed: Owed, began: &Began) -> Vec<String> {
    let Some(policy) = ruleset.in_force(&began.service, began.time_ns) else {
        return Vec::new();
    };
    let clauses = ruleset.policy(policy).clauses().iter();
    clauses
        .filter(|clause| promises(clause, owed, &began.right) && is_for(clause, began))
        .map(|clause| clause.id.clone())
        .collect()
}

fn promises(clause: &Clause, owed: Owed, right: &str) -> bool {
    match owed {
        Owed::Response => {
            let code = clause.code.as_deref();
            clause.kind == ClauseKind::Right
                && (right
                    .strip_prefix("custody:")
                    .is_some_and(|right| code == Some(right))
                    || clause.covers.iter().any(|term| term == right))
        }
        Owed::Notice => clause.kind == ClauseKind::Breach,
        Owed::Erasure => clause.kind == ClauseKind::Retention,
        Owed::Nothing => false,
    }
}

fn is_for(clause: &Clause, began: &Began) -> bool {
    let place = Place::of(&began.jurisdiction);
    clause.jurisdictions.is_empty()
        || clause.jurisdictions.iter().any(|text| {
            Member::of(text)
                .zip(place)
                .is_some_and(|(member, place)| member.contains(place, began.time_ns))
        })
}
