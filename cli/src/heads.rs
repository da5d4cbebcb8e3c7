//! Metrics of the ledger's heads. The ledger itself knows no metrics.

use std::time::{SystemTime, UNIX_EPOCH};

use custody_ledger::Ledger;
use metrics::{Unit, describe_gauge, gauge};

/// Entries of a shard, by topic and partition.
pub const ENTRIES: &str = "custody_ledger_entries";
/// Blocks of a shard, by topic and partition.
pub const BLOCKS: &str = "custody_ledger_blocks";
/// Since a shard's last block was recorded, by topic and partition.
pub const AGE: &str = "custody_ledger_head_age_seconds";

/// Tells the recorder what each metric means.
pub fn describe() {
    describe_gauge!(ENTRIES, Unit::Count, "Entries of a shard");
    describe_gauge!(BLOCKS, Unit::Count, "Blocks of a shard");
    describe_gauge!(
        AGE,
        Unit::Seconds,
        "Since a shard's last block was recorded"
    );
}

/// Reads the heads.
pub fn measure(ledger: &Ledger) {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs_f64();
    for (descriptor, head) in ledger.shards() {
        let labels = [
            ("topic", descriptor.topic),
            ("partition", descriptor.partition.to_string()),
            ("epoch", descriptor.epoch.to_string()),
        ];
        gauge!(ENTRIES, &labels).set(head.size as f64);
        gauge!(BLOCKS, &labels).set(head.blocks as f64);
        // A shard without a block has no head that could age.
        if head.blocks > 0 {
            let recorded = head.recorded_time_ns as f64 / 1e9;
            gauge!(AGE, &labels).set((now - recorded).max(0.0));
        }
    }
}
