//! End to end: a real broker, the real binary, real files, real sockets.
//!
//! One binary, and one Apache Kafka for all scenarios that leave it running.
//! Every scenario that makes a ledger ends in `custody verify`.
#![allow(clippy::expect_used, clippy::panic, clippy::print_stderr)]

mod corpus;
mod custody;
mod kafka;

mod answers;
mod demo;
mod erased;
mod erasing_killed;
mod evidence;
mod exactly_once;
mod judged;
mod limits;
mod looked;
mod malformed;
mod outages;
mod outside;
mod reflected;
mod topics;
mod witnessed;
