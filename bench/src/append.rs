//! From events in memory to a durable ledger, and to a published checkpoint
//! that covers them, without Kafka.
//!
//! Events are those of [`crate::workload`], made into entries and sealed before
//! the clock starts, as the peers' are parsed before theirs does. The clock
//! runs from the first entry that is encoded to the last that is durable, or
//! covered by a published checkpoint. Each measurement is a process of its own.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use clap::{Args, ValueEnum};
use custody_ledger::{
    Act, BlockBuilder, Digest, Entry, EventTag, Head, Kind, Ledger, LedgerOptions, NotaryOptions,
    PartyPart, Published, ShardDescriptor, ShardId, SubjectReference,
};
use custody_proof::note::SigningKey;
use custody_vault::{EntryContext, Vault, VaultOptions};
use serde::{Deserialize, Serialize};

use crate::workload::{self, WorkloadEvent};

/// How many events are sealed before the clock starts; they are used again in
/// turn, each time as another person's and with a place of its own.
const POOL: usize = 50_000;
const RULESET: Digest = Digest([0x5e; 32]);

/// What to measure.
#[derive(Args)]
pub(crate) struct AppendArgs {
    /// Entries.
    #[arg(long, default_value_t = 2_000_000)]
    events: u64,
    /// Persons that events are drawn for.
    #[arg(long, default_value_t = 100_000)]
    persons: u32,
    /// Shards that are appended to.
    #[arg(long, default_value_t = 4)]
    shards: u32,
    /// How often a checkpoint is signed, in milliseconds.
    #[arg(long, default_value_t = 100)]
    checkpoint_ms: u64,
    /// Measurements of each.
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// What to wait for; by default both in turn.
    #[arg(long, value_enum)]
    wait: Option<Wait>,
    /// Where the ledger is made; by default the system's directory for
    /// temporary files.
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Print one line of JSON a run instead of a table.
    #[arg(long)]
    json: bool,
}

/// One measurement.
#[derive(Args)]
pub(crate) struct AppendOnceArgs {
    /// Entries; by default as many as the workload has.
    #[arg(long, default_value_t = 1_000_000)]
    events: u64,
    #[arg(long, default_value_t = 100_000)]
    persons: u32,
    #[arg(long, default_value_t = 4)]
    shards: u32,
    #[arg(long, default_value_t = 100)]
    checkpoint_ms: u64,
    #[arg(long, value_enum, default_value = "published")]
    wait: Wait,
    /// Where the ledger is made.
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Events from a file that `workload` wrote; by default made on the way.
    #[arg(long)]
    workload: Option<PathBuf>,
    /// Printed with the figures.
    #[arg(long, default_value_t = 0)]
    round: u32,
}

/// What an append waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Wait {
    /// Synced to the disk. Nothing is signed.
    Durable,
    /// Covered by a published checkpoint.
    Published,
}

/// What one run found, as the peers say it.
#[derive(Debug, Serialize, Deserialize)]
struct Figures {
    side: String,
    version: String,
    setting: String,
    round: u32,
    events: u64,
    seconds: f64,
    events_per_s: f64,
    p50_ms: f64,
    p99_ms: f64,
    disk_bytes_per_event: f64,
    peak_mib: f64,
    /// Resident memory before the first append: the prepared events.
    prepared_mib: f64,
    stored_bytes_per_event: f64,
    cpu_us_per_event: f64,
    reopen_ms: f64,
}

/// Measures in turn and prints.
pub(crate) fn compare(args: &AppendArgs) -> Result<()> {
    let waits = args
        .wait
        .map_or(vec![Wait::Durable, Wait::Published], |wait| vec![wait]);
    for run in 1..=args.runs {
        for wait in &waits {
            let figures = measure(args, *wait)?;
            if args.json {
                println!("{}", serde_json::to_string(&figures)?);
                continue;
            }
            println!(
                "run {run}  {:9}  {:>9.0} entries/s  p50 {:>6.1} ms  p99 {:>6.1} ms  \
                 {:>5.1} bytes on disk an event ({:.1} stored)  {:>5.2} µs of CPU  \
                 peak {:.0} MiB ({:.0} before)  reopened in {:.0} ms",
                figures.setting,
                figures.events_per_s,
                figures.p50_ms,
                figures.p99_ms,
                figures.disk_bytes_per_event,
                figures.stored_bytes_per_event,
                figures.cpu_us_per_event,
                figures.peak_mib,
                figures.prepared_mib,
                figures.reopen_ms,
            );
        }
    }
    Ok(())
}

fn measure(args: &AppendArgs, wait: Wait) -> Result<Figures> {
    let mut command = Command::new(std::env::current_exe()?);
    command
        .arg("append-once")
        .args(["--events", &args.events.to_string()])
        .args(["--persons", &args.persons.to_string()])
        .args(["--shards", &args.shards.to_string()])
        .args(["--checkpoint-ms", &args.checkpoint_ms.to_string()])
        .args(["--wait", &format!("{wait:?}").to_lowercase()]);
    if let Some(dir) = &args.dir {
        command.arg("--dir").arg(dir);
    }
    let output = command.output()?;
    ensure!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// One measurement, printed as JSON.
pub(crate) fn once(args: &AppendOnceArgs) -> Result<()> {
    let root = match &args.dir {
        Some(dir) => tempfile::tempdir_in(dir)?,
        None => tempfile::tempdir()?,
    };
    let dir = root.path().join("ledger");
    let seen = Seen::default();
    let ledger = Ledger::open(&dir, options(args, &seen)?)?;
    let shards: Vec<ShardDescriptor> = (0..args.shards).map(descriptor).collect();
    for shard in &shards {
        ledger.open_shard(shard)?;
    }
    let (mut pool, references) = prepare(root.path(), args, &ledger)?;
    let prepared_mib = status_mib("VmRSS")?;
    reset_peak();

    let cpu_before = cpu_seconds()?;
    let begun = Instant::now();
    let appended = append(args, &ledger, &shards, &mut pool, &references, &seen)?;
    let took = begun.elapsed();
    let cpu = cpu_seconds()? - cpu_before;
    let peak_mib = status_mib("VmHWM")?;

    ledger.close()?;
    let disk = bytes_below(&dir)?;
    let begun = Instant::now();
    let reopened = Ledger::open(&dir, LedgerOptions::default())?;
    let reopen_ms = begun.elapsed().as_secs_f64() * 1e3;
    let entries: u64 = reopened.shards().iter().map(|(_, head)| head.size).sum();
    ensure!(entries >= args.events, "entries are missing");
    reopened.close()?;

    let mut latencies = appended.latencies;
    latencies.sort();
    let figures = Figures {
        side: "custody".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        setting: format!("{:?}", args.wait).to_lowercase(),
        round: args.round,
        events: args.events,
        seconds: took.as_secs_f64(),
        events_per_s: args.events as f64 / took.as_secs_f64(),
        p50_ms: percentile(&latencies, 50),
        p99_ms: percentile(&latencies, 99),
        disk_bytes_per_event: disk as f64 / args.events as f64,
        peak_mib,
        prepared_mib,
        stored_bytes_per_event: appended.stored_bytes as f64 / args.events as f64,
        cpu_us_per_event: cpu * 1e6 / args.events as f64,
        reopen_ms,
    };
    println!("{}", serde_json::to_string(&figures)?);
    Ok(())
}

/// When each checkpoint was published, and which sizes it covers.
type Seen = Arc<Mutex<Vec<(Instant, BTreeMap<ShardId, u64>)>>>;

fn options(args: &AppendOnceArgs, seen: &Seen) -> Result<LedgerOptions> {
    let notary = match args.wait {
        Wait::Durable => None,
        Wait::Published => {
            let seed = [7; 32];
            let key = SigningKey::from_seed("custody/bench", &seed)?;
            let seen = Arc::clone(seen);
            let on_signed = move |published: &Arc<Published>| {
                let shards = published.shards.iter();
                let sizes =
                    shards.map(|(shard, signed)| (*shard, signed.checkpoint.checkpoint.size));
                if let Ok(mut seen) = seen.lock() {
                    seen.push((Instant::now(), sizes.collect()));
                }
            };
            Some(NotaryOptions {
                interval: Duration::from_millis(args.checkpoint_ms),
                on_signed: Some(Arc::new(on_signed)),
                ..NotaryOptions::new(key)
            })
        }
    };
    Ok(LedgerOptions {
        notary,
        ..LedgerOptions::default()
    })
}

fn descriptor(partition: u32) -> ShardDescriptor {
    ShardDescriptor {
        cluster_id: "bench".to_owned(),
        topic: "events".to_owned(),
        topic_id: String::new(),
        partition: partition as i32,
        epoch: 0,
    }
}

/// The first events of the workload.
fn prepared(args: &AppendOnceArgs) -> Result<Vec<WorkloadEvent>> {
    match &args.workload {
        None => workload::Events::new(POOL as u64, args.persons, 1).collect(),
        Some(path) => BufReader::new(File::open(path)?)
            .lines()
            .take(POOL)
            .map(|line| Ok(serde_json::from_str(&line?)?))
            .collect(),
    }
}

/// Entries with their sealed parts, and the persons to draw from.
fn prepare(
    root: &Path,
    args: &AppendOnceArgs,
    ledger: &Ledger,
) -> Result<(Vec<Entry>, Vec<SubjectReference>)> {
    let vault = Vault::open(
        &root.join("vault"),
        &root.join("root.key"),
        VaultOptions::default(),
    )?;
    let mut pool = Vec::with_capacity(POOL);
    let mut references: Vec<SubjectReference> = Vec::with_capacity(POOL);
    let shard = descriptor(0).id();
    for (sequence, event) in (0..).zip(prepared(args)?) {
        let person = vault.admit(&[event.subject.as_str()])?.person;
        let line = serde_json::to_vec(&event)?;
        let context = EntryContext {
            ledger: ledger.id().0,
            shard: shard.0,
            sequence,
        };
        let mut entry = entry(&event)?;
        entry.sealed = person.seal(&context, &line)?;
        entry.subject = Some(SubjectReference(person.reference()));
        entry.event_tag = Some(EventTag(person.tag("//bench", &event.id)));
        references.push(SubjectReference(person.reference()));
        pool.push(entry);
    }
    Ok((pool, references))
}

fn entry(event: &WorkloadEvent) -> Result<Entry> {
    let time: jiff::Timestamp = event.time.parse()?;
    let time_ns = i64::try_from(time.as_nanosecond())?;
    let mut entry = Entry::new(Kind::Use, time_ns);
    entry.kafka_time_ms = Some(time.as_millisecond());
    entry.service = "alibaba.com".to_owned();
    entry.controller = "alibaba-com-singapore".to_owned();
    entry.purposes = vec![event.purpose.clone()];
    entry.categories.clone_from(&event.categories);
    let recipient = PartyPart {
        id: event.recipient.clone(),
        category: String::new(),
        country: event.country.clone(),
        person: false,
    };
    (entry.kind_code, entry.act) = match event.kind {
        workload::Kind::Collection => (
            Kind::Collection.code(),
            Act::Collection {
                origin: 1,
                from: Some(recipient),
            },
        ),
        workload::Kind::Use => (
            Kind::Use.code(),
            Act::Use {
                operation: "dpv:Use".to_owned(),
                system: event.recipient.clone(),
            },
        ),
        workload::Kind::Disclosure => (
            Kind::Disclosure.code(),
            Act::Disclosure {
                recipient,
                means: 1,
                sale: false,
                safeguard: String::new(),
            },
        ),
        workload::Kind::Transfer => (
            Kind::Transfer.code(),
            Act::Transfer {
                recipient: Some(recipient),
                from_country: "SG".to_owned(),
                to_country: event.country.clone(),
                safeguard: String::new(),
            },
        ),
    };
    Ok(entry)
}

/// A block: its shard, the shard's size with it, when its last entry was
/// encoded, and when it was durable.
type Sent = (ShardId, u64, Instant, Instant);

struct Appended {
    latencies: Vec<Duration>,
    stored_bytes: u64,
}

/// Appends from one thread a processor, each with shards of its own.
fn append(
    args: &AppendOnceArgs,
    ledger: &Ledger,
    shards: &[ShardDescriptor],
    pool: &mut [Entry],
    references: &[SubjectReference],
    seen: &Seen,
) -> Result<Appended> {
    let threads = thread::available_parallelism().map_or(1, |count| count.get());
    let threads = threads.min(shards.len());
    let (sent, acknowledged) = mpsc::channel::<Sent>();
    let stored_bytes = thread::scope(|scope| -> Result<u64> {
        let mut workers = Vec::new();
        let part = pool.len().div_ceil(threads);
        for (worker, pool) in pool.chunks_mut(part).enumerate() {
            let own: Vec<&ShardDescriptor> = shards.iter().skip(worker).step_by(threads).collect();
            let sent = sent.clone();
            workers.push(scope.spawn(move || build(args, ledger, &own, pool, references, &sent)));
        }
        let mut bytes = 0;
        for worker in workers {
            let built = worker
                .join()
                .map_err(|_| anyhow::anyhow!("a worker panicked"))?;
            bytes += built?;
        }
        Ok(bytes)
    })?;
    drop(sent);
    let blocks: Vec<Sent> = acknowledged.iter().collect();
    if args.wait == Wait::Durable {
        let latencies = blocks
            .iter()
            .map(|(_, _, begun, done)| done.duration_since(*begun));
        return Ok(Appended {
            latencies: latencies.collect(),
            stored_bytes,
        });
    }
    let sizes: BTreeMap<ShardId, u64> = ledger
        .shards()
        .iter()
        .map(|(_, head)| (head.shard, head.size))
        .collect();
    let sizes: Vec<(ShardId, u64)> = sizes.into_iter().collect();
    ledger
        .wait_published(&sizes, Duration::from_secs(600))
        .context("no checkpoint covers everything")?;
    let published = seen.lock().map_or_else(|_| Vec::new(), |seen| seen.clone());
    let latencies = blocks.iter().filter_map(|(shard, size, begun, _)| {
        let covered = published
            .iter()
            .find(|(_, sizes)| sizes.get(shard).is_some_and(|signed| signed >= size))?;
        Some(covered.0.duration_since(*begun))
    });
    Ok(Appended {
        latencies: latencies.collect(),
        stored_bytes,
    })
}

/// Builds and submits blocks of these shards in turn; returns the bytes of
/// their entries.
fn build(
    args: &AppendOnceArgs,
    ledger: &Ledger,
    shards: &[&ShardDescriptor],
    pool: &mut [Entry],
    references: &[SubjectReference],
    sent: &mpsc::Sender<Sent>,
) -> Result<u64> {
    let mut heads: Vec<Head> = shards
        .iter()
        .filter_map(|shard| ledger.head(shard.id()))
        .collect();
    let mut left: Vec<u64> = vec![args.events / u64::from(args.shards); heads.len()];
    // What does not divide goes to the first shard of the first worker.
    if shards.iter().any(|shard| shard.partition == 0) {
        left[0] += args.events % u64::from(args.shards);
    }
    let mut bytes = 0;
    let mut next = 0;
    while left.iter().any(|left| *left > 0) {
        for (head, left) in heads.iter_mut().zip(&mut left) {
            if *left == 0 {
                continue;
            }
            let mut block = BlockBuilder::new(ledger.id(), head);
            while *left > 0 && !block.is_full() {
                // Another person each time round.
                let round = next / pool.len();
                let place = next % pool.len();
                let entry = &mut pool[place];
                entry.subject = Some(references[(next + round * 7919) % references.len()]);
                entry.offset = block.next_offset();
                block.push(entry)?;
                next += 1;
                *left -= 1;
            }
            bytes += block.body_bytes() as u64;
            let begun = Instant::now();
            let built = block.finish(1_800_000_000_000_000_000, RULESET)?;
            *head = built.head_after;
            let (shard, size, sent) = (head.shard, head.size, sent.clone());
            ledger.submit(built, move |answer| {
                if answer.is_ok() {
                    // The receiver is there until all are sent.
                    let _ = sent.send((shard, size, begun, Instant::now()));
                }
            });
        }
    }
    // Everything is durable.
    for head in &heads {
        while ledger
            .head(head.shard)
            .is_some_and(|durable| durable.size < head.size)
        {
            ensure!(ledger.poisoned().is_none(), "{:?}", ledger.poisoned());
            thread::sleep(Duration::from_micros(200));
        }
    }
    Ok(bytes)
}

fn percentile(sorted: &[Duration], percent: usize) -> f64 {
    let place = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    sorted
        .get(place)
        .map_or(0.0, |took| took.as_secs_f64() * 1e3)
}

/// A line of `/proc/self/status`, in MiB.
pub(crate) fn status_mib(name: &str) -> Result<f64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let kib: f64 = line
        .and_then(|line| line.trim_start_matches(':').split_whitespace().next())
        .context("no such line")?
        .parse()?;
    Ok(kib / 1024.0)
}

/// Begins a new peak of resident memory, where the kernel lets us.
pub(crate) fn reset_peak() {
    if let Err(error) = std::fs::write("/proc/self/clear_refs", "5") {
        eprintln!("the peak of memory counts the preparation too: {error}");
    }
}

/// CPU time of this process so far, user and system.
fn cpu_seconds() -> Result<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let fields: Vec<&str> = stat
        .rsplit_once(')')
        .context("no such file as is known")?
        .1
        .split_whitespace()
        .collect();
    // utime and stime are fields 14 and 15; the first two are cut off.
    let ticks: f64 = fields[11].parse::<f64>()? + fields[12].parse::<f64>()?;
    Ok(ticks / rustix::param::clock_ticks_per_second() as f64)
}

pub(crate) fn bytes_below(dir: &Path) -> Result<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        bytes += if entry.file_type()?.is_dir() {
            bytes_below(&entry.path())?
        } else {
            // What it takes, not how long it says it is.
            std::os::unix::fs::MetadataExt::blocks(&entry.metadata()?) * 512
        };
    }
    Ok(bytes)
}
