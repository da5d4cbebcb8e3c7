//! An entry as an answer must show it, and what was found, written out from the
//! contract's words.

use std::collections::HashMap;
use std::sync::OnceLock;

use custody_ledger::{Act, EntryRef, Finding, HouseRecord, Judgement, Outcome};
use custody_policy::{Clause, FindingCode, Ruleset};
use custody_proto::{Timestamp, event, v1};

use crate::oracle::{Oracle, safeguard};
use crate::payload::{Said, payload};
use crate::world::{Draft, Fact, SECOND, SOURCE, START};

/// How an entry is asked for.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Show {
    /// What is known by then counts.
    pub(crate) until: i64,
    pub(crate) with_clauses: bool,
    pub(crate) full: bool,
}

/// A finding, and where it stands.
#[derive(Clone)]
pub(crate) struct Expected<'a> {
    pub(crate) fact: &'a Fact,
    pub(crate) finding: Finding,
    pub(crate) policy: String,
    /// What holds it: the entry, or a re-judgement of it.
    pub(crate) holder: &'a Fact,
    pub(crate) superseded: bool,
    due_ns: Option<i64>,
}

impl Expected<'_> {
    pub(crate) fn class(&self) -> &'static str {
        class_of(&self.finding.code)
    }

    fn show(&self, with_clauses: bool) -> v1::Finding {
        let finding = &self.finding;
        v1::Finding {
            code: finding.code.clone(),
            clauses: finding.clauses.clone(),
            arguments: finding.arguments.clone(),
            suppressed: finding.suppressed,
            class: self.class().to_owned(),
            decided_by: finding.decided_by.iter().map(at).collect(),
            waiver: finding.waiver.clone(),
            superseded: self.superseded,
            cited: cite(&finding.clauses, with_clauses),
            due_time: self.due_ns.map(Timestamp::from_unix_nanos),
        }
    }

    pub(crate) fn row(&self, oracle: &Oracle<'_>, show: Show) -> v1::FindingRow {
        let subject = self.fact.entry.subject;
        let is_itself = std::ptr::eq(self.fact, self.holder);
        v1::FindingRow {
            finding: Some(self.show(show.with_clauses)),
            entry: Some(shown(oracle, self.fact, false, show)),
            found_by: Some(v1::EntryPosition {
                offset: self.holder.entry.offset.filter(|_| is_itself),
                ..place(self.holder)
            }),
            found_time: Some(Timestamp::from_unix_nanos(self.holder.recorded_ns)),
            policy: self.policy.clone(),
            reference: subject.map(|it| it.to_string()).unwrap_or_default(),
        }
    }
}

fn class_of(code: &str) -> &'static str {
    let is_it = |known: &FindingCode| known.name() == code;
    let known = FindingCode::ALL.into_iter().find(is_it).unwrap();
    known.class().name()
}

fn place(fact: &Fact) -> v1::EntryPosition {
    v1::EntryPosition {
        shard: fact.shard.to_string(),
        sequence: fact.sequence,
        offset: fact.entry.offset,
    }
}

/// Where it stands, without its offset.
pub(crate) fn position(fact: &Fact) -> v1::EntryPosition {
    v1::EntryPosition {
        offset: None,
        ..place(fact)
    }
}

fn at(entry: &EntryRef) -> v1::EntryPosition {
    v1::EntryPosition {
        shard: entry.shard.to_string(),
        sequence: entry.sequence,
        offset: None,
    }
}

/// Every clause of every policy that there is.
fn clauses() -> &'static HashMap<&'static str, &'static Clause> {
    static CLAUSES: OnceLock<HashMap<&str, &Clause>> = OnceLock::new();
    CLAUSES.get_or_init(|| {
        let policies = Ruleset::builtin().policies();
        let clauses = policies.flat_map(|policy| policy.clauses());
        clauses.map(|clause| (clause.id.as_str(), clause)).collect()
    })
}

fn cite(ids: &[String], asked_for: bool) -> Vec<v1::CitedClause> {
    if !asked_for {
        return Vec::new();
    }
    let cited = ids.iter().map(|id| {
        let clause = clauses().get(id.as_str());
        v1::CitedClause {
            id: id.clone(),
            section: clause.map(|it| it.section.clone()).unwrap_or_default(),
            summary: clause.map(|it| it.summary.clone()).unwrap_or_default(),
        }
    });
    cited.collect()
}

/// Everything that was found about an entry, the oldest judgement first.
pub(crate) fn findings_of<'a>(
    oracle: &Oracle<'a>,
    fact: &'a Fact,
    until: i64,
) -> Vec<Expected<'a>> {
    if let Act::House(HouseRecord::OverdueFound {
        code,
        of,
        clauses,
        due_ns,
        source,
    }) = &fact.entry.act
    {
        let finding = Finding {
            code: code.clone(),
            clauses: clauses.clone(),
            arguments: vec![source.clone()],
            suppressed: false,
            decided_by: vec![*of],
            waiver: String::new(),
        };
        return vec![Expected {
            fact,
            finding,
            policy: clauses[0].split('.').next().unwrap().to_owned(),
            holder: fact,
            superseded: false,
            due_ns: Some(*due_ns),
        }];
    }
    let judgements = oracle.judgements(fact, until);
    let in_force = judgements.len() - 1;
    let mut found = Vec::new();
    for (number, (judgement, holder)) in judgements.into_iter().enumerate() {
        found.extend(judgement.findings.iter().map(|finding| Expected {
            fact,
            finding: finding.clone(),
            policy: judgement.policy.clone(),
            holder,
            superseded: number < in_force,
            due_ns: None,
        }));
    }
    found
}

pub(crate) fn shown(oracle: &Oracle<'_>, fact: &Fact, retracted: bool, show: Show) -> v1::Entry {
    // The same facts, for as long as those of the oracle.
    let fact = oracle.fact(fact);
    let entry = &fact.entry;
    let texts = |bytes: &[custody_ledger::EventTag]| -> Vec<Vec<u8>> {
        bytes.iter().map(|tag| tag.as_bytes().to_vec()).collect()
    };
    let judgements = oracle.judgements(fact, show.until);
    let (in_force, holder) = *judgements.last().unwrap();
    let (before, now): (Vec<_>, Vec<_>) = findings_of(oracle, fact, show.until)
        .into_iter()
        .partition(|found| found.superseded);
    let show_all = |found: Vec<Expected<'_>>| -> Vec<v1::Finding> {
        let shown = found.iter().map(|found| found.show(show.with_clauses));
        shown.collect()
    };
    let (from, to) = oracle.abroad(fact, show.until).unwrap_or_default();
    let mut shown = v1::Entry {
        position: Some(place(fact)),
        kind: entry.kind().unwrap().name().to_owned(),
        event_time: Some(Timestamp::from_unix_nanos(entry.event_time_ns)),
        kafka_time: entry
            .kafka_time_ms
            .map(|ms| Timestamp::from_unix_nanos(ms * 1_000_000)),
        recorded_time: Some(Timestamp::from_unix_nanos(fact.recorded_ns)),
        service: entry.service.clone(),
        controller: entry.controller.clone(),
        purposes: entry.purposes.clone(),
        categories: entry.categories.clone(),
        legal_basis: entry.legal_basis.clone(),
        jurisdiction: entry.jurisdiction.clone(),
        location: entry.location.clone(),
        counterparty: entry
            .recipient()
            .map(|party| oracle.counterparty(party, show.until)),
        from_country: from.to_owned(),
        to_country: to.to_owned(),
        safeguard: safeguard(fact).to_owned(),
        anonymised: entry.anonymised,
        policy: entry.policy.clone(),
        judgement: oracle.outcome(fact, show.until).name().to_owned(),
        findings: show_all(now),
        event_tag: texts(entry.event_tag.as_slice()).concat(),
        parent_tags: texts(&entry.parent_tags),
        retracted,
        sealed: fact
            .draft
            .as_ref()
            .filter(|_| show.full)
            .map(|it| sealed(it)),
        late: entry.judgement.late,
        superseded_by: (judgements.len() > 1).then(|| place(holder)),
        judgement_at_ingest: at_ingest(fact).name().to_owned(),
        judged_policy: in_force.policy.clone(),
        clauses: in_force.clauses.clone(),
        cited: cite(&in_force.clauses, show.with_clauses),
        superseded_findings: show_all(before),
        ..v1::Entry::default()
    };
    match &entry.act {
        Act::Collection { origin, from } => {
            let origins = ["", "subject", "device", "third_party", "public", "inferred"];
            shown.origin = origins[usize::from(*origin)].to_owned();
            if let Some(party) = from {
                shown.counterparty = Some(oracle.counterparty(party, show.until));
            }
        }
        Act::Use { operation, system } => {
            shown.operation.clone_from(operation);
            shown.system.clone_from(system);
        }
        Act::Disclosure { means, sale, .. } => {
            let ways = ["", "api", "file", "web", "paper", "spoken", "other"];
            shown.means = ways[usize::from(*means)].to_owned();
            shown.sale = *sale;
        }
        Act::House(HouseRecord::Rejudged {
            shard,
            sequence,
            cause,
            ..
        }) => {
            shown.about = Some(at(&EntryRef {
                shard: *shard,
                sequence: *sequence,
            }));
            shown.cause = Some(at(cause));
        }
        Act::House(HouseRecord::OverdueFound { of, .. }) => shown.about = Some(at(of)),
        _ => {}
    }
    shown
}

fn at_ingest(fact: &Fact) -> Outcome {
    let Judgement { outcome_code, .. } = &fact.entry.judgement;
    match &fact.entry.act {
        Act::House(HouseRecord::OverdueFound { .. }) => Outcome::Violation,
        _ => Outcome::from_code(*outcome_code).unwrap(),
    }
}

/// What the producer said; of an event whose data a test wrote by hand, without
/// its data.
fn sealed(draft: &Draft) -> v1::SealedPart {
    let act = draft.said.as_ref().map(|said| match said {
        Said::Consent {
            scope,
            recipients,
            method,
            given_by,
            expires,
        } => event::event::Act::Consent(event::Consent {
            scope: vec![(*scope).to_owned()],
            recipients: recipients.iter().map(|id| (*id).to_owned()).collect(),
            method: *method as i32,
            given_by: *given_by as i32,
            expires_at: expires.map(|at| Timestamp::from_unix_nanos(START + at * SECOND)),
        }),
        Said::Objection { scope, kind, by } => event::event::Act::Objection(event::Objection {
            kind: *kind as i32,
            scope: vec![(*scope).to_owned()],
            by: *by as i32,
        }),
    });
    let data = event::Event {
        subject: Some(event::Subject {
            ids: vec![draft.ids[0].clone()],
            ..Default::default()
        }),
        service: "shop.example".to_owned(),
        derived_from: draft
            .parents
            .iter()
            .map(|id| event::EventReference {
                source: SOURCE.to_owned(),
                id: id.clone(),
            })
            .collect(),
        note: "said by phone".to_owned(),
        act,
        ..Default::default()
    };
    v1::SealedPart {
        id: draft.event_id.clone(),
        source: SOURCE.to_owned(),
        data: Some(data),
        payload_size: payload(draft).len() as u64,
        content_type: "application/json".to_owned(),
    }
}
