//! Taking durable steps, any of which a test can have fail.

use std::io;
use std::sync::Arc;

use crate::error::Step;
use crate::ledger::options::FaultInjector;

/// Takes steps.
#[derive(Clone, Default)]
pub(crate) struct Steps {
    faults: Option<Arc<dyn FaultInjector>>,
}

impl Steps {
    pub(crate) fn new(faults: Option<Arc<dyn FaultInjector>>) -> Self {
        Self { faults }
    }

    /// Takes a step.
    pub(crate) fn take(
        &self,
        step: Step,
        action: impl FnOnce() -> io::Result<()>,
    ) -> io::Result<()> {
        let Some(faults) = self.faults.as_deref() else {
            return action();
        };
        faults.before(step)?;
        action()?;
        faults.after(step)
    }

    /// Whether a test has only a part of a step done.
    pub(crate) fn tears(&self, step: Step) -> bool {
        self.faults
            .as_deref()
            .is_some_and(|faults| faults.tears(step))
    }

    /// Takes a step of which a part may stay behind, as `tear` leaves it.
    pub(crate) fn take_or_tear(
        &self,
        step: Step,
        action: impl FnOnce() -> io::Result<()>,
        tear: impl FnOnce() -> io::Result<()>,
    ) -> io::Result<()> {
        let torn = self.tears(step);
        self.take(step, || {
            action()?;
            if torn {
                tear()?;
                return Err(io::Error::other("torn"));
            }
            Ok(())
        })
    }
}
