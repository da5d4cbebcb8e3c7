//! The pipeline from outside: messages in, a ledger out. One binary.

#![allow(clippy::unwrap_used, clippy::panic)]

mod erase;
mod failure;
mod house;
mod late;
mod offsets;
mod overdue;
mod rules;
mod states;
