//! What time alone makes a finding: duties that were not done by their
//! deadline.
//!
//! An event begins a duty (a rights request is to be answered, a breach to be
//! notified, data to be erased after an account is closed) and another ends it.
//! Both are written down when their blocks are durable, in whichever order they
//! come. [`crate::pipeline::Pipeline::check_overdue`] is called with the time
//! and says once of each duty that its deadline has passed.

mod check;
mod clause;
mod deadline;
mod duty;
mod forget;

pub(crate) use check::{Checker, mark_found};
pub(crate) use duty::{Duties, DutyChange, asks_for_others, changes};
pub(crate) use forget::forget;

pub use deadline::{Deadline, Deadlines, Statutory};
