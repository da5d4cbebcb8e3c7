//! The messages of `custody.v1.PolicyService`, where no server is asked.

use std::collections::HashMap;

use custody_policy::{Clause, Explanation, Policy, Ruleset, StoredFinding};
use custody_proto::Timestamp;
use custody_proto::v1;
use toml::{Table, Value};

/// Nanoseconds since 1970 as a message has it.
pub(super) fn timestamp(ns: i64) -> Timestamp {
    Timestamp {
        seconds: ns.div_euclid(1_000_000_000),
        // Less than a second.
        nanos: ns.rem_euclid(1_000_000_000) as i32,
    }
}

/// Nanoseconds since 1970 of a message's time.
pub(super) fn nanos(at: Timestamp) -> Option<i64> {
    at.seconds
        .checked_mul(1_000_000_000)?
        .checked_add(at.nanos.into())
}

pub(super) fn digest(rules: &Ruleset) -> String {
    hex::encode(rules.digest())
}

/// When the version that follows takes effect.
pub(super) fn ends_ns(rules: &Ruleset, policy: &Policy) -> Option<i64> {
    let later = rules.policies().filter(|other| {
        other.family() == policy.family() && other.effective_ns() > policy.effective_ns()
    });
    later.map(Policy::effective_ns).min()
}

/// A version without its clauses.
pub(super) fn head(rules: &Ruleset, policy: &Policy) -> v1::Policy {
    let mut by_treatment: HashMap<String, u64> = HashMap::new();
    for clause in policy.clauses() {
        let treatment = clause.treatment.name().to_owned();
        *by_treatment.entry(treatment).or_default() += 1;
    }
    let text = parsed(policy);
    let head = text.get("policy").and_then(Value::as_table);
    let list = |key: &str| head.map(|head| strings(head, key)).unwrap_or_default();
    v1::Policy {
        id: policy.id().to_owned(),
        title: policy.title().to_owned(),
        effective_at: Some(timestamp(policy.effective_ns())),
        family: policy.family().to_owned(),
        services: policy.pack().services().map(str::to_owned).collect(),
        ends_at: ends_ns(rules, policy).map(timestamp),
        succeeds: head
            .and_then(|head| head.get("succeeds")?.as_str())
            .unwrap_or_default()
            .to_owned(),
        basis_required: list("basis_required"),
        bases_closed: list("bases_closed"),
        safeguard_required: list("safeguard_required"),
        clauses_by_treatment: by_treatment,
        ..v1::Policy::default()
    }
}

/// A version with its clauses.
pub(super) fn whole(rules: &Ruleset, policy: &Policy) -> v1::Policy {
    let text = parsed(policy);
    let raw: Vec<&Table> = text
        .get("clause")
        .and_then(Value::as_array)
        .map(|clauses| clauses.iter().filter_map(Value::as_table).collect())
        .unwrap_or_default();
    let mut shown = head(rules, policy);
    for (said, it) in raw.into_iter().zip(policy.clauses()) {
        match it.kind {
            custody_policy::ClauseKind::Controller => {
                shown.controllers.push(v1::PolicyController {
                    controllers: strings(said, "controllers"),
                    r#where: strings(said, "where"),
                    clause: it.id.clone(),
                });
            }
            custody_policy::ClauseKind::Exclusion => {
                shown.exclusions.push(v1::PolicyExclusion {
                    r#where: strings(said, "where"),
                    recipients: strings(said, "recipients"),
                    clause: it.id.clone(),
                });
            }
            _ => {}
        }
        shown.clauses.push(clause(it, said));
    }
    shown.clauses.sort_by(|a, b| a.id.cmp(&b.id));
    shown
}

fn clause(it: &Clause, said: &Table) -> v1::Clause {
    v1::Clause {
        id: it.id.clone(),
        section: it.section.clone(),
        summary: it.summary.clone(),
        kind: it.kind.name().to_owned(),
        code: it.code.clone().unwrap_or_default(),
        treatment: it.treatment.name().to_owned(),
        treated_by: it.treatment_detail.clone(),
        covers: it.covers.clone(),
        open: it.open.clone().unwrap_or_default(),
        r#where: it.jurisdictions.clone(),
        except: strings(said, "except"),
        from: said
            .get("from")
            .and_then(|day| format!("{}T00:00:00Z", day.as_datetime()?).parse().ok()),
        addendum: it.addendum.clone().unwrap_or_default(),
        note: it.note.clone().unwrap_or_default(),
    }
}

/// The pack's text, which is TOML: it was read before.
fn parsed(policy: &Policy) -> Table {
    policy.pack().text().parse().unwrap_or_default()
}

fn strings(table: &Table, key: &str) -> Vec<String> {
    let list = table.get(key).and_then(Value::as_array);
    let texts = list.into_iter().flatten().filter_map(Value::as_str);
    texts.map(str::to_owned).collect()
}

/// What the judge said.
pub(super) fn judged(rules: &Ruleset, explained: &Explanation) -> v1::JudgeResponse {
    let verdict = explained.verdict.to_stored(rules);
    v1::JudgeResponse {
        judgement: verdict.outcome.name().to_owned(),
        findings: verdict
            .findings
            .into_iter()
            .map(|found| finding(rules, found))
            .collect(),
        reasoning: explained.steps.clone(),
        policy: verdict.policy,
        cited: cite(rules, &verdict.clauses),
        clauses: verdict.clauses,
        ruleset: digest(rules),
    }
}

fn finding(rules: &Ruleset, found: StoredFinding) -> v1::Finding {
    v1::Finding {
        code: found.code.name().to_owned(),
        class: found.code.class().name().to_owned(),
        cited: cite(rules, &found.clauses),
        clauses: found.clauses,
        arguments: found.arguments,
        suppressed: found.waiver.is_some(),
        waiver: found.waiver.unwrap_or_default(),
        decided_by: found
            .decided_by
            .iter()
            .map(|at| v1::EntryPosition {
                sequence: at.sequence,
                ..v1::EntryPosition::default()
            })
            .collect(),
        ..v1::Finding::default()
    }
}

fn cite(rules: &Ruleset, ids: &[String]) -> Vec<v1::CitedClause> {
    let cited = ids.iter().map(|id| {
        let clause = rules.clause_of(id);
        v1::CitedClause {
            id: id.clone(),
            section: clause.map(|it| it.section.clone()).unwrap_or_default(),
            summary: clause.map(|it| it.summary.clone()).unwrap_or_default(),
        }
    });
    cited.collect()
}
