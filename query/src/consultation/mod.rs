//! Consultations: that somebody looked at data about persons is written down,
//! so that a person can be told who, when and why (CJEU C-579/21).
//!
//! Every question over gRPC whose answer holds personal data becomes an entry
//! of the kind `consultation` in the house shard. One about a person has the
//! person's reference and is sealed under the person's key: it is in the
//! timeline and the proofs, and dies with the key. One about everybody is
//! nobody's, sealed under the house key, and says the filter and how many rows
//! were shown. Nothing of it is public but that, when, and about whom.
//!
//! Questions go into a bounded queue, and a thread appends them in groups, so
//! that reads do not wait for the disk; [`ConsultationMode`] says what becomes
//! of an answer whose consultation cannot be kept. This is the only part of the
//! room that writes to the ledger, and it does so where whoever runs the node
//! has given it [`Consultations`]. An answer from files writes nothing.

mod caller;

mod asked;
mod listing;

mod queue;

mod record;
mod writer;

pub mod metric;

pub use caller::{CALLER_KEY, CallerRules, MAX_CALLER_BYTES, MAX_REASON_BYTES, MAX_ROLE_BYTES};
pub use caller::{REASON_KEY, ROLE_KEY};
pub use queue::{ConsultationMode, ConsultationOptions, Consultations, Counting};
pub use writer::ConsultationWriter;

pub(crate) use asked::{Consult, Whose, json};
