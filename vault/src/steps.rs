//! The steps of changes that take several, so that tests can stop at each.

use std::fmt;
use std::io;
use std::sync::Arc;

/// A step after which a process may end. What comes next is done when the
/// vault is opened again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Step {
    /// A new vault: its root key is kept, and nothing else is there.
    RootKeyMade,
    /// Rows were added, and buckets split where that was due.
    Grown,
    /// What an erasure makes anew is on disk, beside the old.
    Renewed,
    /// The new root key is kept beside the old one: the erasure counts.
    RootKeyPut,
    /// The old root key is destroyed.
    RootKeyDestroyed,
    /// What the old root key opened is deleted.
    Cleaned,
    /// A vault of an older format was copied into a tree.
    Migrated,
    /// What was left of the older format is deleted.
    OldFormatDeleted,
}

/// Called after each step; an error ends what is being done there and then, as
/// the end of the process would. For tests.
#[derive(Clone, Default)]
pub struct Steps(Option<Arc<Hook>>);

type Hook = dyn Fn(Step) -> io::Result<()> + Send + Sync;

impl Steps {
    /// Calls `hook` after each step.
    pub fn new(hook: impl Fn(Step) -> io::Result<()> + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(hook)))
    }

    pub(crate) fn passed(&self, step: Step) -> io::Result<()> {
        match &self.0 {
            Some(hook) => hook(step),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Steps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() {
            "Steps(hook)"
        } else {
            "Steps"
        })
    }
}
