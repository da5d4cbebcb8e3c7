//! Signed, witnessed, shown to outsiders, and held against Kafka.

use std::path::Path;
use std::time::Instant;

use custody_generate::{Generator, Profile};
use custody_proof::checkpoint::Checkpoint;
use custody_proof::cosignature::cosigned;
use custody_proof::manifest::Manifest;
use custody_proof::note::{Limits, Note, VerifyingKey};
use custody_tests::Witness;

use crate::custody::{PATIENCE, Service, custody, custody_ok, data_dir, text, verify};
use crate::kafka::{Raw, is_real, produce, shared};

const ORIGIN: &str = "e2e.example/custody";
const TOPIC: &str = "witnessed";

fn config(dir: &Path, witness: &Witness) -> String {
    let path = dir.join("custody.toml");
    let lines = format!(
        "[kafka]\ntopic_ids = {}\n[signing]\norigin = '{ORIGIN}'\n\
         [ledger]\ncheckpoint_interval_ms = 50\n\
         [[witness.list]]\nurl = '{}'\nkey = '{}'\n",
        is_real(),
        witness.url(),
        witness.key(),
    );
    std::fs::write(&path, lines).expect("a configuration");
    text(&path).to_owned()
}

fn events(seed: u64, events: u64) -> Vec<Raw> {
    Generator::new(Profile {
        seed,
        events,
        persons: 20,
        malformed: 0.0,
        duplicates: 0.0,
        ..Profile::default()
    })
    .expect("a profile")
    .map(|message| Raw::from(&message))
    .collect()
}

/// Waits until outsiders see a cosigned checkpoint of so many entries.
fn wait_cosigned(service: &Service, witness: &Witness, key: &VerifyingKey, entries: u64) -> u64 {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(note) = service.public("/checkpoint")
            && let Some(manifest) = service.public("/manifest")
        {
            let checkpoint = Checkpoint::open(&note, std::slice::from_ref(key)).expect("signed");
            let manifest = Manifest::parse(&manifest).expect("a manifest");
            let note = Note::parse_within(&note, Limits::CHECKPOINT).expect("a note");
            let by = cosigned(&note, &[witness.key().clone()]).expect("right cosignatures");
            let size: u64 = manifest.shards.iter().map(|shard| shard.size).sum();
            if !by.is_empty() && size >= entries && manifest.sequence + 1 == checkpoint.size {
                return checkpoint.size;
            }
        }
        assert!(
            Instant::now() < end,
            "not cosigned: {}\n{}",
            service.readiness(),
            service.log_text()
        );
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
}

/// What `verify --against-kafka` says, and whether it is well.
fn against_kafka(data: &Path, config: &str) -> (Option<i32>, serde_json::Value) {
    let brokers = shared().brokers();
    let output = custody(&[
        "verify",
        "--data",
        text(data),
        "--config",
        config,
        "--against-kafka",
        "--brokers",
        &brokers,
        "--topics",
        TOPIC,
        "--format",
        "json",
    ]);
    let report = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
    (output.status.code(), report)
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a directory");
    for entry in std::fs::read_dir(from).expect("a directory") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("a type").is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).expect("copied");
        }
    }
}

#[test]
fn outsiders_see_what_is_signed_and_a_restored_copy_is_refused() {
    let brokers = shared().brokers();
    shared().create_topic(TOPIC, 2, &[]).expect("a topic");
    let dir = data_dir();
    let (data, old) = (dir.path().join("data"), dir.path().join("old"));
    let witness = Witness::start("witness.example", 9).expect("a witness");
    let config = config(dir.path(), &witness);
    let key = custody_ok(&[
        "keys",
        "generate",
        "--data",
        text(&data),
        "--config",
        &config,
    ]);
    let key: VerifyingKey = key.trim().parse().expect("a verifier key");
    witness.trust(key.clone());

    let start = |data: &Path| {
        let mut service = Service::spawn(data, &brokers, TOPIC, &["--config", &config]);
        service.wait_for_answers();
        service
    };
    let mut service = start(&data);
    produce(&brokers, TOPIC, events(1, 300));
    service.wait_for_offsets(TOPIC, 300);
    wait_cosigned(&service, &witness, &key, 300);
    assert!(
        service.readiness().contains("1 of 1 witnesses"),
        "{}",
        service.readiness()
    );
    service.stop();
    verify(&data);
    copy(&data, &old);
    let key_of = |name: &str| dir.path().join(format!("{name}.root.key"));
    std::fs::copy(key_of("data"), key_of("old")).expect("copied");

    // Level with Kafka; then behind by what nobody has read.
    let (status, report) = against_kafka(&data, &config);
    assert_eq!(status, Some(0), "{report}");
    for partition in report["kafka"]["partitions"]
        .as_array()
        .expect("partitions")
    {
        assert_eq!(partition["state"], "level", "{report}");
    }
    produce(&brokers, TOPIC, events(2, 50));
    let (status, report) = against_kafka(&data, &config);
    assert_eq!(status, Some(0), "{report}");
    let partitions = report["kafka"]["partitions"]
        .as_array()
        .expect("partitions");
    let behind = partitions
        .iter()
        .filter_map(|p| p["never_ingested"].as_u64());
    assert_eq!(behind.sum::<u64>(), 50, "{report}");

    let mut service = start(&data);
    service.wait_for_offsets(TOPIC, 350);
    produce(&brokers, TOPIC, events(3, 50));
    service.wait_for_offsets(TOPIC, 400);
    let size = wait_cosigned(&service, &witness, &key, 400);
    service.stop();

    // The older copy reads what it lacks from Kafka, and signs another history.
    let service = start(&old);
    let end = Instant::now() + PATIENCE;
    while !service.readiness().contains("nothing is signed any more") {
        assert!(
            Instant::now() < end,
            "{}\n{}",
            service.readiness(),
            service.log_text()
        );
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    assert!(
        service.log_text().contains("witness witness.example"),
        "{}",
        service.log_text()
    );
    assert!(service.checkpoint().is_some(), "it goes on answering");
    assert!(witness.seen(ORIGIN).expect("seen").0 >= size);
    service.stop();
    verify(&old);
}
