//! `GetCheckpoint`: what is durable, what is visible and what is signed.

use std::sync::Arc;

use custody_proto::v1;

use super::at_least::Wanted;
use super::entry;
use super::error::{Faults, QueryError};
use super::{Ask, QueryState};
use crate::read_model::Visible;

impl Ask for v1::GetCheckpointRequest {
    type Answer = v1::GetCheckpointResponse;
    const METHOD: &'static str = "custody.v1.EvidenceService/GetCheckpoint";
    /// It shows how far the read model is.
    const NEEDS_EVERYTHING: bool = false;

    fn wanted(&self, _state: &QueryState) -> Result<Wanted, QueryError> {
        let mut faults = Faults::default();
        let wanted = Wanted::read(self.at_least.as_ref(), &mut faults);
        faults.or(wanted)
    }

    fn answer(self, state: &QueryState, visible: Arc<Visible>) -> Result<Self::Answer, QueryError> {
        // The durable heads are read after the visible and the signed ones, so
        // that they are never behind them.
        let signed = state.ledger.published();
        let mut durable = state.ledger.shards();
        durable.sort_by_key(|(_, head)| head.shard);
        Ok(entry::checkpoint(
            state.ledger.id(),
            &durable,
            &visible,
            signed.as_deref(),
        ))
    }
}
