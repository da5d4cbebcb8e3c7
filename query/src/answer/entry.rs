//! An entry as an answer shows it.

use custody_ledger::Head;
use custody_ledger::entry::{Act, Finding, Kind, Outcome};
use custody_ledger::id::LedgerId;
use custody_proto::event;
use custody_proto::v1;

use super::error::QueryError;
use super::flow;
use super::moment::timestamp;
use super::scope::{Scope, Seen};
use crate::read_model::{Visible, VisibleShard};

/// The public part of a row.
pub(crate) fn show(scope: &Scope<'_>, seen: &Seen) -> Result<v1::Entry, QueryError> {
    let (row, entry) = (&seen.row, &seen.row.entry);
    let mut shown = v1::Entry {
        position: Some(v1::EntryPosition {
            shard: row.place.shard.to_string(),
            sequence: row.place.sequence,
            offset: entry.offset,
        }),
        kind: entry.kind().map(Kind::name).unwrap_or_default().to_owned(),
        event_time: timestamp(entry.event_time_ns),
        kafka_time: entry
            .kafka_time_ms
            .and_then(|ms| timestamp(ms.saturating_mul(1_000_000))),
        recorded_time: timestamp(row.recorded_time_ns),
        service: entry.service.clone(),
        controller: entry.controller.clone(),
        purposes: entry.purposes.clone(),
        categories: entry.categories.clone(),
        legal_basis: entry.legal_basis.clone(),
        jurisdiction: entry.jurisdiction.clone(),
        location: entry.location.clone(),
        safeguard: flow::safeguard(entry).to_owned(),
        anonymised: entry.anonymised,
        policy: entry.policy.clone(),
        judgement: judgement(entry.judgement.outcome_code).to_owned(),
        findings: entry.judgement.findings.iter().map(finding).collect(),
        event_tag: entry
            .event_tag
            .map(|tag| tag.as_bytes().to_vec())
            .unwrap_or_default(),
        parent_tags: entry
            .parent_tags
            .iter()
            .map(|tag| tag.as_bytes().to_vec())
            .collect(),
        retracted: seen.retracted,
        ..v1::Entry::default()
    };
    if let Some((from, to)) = &seen.flow.abroad {
        shown.from_country.clone_from(from);
        shown.to_country.clone_from(to);
    }
    if let Some(recipient) = entry.recipient() {
        shown.counterparty = Some(scope.counterparty(recipient)?);
    }
    match &entry.act {
        Act::Collection { origin, from } => {
            shown.origin = name_of(*origin, |number| {
                Some(
                    event::collection::Origin::try_from(number)
                        .ok()?
                        .as_str_name(),
                )
            });
            if let Some(from) = from {
                shown.counterparty = Some(scope.counterparty(from)?);
            }
        }
        Act::Use { operation, system } => {
            shown.operation.clone_from(operation);
            shown.system.clone_from(system);
        }
        Act::Disclosure { means, sale, .. } => {
            shown.means = name_of(*means, |number| {
                Some(
                    event::disclosure::Means::try_from(number)
                        .ok()?
                        .as_str_name(),
                )
            });
            shown.sale = *sale;
        }
        _ => {}
    }
    Ok(shown)
}

/// The contract's name of a stored number; empty of 0, which says nothing, and
/// of one that is not known.
fn name_of(number: u8, name: impl Fn(i32) -> Option<&'static str>) -> String {
    match number {
        0 => String::new(),
        said => name(i32::from(said)).unwrap_or_default().to_owned(),
    }
}

fn finding(finding: &Finding) -> v1::Finding {
    v1::Finding {
        code: finding.code.clone(),
        clauses: finding.clauses.clone(),
        arguments: finding.arguments.clone(),
        suppressed: finding.suppressed,
        ..v1::Finding::default()
    }
}

/// The contract's name of a stored judgement.
pub(crate) fn judgement(code: u8) -> &'static str {
    Outcome::from_code(code).unwrap_or_default().name()
}

/// A head as an answer shows it, ordered by shard id.
pub(crate) fn ledger_head(visible: &Visible) -> v1::LedgerHead {
    let shards = visible
        .shards
        .values()
        .map(|VisibleShard { descriptor, head }| shard_head(descriptor, head));
    v1::LedgerHead {
        shards: shards.collect(),
    }
}

pub(crate) fn shard_head(
    descriptor: &custody_ledger::ShardDescriptor,
    head: &Head,
) -> v1::ShardHead {
    v1::ShardHead {
        shard: head.shard.to_string(),
        topic: descriptor.topic.clone(),
        partition: descriptor.partition,
        epoch: descriptor.epoch,
        blocks: head.blocks,
        size: head.size,
        next_offset: head.next_offset,
        chain_head: head.chain_head.as_bytes().to_vec(),
        block_digest: head.block_digest.as_bytes().to_vec(),
        recorded_time: (head.blocks > 0)
            .then(|| timestamp(head.recorded_time_ns))
            .flatten(),
    }
}

/// What is durable and what is visible.
pub(crate) fn checkpoint(
    ledger: LedgerId,
    durable: &[(custody_ledger::ShardDescriptor, Head)],
    visible: &Visible,
) -> v1::GetCheckpointResponse {
    let shards = durable
        .iter()
        .map(|(descriptor, head)| shard_head(descriptor, head));
    v1::GetCheckpointResponse {
        ledger: ledger.to_string(),
        head: Some(v1::LedgerHead {
            shards: shards.collect(),
        }),
        visible: Some(ledger_head(visible)),
    }
}
