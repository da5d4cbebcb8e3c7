//! Answers over a ledger of millions of events, from a service of its own
//! process, asked by another process, beside PostgreSQL with the same events.
//!
//! `answers` makes a ledger ([`make`]), serves it ([`serve`]), has it asked
//! ([`crate::ask`]) and prints what that took. Every step is a process of its
//! own, so that memory is counted where it is used, and every one of them ends
//! when its parent does.

pub(crate) mod children;
mod entry;
pub(crate) mod live;
pub(crate) mod make;
pub(crate) mod plan;
pub(crate) mod population;
pub(crate) mod postgres;
pub(crate) mod process;
pub(crate) mod serve;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use clap::Args;

use self::children::{Child, Server};
use self::live::Lag;
use self::make::Made;
use self::postgres::Loaded;

/// What to measure.
#[derive(Args)]
pub(crate) struct AnswersArgs {
    /// Events.
    #[arg(long, default_value_t = 1_000_000)]
    events: u64,
    /// Persons that events are drawn for; by default one for ten events.
    #[arg(long)]
    persons: Option<u32>,
    /// The same seed gives the same events and the same questions.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Recipients change country and purpose from event to event, as in the
    /// lines that `workload` writes. By default each is in one country and gets
    /// data for three purposes, as organisations do.
    #[arg(long)]
    scattered: bool,
    /// A PostgreSQL to ask beside it, such as `host=127.0.0.1 port=5432
    /// user=bench dbname=postgres`. Its table `event` is made anew. See
    /// `bench/peers/answers.sh`.
    #[arg(long)]
    postgres: Option<String>,
    /// Clients that ask at once, each in a closed loop.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 8])]
    clients: Vec<usize>,
    /// How long each question is asked of each side, in seconds.
    #[arg(long, default_value_t = 4.0)]
    seconds: f64,
    /// Only questions whose name contains one of these.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Events a second while the lag of the read model is measured.
    #[arg(long, default_value_t = 50_000)]
    live_rate: u64,
    /// For how long, in seconds. 0: not at all.
    #[arg(long, default_value_t = 10)]
    live_seconds: u64,
    /// On a disk, for everything temporary; by default the system's directory
    /// for temporary files.
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Keeps the ledger here, and takes the one that is here already if it is
    /// of the same events.
    #[arg(long)]
    keep: Option<PathBuf>,
    /// Writes down who asks, as a node does. The timelines of those who are
    /// asked about grow by that, so that the two sides differ in rows.
    #[arg(long)]
    consultations: bool,
    /// Ends everything that takes longer, in seconds.
    #[arg(long, default_value_t = 3600)]
    limit: u64,
    /// Adds the figures to this file, a line of JSON a question and side.
    #[arg(long)]
    figures: Option<PathBuf>,
}

/// Makes, serves, asks and prints.
pub(crate) fn run(args: &AnswersArgs) -> Result<()> {
    ensure!(args.events > 0, "there must be an event");
    let temporary = match (&args.keep, &args.dir) {
        (Some(_), _) => None,
        (None, Some(dir)) => Some(tempfile::tempdir_in(dir)?),
        (None, None) => Some(tempfile::tempdir()?),
    };
    let data = match (&args.keep, &temporary) {
        (Some(keep), _) => keep.clone(),
        (None, Some(dir)) => dir.path().to_owned(),
        (None, None) => anyhow::bail!("no directory"),
    };
    std::fs::create_dir_all(&data)?;
    let limit = Duration::from_secs(args.limit);
    let persons = args
        .persons
        .unwrap_or_else(|| u32::try_from(args.events / 10).unwrap_or(u32::MAX))
        .max(1);
    println!(
        "{} events, {persons} persons, recipients {}, load {}",
        args.events,
        if args.scattered {
            "scattered over countries and purposes"
        } else {
            "in one country each, for three purposes"
        },
        process::load_average()
    );

    let mut make = Child::new("answers-make");
    make.path("--data", &data)
        .value("--events", args.events)
        .value("--persons", persons)
        .value("--seed", args.seed);
    if args.scattered {
        make.flag("--scattered");
    }
    let made: Made = make.json(limit).context("making the ledger")?;
    println!("{made}");

    let mut server = Server::start(&data, args.consultations, limit)?;
    println!("{}", server.ready);

    if let Some(postgres) = &args.postgres {
        let mut load = Child::new("answers-load");
        load.path("--data", &data).value("--postgres", postgres);
        let loaded: Loaded = load.json(limit).context("loading PostgreSQL")?;
        println!("{loaded}");
    }

    let mut ask = Child::new("ask");
    ask.path("--data", &data)
        .value("--custody", &server.ready.address)
        .value("--seconds", args.seconds)
        .value("--clients", joined(&args.clients));
    if let Some(postgres) = &args.postgres {
        ask.value("--postgres", postgres);
    }
    if let Some(figures) = &args.figures {
        ask.path("--figures", figures);
    }
    if !args.only.is_empty() {
        ask.value("--only", joined(&args.only));
    }
    ask.shown(limit).context("asking")?;
    println!("\n{}", server.memory()?);

    if args.live_seconds > 0 {
        let lag: Lag = server.live(args.live_rate, args.live_seconds)?;
        println!("{lag}");
        println!("{}", server.memory()?);
    }
    server.stop()?;
    println!("load {}", process::load_average());
    Ok(())
}

fn joined<T: ToString>(values: &[T]) -> String {
    let values: Vec<String> = values.iter().map(ToString::to_string).collect();
    values.join(",")
}
