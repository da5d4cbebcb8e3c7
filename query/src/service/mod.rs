//! The gRPC services, and the same answers without a network.

mod api;
mod deadline;
pub mod metric;
mod status;

mod affected;
mod evidence;
mod in_bytes;
mod lineage;
mod operation;
mod oversight;
mod policy;
mod rights;
mod watch;

mod health;
mod server;

pub use api::LineageApi;
pub use deadline::{DEFAULT_WAIT, Deadline};
pub use server::{QueryServer, ServeError};
pub use status::{ERROR_DOMAIN, status_of};
pub use watch::DEFAULT_WATCHERS;
