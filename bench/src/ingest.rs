//! From Kafka to a durable ledger, beside a bare consumer.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::{Args, ValueEnum};
use custody_generate::{Generator, Profile};
use custody_ingest::duplicates::DuplicateIndex;
use custody_ingest::kafka::{KafkaDeadLetters, KafkaOptions, KafkaSource};
use custody_ingest::pipeline::{Pipeline, PipelineOptions, PipelineParts, system_clock};
use custody_ledger::{Ledger, LedgerOptions};
use custody_tests::Broker;
use custody_vault::{Vault, VaultOptions};
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use serde::{Deserialize, Serialize};

const TOPIC: &str = "bench";

/// What to measure.
#[derive(Args)]
pub(crate) struct IngestArgs {
    /// Events in the topic.
    #[arg(long, default_value_t = 500_000)]
    events: u64,
    /// Persons.
    #[arg(long, default_value_t = 50_000)]
    persons: u32,
    /// Partitions.
    #[arg(long, default_value_t = 4)]
    partitions: i32,
    /// Measurements of each.
    #[arg(long, default_value_t = 3)]
    runs: usize,
}

/// One measurement.
#[derive(Args)]
pub(crate) struct OnceArgs {
    #[arg(long)]
    side: Side,
    #[arg(long)]
    brokers: String,
    #[arg(long)]
    events: u64,
    #[arg(long)]
    partitions: i32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Side {
    Bare,
    Custody,
}

/// What one measurement found.
#[derive(Serialize, Deserialize)]
struct Figures {
    /// From the first message; of custody from the assignment of partitions.
    seconds: f64,
    /// Peak resident memory of the process, MiB.
    peak_mib: f64,
    /// Bytes on disk; 0 of the bare consumer.
    disk_bytes: u64,
}

/// Measures both sides in turn and prints the ratio of the medians.
pub(crate) fn compare(args: &IngestArgs) -> Result<()> {
    let broker = Broker::start()?;
    ensure!(
        matches!(broker, Broker::Apache(_)),
        "needs Apache Kafka: the embedded broker keeps too little of a topic"
    );
    broker.create_topic(TOPIC, args.partitions, &[])?;
    broker.create_topic(&format!("{TOPIC}.dlq"), 1, &[])?;
    let bytes = produce(&broker.brokers(), args)?;
    println!(
        "{} events, {} persons, {} partitions, {} bytes of payload an event",
        args.events,
        args.persons,
        args.partitions,
        bytes / args.events.max(1)
    );

    let mut rates: [Vec<f64>; 2] = Default::default();
    for run in 1..=args.runs {
        for (index, side) in [Side::Bare, Side::Custody].into_iter().enumerate() {
            let figures = measure(side, &broker.brokers(), args)?;
            let rate = args.events as f64 / figures.seconds;
            rates[index].push(rate);
            print!(
                "run {run}  {:8}  {rate:>10.0} events/s  peak {:>6.0} MiB",
                format!("{side:?}").to_lowercase(),
                figures.peak_mib
            );
            if figures.disk_bytes > 0 {
                print!(
                    "  {} bytes on disk an event",
                    figures.disk_bytes / args.events
                );
            }
            println!();
        }
    }
    let [bare, custody] = rates.map(median);
    println!(
        "median  bare {bare:.0}/s  custody {custody:.0}/s  ratio {:.3}",
        custody / bare
    );
    Ok(())
}

fn measure(side: Side, brokers: &str, args: &IngestArgs) -> Result<Figures> {
    let output = Command::new(std::env::current_exe()?)
        .args(["ingest-once", "--brokers", brokers])
        .args([
            "--side",
            if side == Side::Bare {
                "bare"
            } else {
                "custody"
            },
        ])
        .args(["--events", &args.events.to_string()])
        .args(["--partitions", &args.partitions.to_string()])
        .stderr(std::process::Stdio::inherit())
        .output()?;
    ensure!(output.status.success(), "the measurement failed");
    serde_json::from_slice(&output.stdout).context("the measurement's figures")
}

/// Makes one measurement and prints its figures as JSON.
pub(crate) fn once(args: &OnceArgs) -> Result<()> {
    let (seconds, disk_bytes) = match args.side {
        Side::Bare => (bare(args)?, 0),
        Side::Custody => custody(args)?,
    };
    let figures = Figures {
        seconds,
        peak_mib: peak_mib()?,
        disk_bytes,
    };
    println!("{}", serde_json::to_string(&figures)?);
    Ok(())
}

/// Reads every message and looks at nothing but its length.
fn bare(args: &OnceArgs) -> Result<f64> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", &args.brokers)
        .set("group.id", "bench-bare")
        .set("enable.auto.commit", "false")
        .set("fetch.queue.backoff.ms", "10")
        .create()?;
    let mut list = TopicPartitionList::new();
    for partition in 0..args.partitions {
        list.add_partition_offset(TOPIC, partition, Offset::Beginning)?;
    }
    consumer.assign(&list)?;
    let (mut count, mut bytes, mut start) = (0, 0, None);
    while count < args.events {
        if let Some(message) = consumer.poll(Duration::from_secs(10)) {
            let message = message?;
            start.get_or_insert_with(Instant::now);
            bytes += message.payload_len();
            count += 1;
        }
    }
    ensure!(bytes > 0, "the topic is empty");
    Ok(start.map_or(0.0, |start| start.elapsed().as_secs_f64()))
}

/// Takes every message into a durable ledger.
fn custody(args: &OnceArgs) -> Result<(f64, u64)> {
    let dir = tempfile::tempdir()?;
    let data = dir.path();
    let vault = Vault::open(
        &data.join("vault"),
        &data.join("root.key"),
        VaultOptions::default(),
    )?;
    let barrier = vault.clone();
    let ledger = Ledger::open(
        &data.join("ledger"),
        LedgerOptions {
            before_commit: Some(Arc::new(move || barrier.flush())),
            ..LedgerOptions::default()
        },
    )?;
    let clock = system_clock();
    let options = KafkaOptions::new(&args.brokers, TOPIC);
    let pipeline = Arc::new(Pipeline::start(PipelineParts {
        duplicates: DuplicateIndex::open(&data.join("duplicates"), vault.clone(), 7, clock())?,
        dead_letters: Arc::new(KafkaDeadLetters::new(&options)?),
        state_dir: data.join("state"),
        options: PipelineOptions::default(),
        ledger: ledger.clone(),
        vault,
        clock,
    })?);
    let source = KafkaSource::start(options, Arc::clone(&pipeline))?;
    let mut start = None;
    loop {
        let durable: i64 = ledger
            .shards()
            .iter()
            .filter_map(|(_, head)| head.next_offset)
            .sum();
        if durable > 0 || source.partitions() > 0 {
            start.get_or_insert_with(Instant::now);
        }
        if u64::try_from(durable)? >= args.events {
            break;
        }
        if let Some(failure) = pipeline.failure() {
            anyhow::bail!("{failure}");
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    let seconds = start.map_or(0.0, |start| start.elapsed().as_secs_f64());
    source.stop();
    pipeline.stop(Duration::from_secs(30))?;
    source.finish(&ledger);
    ledger.close()?;
    Ok((seconds, disk_bytes(data)?))
}

fn produce(brokers: &str, args: &IngestArgs) -> Result<u64> {
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("linger.ms", "20")
        .set("compression.type", "lz4")
        .create()?;
    let generator = Generator::new(Profile {
        events: args.events,
        persons: args.persons,
        malformed: 0.0,
        duplicates: 0.0,
        ..Profile::default()
    })?;
    let mut bytes = 0;
    for message in generator {
        let payload = message.payload.unwrap_or_default();
        bytes += payload.len() as u64;
        let mut headers = OwnedHeaders::new();
        for (key, value) in &message.headers {
            headers = headers.insert(Header {
                key,
                value: Some(value),
            });
        }
        let mut record = BaseRecord::to(TOPIC)
            .key(message.key.as_slice())
            .payload(payload.as_slice())
            .headers(headers);
        while let Err((_, back)) = producer.send(record) {
            producer.poll(Duration::from_millis(20));
            record = back;
        }
    }
    producer.flush(Duration::from_secs(120))?;
    Ok(bytes)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// `VmHWM` of this process (proc(5)).
fn peak_mib() -> Result<f64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let kib: f64 = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .and_then(|rest| rest.split_whitespace().next())
        .context("VmHWM")?
        .parse()?;
    Ok(kib / 1024.0)
}

/// Bytes allocated on disk below `dir`.
fn disk_bytes(dir: &Path) -> Result<u64> {
    use std::os::unix::fs::MetadataExt as _;
    let mut bytes = 0;
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        bytes += if metadata.is_dir() {
            disk_bytes(&entry.path())?
        } else {
            metadata.blocks() * 512
        };
    }
    Ok(bytes)
}
