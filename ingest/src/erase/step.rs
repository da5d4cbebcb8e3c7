//! The steps of an erasure, so that a test can stop it after any of them.

use std::fmt;
use std::io;
use std::sync::Arc;

/// What was done a moment ago.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// The house shard has the request.
    Requested,
    /// Nobody of them is admitted any more.
    Fenced,
    /// What was admitted before is durable.
    Drained,
    /// The house shard says that it began.
    Started,
    /// The register has it.
    Registered,
    /// The vault has destroyed the keys.
    Erased,
    /// What was known of the persons is dropped.
    Forgotten,
    /// The house shard says that it is done.
    Done,
}

impl Step {
    /// In their order.
    pub const ALL: [Self; 8] = [
        Self::Requested,
        Self::Fenced,
        Self::Drained,
        Self::Started,
        Self::Registered,
        Self::Erased,
        Self::Forgotten,
        Self::Done,
    ];
}

/// Where an erasure can be made to fail. By default nowhere.
#[derive(Clone, Default)]
pub struct FaultPoints(Option<Arc<dyn Fn(Step) -> io::Result<()> + Send + Sync>>);

impl FaultPoints {
    /// Calls `after` after each step; the erasure fails where that does.
    pub fn new(after: impl Fn(Step) -> io::Result<()> + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(after)))
    }

    pub(super) fn pass(&self, step: Step) -> io::Result<()> {
        self.0.as_ref().map_or(Ok(()), |after| after(step))
    }
}

impl fmt::Debug for FaultPoints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("FaultPoints")
            .field(&self.0.is_some())
            .finish()
    }
}
