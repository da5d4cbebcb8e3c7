//! What persons asked for, and what is done about it: `RightsService`.

mod request;
mod requests;
