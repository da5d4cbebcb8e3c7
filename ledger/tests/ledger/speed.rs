//! How fast a ledger is verified: run with `--release -- --ignored --nocapture
//! speed`.

use std::num::NonZero;
use std::time::{Duration, Instant};

use custody_ledger::{
    BlockBuilder, EventTag, Ledger, LedgerOptions, SubjectReference, VerifyOptions, verify,
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

#[test]
#[ignore = "a measurement: run with --release --nocapture"]
fn entries_a_second() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(
        dir.path(),
        LedgerOptions {
            segment_bytes: 8 << 20,
            cache_bytes: 64 << 20,
            notary: Some(custody_ledger::NotaryOptions::new(signing_key())),
            ..LedgerOptions::default()
        },
    )
    .unwrap();
    let mut head = ledger.open_shard(&shard(0)).unwrap();
    let mut bytes = 0;
    let mut event = entry(Some(0), 146);
    event.service = "alibaba.com".to_owned();
    event.purposes = vec!["custody:purchase_delivery".to_owned()];
    while head.size < ENTRIES {
        let mut builder = BlockBuilder::new(ledger.id(), &head);
        for _ in 0..200 {
            let offset = builder.next_offset().unwrap();
            event.offset = Some(offset);
            event.subject = Some(person(offset as u64 * 7919 % PERSONS));
            let mut tag = [0; 16];
            noise(offset as u64 + 77, &mut tag);
            event.event_tag = Some(EventTag(tag));
            noise(offset as u64 + 5, &mut event.sealed);
            builder.push(&event).unwrap();
        }
        let built = builder.finish(TIME, RULESET).unwrap();
        bytes += built.bytes.len();
        head = built.head_after;
        ledger.submit(built, |done| assert!(done.is_ok()));
    }
    let covered = [(shard(0).id(), head.size)];
    ledger
        .wait_published(&covered, Duration::from_secs(120))
        .unwrap();
    ledger.rotate().unwrap();
    ledger.close().unwrap();
    println!("{ENTRIES} entries of {} bytes", bytes as u64 / ENTRIES);

    for (deep, threads) in [(false, 1), (true, 1), (false, 2)] {
        let started = Instant::now();
        let report = verify(
            dir.path(),
            &VerifyOptions {
                deep,
                keys: vec![signing_key().verifying_key().clone()],
                threads: NonZero::new(threads),
                ..VerifyOptions::default()
            },
        )
        .unwrap();
        let took = started.elapsed();
        assert_eq!(report.faults, Vec::new());
        assert_eq!(report.checkpoint.unwrap().entries, ENTRIES);
        println!(
            "deep {deep}, {threads} threads: {took:?}, {:.2}M entries/s",
            ENTRIES as f64 / took.as_secs_f64() / 1e6
        );
    }
}
