//! Erasing persons, and what stands against it; who is who by the operator's
//! word.
//!
//! Everything is said in the house shard first, and nowhere else: what is asked
//! for, what is waiting, what began and what is done is read from there
//! ([`Records`]), so that a process that ends at any moment goes on where it was.
//! A [`Registrar`] does it, for a running pipeline or for a ledger and a vault
//! that nobody else has open.
//!
//! The order of an erasure, and what it is for:
//!
//! 1. `erasure_requested`, with the recipients (GDPR Art. 19). Holds stand
//!    against it: `erasure_waiting`, and it goes on when there is none left.
//! 2. The vault admits nobody of them any more; what was admitted before becomes
//!    durable (`fence`). So nothing is sealed with a key that is about to go.
//! 3. `erasure_started`.
//! 4. The [`register`] beside the root key has it: a backup that is
//!    restored later is erased again.
//! 5. The vault destroys the keys. This is the moment at which it is done.
//! 6. What is known of the persons is dropped: states, reviews, duties. Only
//!    now, because until then the erasure may fail, and the persons' next events
//!    are judged by their states.
//! 7. `erasure_done`.
//!
//! Each step may be done twice.

mod error;
mod order;
mod status;
mod step;

mod records;

mod fence;
mod recipients;
pub mod register;

mod desk;
mod trouble;

mod carry;
mod holds;
mod identity;
mod registrar;

pub use desk::{EraseOptions, RegistrarParts};
pub use error::EraseError;
pub use order::{EraseOrder, ErasureId, MAX_SUBJECTS};
pub use records::Records;
pub use register::{RegisterError, Replayed, replay_register};
pub use registrar::Registrar;
pub use status::{Erased, ErasureState, ErasureStatus, Hold, Said};
pub use step::{FaultPoints, Step};

pub(crate) use desk::Desk;
pub(crate) use fence::Ticket;
