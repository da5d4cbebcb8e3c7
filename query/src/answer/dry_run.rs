//! `Judge`: what the judge would say of an event, for a person of whom nothing
//! is known but the history in the request.

use std::sync::Arc;

use custody_ledger::entry::Kind;
use custody_policy::{EntryRef, Explanation, FindingCode, Rehearsal, Said, StoredFinding};
use custody_proto::Timestamp;
use custody_proto::event::{Event, event::Act};
use custody_proto::v1;

use super::at_least::Wanted;
use super::clause::Rulebook;
use super::error::{Faults, QueryError};
use super::moment;
use super::policies::digest;
use super::{Ask, QueryState};
use crate::read_model::Visible;

/// So many events may come before the one that is judged.
const MAX_HISTORY: usize = 1000;

impl Ask for v1::JudgeRequest {
    type Answer = v1::JudgeResponse;
    const METHOD: &'static str = "custody.v1.PolicyService/Judge";
    /// Nothing is read from the ledger.
    const NEEDS_EVERYTHING: bool = false;

    fn wanted(&self, state: &QueryState) -> Result<Wanted, QueryError> {
        let mut faults = Faults::default();
        if !self.policy.is_empty() && state.rulebook.rules.policy_of(&self.policy).is_none() {
            faults.push("policy", "is no policy version that is known");
        }
        if self.history.len() > MAX_HISTORY {
            faults.push("history", "must not have more than 1,000 events");
        }
        faults.or(Wanted::default())
    }

    fn answer(self, state: &QueryState, _: Arc<Visible>) -> Result<Self::Answer, QueryError> {
        let mut faults = Faults::default();
        let as_of_ns = moment::read(self.as_of.as_ref(), "as_of", &mut faults);
        let mut person = Rehearsal::new(state.rulebook.rules)
            .with_retention_days(self.retention_days_after_account_closed);
        for (index, event) in self.history.into_iter().enumerate() {
            let path = format!("history[{index}].");
            let said = Unchecked {
                event_type: event.r#type,
                time: event.time,
                event: event.event,
                id: event.id,
                source: event.source,
            };
            if let Some(said) = said.check(&path, &mut faults)
                && let Err(unknown) = person.take(&said)
            {
                // Repeats the text only where it looks like a term.
                faults.push(format!("{path}event"), unknown.to_string());
            }
        }
        let said = Unchecked {
            event_type: self.r#type,
            time: self.time,
            event: self.event,
            id: self.id,
            source: self.source,
        };
        let said = said.check("", &mut faults);
        let policy = (!self.policy.is_empty()).then_some(self.policy.as_str());
        let explained = said.and_then(|mut said| {
            said.time_ns = as_of_ns.unwrap_or(said.time_ns);
            match person.explain(&said, policy) {
                Ok(explained) => explained,
                Err(unknown) => {
                    faults.push("event", unknown.to_string());
                    None
                }
            }
        });
        let explained = faults.or(explained)?;
        // `wanted` has seen that the policy is known.
        let explained = explained.ok_or(QueryError::PolicyNotFound)?;
        Ok(show(&state.rulebook, explained))
    }
}

fn show(rulebook: &Rulebook, explained: Explanation) -> v1::JudgeResponse {
    let verdict = explained.verdict.to_stored(rulebook.rules);
    v1::JudgeResponse {
        judgement: verdict.outcome.name().to_owned(),
        findings: verdict
            .findings
            .into_iter()
            .map(|found| finding(rulebook, found))
            .collect(),
        reasoning: explained.steps,
        policy: verdict.policy,
        cited: rulebook.cite(&verdict.clauses),
        clauses: verdict.clauses,
        ruleset: digest(rulebook.rules),
    }
}

fn finding(rulebook: &Rulebook, found: StoredFinding) -> v1::Finding {
    let code: FindingCode = found.code;
    v1::Finding {
        code: code.name().to_owned(),
        class: code.class().name().to_owned(),
        cited: rulebook.cite(&found.clauses),
        clauses: found.clauses,
        arguments: found.arguments,
        suppressed: found.waiver.is_some(),
        waiver: found.waiver.unwrap_or_default(),
        decided_by: found.decided_by.iter().map(in_history).collect(),
        ..v1::Finding::default()
    }
}

/// The place of an event in the history; there is no shard.
fn in_history(at: &EntryRef) -> v1::EntryPosition {
    v1::EntryPosition {
        shard: String::new(),
        sequence: at.sequence,
        offset: None,
    }
}

/// An event of a request.
struct Unchecked {
    event_type: String,
    time: Option<Timestamp>,
    event: Option<Event>,
    id: String,
    source: String,
}

impl Unchecked {
    /// Checks what ingest would refuse whatever the policy says: the type, the
    /// time and the kind's block. Terms are resolved by the judge.
    fn check(self, path: &str, faults: &mut Faults) -> Option<Said> {
        let name = self.event_type.strip_prefix("custody.");
        let kind = name
            .and_then(|name| name.strip_suffix(".v1"))
            .and_then(Kind::from_name)
            .filter(|kind| !kind.is_house());
        if kind.is_none() {
            faults.push(
                format!("{path}type"),
                "is no type of an event: `custody.<kind>.v1`",
            );
        }
        let time_ns = moment::read(self.time.as_ref(), &format!("{path}time"), faults);
        if self.time.is_none() {
            faults.push(format!("{path}time"), "must be said");
        }
        if self.event.is_none() {
            faults.push(format!("{path}event"), "must be said");
        }
        let (kind, time_ns, event) = (kind?, time_ns?, self.event?);
        let fits = match &event.act {
            Some(act) => block(act) == block_of(kind),
            None => may_be_absent(kind),
        };
        if !fits {
            faults.push(
                format!("{path}event"),
                format!("needs the block `{}` and no other", block_of(kind)),
            );
            return None;
        }
        Some(Said {
            kind: kind.name().to_owned(),
            source: self.source,
            id: self.id,
            time_ns,
            event,
        })
    }
}

/// The block that says what happened in an event of this kind.
fn block_of(kind: Kind) -> &'static str {
    match kind {
        Kind::ConsentGiven | Kind::ConsentWithdrawn => "consent",
        kind => kind.name(),
    }
}

/// Kinds that say it all by themselves.
fn may_be_absent(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Restriction
            | Kind::RestrictionLifted
            | Kind::Rectification
            | Kind::Anonymisation
            | Kind::AccountClosed
    )
}

fn block(act: &Act) -> &'static str {
    match act {
        Act::Collection(_) => "collection",
        Act::Use(_) => "use",
        Act::Disclosure(_) => "disclosure",
        Act::Transfer(_) => "transfer",
        Act::Consent(_) => "consent",
        Act::Objection(_) => "objection",
        Act::Restriction(_) => "restriction",
        Act::RestrictionLifted(_) => "restriction_lifted",
        Act::Rectification(_) => "rectification",
        Act::Erasure(_) => "erasure",
        Act::Anonymisation(_) => "anonymisation",
        Act::Retraction(_) => "retraction",
        Act::RightsRequest(_) => "rights_request",
        Act::RightsResponse(_) => "rights_response",
        Act::Breach(_) => "breach",
        Act::Notice(_) => "notice",
        Act::PolicyPublished(_) => "policy_published",
        Act::AccountClosed(_) => "account_closed",
        Act::Consultation(_) => "consultation",
    }
}
