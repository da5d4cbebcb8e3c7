//! The ledger from outside: what it promises of its disk.

mod at_rest;
mod damage;
mod faults;
mod fixture;
mod model;
mod operation;
mod process;
