//! What could not be read, on its way back to whoever said it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::message::RawMessage;
use crate::rejection::Rejection;

/// Tells long waits to end early.
#[derive(Clone, Default)]
pub struct StopSignal(Arc<AtomicBool>);

impl StopSignal {
    /// Asks everybody who looks to stop.
    pub fn stop(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// Whether somebody asked.
    pub fn is_stopped(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// A message that was rejected, whole and unchanged, and why.
pub struct DeadLetter {
    /// The message as it came.
    pub message: RawMessage,
    /// Why it was rejected. Holds no personal data.
    pub rejection: Rejection,
}

/// Dead letters could not be handed over, and the wait was ended.
#[derive(Debug, thiserror::Error)]
#[error("{undelivered} dead letters were not acknowledged before the stop")]
pub struct Undelivered {
    /// How many.
    pub undelivered: usize,
}

/// Where dead letters go.
pub trait DeadLetters: Send + Sync {
    /// Hands over every letter and returns once all are acknowledged. Waits
    /// and tries again for as long as it takes: the shard that calls pauses.
    ///
    /// # Errors
    /// [`Undelivered`] where `stop` ended the wait. What was acknowledged
    /// before may be delivered again.
    fn deliver(&self, letters: &[DeadLetter], stop: &StopSignal) -> Result<(), Undelivered>;
}
