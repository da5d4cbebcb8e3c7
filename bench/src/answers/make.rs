//! Makes the ledger: events straight into vault and ledger, without Kafka and
//! without the judge, whose answer stands in each entry as the same few words.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, ensure};
use clap::Args;
use custody_ledger::{
    Act, BlockBuilder, Digest, Entry, Head, HouseRecord, Kind, Ledger, LedgerOptions,
    ShardDescriptor,
};
use custody_vault::{EntryContext, Vault, VaultOptions};
use serde::{Deserialize, Serialize};

use super::entry::{entry, message};
use super::plan::{Counting, Plan};
use super::population::{Population, Told};
use super::process;
use crate::workload::{COUNTRIES, RECIPIENTS, START_MS};

/// Shards that events are spread over by their persons.
const SHARDS: usize = 4;

/// Events are handed to the threads that seal them by so many.
const CHUNK: usize = 1_024;

/// The rules that blocks name.
pub(crate) const RULESET: Digest = Digest([0x5e; 32]);

/// How long after it happened an event is recorded.
const RECORDED_AFTER_NS: i64 = 1_000_000_000;

#[derive(Args)]
pub(crate) struct MakeArgs {
    #[arg(long)]
    data: PathBuf,
    #[command(flatten)]
    population: Population,
}

/// What making it took.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Made {
    /// 0 where it was there already.
    seconds: f64,
    events: u64,
    ledger_bytes: u64,
    vault_bytes: u64,
    peak_mib: f64,
}

impl fmt::Display for Made {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.seconds == 0.0 {
            write!(f, "ledger: as it was kept")?;
        } else {
            write!(
                f,
                "ledger: made in {:.1} s, {:.0} events/s generated, sealed and durable, peak {:.0} MiB",
                self.seconds,
                self.events as f64 / self.seconds,
                self.peak_mib
            )?;
        }
        write!(
            f,
            "; {:.0} bytes an event in the ledger, {:.0} in the vault",
            self.ledger_bytes as f64 / self.events as f64,
            self.vault_bytes as f64 / self.events as f64
        )
    }
}

/// Makes the ledger, unless it is there, and prints a line of JSON.
pub(crate) fn run(args: &MakeArgs) -> Result<()> {
    process::end_with_parent();
    let data = &args.data;
    let mut seconds = 0.0;
    match Plan::read(data)? {
        Some(plan) => ensure!(
            plan.population == args.population,
            "{} holds other events: {:?}",
            data.display(),
            plan.population
        ),
        None => {
            let begun = Instant::now();
            make(data, args.population)?;
            seconds = begun.elapsed().as_secs_f64();
        }
    }
    let made = Made {
        seconds,
        events: args.population.len(),
        ledger_bytes: process::disk_bytes(&data.join("ledger"))?,
        vault_bytes: process::disk_bytes(&data.join("vault"))?,
        peak_mib: process::status_mib("VmHWM")?,
    };
    println!("{}", serde_json::to_string(&made)?);
    Ok(())
}

/// The vault of a data directory.
pub(crate) fn open_vault(data: &Path) -> Result<Vault> {
    let (dir, key) = (data.join("vault"), data.join("root.key"));
    Ok(Vault::open(&dir, &key, VaultOptions::default())?)
}

/// The ledger of a data directory, keys durable before blocks.
pub(crate) fn open_ledger(data: &Path, vault: &Vault) -> Result<Ledger> {
    let barrier = vault.clone();
    let options = LedgerOptions {
        before_commit: Some(Arc::new(move || barrier.flush())),
        ..LedgerOptions::default()
    };
    Ok(Ledger::open(&data.join("ledger"), options)?)
}

/// The shard that events of the bench are in.
pub(crate) fn descriptor(partition: usize) -> ShardDescriptor {
    ShardDescriptor {
        cluster_id: "bench".to_owned(),
        topic: "events".to_owned(),
        topic_id: String::new(),
        partition: i32::try_from(partition).unwrap_or(i32::MAX),
        epoch: 0,
    }
}

fn make(data: &Path, population: Population) -> Result<()> {
    let vault = open_vault(data)?;
    let ledger = open_ledger(data, &vault)?;
    for shard in 0..SHARDS {
        ledger.open_shard(&descriptor(shard))?;
    }
    register(&ledger)?;
    let threads = thread::available_parallelism()
        .map_or(1, |count| count.get())
        .min(SHARDS);
    let mut counting = Counting::new(population);
    thread::scope(|scope| -> Result<()> {
        let mut workers = Vec::new();
        let mut queues: Vec<SyncSender<Vec<(usize, Told)>>> = Vec::new();
        for _ in 0..threads {
            let (queue, events) = sync_channel(4);
            let (ledger, vault) = (&ledger, &vault);
            workers.push(scope.spawn(move || seal(ledger, vault, &events)));
            queues.push(queue);
        }
        let mut chunks: Vec<Vec<(usize, Told)>> = vec![Vec::with_capacity(CHUNK); threads];
        let mut ended = false;
        for told in population.events() {
            let told = told?;
            counting.count(&told);
            let shard = shard_of(&told);
            let worker = shard % threads;
            chunks[worker].push((shard, told));
            if chunks[worker].len() == CHUNK {
                let full = std::mem::replace(&mut chunks[worker], Vec::with_capacity(CHUNK));
                ended = queues[worker].send(full).is_err();
                if ended {
                    break;
                }
            }
        }
        if !ended {
            for (queue, chunk) in queues.iter().zip(chunks) {
                // One that has ended says why below.
                let _ = queue.send(chunk);
            }
        }
        drop(queues);
        for worker in workers {
            worker.join().map_err(|_| anyhow!("a thread panicked"))??;
        }
        Ok(())
    })?;
    ledger.close()?;
    vault.close()?;
    counting.write(data)
}

/// All events of a person are in one shard, as Kafka's key does it.
fn shard_of(told: &Told) -> usize {
    let bytes = told.event.subject.bytes();
    bytes.fold(0, |sum: usize, byte| {
        sum.wrapping_mul(31).wrapping_add(byte.into())
    }) % SHARDS
}

/// The recipients as the party registry has them.
fn register(ledger: &Ledger) -> Result<()> {
    let start_ns = START_MS * 1_000_000;
    let parties = (0..RECIPIENTS).map(|number| {
        let mut entry = Entry::new(Kind::PartyRegistered, start_ns);
        entry.act = Act::House(HouseRecord::PartyRegistered {
            id: format!("recipient-{number:03}"),
            name: format!("Recipient {number}"),
            category: String::new(),
            country: COUNTRIES[number % COUNTRIES.len()].to_owned(),
        });
        entry
    });
    ledger.append_house(parties.collect(), start_ns, RULESET)?;
    Ok(())
}

/// Seals events and submits them in blocks, until there are no more.
fn seal(ledger: &Ledger, vault: &Vault, events: &Receiver<Vec<(usize, Told)>>) -> Result<()> {
    let mut writers: Vec<Option<Writer<'_>>> = (0..SHARDS).map(|_| None).collect();
    for (shard, told) in events.iter().flatten() {
        let writer = match &mut writers[shard] {
            Some(writer) => writer,
            none => none.insert(Writer::new(ledger, vault, &descriptor(shard))?),
        };
        writer.write(&told)?;
    }
    for writer in writers.iter_mut().flatten() {
        writer.cut(|_| {})?;
    }
    for writer in writers.iter().flatten() {
        writer.wait()?;
    }
    Ok(())
}

/// Writes one shard.
pub(crate) struct Writer<'a> {
    ledger: &'a Ledger,
    vault: &'a Vault,
    head: Head,
    block: BlockBuilder,
    recorded_ns: i64,
}

impl<'a> Writer<'a> {
    pub(crate) fn new(
        ledger: &'a Ledger,
        vault: &'a Vault,
        shard: &ShardDescriptor,
    ) -> Result<Self> {
        let head = ledger.head(shard.id()).context("no such shard")?;
        Ok(Self {
            ledger,
            vault,
            head,
            block: BlockBuilder::new(ledger.id(), &head),
            recorded_ns: head.recorded_time_ns,
        })
    }

    /// Seals an event, and submits the block when it is full.
    pub(crate) fn write(&mut self, told: &Told) -> Result<()> {
        self.push(told)?;
        if self.is_full() {
            self.cut(|_| {})?;
        }
        Ok(())
    }

    /// Seals an event.
    pub(crate) fn push(&mut self, told: &Told) -> Result<()> {
        let person = self.vault.admit(&[told.event.subject.as_str()])?.person;
        let mut entry = entry(told, &person)?;
        let context = EntryContext {
            ledger: self.ledger.id().0,
            shard: self.head.shard.0,
            sequence: self.block.next_sequence(),
        };
        entry.sealed = person.seal(&context, &message(told)?)?;
        entry.offset = self.block.next_offset();
        self.block.push(&entry)?;
        self.recorded_ns = self
            .recorded_ns
            .max(entry.event_time_ns + RECORDED_AFTER_NS);
        Ok(())
    }

    /// Whether the block should be submitted.
    pub(crate) fn is_full(&self) -> bool {
        self.block.is_full()
    }

    /// Submits what there is; `done` hears how long the shard is once that is
    /// durable.
    pub(crate) fn cut(&mut self, done: impl FnOnce(u64) + Send + 'static) -> Result<()> {
        if self.block.is_empty() {
            return Ok(());
        }
        let next = BlockBuilder::new(self.ledger.id(), &self.head);
        let built = std::mem::replace(&mut self.block, next).finish(self.recorded_ns, RULESET)?;
        self.head = built.head_after;
        self.block = BlockBuilder::new(self.ledger.id(), &self.head);
        // Blocks while much is on its way.
        self.ledger.submit(built, move |answer| {
            if let Ok(head) = answer {
                done(head.size);
            }
        });
        Ok(())
    }

    /// Waits until all that was submitted is durable.
    pub(crate) fn wait(&self) -> Result<()> {
        let shard = self.head.shard;
        while self
            .ledger
            .head(shard)
            .is_some_and(|durable| durable.size < self.head.size)
        {
            if let Some(reason) = self.ledger.poisoned() {
                return Err(anyhow!("the ledger stopped: {reason}"));
            }
            thread::sleep(Duration::from_micros(200));
        }
        Ok(())
    }
}
