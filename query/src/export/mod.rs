//! Answers in the forms of others.

mod prov;
mod trace;

pub use trace::{TraceForm, write_trace};
