//! What a node asks of a pipeline beside feeding it.

use std::time::{Duration, Instant};

use super::PipelineError;
use super::feed::Pipeline;

impl Pipeline {
    /// Says in the house shard of every duty whose deadline has passed that it
    /// has, once each: rights requests without an answer, breaches that no
    /// authority was notified of, and data that is kept past the operator's
    /// period. Returns how many are new.
    ///
    /// `now_ns` is nanoseconds since 1970 UTC: the time up to which the
    /// sources were read. What lies unread in Kafka may be the answer.
    ///
    /// # Errors
    /// [`PipelineError`] where the pipeline has failed, or the ledger or the
    /// states fail.
    pub fn check_overdue(&self, now_ns: i64) -> Result<usize, PipelineError> {
        if let Some(failure) = self.failure() {
            return Err(PipelineError::Failed(failure));
        }
        self.shared.check_overdue(now_ns)
    }

    /// Gives a waiver, a signed note (see [`custody_policy::Waiver`]): it is in
    /// the house shard, durably, and in force when this returns. Tells its id.
    /// Of what [`check_overdue`](Self::check_overdue) finds nothing is waived,
    /// so that a waiver of `response_overdue` or `notice_overdue` is refused;
    /// one of `retention_exceeded` is for the use of data after its period.
    ///
    /// # Errors
    /// [`PipelineError::Waiver`] where it is not signed with one of
    /// [`waiver_keys`](super::PipelineOptions::waiver_keys) or malformed;
    /// [`PipelineError::WaiverOfDuty`] where it is of a finding that only a
    /// passed deadline makes; [`PipelineError::WaiverKnown`] where there is one of that id already; or
    /// the ledger fails.
    pub fn give_waiver(&self, note: &str) -> Result<String, PipelineError> {
        self.shared.give_waiver(note)
    }

    /// Takes a waiver back, from now on, also for events that happened before.
    /// `note` is signed (see [`custody_policy::Revocation`]) and is kept as it
    /// is. A revocation that stands in the ledger counts whoever signed it: keys
    /// change, and a waiver must not come into force again by that.
    ///
    /// # Errors
    /// [`PipelineError::Waiver`] where the note is not signed with one of
    /// [`waiver_keys`](super::PipelineOptions::waiver_keys) or malformed;
    /// [`PipelineError::OtherWaiver`] where it is of another waiver; or the
    /// ledger fails.
    pub fn revoke_waiver(&self, id: &str, note: &str) -> Result<(), PipelineError> {
        self.shared.revoke_waiver(id, note)
    }

    /// Waits until the states have what is durable now, and until what late
    /// events gave reason to judge again is judged. Tests and reports want it;
    /// nothing else needs to wait.
    ///
    /// # Errors
    /// [`PipelineError`] where the pipeline has failed; [`PipelineError::Busy`]
    /// where it takes longer than `most`.
    pub fn settle(&self, most: Duration) -> Result<(), PipelineError> {
        let end = Instant::now() + most;
        let wanted: Vec<_> = self
            .shared
            .ledger
            .shards()
            .into_iter()
            .filter(|(descriptor, _)| !descriptor.is_house())
            .map(|(_, head)| head)
            .collect();
        loop {
            if let Some(failure) = self.failure() {
                return Err(PipelineError::Failed(failure));
            }
            let mut is_there = true;
            for head in &wanted {
                let known = self.shared.states.store().position(head.shard)?;
                is_there &= known.map_or(0, |known| known.blocks) >= head.blocks;
            }
            // Reviews are queued just after their batch is in the store.
            if is_there && self.shared.keeper.is_idle() && self.pending_reviews() == 0 {
                return Ok(());
            }
            if Instant::now() >= end {
                return Err(PipelineError::Busy);
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Late events whose persons' entries are still to be judged again.
    pub fn pending_reviews(&self) -> usize {
        self.shared.reviews.pending()
    }
}
