//! sled under guard.
//!
//! On damaged files sled panics in places where it should return an error.
//! Here such a panic becomes an error, and says nothing on standard error.

use std::any::Any;
use std::cell::Cell;
use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

/// What sled said, or how it panicked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("{0}")]
    Engine(String),
}

impl StoreError {
    /// Whether somebody holds sled's lock, which sled says in words only.
    pub(crate) fn is_locked(&self) -> bool {
        matches!(self, Self::Io(error) if error.to_string().contains("could not acquire lock"))
    }

    /// As a failed operation, with its kind (such as a full disk) kept.
    pub(crate) fn into_io(self) -> io::Error {
        match self {
            Self::Io(error) => error,
            Self::Engine(reason) => io::Error::other(reason),
        }
    }
}

impl From<sled::Error> for StoreError {
    fn from(error: sled::Error) -> Self {
        match error {
            sled::Error::Io(error) => Self::Io(error),
            other => Self::Engine(other.to_string()),
        }
    }
}

thread_local! {
    static GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// Runs `call` and turns a panic into an error.
pub(crate) fn guarded<T>(call: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
    silence_hook();
    let outer = GUARDED.replace(true);
    let result = panic::catch_unwind(AssertUnwindSafe(call));
    GUARDED.set(outer);
    result.unwrap_or_else(|payload| {
        Err(StoreError::Engine(format!(
            "it panicked: {}",
            message(&*payload)
        )))
    })
}

/// Wraps the panic hook once, so that it passes over panics that [`guarded`]
/// catches, and those of sled's own threads, which surface as errors too.
fn silence_hook() {
    static ONCE: Once = Once::new();
    // The hook cannot be changed by a thread that panics.
    if std::thread::panicking() {
        return;
    }
    ONCE.call_once(|| {
        let previous = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let of_sled = std::thread::current()
                .name()
                .is_some_and(|name| name.starts_with("sled-io"));
            if !GUARDED.get() && !of_sled {
                previous(info);
            }
        }));
    });
}

/// The text of a panic.
pub(crate) fn message(payload: &(dyn Any + Send)) -> String {
    let text = payload
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned());
    let text = text.or_else(|| payload.downcast_ref::<String>().cloned());
    text.unwrap_or_else(|| "without a message".to_owned())
}
