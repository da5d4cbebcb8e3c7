//! Measures the store: how fast it takes entries, how much disk and memory
//! they cost, and how long it takes to open after a kill, for sizes of blocks
//! and of databases and for compressions.
//!
//! ```text
//! cargo run --release -p custody-ledger --example store_table -- 1000000
//! cargo run --release -p custody-ledger --example store_table -- 1000000 64 64 1 reread
//! ```
//!
//! Entries have about 300 bytes, of which about 130 are random, as sealed ones
//! do. Each measurement runs in a process of its own, which ends without
//! closing the ledger.

#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::panic)]

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use custody_ledger::{
    Act, BlockBuilder, Compression, Digest, Entry, EventTag, Head, Kind, Ledger, LedgerOptions,
    PartyPart, Progress, ShardDescriptor, SubjectReference, VerifyOptions, verify,
};

const SHARDS: usize = 8;
const TIME: i64 = 1_700_000_000_000_000_000;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.first().map(String::as_str) {
        Some("write") => write(&arguments[1..]),
        Some("open") => open(Path::new(&arguments[1])),
        Some("verify") => check(Path::new(&arguments[1])),
        Some(entries) if arguments.len() >= 4 => {
            measure(
                entries,
                &arguments[1],
                &arguments[2],
                &arguments[3],
                arguments.get(4),
            );
        }
        Some(entries) => {
            println!(
                "| block KiB | rotate MiB | compression | entries/s | bytes/entry on disk | peak RSS MiB | reopen s | reopen RSS MiB |"
            );
            println!("|---|---|---|---|---|---|---|---|");
            for block in ["16", "64", "256"] {
                for rotate in ["16", "64", "256"] {
                    for level in ["none", "1", "3"] {
                        measure(entries, block, rotate, level, None);
                    }
                }
            }
        }
        None => panic!("how many entries?"),
    }
}

/// Runs one measurement in processes of its own.
fn measure(entries: &str, block: &str, rotate: &str, level: &str, more: Option<&String>) {
    let dir = tempfile::tempdir_in(std::env::var_os("STORE_TABLE_DIR").unwrap_or(".".into()));
    let dir = dir.unwrap();
    let path = dir.path().to_str().unwrap();
    let run = |arguments: &[&str]| {
        let output = Command::new(std::env::current_exe().unwrap())
            .args(arguments)
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    let more = more.map_or("", String::as_str);
    let written = run(&["write", path, entries, block, rotate, level, more]);
    let opened = run(&["open", path]);
    println!("| {block} | {rotate} | {level} | {written} | {opened} |");
    if more == "verify" {
        println!("{}", run(&["verify", path]));
    }
}

fn write(arguments: &[String]) {
    let number = |at: usize| arguments[at].parse::<u64>().unwrap();
    let dir = Path::new(&arguments[0]);
    let (entries, block_bytes) = (number(1), number(2) as usize * 1024);
    let level = arguments[4].parse().ok();
    let mebibytes = |name: &str, default: u64| {
        let value = std::env::var(name)
            .ok()
            .and_then(|value| value.parse().ok());
        value.unwrap_or(default) << 20
    };
    let options = LedgerOptions {
        cache_bytes: mebibytes("CACHE_MIB", 64),
        queue_bytes: mebibytes("QUEUE_MIB", 64) as usize,
        rotate_bytes: number(3) << 20,
        compression: level.map_or(Compression::None, Compression::Zstd),
        ..LedgerOptions::default()
    };
    let ledger = Ledger::open(dir, options).unwrap();
    let mut heads: Vec<Head> = (0..SHARDS)
        .map(|partition| ledger.open_shard(&shard(partition)).unwrap())
        .collect();
    let done = Arc::new(AtomicBool::new(false));
    let notary = arguments
        .get(5)
        .filter(|more| *more == "reread")
        .map(|_| reread(&ledger, &done));
    let acknowledged = Arc::new(AtomicU64::new(0));
    let (sender, receiver) = mpsc::channel::<()>();
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let started = Instant::now();
    let mut appended = 0;
    'append: loop {
        for head in &mut heads {
            let mut builder = BlockBuilder::new(ledger.id(), head);
            while builder.body_bytes() < block_bytes {
                let offset = builder.next_offset().unwrap();
                builder.push(&entry(offset, &mut random)).unwrap();
                appended += 1;
            }
            let count = u64::from(builder.entries());
            let built = builder.finish(TIME, Digest([1; 32])).unwrap();
            *head = built.head_after;
            let (acknowledged, sender) = (Arc::clone(&acknowledged), sender.clone());
            ledger.submit(built, move |answer| {
                answer.unwrap();
                acknowledged.fetch_add(count, Ordering::Relaxed);
                drop(sender);
            });
            if appended >= entries {
                break 'append;
            }
        }
    }
    drop(sender);
    // Ends when the last callback has dropped its sender.
    assert!(receiver.recv().is_err());
    let elapsed = started.elapsed().as_secs_f64();
    assert_eq!(acknowledged.load(Ordering::Relaxed), appended);
    done.store(true, Ordering::Relaxed);
    let notary = notary.map(|notary| notary.join().unwrap());
    // Everything but the open database, so that the disk is compared fairly.
    ledger.rotate().unwrap();
    let bytes = disk_bytes(dir) as f64 / appended as f64;
    let rate = appended as f64 / elapsed;
    print!("{rate:.0} | {bytes:.0} | {:.0}", peak_mib());
    if let Some((blocks, bytes, busy, behind)) = notary {
        print!(
            " (read again: {blocks} blocks, {:.0} MiB, {:.2} s of processor time in {elapsed:.2} s, at most {behind} blocks behind)",
            bytes as f64 / (1 << 20) as f64,
            busy.as_secs_f64()
        );
    }
    println!();
    // Some that is not sealed, and then killed.
    for head in &mut heads {
        let mut builder = BlockBuilder::new(ledger.id(), head);
        for _ in 0..200 {
            let offset = builder.next_offset().unwrap();
            builder.push(&entry(offset, &mut random)).unwrap();
        }
        let built = builder.finish(TIME, Digest([1; 32])).unwrap();
        *head = ledger.commit(built).unwrap();
    }
    std::process::exit(0);
}

/// Blocks, bytes, processor time, and how many blocks it was behind at most.
type Reread = (u64, u64, Duration, u64);

/// The processor time of this thread.
fn thread_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanos = stat
        .split_whitespace()
        .next()
        .and_then(|nanos| nanos.parse().ok());
    Duration::from_nanos(nanos.unwrap_or(0))
}

/// Reads every block again as soon as it is durable, as the notary does.
fn reread(ledger: &Ledger, done: &Arc<AtomicBool>) -> thread::JoinHandle<Reread> {
    let (ledger, done) = (ledger.clone(), Arc::clone(done));
    thread::spawn(move || {
        let mut rereader = ledger.rereader();
        let mut subscription = ledger.subscribe();
        let mut next = std::collections::BTreeMap::new();
        let (mut blocks, mut bytes, mut most) = (0, 0, 0);
        loop {
            let last = done.load(Ordering::Relaxed);
            let mut behind = 0;
            for (_, head) in ledger.shards() {
                let at = next.entry(head.shard).or_insert(0);
                behind += head.blocks - *at;
                while *at < head.blocks {
                    let block = rereader.block(head.shard, *at).unwrap();
                    bytes += block.as_bytes().len() as u64;
                    blocks += 1;
                    *at += 1;
                }
            }
            most = most.max(behind);
            if last {
                return (blocks, bytes, thread_time(), most);
            }
            subscription.wait(Duration::from_millis(10));
        }
    })
}

fn open(dir: &Path) {
    let started = Instant::now();
    let ledger = Ledger::open(dir, LedgerOptions::default()).unwrap();
    let elapsed = started.elapsed().as_secs_f64();
    print!("{elapsed:.2} | {:.0}", peak_mib());
    ledger.close().unwrap();
}

fn check(dir: &Path) {
    let started = Instant::now();
    let blocks = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&blocks);
    let options = VerifyOptions {
        progress: Some(Arc::new(move |progress: Progress| {
            counted.fetch_max(progress.blocks, Ordering::Relaxed);
        })),
        ..VerifyOptions::default()
    };
    let report = verify(dir, &options).unwrap();
    assert!(report.ok(), "{:?}", report.faults);
    println!(
        "verify: {} entries in {:.2} s, peak RSS {:.0} MiB",
        report.entries(),
        started.elapsed().as_secs_f64(),
        peak_mib()
    );
}

fn shard(partition: usize) -> ShardDescriptor {
    ShardDescriptor {
        cluster_id: "cluster-1".to_owned(),
        topic: "privacy-events".to_owned(),
        topic_id: String::new(),
        partition: partition as i32,
        epoch: 0,
    }
}

struct Random(u64);

impl Random {
    fn bytes<const SIZE: usize>(&mut self) -> [u8; SIZE] {
        let mut bytes = [0; SIZE];
        for chunk in bytes.chunks_mut(8) {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            chunk.copy_from_slice(&self.0.to_le_bytes()[..chunk.len()]);
        }
        bytes
    }
}

/// A disclosure of about 300 bytes.
fn entry(offset: i64, random: &mut Random) -> Entry {
    let mut entry = Entry::new(Kind::Disclosure, TIME + offset);
    entry.offset = Some(offset);
    entry.kafka_time_ms = Some(TIME / 1_000_000 + offset);
    entry.subject = Some(SubjectReference(random.bytes()));
    entry.event_tag = Some(EventTag(random.bytes()));
    entry.service = "alibaba.com".to_owned();
    entry.purposes = vec!["dpv:ServiceProvision".to_owned()];
    entry.jurisdiction = "DE".to_owned();
    entry.act = Act::Disclosure {
        recipient: PartyPart {
            id: "dhl".to_owned(),
            ..PartyPart::default()
        },
        means: 1,
        sale: false,
        safeguard: String::new(),
    };
    entry.sealed = random.bytes::<96>().to_vec();
    entry
}

fn disk_bytes(dir: &Path) -> u64 {
    let entries = std::fs::read_dir(dir).unwrap().map(Result::unwrap);
    entries
        .map(|entry| {
            let name = entry.file_name();
            let metadata = entry.metadata().unwrap();
            if metadata.is_dir() && !name.to_str().unwrap().starts_with("db.") {
                disk_bytes(&entry.path())
            } else if metadata.is_file() {
                metadata.len()
            } else {
                0
            }
        })
        .sum()
}

/// The most memory that this process had.
fn peak_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<f64>().ok());
    kib.unwrap_or(f64::NAN) / 1024.0
}
