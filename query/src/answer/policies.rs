//! `ListPolicies` and `GetPolicy`: the policy versions that events are judged
//! by.

use std::collections::HashMap;
use std::sync::Arc;

use custody_ledger::Digest;
use custody_policy::{Clause, Policy, Ruleset};
use custody_proto::v1;

use super::at_least::Wanted;
use super::error::{Faults, QueryError};
use super::filter::is_id;
use super::moment::{self, timestamp};
use super::pack_text::PackText;
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
            .map(|policy| head(rules, policy, &PackText::of(policy.pack())));
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
        let text = PackText::of(policy.pack());
        let mut shown = head(rules, policy, &text);
        let mut clauses: Vec<&Clause> = policy.clauses().iter().collect();
        clauses.sort_by(|a, b| a.id.cmp(&b.id));
        shown.clauses = clauses.into_iter().map(|it| clause(it, &text)).collect();
        shown.controllers = text.controllers();
        shown.exclusions = text.exclusions();
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
fn head(rules: &Ruleset, policy: &Policy, text: &PackText) -> v1::Policy {
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
        services: policy.pack().services().map(str::to_owned).collect(),
        ends_at: ends_ns(rules, policy).and_then(timestamp),
        succeeds: text.of_policy("succeeds"),
        basis_required: text.list_of_policy("basis_required"),
        bases_closed: text.list_of_policy("bases_closed"),
        safeguard_required: text.list_of_policy("safeguard_required"),
        clauses_by_treatment: by_treatment,
        ..v1::Policy::default()
    }
}

fn clause(clause: &Clause, text: &PackText) -> v1::Clause {
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
        except: text.list(&clause.id, "except"),
        from: text.day(&clause.id, "from"),
        addendum: clause.addendum.clone().unwrap_or_default(),
        note: clause.note.clone().unwrap_or_default(),
    }
}
