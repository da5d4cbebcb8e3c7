//! What is in the way of erasures, other than holds, and when each is tried again.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tracing::error;

use super::{EraseError, ErasureId, ErasureStatus};

/// The longest that an erasure is left alone after it could not be done.
const LONGEST_REST: Duration = Duration::from_secs(300);

/// Of each erasure that could not be done. Known to this process only.
pub(super) struct Troubles {
    first_rest: Duration,
    each: Mutex<HashMap<ErasureId, Trouble>>,
}

/// What was in the way the last time.
struct Trouble {
    said: String,
    again: Instant,
    rest: Duration,
}

impl Troubles {
    pub(super) fn new(first_rest: Duration) -> Self {
        Self {
            first_rest,
            each: Mutex::default(),
        }
    }

    /// Whether it is too soon to try it again.
    pub(super) fn is_to_rest(&self, id: ErasureId) -> bool {
        let now = Instant::now();
        self.each.lock().get(&id).is_some_and(|it| now < it.again)
    }

    pub(super) fn forget(&self, id: ErasureId) {
        self.each.lock().remove(&id);
    }

    /// Keeps what is in the way of an erasure, and logs it once.
    pub(super) fn tried(
        &self,
        id: ErasureId,
        result: Result<(), EraseError>,
    ) -> Result<(), EraseError> {
        let mut each = self.each.lock();
        let Err(problem) = &result else {
            each.remove(&id);
            return result;
        };
        if matches!(problem, EraseError::Stopping) {
            return result;
        }
        let said = problem.to_string();
        let before = each.get(&id);
        let rest = before.map_or(self.first_rest, |it| (it.rest * 2).min(LONGEST_REST));
        if before.is_none_or(|it| it.said != said) {
            error!(erasure = %id, %problem, "an erasure could not be done");
        }
        let again = Instant::now() + rest;
        each.insert(id, Trouble { said, again, rest });
        result
    }

    /// The status with what is in the way.
    pub(super) fn of(&self, mut status: ErasureStatus) -> ErasureStatus {
        if status.state.is_open() {
            let each = self.each.lock();
            status.trouble = each.get(&status.id).map(|it| it.said.clone());
        }
        status
    }
}
