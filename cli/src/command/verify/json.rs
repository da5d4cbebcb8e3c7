//! The report for programs.

use custody_ledger::{ShardReport, VerifyReport};
use serde::Serialize;

use super::checkpoint::CheckpointJson;
use super::kafka::Comparison;
use super::vault::Checked;

/// The report for programs.
#[derive(Serialize)]
pub(super) struct ReportJson<'a> {
    ok: bool,
    ledger: Option<String>,
    entries: u64,
    blocks: u64,
    shards: Vec<ShardJson>,
    faults: Vec<FaultJson>,
    warnings: Vec<String>,
    /// The signed checkpoint that the ledger was compared with.
    checkpoint: Option<CheckpointJson>,
    /// The earlier one that it continues.
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<CheckpointJson>,
    #[serde(skip_serializing_if = "Option::is_none")]
    vault: Option<&'a Checked>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kafka: Option<&'a Comparison>,
}

#[derive(Serialize)]
struct ShardJson {
    shard: String,
    topic: String,
    partition: i32,
    epoch: u32,
    entries: u64,
    duplicates: u64,
    rejected: u64,
    gaps: GapsJson,
    first_offset: Option<i64>,
    last_offset: Option<i64>,
    blocks: u64,
    bytes: u64,
    persons: u64,
    resumptions: u64,
    /// How many entries the signed checkpoint covers.
    signed: Option<u64>,
    chain_head: String,
    block_digest: String,
}

/// Offsets without a message, by cause.
#[derive(Serialize)]
struct GapsJson {
    control_or_compacted: u64,
    lost_to_retention: u64,
    unknown: u64,
}

#[derive(Serialize)]
struct FaultJson {
    place: String,
    what: String,
}

impl<'a> ReportJson<'a> {
    pub(super) fn of(
        report: &VerifyReport,
        vault: Option<&'a Checked>,
        kafka: Option<&'a Comparison>,
    ) -> Self {
        let vault_ok = vault.is_none_or(|vault| vault.ok);
        Self {
            ok: report.ok() && vault_ok && kafka.is_none_or(Comparison::ok),
            ledger: report.ledger.map(|id| id.to_string()),
            entries: report.entries(),
            blocks: report.blocks(),
            shards: report.shards.iter().map(ShardJson::of).collect(),
            faults: report
                .faults
                .iter()
                .map(|fault| FaultJson {
                    place: fault.place.to_string(),
                    what: fault.what.clone(),
                })
                .collect(),
            warnings: report.warnings.clone(),
            checkpoint: report.checkpoint.as_ref().map(CheckpointJson::of),
            since: report.since.as_ref().map(CheckpointJson::of),
            vault,
            kafka,
        }
    }
}

impl ShardJson {
    fn of(shard: &ShardReport) -> Self {
        Self {
            shard: shard.head.shard.to_string(),
            topic: shard.descriptor.topic.clone(),
            partition: shard.descriptor.partition,
            epoch: shard.head.epoch,
            entries: shard.entries,
            duplicates: shard.duplicates,
            rejected: shard.rejected,
            gaps: GapsJson {
                control_or_compacted: shard.gaps[0],
                lost_to_retention: shard.gaps[1],
                unknown: shard.gaps[2],
            },
            first_offset: shard.first_offset,
            last_offset: shard.last_offset,
            blocks: shard.head.blocks,
            bytes: shard.bytes,
            persons: shard.persons,
            resumptions: shard.resumptions,
            signed: shard.signed_size,
            chain_head: shard.head.chain_head.to_string(),
            block_digest: shard.head.block_digest.to_string(),
        }
    }
}
