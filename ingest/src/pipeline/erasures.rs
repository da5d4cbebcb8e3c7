//! The thread that goes on with erasures: of which the last hold was lifted or
//! has run out, or which could not be done before.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use super::shared::Shared;

/// How often it looks without being told: holds run out by the clock.
const IDLE: Duration = Duration::from_millis(200);

/// Starts the thread, which ends when the registrar is closed.
pub(super) fn start(shared: Arc<Shared>) -> std::io::Result<JoinHandle<()>> {
    shared.clone().helper("registrar", move || {
        while shared.registrar.wait(IDLE) {
            shared.registrar.carry_on()?;
        }
        Ok(())
    })
}
