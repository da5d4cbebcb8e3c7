//! `custody demo`: everything at once, on one machine, without Kafka.

mod erased;
mod evidence;
mod judgements;
mod persons;
mod tamper;

use std::fmt::Arguments;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use custody_generate::{Generator, Notable, Profile, RETENTION_DAYS};
use custody_ledger::{VerifyOptions, VerifyReport};

use crate::args::Global;
use crate::config::Config;
use crate::data_dir::ledger_dir;
use crate::error::{CommandError, Exit};
use crate::kafka::{Delivery, EmbeddedBroker, Producer};
use crate::node::Node;
use crate::output::{Look, bytes, count, items};

const TOPIC: &str = "custody.events";

/// How long taking in may stand still before the demonstration gives up.
const STANDSTILL: Duration = Duration::from_secs(30);

/// Shows everything at work, without Kafka, in under a minute
///
/// Starts an embedded Kafka broker, sends invented events under the five
/// policies, takes them in and judges them, answers for three persons, counts
/// what the judge found and explains one finding, erases a person, verifies the
/// ledger, and lets the verifier find one changed bit in a copy of it.
#[derive(clap::Args)]
#[command(after_long_help = "\
Examples:
  custody demo
  custody demo --serve                   goes on running, to be asked
  custody demo --events 200000 --data ./demo-data")]
pub struct Args {
    /// How many events
    #[arg(long, default_value_t = 60_000, value_parser = clap::value_parser!(u64).range(1..=5_000_000))]
    events: u64,
    /// Where randomness starts
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Keeps the data here; the directory must be empty or new. Without it a
    /// temporary one, removed at the end
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Goes on running at the end, and prints commands to try
    #[arg(long)]
    serve: bool,
}

/// How long after the last event duties are looked for: 90 days.
const OVERDUE_SEEN_NS: i64 = 90 * 86_400 * 1_000_000_000;

/// The numbered steps, on standard output.
struct Story {
    out: io::Stdout,
    step: u32,
}

impl Story {
    fn step(&mut self, text: Arguments<'_>) -> io::Result<()> {
        self.step += 1;
        writeln!(self.out, "\n{}. {text}", self.step)
    }

    fn say(&mut self, text: Arguments<'_>) -> io::Result<()> {
        writeln!(self.out, "   {text}")
    }
}

impl Args {
    pub(crate) fn run(self, global: &Global) -> Result<Exit, CommandError> {
        global.start_quiet_logs()?;
        let started = Instant::now();
        let (dir, _temporary) = self.dir()?;
        let mut story = Story {
            out: io::stdout(),
            step: 0,
        };
        // The embedded broker keeps 5 MiB a partition.
        let partitions = i32::try_from((self.events / 20_000).clamp(4, 256)).unwrap_or(4);
        let dead_letters = format!("{TOPIC}.dlq");
        let broker = EmbeddedBroker::start(&[(TOPIC, partitions), (&dead_letters, 1)])?;
        let brokers = broker.brokers();
        story.step(format_args!(
            "An embedded Kafka broker listens at {brokers}; topic {TOPIC} has {partitions} partitions."
        ))?;
        let mut config = Config {
            data_dir: dir.clone(),
            ..Config::default()
        };
        config.kafka.brokers = brokers;
        TOPIC
            .replace('.', r"\.")
            .clone_into(&mut config.kafka.topics);
        // So that data is found that was used for too long.
        config.policy.retention_days_after_account_closed = Some(RETENTION_DAYS);
        config.kafka.topic_refresh_s = 1;
        // The embedded broker cannot be asked for them.
        config.kafka.topic_ids = false;

        let profile = self.profile();
        let target = self.take_in(&mut story, &config, &profile)?;
        let report = verify(&dir)?;
        let sizes: u64 = report.shards.iter().map(|shard| shard.bytes).sum();
        story.step(format_args!(
            "The ledger verified: {} entries in {} blocks of {} shards ({}) recomputed from the stored bytes; {}.",
            count(report.entries()),
            count(report.blocks()),
            report.shards.len(),
            bytes(sizes),
            if report.ok() { "nothing is wrong" } else { "FAULTS" },
        ))?;
        let sum = |count: fn(&custody_ledger::ShardReport) -> u64| -> u64 {
            report.shards.iter().map(count).sum()
        };
        story.say(format_args!(
            "Every Kafka offset is accounted for: {} entries, {} duplicates, {} rejected to {dead_letters}.",
            count(sum(|shard| shard.last_offset.map_or(0, |_| shard.entries))),
            count(sum(|shard| shard.duplicates)),
            count(sum(|shard| shard.rejected)),
        ))?;
        for fault in &report.faults {
            story.say(format_args!("FAULT {fault}"))?;
        }
        let found = match target {
            Some(target) => self.tamper(&mut story, &dir, &target)?,
            None => false,
        };
        let took = started.elapsed().as_secs_f64();
        story.step(format_args!("That took {took:.1} s."))?;
        if self.data.is_some() && !self.serve {
            story.say(format_args!("The data is in {}.", dir.display()))?;
        }
        if self.serve {
            self.serve(&mut story, &config, &profile)?;
        }
        drop(broker);
        Ok(if report.ok() && found {
            Exit::Done
        } else {
            Exit::Bad
        })
    }

    fn dir(&self) -> Result<(PathBuf, Option<tempfile::TempDir>), CommandError> {
        match &self.data {
            Some(dir) => {
                let used = std::fs::read_dir(dir).is_ok_and(|mut files| files.next().is_some());
                if used {
                    let problem = format!("--data: {} is not empty; name a new one", dir.display());
                    return Err(CommandError::Usage(problem));
                }
                Ok((dir.clone(), None))
            }
            None => {
                let temporary = tempfile::Builder::new()
                    .prefix("custody-demo-")
                    .tempdir()
                    .map_err(|source| CommandError::Write {
                        path: std::env::temp_dir(),
                        source,
                    })?;
                Ok((temporary.path().join("data"), Some(temporary)))
            }
        }
    }

    fn profile(&self) -> Profile {
        Profile {
            seed: self.seed,
            events: self.events,
            persons: u32::try_from((self.events / 20).clamp(1, 100_000)).unwrap_or(1),
            ..Profile::default()
        }
    }

    /// Sends, takes in, answers; closes everything.
    fn take_in(
        &self,
        story: &mut Story,
        config: &Config,
        profile: &Profile,
    ) -> Result<Option<tamper::Target>, CommandError> {
        let node = Node::start(config)?;
        let started = Instant::now();
        let delivery = send(config, profile)?;
        let sent = started.elapsed().as_secs_f64();
        story.step(format_args!(
            "{} invented events of {} persons under five policies sent in {sent:.1} s: {} in three encodings.",
            count(delivery.delivered),
            count(profile.persons.into()),
            bytes(delivery.bytes),
        ))?;
        wait_until_durable(&node, delivery.delivered)?;
        let elapsed = started.elapsed().as_secs_f64();
        let entries: u64 = node
            .ledger()
            .shards()
            .iter()
            .map(|(_, head)| head.size)
            .sum();
        story.step(format_args!(
            "{} entries are durable {elapsed:.1} s after the first was sent: {} events/s, generated, \
             sent, decoded, sealed, chained and synced on this machine.",
            count(entries),
            count((delivery.delivered as f64 / elapsed) as u64),
        ))?;
        let now = profile.end.unix_nanos().unwrap_or(0) + OVERDUE_SEEN_NS;
        let overdue = node.check_overdue(now)?;
        story.say(format_args!(
            "{} duties were found overdue: requests nobody answered, breaches nobody notified, \
             data kept too long.",
            count(u64::try_from(overdue).unwrap_or(0)),
        ))?;
        story.step(format_args!(
            "Who received what, and did the policies in force promise it? Three persons."
        ))?;
        let notable = notable(profile)?;
        persons::show(story, &node, &notable)?;
        if let Some(id) = &notable.buyer {
            evidence::show(story, &node, config, id)?;
        }
        // Whom the commands at the end are about stays.
        let leavers = [&notable.leaver, &notable.unusual];
        let mut leavers = leavers.into_iter().flatten();
        if let Some(id) = leavers.find(|id| Some(*id) != notable.buyer.as_ref()) {
            erased::show(story, &node, config, id)?;
        }
        let target = tamper::Target::choose(node.ledger())
            .map_err(CommandError::store("the ledger", &config.data_dir))?;
        let deadline = Duration::from_secs(config.shutdown_deadline_s);
        let (drained, ingest) = node.drain(deadline);
        drained.close()?;
        ingest?;
        Ok(target)
    }

    /// Whether the verifier found what was changed.
    fn tamper(
        &self,
        story: &mut Story,
        dir: &Path,
        target: &tamper::Target,
    ) -> Result<bool, CommandError> {
        let write_error = |source| CommandError::Write {
            path: std::env::temp_dir(),
            source,
        };
        let copy = tempfile::Builder::new()
            .prefix("custody-demo-copy-")
            .tempdir()
            .map_err(write_error)?;
        tamper::copy(&ledger_dir(dir), &ledger_dir(copy.path())).map_err(write_error)?;
        let Some(flipped) = target.flip(&ledger_dir(copy.path())).map_err(write_error)? else {
            story.step(format_args!(
                "The store does not keep blocks as they were written."
            ))?;
            return Ok(false);
        };
        let report = verify(copy.path())?;
        story.step(format_args!(
            "In a copy of the ledger, one bit was changed: byte {} of {}. The verifier says:",
            count(flipped.offset),
            flipped.file.display(),
        ))?;
        for fault in &report.faults {
            story.say(format_args!("FAULT {fault}"))?;
        }
        if report.ok() {
            story.say(format_args!("nothing: it did NOT find it"))?;
        }
        Ok(!report.ok())
    }

    fn serve(
        &self,
        story: &mut Story,
        config: &Config,
        profile: &Profile,
    ) -> Result<(), CommandError> {
        let notable = notable(profile)?;
        let person = notable.buyer.or(notable.leaver).or(notable.unusual);
        let person = person.unwrap_or_else(|| "account:1".to_owned());
        let listen = config.listen.grpc;
        super::serve::serve(config, |_| {
            story.step(format_args!(
                "Serving until Ctrl-C. To try, in another terminal:"
            ))?;
            for command in [
                format!("custody subject {person} recipients"),
                format!("custody subject {person} timeline --view full --format json"),
                format!("custody subject {person} transfers --format csv"),
                "custody policy list".to_owned(),
                format!("grpcurl -plaintext {listen} list"),
                format!(
                    "grpcurl -plaintext -d '{{\"subject\": \"{person}\"}}' {listen} \
                     custody.v1.LineageService/GetSubject"
                ),
                format!("curl -s http://{}/readyz", config.listen.admin),
            ] {
                story.say(format_args!("  {command}"))?;
            }
            Ok(())
        })
    }
}

fn notable(profile: &Profile) -> Result<Notable, CommandError> {
    Notable::find(profile).map_err(|error| CommandError::Usage(error.to_string()))
}

fn send(config: &Config, profile: &Profile) -> Result<Delivery, CommandError> {
    let generator =
        Generator::new(profile.clone()).map_err(|error| CommandError::Usage(error.to_string()))?;
    let producer = Producer::connect(&config.kafka.brokers, TOPIC, &config.kafka.properties.0)?;
    let bar = items(Some(profile.events), "   sending");
    for message in generator {
        let key = (!message.key.is_empty()).then_some(message.key.as_slice());
        let payload = message.payload.as_deref();
        producer.send(key, &message.headers, payload, Some(message.time_ms));
        bar.inc(1);
    }
    let delivery = producer.finish()?;
    bar.finish_and_clear();
    match &delivery.first_error {
        Some(reason) => Err(CommandError::Kafka(reason.clone())),
        None => Ok(delivery),
    }
}

/// Waits until every message is accounted for in a durable block.
fn wait_until_durable(node: &Node, messages: u64) -> Result<(), CommandError> {
    let bar = items(Some(messages), "   taking in");
    let health = node.health();
    let mut last = (0, Instant::now());
    loop {
        let shards = node.ledger().shards();
        let done: i64 = shards.iter().filter_map(|(_, head)| head.next_offset).sum();
        let done = u64::try_from(done).unwrap_or(0);
        bar.set_position(done);
        if done >= messages {
            bar.finish_and_clear();
            return Ok(());
        }
        if done > last.0 {
            last = (done, Instant::now());
        }
        let reason = health.failure().or_else(|| {
            (last.1.elapsed() > STANDSTILL).then(|| {
                let checks = health.readiness().checks;
                let details: Vec<String> = checks.into_iter().map(|check| check.detail).collect();
                format!(
                    "nothing came in for {} s ({})",
                    STANDSTILL.as_secs(),
                    details.join("; ")
                )
            })
        });
        if let Some(reason) = reason {
            return Err(CommandError::Stopped {
                what: "taking in",
                reason,
            });
        }
        sleep(Duration::from_millis(20));
    }
}

fn verify(data: &Path) -> Result<VerifyReport, CommandError> {
    custody_ledger::verify(&ledger_dir(data), &VerifyOptions::default())
        .map_err(CommandError::store("the ledger", data))
}

fn look() -> Look {
    Look::detected()
}
