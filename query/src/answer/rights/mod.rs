//! What persons asked for, and what is done about it: `RightsService`.

mod request;
mod requests;

mod whom;

mod confirm;
mod reach;
mod told;

mod preview;

mod erase;
mod erasures;
mod holds;
mod identity;

pub use reach::out_of_reach;
