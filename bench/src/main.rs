//! Benchmarks of Custody beside its peers, as ratios within one run.
//!
//! `cargo run --release -p custody-bench -- ingest` produces events into a
//! real Apache Kafka and reads them twice in turn: with a bare consumer, and
//! with the pipeline into a durable ledger. Each measurement is a process of
//! its own, so that its peak memory is its own.
//!
//! `cargo run --release -p custody-bench -- judge` judges generated events and
//! needs no broker.
//!
//! `cargo run --release -p custody-bench -- append` appends entries to a ledger
//! without Kafka.
//!
//! `cargo run --release -p custody-bench -- vault` finds, seals, admits and
//! erases persons of a vault of a million.
//!
//! `cargo run --release -p custody-bench -- answers` makes a ledger of a million
//! events, serves it from another process and asks it, and a PostgreSQL beside
//! it, what is asked of a ledger.
//!
//! `cargo run --release -p custody-bench -- workload --out FILE` writes the
//! events that `bench/peers/run.sh` gives to every side.
#![allow(clippy::print_stdout, clippy::print_stderr)] // The figures are the output.

mod answers;
mod append;
mod ask;
mod gdprbench;
mod ingest;
mod judge;
mod vault;
mod workload;

use anyhow::Result;
use clap::{Parser, Subcommand};
use mimalloc::MiMalloc;

/// As in the binary `custody`.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

#[derive(Parser)]
#[command(about = "Benchmarks of Custody, as ratios within one run")]
struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// From Kafka to a durable ledger, beside a bare consumer of the same topic.
    Ingest(ingest::IngestArgs),
    /// The judgement of generated events, beside a bare decode of the same ones.
    Judge(judge::JudgeArgs),
    /// From events in memory to a durable ledger, and to a published checkpoint.
    Append(append::AppendArgs),
    /// One measurement of `append`: a line of JSON.
    AppendOnce(append::AppendOnceArgs),
    /// Finding, sealing, new persons and erasing in a vault, beside bare ciphers,
    /// a bare store and a bare sync.
    Vault(vault::VaultArgs),
    /// A file of events, the same for the same seed, for `bench/peers/run.sh`.
    Workload(workload::WorkloadArgs),
    /// Questions to a ledger of millions of events, served by another process,
    /// beside PostgreSQL.
    Answers(answers::AnswersArgs),
    /// The load generator of `answers`, for a service that runs already.
    Ask(ask::AskArgs),
    /// GDPRbench's mixes of operations, as far as they map, beside PostgreSQL.
    Gdprbench(gdprbench::GdprbenchArgs),
    /// The service of `gdprbench`; started by it.
    #[command(hide = true)]
    GdprbenchServe(gdprbench::service::ServiceArgs),
    /// The ledger of `answers`; started by it.
    #[command(hide = true)]
    AnswersMake(answers::make::MakeArgs),
    /// The service of `answers`; started by it.
    #[command(hide = true)]
    AnswersServe(answers::serve::ServeArgs),
    /// The events of `answers` into PostgreSQL; started by it.
    #[command(hide = true)]
    AnswersLoad(answers::postgres::LoadArgs),
    /// One measurement of `ingest`; started by it.
    #[command(hide = true)]
    IngestOnce(ingest::OnceArgs),
}

fn main() -> Result<()> {
    match Args::parse().what {
        What::Ingest(args) => ingest::compare(&args),
        What::Judge(args) => judge::run(&args),
        What::Append(args) => append::compare(&args),
        What::AppendOnce(args) => append::once(&args),
        What::Vault(args) => vault::run(&args),
        What::Workload(args) => workload::write(&args),
        What::Answers(args) => answers::run(&args),
        What::Ask(args) => ask::run(&args),
        What::Gdprbench(args) => gdprbench::run(&args),
        What::GdprbenchServe(args) => gdprbench::service::run(&args),
        What::AnswersMake(args) => answers::make::run(&args),
        What::AnswersServe(args) => answers::serve::run(&args),
        What::AnswersLoad(args) => answers::postgres::run(&args),
        What::IngestOnce(args) => ingest::once(&args),
    }
}
