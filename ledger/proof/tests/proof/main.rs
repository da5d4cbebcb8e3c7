//! What outsiders build on: documents that are frozen, that cannot be changed
//! unnoticed, and that other implementations read.

mod world;

mod complete;
mod frozen;
mod go;
mod growth;
mod mutated;
