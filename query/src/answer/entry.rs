//! An entry as an answer shows it.

use std::convert::Infallible;
use std::sync::LazyLock;

use custody_ledger::entry::{Act, Entry, EntryRef, HouseRecord, Kind, PartyPart};
use custody_ledger::id::LedgerId;
use custody_ledger::{Head, Published};
use custody_policy::Ruleset;
use custody_proto::event;
use custody_proto::v1;

use super::clause::Rulebook;
use super::error::QueryError;
use super::finding;
use super::flow::{self, Flow};
use super::judgement::outcome;
use super::moment::timestamp;
use super::registry::Registry;
use super::scope::Seen;
use crate::read_model::{EventRow, Place, Visible, VisibleShard};

/// The public part of a row.
pub(crate) fn show(
    registry: &Registry<'_>,
    seen: &Seen,
    with_clauses: bool,
) -> Result<v1::Entry, QueryError> {
    compose(&registry.state.rulebook, seen, with_clauses, |party| {
        registry.counterparty(party)
    })
}

/// Nothing is looked up in it where no clauses are shown.
static BUILTIN: LazyLock<Rulebook> = LazyLock::new(|| Rulebook::new(Ruleset::builtin()));

/// The public part of a stored entry as an answer shows it, from nothing but
/// its own bytes: without the names that organisations are registered under,
/// the time that it was recorded, and what later entries say of it.
pub fn public_part(at: EntryRef, entry: Entry) -> v1::Entry {
    let recipient = entry.recipient().map(unregistered);
    let destination = recipient.map(|party| party.country).unwrap_or_default();
    let seen = Seen {
        flow: Flow::to(&entry, destination),
        row: EventRow {
            place: Place {
                event_time_ns: entry.event_time_ns,
                shard: at.shard,
                sequence: at.sequence,
            },
            recorded_time_ns: 0,
            height: 0,
            has_sealed: !entry.sealed.is_empty(),
            entry,
        },
        person: 0,
        retracted: false,
        rejudged: Vec::new(),
    };
    let Ok(mut shown) = compose(&BUILTIN, &seen, false, |party| {
        Ok::<_, Infallible>(unregistered(party))
    });
    shown.recorded_time = None;
    shown
}

fn unregistered(party: &PartyPart) -> v1::Counterparty {
    v1::Counterparty {
        id: party.id.clone(),
        name: String::new(),
        category: party.category.clone(),
        country: party.country.clone(),
        person: party.person,
    }
}

fn compose<E>(
    rulebook: &Rulebook,
    seen: &Seen,
    with_clauses: bool,
    counterparty: impl Fn(&PartyPart) -> Result<v1::Counterparty, E>,
) -> Result<v1::Entry, E> {
    let (row, entry) = (&seen.row, &seen.row.entry);
    let judged = seen.judgement();
    let (superseded, in_force): (Vec<_>, Vec<_>) = seen
        .findings()
        .iter()
        .map(|found| finding::show(rulebook, found, with_clauses))
        .partition(|finding| finding.superseded);
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
        judgement: seen.outcome().name().to_owned(),
        findings: in_force,
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
        late: entry.judgement.late,
        superseded_by: seen
            .rejudged
            .last()
            .map(|last| finding::in_house(last.sequence)),
        judgement_at_ingest: outcome(row, &[]).name().to_owned(),
        judged_policy: judged.policy.clone(),
        clauses: judged.clauses.clone(),
        cited: if with_clauses {
            rulebook.cite(&judged.clauses)
        } else {
            Vec::new()
        },
        superseded_findings: superseded,
        ..v1::Entry::default()
    };
    if let Some((from, to)) = &seen.flow.abroad {
        shown.from_country.clone_from(from);
        shown.to_country.clone_from(to);
    }
    if let Some(recipient) = entry.recipient() {
        shown.counterparty = Some(counterparty(recipient)?);
    }
    match &entry.act {
        Act::Collection { origin, from } => {
            shown.origin = name_of(*origin, |number| {
                Some(
                    event::collection::Origin::try_from(number)
                        .ok()?
                        .as_str_name(),
                )
            })
            .to_owned();
            if let Some(from) = from {
                shown.counterparty = Some(counterparty(from)?);
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
            })
            .to_owned();
            shown.sale = *sale;
        }
        Act::House(HouseRecord::Rejudged {
            shard,
            sequence,
            cause,
            ..
        }) => {
            shown.about = Some(finding::position(&EntryRef {
                shard: *shard,
                sequence: *sequence,
            }));
            shown.cause = Some(finding::position(cause));
        }
        Act::House(HouseRecord::OverdueFound { of, .. }) => {
            shown.about = Some(finding::position(of));
        }
        _ => {}
    }
    Ok(shown)
}

/// The contract's name of a stored number; empty of 0, which says nothing, and
/// of one that is not known.
pub(super) fn name_of(number: u8, name: impl Fn(i32) -> Option<&'static str>) -> &'static str {
    match number {
        0 => "",
        said => name(i32::from(said)).unwrap_or_default(),
    }
}

/// A head as an answer shows it, ordered by shard id.
pub(crate) fn ledger_head(visible: &Visible) -> v1::LedgerHead {
    let shards = visible
        .shards
        .values()
        .map(|VisibleShard { descriptor, head }| shard_head(descriptor, head));
    v1::LedgerHead {
        shards: shards.collect(),
        checkpoint: Vec::new(),
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

/// What is durable, what is visible, and what is signed.
pub(crate) fn checkpoint(
    ledger: LedgerId,
    durable: &[(custody_ledger::ShardDescriptor, Head)],
    visible: &Visible,
    signed: Option<&Published>,
) -> v1::GetCheckpointResponse {
    let shards = durable
        .iter()
        .map(|(descriptor, head)| shard_head(descriptor, head));
    v1::GetCheckpointResponse {
        ledger: ledger.to_string(),
        head: Some(v1::LedgerHead {
            shards: shards.collect(),
            checkpoint: Vec::new(),
        }),
        visible: Some(ledger_head(visible)),
        checkpoint: signed
            .map(|signed| signed.note.clone().into_bytes())
            .unwrap_or_default(),
        manifest: signed
            .map(|signed| signed.manifest_text.clone().into_bytes())
            .unwrap_or_default(),
        shards: signed
            .iter()
            .flat_map(|signed| &signed.shards)
            .map(|(shard, signed)| v1::SignedCheckpoint {
                shard: shard.to_string(),
                checkpoint: signed.note.clone().into_bytes(),
            })
            .collect(),
    }
}
