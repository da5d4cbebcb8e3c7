//! GDPRbench's mixes of operations (Shastri et al., "Understanding and
//! Benchmarking the Impact of GDPR on Database Systems", VLDB 2020), as far as
//! they map onto a ledger, beside PostgreSQL.
//!
//! A record of GDPRbench is personal data with what is known about it. Custody
//! keeps no such data: it keeps what was done with it. So a record is what was
//! said when it was collected and shared, a change is another event, and what
//! does not map is run on neither side; `bench/README.md` has the table.
//! Events take the way that they take from Kafka on, without Kafka: decoded,
//! judged, sealed, durable.

mod custody;
mod operation;
mod postgres;
mod record;
pub(crate) mod service;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use clap::Args;
use futures_util::future::join_all;
use hdrhistogram::Histogram;

use self::custody::Custody;
use self::operation::{Mix, Operation};
use self::postgres::Postgres;
use self::record::Records;
use self::service::Service;
use crate::answers::process;
use crate::workload::SplitMix;

/// The mixes take longer than this only if something is wrong.
const LIMIT: Duration = Duration::from_secs(600);

/// What to run.
#[derive(Args)]
pub(crate) struct GdprbenchArgs {
    /// Records, of a tenth as many persons.
    #[arg(long, default_value_t = 100_000)]
    records: u64,
    /// Operations of each mix.
    #[arg(long, default_value_t = 10_000)]
    operations: u64,
    /// Clients that ask at once.
    #[arg(long, default_value_t = 8)]
    clients: usize,
    /// The same seed gives the same records and operations.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// A PostgreSQL to run beside it. Its table `record` is made anew.
    #[arg(long)]
    postgres: Option<String>,
    /// How long a block that is not full waits for more events, in
    /// milliseconds. As the service has it by default.
    #[arg(long, default_value_t = 20)]
    linger_ms: u64,
    /// On a disk, for everything temporary.
    #[arg(long)]
    dir: Option<PathBuf>,
}

/// Who is asked, over a connection of a client.
trait Side {
    /// Does one operation and says how many rows it read or changed.
    async fn run(&mut self, operation: Operation, record: u64) -> Result<u64>;
}

/// Runs every mix on both sides in turn.
pub(crate) fn run(args: &GdprbenchArgs) -> Result<()> {
    ensure!(
        args.records > 0 && args.clients > 0,
        "there must be a record and a client"
    );
    let data = match &args.dir {
        Some(dir) => tempfile::tempdir_in(dir)?,
        None => tempfile::tempdir()?,
    };
    let records = Records::new(args.records, args.seed);
    println!(
        "GDPRbench: {} records of {} persons, {} operations a mix, {} clients, load {}",
        args.records,
        records.persons(),
        args.operations,
        args.clients,
        process::load_average()
    );
    let service = Service::start(data.path(), args)?;
    println!(
        "custody: {} events loaded in {:.1} s, {:.0} events/s, judged and durable",
        service.ready.events,
        service.ready.seconds,
        service.ready.events as f64 / service.ready.seconds
    );
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime
        .block_on(async { tokio::time::timeout(LIMIT, mixes(args, &records, &service)).await })??;
    service.stop()?;
    println!("load {}", process::load_average());
    Ok(())
}

async fn mixes(args: &GdprbenchArgs, records: &Records, service: &Service) -> Result<()> {
    let mut ours = Vec::new();
    let mut theirs = Vec::new();
    if let Some(address) = &args.postgres {
        let begun = Instant::now();
        postgres::load(address, records).await?;
        println!(
            "postgresql: loaded and indexed in {:.1} s",
            begun.elapsed().as_secs_f64()
        );
    }
    for _ in 0..args.clients {
        ours.push(Custody::connect(&service.ready, records.clone()).await?);
        if let Some(address) = &args.postgres {
            theirs.push(Postgres::connect(address, records.clone()).await?);
        }
    }
    println!("milliseconds; a mix is of the operations that map");
    for mix in Mix::ALL {
        let our = measure(args, records, mix, &mut ours).await?;
        println!("{:<10} custody     {our}", mix.name());
        if !theirs.is_empty() {
            let their = measure(args, records, mix, &mut theirs).await?;
            println!("{:<10} postgresql  {their}", mix.name());
            print!(
                "{:<10} postgresql to custody: whole {:.2}×",
                "",
                their.seconds / our.seconds
            );
            for (operation, ours) in &our.each {
                if let Some((_, theirs)) = their.each.iter().find(|(same, _)| same == operation) {
                    let ratio = theirs.value_at_quantile(0.5) as f64
                        / ours.value_at_quantile(0.5).max(1) as f64;
                    print!(", {} p50 {ratio:.2}×", operation.name());
                }
            }
            println!();
        }
    }
    Ok(())
}

/// What a mix took.
struct Taken {
    seconds: f64,
    operations: u64,
    rows: u64,
    each: Vec<(Operation, Histogram<u64>)>,
}

impl std::fmt::Display for Taken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} operations in {:.2} s, {:.0}/s, {} rows",
            self.operations,
            self.seconds,
            self.operations as f64 / self.seconds,
            self.rows
        )?;
        for (operation, took) in &self.each {
            let ms = |quantile| took.value_at_quantile(quantile) as f64 / 1e3;
            write!(
                f,
                "\n  {:<26} {:>6} p50 {:>8.2} p99 {:>8.2} max {:>8.2}",
                operation.name(),
                took.len(),
                ms(0.5),
                ms(0.99),
                took.max() as f64 / 1e3
            )?;
        }
        Ok(())
    }
}

async fn measure<S: Side>(
    args: &GdprbenchArgs,
    records: &Records,
    mix: Mix,
    clients: &mut [S],
) -> Result<Taken> {
    let many = clients.len() as u64;
    let begun = Instant::now();
    let loops = clients.iter_mut().enumerate().map(|(number, side)| {
        let share = args.operations / many + u64::from((number as u64) < args.operations % many);
        client(args, records, mix, number, share, side)
    });
    let mut taken = Taken {
        seconds: 0.0,
        operations: 0,
        rows: 0,
        each: Vec::new(),
    };
    for (operation, took) in mix
        .operations()
        .iter()
        .map(|(operation, _)| operation)
        .zip(std::iter::repeat_with(|| Histogram::new(3)))
    {
        taken.each.push((*operation, took?));
    }
    for done in join_all(loops).await {
        for (operation, took, rows) in done? {
            let each = taken.each.iter_mut().find(|(same, _)| *same == operation);
            let (_, histogram) = each.context("an operation of another mix")?;
            histogram.record(u64::try_from(took.as_micros())?)?;
            taken.rows += rows;
            taken.operations += 1;
        }
    }
    taken.seconds = begun.elapsed().as_secs_f64();
    Ok(taken)
}

async fn client(
    args: &GdprbenchArgs,
    records: &Records,
    mix: Mix,
    number: usize,
    share: u64,
    side: &mut impl Side,
) -> Result<Vec<(Operation, Duration, u64)>> {
    let mut dice = SplitMix(args.seed ^ ((number as u64 + 1) << 40) ^ (mix as u64) << 8);
    let mut done = Vec::with_capacity(usize::try_from(share)?);
    for turn in 0..share {
        let operation = mix.draw(&mut dice);
        let record = match operation {
            // New ones are nobody else's.
            Operation::CreateRecord => records.len() + turn * args.clients as u64 + number as u64,
            _ if mix.is_skewed() => records.draw_skewed(&mut dice),
            _ => dice.below(records.len()),
        };
        let begun = Instant::now();
        let rows = side
            .run(operation, record)
            .await
            .with_context(|| format!("{} of {}", operation.name(), mix.name()))?;
        done.push((operation, begun.elapsed(), rows));
    }
    Ok(done)
}
