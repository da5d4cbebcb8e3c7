//! What one question may cost: a number of rows, the time until its deadline,
//! and nothing any more once nobody waits for the answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use super::error::QueryError;

/// So many rows are read for one question at most: 20 million. What needs more
/// is narrowed.
pub const MAX_ROWS: u64 = 20_000_000;

/// So many rows are read between two looks at the clock.
const ROWS_A_LOOK: u64 = 256;

/// What one question may cost. Clones share the cancellation.
#[derive(Clone, Debug)]
pub(crate) struct Work {
    max_rows: u64,
    deadline: Option<Instant>,
    cancelled: Arc<AtomicBool>,
}

impl Default for Work {
    fn default() -> Self {
        Self {
            max_rows: MAX_ROWS,
            deadline: None,
            cancelled: Arc::default(),
        }
    }
}

impl Work {
    /// At most so many rows.
    pub(crate) fn with_max_rows(mut self, max_rows: u64) -> Self {
        self.max_rows = max_rows;
        self
    }

    /// The same for one question: until a deadline where there is one, and until
    /// what is returned beside it is dropped.
    pub(crate) fn until(&self, deadline: impl Into<Option<Instant>>) -> (Self, Waiting) {
        let cancelled = Arc::new(AtomicBool::new(false));
        let work = Self {
            max_rows: self.max_rows,
            deadline: deadline.into(),
            cancelled: Arc::clone(&cancelled),
        };
        (work, Waiting(cancelled))
    }

    /// Starts to count.
    pub(crate) fn meter(&self) -> Meter<'_> {
        Meter {
            work: self,
            rows: 0,
        }
    }
}

/// Somebody who waits for an answer. Dropped, it ends the work.
#[derive(Debug)]
pub(crate) struct Waiting(Arc<AtomicBool>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

/// Counts the rows that are read for a question.
#[derive(Debug)]
pub(crate) struct Meter<'a> {
    work: &'a Work,
    rows: u64,
}

impl Meter<'_> {
    /// One row more. `true` now and then: the clock was looked at.
    ///
    /// # Errors
    /// [`QueryError::TooMuch`], [`QueryError::Late`],
    /// [`QueryError::Interrupted`] where nobody waits any more.
    pub(crate) fn row(&mut self) -> Result<bool, QueryError> {
        self.rows += 1;
        if self.rows > self.work.max_rows {
            return Err(QueryError::TooMuch {
                rows: self.work.max_rows,
            });
        }
        if !self.rows.is_multiple_of(ROWS_A_LOOK) {
            return Ok(false);
        }
        if self.work.cancelled.load(Ordering::Acquire) {
            return Err(QueryError::Interrupted);
        }
        match self.work.deadline {
            Some(deadline) if Instant::now() > deadline => Err(QueryError::Late),
            _ => Ok(true),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn read(work: &Work, rows: u64) -> Result<(), QueryError> {
        let mut meter = work.meter();
        (0..rows).try_for_each(|_| meter.row().map(drop))
    }

    #[test]
    fn rows_are_counted_and_time_and_waiting_end() {
        let work = Work::default().with_max_rows(1000);
        assert!(read(&work, 1000).is_ok());
        assert!(matches!(
            read(&work, 1001),
            Err(QueryError::TooMuch { rows: 1000 })
        ));
        let (late, _waiting) = work.until(Instant::now() - Duration::from_secs(1));
        assert!(matches!(read(&late, 256), Err(QueryError::Late)));
        let (work, waiting) = work.until(Instant::now() + Duration::from_secs(60));
        assert!(read(&work, 256).is_ok());
        drop(waiting);
        assert!(matches!(read(&work, 256), Err(QueryError::Interrupted)));
    }
}
