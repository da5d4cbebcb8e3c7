//! How fast a ledger is verified: run with `--release -- --ignored --nocapture
//! speed`.

use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use custody_ledger::{
    BlockBuilder, Ledger, LedgerOptions, NotaryOptions, SubjectReference, VerifyOptions, verify,
};

use crate::fixture::{RULESET, TIME, entry, shard, signing_key};

const ENTRIES: u64 = 2_000_000;
const PERSONS: u64 = 200_000;

/// Bytes that do not shrink.
fn noise(seed: u64, bytes: &mut [u8]) {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    for chunk in bytes.chunks_mut(8) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let length = chunk.len();
        chunk.copy_from_slice(&state.to_le_bytes()[..length]);
    }
}

fn person(number: u64) -> SubjectReference {
    let mut reference = [0; 16];
    noise(number + 1, &mut reference);
    SubjectReference(reference)
}

/// CPU time of this process so far, in user mode and in the kernel: whatever
/// else the machine does is not counted.
fn cpu_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let after_name = stat.rsplit_once(") ").unwrap().1;
    let fields: Vec<&str> = after_name.split(' ').collect();
    let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    Duration::from_millis(ticks * 10)
}

fn build(dir: &Path) {
    let ledger = Ledger::open(
        dir,
        LedgerOptions {
            segment_bytes: 8 << 20,
            cache_bytes: 64 << 20,
            notary: Some(NotaryOptions::new(signing_key())),
            ..LedgerOptions::default()
        },
    )
    .unwrap();
    let mut head = ledger.open_shard(&shard(0)).unwrap();
    let mut event = entry(Some(0), 130);
    while head.size < ENTRIES {
        let mut builder = BlockBuilder::new(ledger.id(), &head);
        for _ in 0..200 {
            let offset = builder.next_offset().unwrap();
            event.offset = Some(offset);
            event.subject = Some(person(offset as u64 * 7919 % PERSONS));
            noise(offset as u64 + 5, &mut event.sealed);
            builder.push(&event).unwrap();
        }
        let built = builder.finish(TIME, RULESET).unwrap();
        head = built.head_after;
        ledger.submit(built, |done| assert!(done.is_ok()));
    }
    let covered = [(shard(0).id(), head.size)];
    let published = ledger.wait_published(&covered, Duration::from_secs(600));
    assert!(published.is_some());
    ledger.rotate().unwrap();
    ledger.close().unwrap();
}

#[test]
#[ignore = "a measurement: run with --release --nocapture"]
fn entries_a_second() {
    let scratch = tempfile::tempdir().unwrap();
    // Kept where it is named, to be measured again.
    let kept = std::env::var_os("CUSTODY_SPEED_DIR");
    let dir = kept.map_or_else(|| scratch.path().to_owned(), PathBuf::from);
    if !dir.join("stamp").exists() {
        build(&dir);
    }
    for (deep, threads) in [(false, 1), (true, 1), (false, 2)] {
        let (started, cpu) = (Instant::now(), cpu_time());
        let report = verify(
            &dir,
            &VerifyOptions {
                deep,
                keys: vec![signing_key().verifying_key().clone()],
                threads: NonZero::new(threads),
                ..VerifyOptions::default()
            },
        )
        .unwrap();
        let (took, cpu) = (started.elapsed(), cpu_time() - cpu);
        assert_eq!(report.faults, Vec::new());
        assert_eq!(report.checkpoint.unwrap().entries, ENTRIES);
        let bytes: u64 = report.shards.iter().map(|shard| shard.bytes).sum();
        println!(
            "deep {deep}, {threads} threads, {} bytes an entry: {:.2}M entries a second of one \
             core, {:.2}M/s as it was",
            bytes / ENTRIES,
            ENTRIES as f64 / cpu.as_secs_f64() / 1e6,
            ENTRIES as f64 / took.as_secs_f64() / 1e6
        );
    }
}
