//! `ListPolicies` and `GetPolicy`: the policy versions that events are judged
//! by.

use std::collections::HashMap;
use std::sync::Arc;

use custody_ledger::Digest;
use custody_policy::{Clause, ClauseKind, Policy, Ruleset};
use custody_proto::v1;

use super::at_least::Wanted;
use super::error::{Faults, QueryError};
use super::filter::is_id;
use super::moment::{self, timestamp};
use super::{Ask, QueryState};
use crate::read_model::Visible;

impl Ask for v1::ListPoliciesRequest {
    type Answer = v1::ListPoliciesResponse;
    const METHOD: &'static str = "custody.v1.PolicyService/ListPolicies";
    /// Nothing is read from the ledger.
    const NEEDS_EVERYTHING: bool = false;

    fn wanted(&self, _state: &QueryState) -> Result<Wanted, QueryError> {
        let mut faults = Faults::default();
        if !self.service.is_empty() && !is_id(&self.service, false) {
            faults.push("service", "is no id: `[a-z0-9._-]{1,64}`");
        }
        moment::read(self.in_force_at.as_ref(), "in_force_at", &mut faults);
        faults.or(Wanted::default())
    }

    fn answer(self, state: &QueryState, _: Arc<Visible>) -> Result<Self::Answer, QueryError> {
        let mut faults = Faults::default();
        let at = moment::read(self.in_force_at.as_ref(), "in_force_at", &mut faults);
        let at = faults.or(at)?;
        let rules = state.rulebook.rules;
        let in_force = |policy: &Policy| {
            at.is_none_or(|at| {
                policy.effective_ns() <= at
                    && ends_ns(rules, policy).is_none_or(|ends_ns| at < ends_ns)
            })
        };
        let for_service = |policy: &Policy| {
            self.service.is_empty() || policy.pack().services().any(|it| it == self.service)
        };
        let policies = rules
            .policies()
            .filter(|policy| in_force(policy) && for_service(policy))
            .map(|policy| head(rules, policy));
        Ok(v1::ListPoliciesResponse {
            policies: policies.collect(),
            ruleset: digest(rules),
        })
    }
}

impl Ask for v1::GetPolicyRequest {
    type Answer = v1::GetPolicyResponse;
    const METHOD: &'static str = "custody.v1.PolicyService/GetPolicy";
    /// Nothing is read from the ledger.
    const NEEDS_EVERYTHING: bool = false;

    fn wanted(&self, _state: &QueryState) -> Result<Wanted, QueryError> {
        let mut faults = Faults::default();
        if !is_id(&self.id, true) {
            faults.push("id", "is no policy's id: `[A-Za-z0-9._-]{1,64}`");
        }
        faults.or(Wanted::default())
    }

    fn answer(self, state: &QueryState, _: Arc<Visible>) -> Result<Self::Answer, QueryError> {
        let rules = state.rulebook.rules;
        let policy = rules
            .policy_of(&self.id)
            .ok_or(QueryError::PolicyNotFound)?;
        let policy = rules.policy(policy);
        let mut shown = head(rules, policy);
        let mut clauses: Vec<&Clause> = policy.clauses().iter().collect();
        clauses.sort_by(|a, b| a.id.cmp(&b.id));
        shown.clauses = clauses.into_iter().map(clause).collect();
        // In the order of the file, which decides who the controller is.
        let of_kind = |kind| policy.clauses().iter().filter(move |it| it.kind == kind);
        shown.controllers = of_kind(ClauseKind::Controller)
            .map(|clause| v1::PolicyController {
                controllers: clause.controllers.clone(),
                r#where: clause.jurisdictions.clone(),
                clause: clause.id.clone(),
            })
            .collect();
        shown.exclusions = of_kind(ClauseKind::Exclusion)
            .map(|clause| v1::PolicyExclusion {
                r#where: clause.jurisdictions.clone(),
                recipients: clause.recipients.clone(),
                clause: clause.id.clone(),
            })
            .collect();
        Ok(v1::GetPolicyResponse {
            policy: Some(shown),
        })
    }
}

/// The digest of the rules, as an answer shows it.
pub(crate) fn digest(rules: &Ruleset) -> String {
    Digest(rules.digest()).to_string()
}

/// When the version that follows takes effect.
fn ends_ns(rules: &Ruleset, policy: &Policy) -> Option<i64> {
    let later = rules.policies().filter(|other| {
        other.family() == policy.family() && other.effective_ns() > policy.effective_ns()
    });
    later.map(Policy::effective_ns).min()
}

/// A version without its clauses.
fn head(rules: &Ruleset, policy: &Policy) -> v1::Policy {
    let pack = policy.pack();
    let owned = str::to_owned;
    let mut by_treatment: HashMap<String, u64> = HashMap::new();
    for clause in policy.clauses() {
        *by_treatment
            .entry(clause.treatment.name().to_owned())
            .or_default() += 1;
    }
    v1::Policy {
        id: policy.id().to_owned(),
        title: policy.title().to_owned(),
        effective_at: timestamp(policy.effective_ns()),
        family: policy.family().to_owned(),
        services: pack.services().map(owned).collect(),
        ends_at: ends_ns(rules, policy).and_then(timestamp),
        succeeds: pack.succeeds().unwrap_or_default().to_owned(),
        basis_required: pack.basis_required().map(owned).collect(),
        bases_closed: pack.bases_closed().map(owned).collect(),
        safeguard_required: pack.safeguard_required().map(owned).collect(),
        clauses_by_treatment: by_treatment,
        ..v1::Policy::default()
    }
}

fn clause(clause: &Clause) -> v1::Clause {
    v1::Clause {
        id: clause.id.clone(),
        section: clause.section.clone(),
        summary: clause.summary.clone(),
        kind: clause.kind.name().to_owned(),
        code: clause.code.clone().unwrap_or_default(),
        treatment: clause.treatment.name().to_owned(),
        treated_by: clause.treatment_detail.clone(),
        covers: clause.covers.clone(),
        open: clause.open.clone().unwrap_or_default(),
        r#where: clause.jurisdictions.clone(),
        except: clause.except.clone(),
        from: clause.from_ns.and_then(timestamp),
        addendum: clause.addendum.clone().unwrap_or_default(),
        note: clause.note.clone().unwrap_or_default(),
    }
}
