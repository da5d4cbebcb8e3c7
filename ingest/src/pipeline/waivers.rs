//! The waivers in force, shared by whoever judges.

use std::sync::Arc;

use custody_ledger::HouseRecord;
use custody_policy::{VerifyingKey, Waiver, Waivers};
use parking_lot::RwLock;
use tracing::warn;

/// Waivers that can be added to while events are judged. A clone is the same
/// ones.
#[derive(Clone, Default)]
pub struct SharedWaivers(Arc<RwLock<Arc<Waivers>>>);

impl SharedWaivers {
    /// As they are now.
    pub fn now(&self) -> Arc<Waivers> {
        Arc::clone(&self.0.read())
    }

    /// Takes in what the house shard says, recorded at `recorded_ns`. A waiver
    /// that is not signed with one of the operator's keys counts for nothing.
    pub(super) fn take(&self, keys: &[VerifyingKey], recorded_ns: i64, record: &HouseRecord) {
        match record {
            HouseRecord::WaiverGiven { id, note } => match Waiver::open(note, keys) {
                Ok(waiver) if waiver.id == *id => {
                    Arc::make_mut(&mut self.0.write()).add(waiver);
                }
                Ok(_) => warn!(
                    waiver = id,
                    "a waiver in the ledger has another id than said"
                ),
                Err(error) => warn!(waiver = id, %error, "a waiver in the ledger is not taken"),
            },
            HouseRecord::WaiverRevoked { id, .. } => {
                Arc::make_mut(&mut self.0.write()).revoke(id, recorded_ns);
            }
            _ => {}
        }
    }
}
